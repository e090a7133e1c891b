//! A list of what is wrong with a site file, as it grows.

use std::collections::BTreeSet;

/// Problems found so far.
#[derive(Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    /// Notes `problem` unless `holds`.
    pub(super) fn ensure(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds {
            self.0.push(problem());
        }
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.0
    }

    /// Names of one kind: short words, each once. `key` is that of the array or table.
    pub(super) fn names<'a>(&mut self, key: &str, names: impl Iterator<Item = &'a str>) {
        let mut seen = BTreeSet::new();
        for name in names {
            self.ensure(is_plain(name), || {
                format!(
                    "{key}: the name {name:?} may have only the characters a-z A-Z 0-9 _ - and must not begin with -"
                )
            });
            self.ensure(seen.insert(name), || format!("{key}: the name {name:?} stands there twice"));
        }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}
