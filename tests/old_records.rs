//! Runs of earlier schemas are read, with the figures that the `collect` of their time gave.
//!
//! `old_records/schema-1` was measured by the last client that wrote schema 1 (redis 7.0.15, 2 ranks, on one machine);
//! `results.csv` beside it is what that version's `collect` made of it.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use shardscale::collect::{self, CollectOptions};

/// Column -> value, for each row.
fn rows(csv: &Path) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_path(csv).unwrap().deserialize().map(|row| row.unwrap()).collect()
}

#[test]
fn runs_of_schema_1_give_the_figures_of_their_time() {
    let record = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/old_records/schema-1");
    let report = tempfile::tempdir().unwrap();
    let options = CollectOptions { out: Some(report.path().to_owned()), ..CollectOptions::of(record.clone()) };
    let collected = collect::run(&options, &|_, _, _| {}).unwrap();
    assert!(collected.all_good, "{}", collected.summary);
    let (then, now) = (rows(&record.join("results.csv")), rows(&report.path().join("results.csv")));
    assert_eq!(then.len(), 8);
    assert_eq!(then.len(), now.len());
    for (then, now) in then.iter().zip(&now) {
        // quantiles have had other conditions since
        let is_quantile =
            |column: &str| column.starts_with('p') && column[1..].starts_with(|c: char| c.is_ascii_digit());
        for (column, value) in then.iter().filter(|(column, _)| !is_quantile(column)) {
            assert_eq!(now.get(column), Some(value), "{column} of {}", then["run"]);
        }
        assert!(now["min_us"].parse::<f64>().unwrap() > 0.0 && now["dtype"] == "float32" && now["pipeline"] == "1");
    }
    let whole: Vec<_> = fs::read_dir(record).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(whole.len(), 3, "the record is only read: {whole:?}");
}
