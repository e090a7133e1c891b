//! The keys of a site file as `[facts]` names them: `node.compute.cores`, `queue.debug.max_nodes`, `environment`.
//!
//! An entry of an array of tables goes by its `name`; any other array is one value.

use toml::{Table, Value};

/// A value of the file and its key.
pub struct Leaf<'a> {
    pub key: String,
    pub value: &'a Value,
}

/// All values of a file that need a fact: all but those that describe the file itself.
pub fn leaves(table: &Table) -> Vec<Leaf<'_>> {
    const ABOUT_THE_FILE: [&str; 5] = ["schema", "name", "description", "sources", "facts"];
    let mut leaves = Vec::new();
    for (key, value) in table.iter().filter(|(key, _)| !ABOUT_THE_FILE.contains(&key.as_str())) {
        descend(key, value, &mut leaves);
    }
    // how a question is put is no fact
    leaves.retain(|leaf| {
        !(leaf.key.starts_with("ask.") && (leaf.key.ends_with(".question") || leaf.key.ends_with(".example")))
    });
    leaves
}

fn descend<'a>(key: &str, value: &'a Value, leaves: &mut Vec<Leaf<'a>>) {
    match value {
        Value::Table(table) => table.iter().for_each(|(word, value)| descend(&format!("{key}.{word}"), value, leaves)),
        Value::Array(rows) if !rows.is_empty() && rows.iter().all(|row| name_of(row).is_some()) => {
            for row in rows {
                let (Some(name), Some(table)) = (name_of(row), row.as_table()) else { continue };
                let key = format!("{key}.{name}");
                if table.len() == 1 {
                    leaves.push(Leaf { key, value: row });
                    continue;
                }
                for (word, value) in table.iter().filter(|(word, _)| *word != "name") {
                    descend(&format!("{key}.{word}"), value, leaves);
                }
            }
        }
        _ => leaves.push(Leaf { key: key.to_owned(), value }),
    }
}

fn name_of(row: &Value) -> Option<&str> {
    row.get("name")?.as_str()
}

/// Every text of the file, keys of tables included, with where it stands.
pub fn texts(table: &Table) -> Vec<(String, &str)> {
    let mut texts = Vec::new();
    for (key, value) in table {
        texts_below(key, value, &mut texts);
    }
    texts
}

fn texts_below<'a>(key: &str, value: &'a Value, texts: &mut Vec<(String, &'a str)>) {
    match value {
        Value::String(text) => texts.push((key.to_owned(), text)),
        Value::Table(table) => {
            for (word, value) in table {
                texts.push((key.to_owned(), word));
                texts_below(&format!("{key}.{word}"), value, texts);
            }
        }
        Value::Array(values) => {
            for (i, value) in values.iter().enumerate() {
                let word = name_of(value).map_or_else(|| (i + 1).to_string(), str::to_owned);
                texts_below(&format!("{key}.{word}"), value, texts);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_by_their_names_and_other_arrays_are_one_value() {
        let table: Table = toml::from_str(
            r#"
            schema = 2
            environment = ["a", "b"]
            [ask.account]
            question = "?"
            default = "x"
            [[node]]
            name = "gpu"
            numa = ["0-1"]
            interface = [{ name = "hsn0" }, { name = "hsn1", numa = 1 }]
            [[charge.discount]]
            min_nodes = 2
            "#,
        )
        .unwrap();
        let keys: Vec<String> = leaves(&table).into_iter().map(|leaf| leaf.key).collect();
        assert_eq!(
            keys,
            [
                "ask.account.default",
                "charge.discount",
                "environment",
                "node.gpu.interface.hsn0",
                "node.gpu.interface.hsn1.numa",
                "node.gpu.numa"
            ]
        );
        assert!(texts(&table).contains(&("environment.2".to_owned(), "b")));
    }
}
