//! Where the figures come from: what all runs have in common, and in what they differ.

use std::collections::BTreeSet;

use crate::collect::model::Run;
use crate::collect::number::us;
use crate::collect::params::COLUMNS;

/// Conditions of all runs, split so that each is said once.
#[derive(Debug, PartialEq, Eq)]
pub struct Provenance {
    /// (condition, value) that every run has, where there are two runs or more.
    pub common: Vec<(String, String)>,
    /// Conditions in which runs differ.
    pub columns: Vec<String>,
    /// For each run its values of `columns`; empty where a value is absent.
    pub rows: Vec<Vec<String>>,
}

/// Splits the conditions of `runs` into common and differing ones.
pub fn provenance(runs: &[Run]) -> Provenance {
    let conditions: Vec<Vec<(String, String)>> = runs.iter().map(conditions).collect();
    let mut names: Vec<&str> = Vec::new();
    let mut known = BTreeSet::new();
    for (name, _) in conditions.iter().flatten() {
        if known.insert(name.as_str()) {
            names.push(name);
        }
    }
    let value = |run: &[(String, String)], name: &str| {
        run.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    // a run that measured nothing says nothing of what measuring runs have in common
    let common = |name: &str| {
        let mut values =
            conditions.iter().filter_map(|run| run.iter().find(|(n, _)| n == name)).map(|(_, value)| value);
        let first = values.next()?;
        let is_asked = COLUMNS.iter().any(|(column, _)| *column == name);
        let holders = conditions.iter().filter(|run| run.iter().any(|(n, _)| n == name)).count();
        let asked_of = runs.iter().filter(|run| is_asked || run.measured.is_some()).count();
        (values.all(|value| value == first) && holders == asked_of).then(|| first.clone())
    };
    let (mut shared, mut columns) = (Vec::new(), Vec::new());
    for name in names {
        match common(name) {
            Some(value) => shared.push((name.to_owned(), value)),
            None => columns.push(name.to_owned()),
        }
    }
    let rows = conditions.iter().map(|run| columns.iter().map(|name| value(run, name)).collect()).collect();
    Provenance { common: shared, columns, rows }
}

/// What is known of one run, present values only.
fn conditions(run: &Run) -> Vec<(String, String)> {
    let asked = COLUMNS.iter().map(|(column, _)| ((*column).to_owned(), run.params.text(column)));
    let mut all: Vec<_> = asked.collect();
    if let Some(measured) = &run.measured {
        let per_shard = &measured.ranks_per_shard;
        let spread = per_shard.iter().min().zip(per_shard.iter().max()).map(|(min, max)| format!("{min} to {max}"));
        all.extend([
            ("ranks".to_owned(), measured.ranks.to_string()),
            ("hosts".to_owned(), measured.hosts.to_string()),
            ("wire".to_owned(), measured.wire.clone()),
            ("server".to_owned(), measured.server.clone()),
            ("shards".to_owned(), per_shard.len().to_string()),
            ("ranks_per_shard".to_owned(), spread.unwrap_or_default()),
            ("clock_error_us".to_owned(), us(measured.window_error_ns as f64 / 2.0)),
        ]);
        all.extend(measured.facts.iter().cloned());
    }
    all.retain(|(_, value)| !value.is_empty());
    all
}
