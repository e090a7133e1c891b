//! A JSON Schema as Markdown: a table of keys for each table of a TOML file, or for each object of a JSON file.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use super::literal;

/// How the headings of nested tables are spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    Toml,
    Json,
}

/// A section for each table that a file has; `elsewhere` are definitions that another page has, with its address.
pub fn markdown(schema: &Value, spelling: Spelling, elsewhere: &[(&str, &str)]) -> String {
    let mut writer = Writer { schema, spelling, elsewhere, told: BTreeSet::new(), text: String::new() };
    writer.table("", "", schema);
    writer.text
}

struct Writer<'a> {
    schema: &'a Value,
    spelling: Spelling,
    elsewhere: &'a [(&'a str, &'a str)],
    /// Definitions that have a section: one that several keys share has one.
    told: BTreeSet<String>,
    text: String,
}

impl Writer<'_> {
    /// The table at `way`, such as `node.`, and those below it.
    fn table(&mut self, way: &str, description: &str, table: &Value) {
        let (schema, mut nested) = (self.schema, Vec::new());
        let required: Vec<&str> =
            table["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        write!(self.text, "{description}\n\n| key | value | |\n|---|---|---|\n").unwrap();
        for (key, of) in table["properties"].as_object().into_iter().flatten() {
            let mut told = of["description"].as_str().map(literal).unwrap_or_default();
            let (kind, definition) = self.kind(of);
            if let Some((name, depth)) = definition.filter(|_| !self.is_elsewhere(of)) {
                if told.is_empty() {
                    told = schema["$defs"][&name]["description"].as_str().map(literal).unwrap_or_default();
                }
                nested.push((key.clone(), name, depth));
            }
            let default = of
                .get("default")
                .filter(|value| !value.is_null() && !value.is_object() && **value != Value::Array(vec![]));
            let default = default.map(|value| format!(" Default: `{value}`.")).unwrap_or_default();
            let needed =
                if required.contains(&key.as_str()) && self.spelling == Spelling::Toml { " (needed)" } else { "" };
            writeln!(self.text, "| `{key}`{needed} | {kind} | {told}{default} |").unwrap();
        }
        for (key, name, depth) in nested {
            if !self.told.insert(name.clone()) {
                continue;
            }
            let heading = match (self.spelling, depth) {
                (Spelling::Json, _) => format!("`{way}{key}`"),
                (Spelling::Toml, Depth::One) => format!("`[{way}{key}]`"),
                (Spelling::Toml, Depth::List) => format!("`[[{way}{key}]]`"),
                (Spelling::Toml, Depth::Map) => format!("`[{way}{key}.NAME]`"),
            };
            let definition = &schema["$defs"][&name];
            let description = definition["description"].as_str().map(literal).unwrap_or_default();
            write!(self.text, "\n## {heading} {{#{}}}\n\n", name.to_lowercase()).unwrap();
            self.table(&format!("{way}{key}."), &description, definition);
        }
    }

    fn is_elsewhere(&self, of: &Value) -> bool {
        let text = of.to_string();
        self.elsewhere.iter().any(|(name, _)| text.contains(&format!("\"#/$defs/{name}\"")))
    }

    /// In words what a value is, and the definition with keys of its own that it leads to.
    fn kind(&self, of: &Value) -> (String, Option<(String, Depth)>) {
        if let Some(name) = of["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            let definition = &self.schema["$defs"][name];
            if let Some((_, page)) = self.elsewhere.iter().find(|(other, _)| *other == name) {
                return (format!("[table]({page})"), None);
            }
            if definition["properties"].is_object() {
                return (format!("[table](#{})", name.to_lowercase()), Some((name.to_owned(), Depth::One)));
            }
            let (kind, below) = self.kind(definition);
            let told = definition["description"].as_str().filter(|_| definition["enum"].is_null());
            return (told.map_or(kind, literal), below);
        }
        if let Some(choices) = of["anyOf"].as_array().or(of["oneOf"].as_array()) {
            let real = choices.iter().filter(|choice| choice["type"] != "null");
            let kinds: Vec<(String, Option<(String, Depth)>)> = real.map(|choice| self.kind(choice)).collect();
            let words: Vec<&str> = kinds.iter().map(|(kind, _)| kind.as_str()).collect();
            return (words.join(", or "), kinds.iter().find_map(|(_, below)| below.clone()));
        }
        if let Some(values) = of["enum"].as_array() {
            let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            return (values.join(", "), None);
        }
        if let Some(value) = of.get("const") {
            return (format!("`{value}`"), None);
        }
        let kind = match &of["type"] {
            Value::Array(kinds) => {
                kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default()
            }
            kind => kind.as_str().unwrap_or_default(),
        };
        match kind {
            "array" if of["items"].is_object() => {
                let (kind, below) = self.kind(&of["items"]);
                (format!("list: {kind}"), below.map(|(name, _)| (name, Depth::List)))
            }
            "object" if of["additionalProperties"].is_object() => {
                let (kind, below) = self.kind(&of["additionalProperties"]);
                (format!("by name: {kind}"), below.map(|(name, _)| (name, Depth::Map)))
            }
            "boolean" => ("`true` or `false`".into(), None),
            "string" => ("text".into(), None),
            "integer" => ("whole number".into(), None),
            "array" => ("list".into(), None),
            "" => ("any".into(), None),
            other => (other.into(), None),
        }
    }
}

#[derive(Clone, Copy)]
enum Depth {
    One,
    List,
    Map,
}
