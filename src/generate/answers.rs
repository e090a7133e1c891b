//! The values that a site asks its users for, and lines of the site file with those values in them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Error, Result, bail, ensure};

use crate::site::{Site, placeholder};

/// What is known of the values, and which ones were needed and are not.
pub struct Answers<'a> {
    site: &'a Site,
    values: BTreeMap<&'a str, &'a str>,
    left_out: BTreeSet<String>,
}

impl<'a> Answers<'a> {
    /// `given` holds the user's values; the site's defaults fill the rest.
    ///
    /// # Errors
    /// A value that the site does not ask for, or an empty one.
    pub fn new(site: &'a Site, given: &'a BTreeMap<String, String>) -> Result<Answers<'a>> {
        let mut values: BTreeMap<&str, &str> =
            site.ask.iter().filter_map(|(name, ask)| Some((name.as_str(), ask.default.as_deref()?))).collect();
        for (name, value) in given {
            let known: Vec<&str> = site.ask.keys().map(String::as_str).collect();
            ensure!(
                site.ask.contains_key(name),
                "site {} does not ask for {name:?}; it asks for: {}",
                site.name,
                if known.is_empty() { "nothing".to_owned() } else { known.join(", ") }
            );
            ensure!(!value.trim().is_empty(), "--set {name}= has no value: {}", site.ask[name].question);
            values.insert(name, value);
        }
        Ok(Answers { site, values, left_out: BTreeSet::new() })
    }

    /// `lines` with `{NAME}` replaced by `quoted` values; a line whose value is not known is left out.
    ///
    /// # Errors
    /// A value that the site cannot do without or that cannot be quoted, or a `{NAME}` that the site does not ask for.
    pub fn fill(&mut self, lines: &[String], quoted: impl Fn(&str) -> Result<String, String>) -> Result<Vec<String>> {
        let mut filled = Vec::with_capacity(lines.len());
        for line in lines {
            filled.extend(self.fill_line(line, &quoted)?);
        }
        Ok(filled)
    }

    /// Names of the values for want of which lines were left out.
    pub fn left_out(&self) -> Vec<String> {
        self.left_out.iter().cloned().collect()
    }

    fn fill_line(&mut self, line: &str, quoted: &impl Fn(&str) -> Result<String, String>) -> Result<Option<String>> {
        let mut text = String::with_capacity(line.len());
        let mut rest = line;
        while let Some((before, name, after)) = placeholder(rest) {
            let Some(ask) = self.site.ask.get(name) else {
                bail!("site {}: {line:?} needs {{{name}}}, which [ask] does not have", self.site.name);
            };
            let Some(value) = self.values.get(name) else {
                let example = ask.example.as_deref().map(|example| format!(", such as {example}")).unwrap_or_default();
                ensure!(
                    !ask.refuse,
                    "site {} cannot do without {name}: {}{example}; give --set {name}=VALUE",
                    self.site.name,
                    ask.question
                );
                self.left_out.insert(name.to_owned());
                return Ok(None);
            };
            text.push_str(before);
            text.push_str(&quoted(value).map_err(Error::msg).with_context(|| format!("--set {name}"))?);
            rest = after;
        }
        text.push_str(rest);
        Ok(Some(text))
    }
}
