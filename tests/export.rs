//! `collect --openmetrics`, `--jsonl` and the schemas: what other programs are given.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use collect_support::{DONE, Model, permutation, study};
use serde_json::Value;

fn program(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shardscale")).args(args).output().unwrap()
}

fn collect(tree: &Path, flag: &str, file: &Path) -> (Output, String) {
    let output = program(&["collect", tree.to_str().unwrap(), flag, file.to_str().unwrap()]);
    (output, fs::read_to_string(file).unwrap_or_default())
}

/// Runs in every state, and two with many samples, so that there is a p99.
fn tree() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    study(tree.path());
    let mut model = Model::new(permutation(2, Some(3), 9));
    model.manifest.sweep.iterations = 100;
    model.execute(tree.path(), 1, DONE);
    tree
}

fn validator(name: &str) -> jsonschema::Validator {
    let output = program(&["schema", name]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    jsonschema::validator_for(&serde_json::from_slice(&output.stdout).unwrap()).unwrap()
}

/// A sample as (name, labels, value), read by the grammar of the specification, character by character.
fn sample(line: &str) -> (&str, Vec<(String, String)>, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once("=\"").unwrap();
            let mut text = String::new();
            let mut chars = value.char_indices();
            let close = loop {
                match chars.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => match chars.next().unwrap().1 {
                        'n' => text.push('\n'),
                        escaped @ ('\\' | '"') => text.push(escaped),
                        other => panic!("\\{other} is no escape: {line}"),
                    },
                    (_, other) => text.push(other),
                }
            };
            let is_name = label
                .chars()
                .enumerate()
                .all(|(at, c)| c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit()));
            assert!(is_name && labels.iter().all(|(known, _)| known != label), "{label}: {line}");
            labels.push((label.to_owned(), text));
            rest = value[close + 1..].trim_start_matches(',');
        }
        rest = &rest[1..];
    }
    (name, labels, rest.strip_prefix(' ').unwrap().parse().unwrap())
}

#[test]
fn openmetrics_are_valid_and_say_what_the_csv_says() {
    let tree = tree();
    let (output, text) = collect(tree.path(), "--openmetrics", &tree.path().join("metrics.txt"));
    assert_eq!(output.status.code(), Some(3), "bad runs are told as ever");
    assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1);
    let (mut family, mut kind, mut families, mut samples) = (String::new(), String::new(), BTreeSet::new(), Vec::new());
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(descriptor) = line.strip_prefix("# ") {
            let [word, name, what] = descriptor.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
            match word {
                "TYPE" => {
                    assert!(families.insert(name.to_owned()), "{name} stands in two places");
                    assert!(["gauge", "info", "stateset"].contains(&what), "{line}");
                    (family, kind) = (name.to_owned(), what.to_owned());
                }
                "UNIT" => assert!(name == family && name.ends_with(&format!("_{what}")), "{line}"),
                "HELP" => assert!(name == family && !what.is_empty(), "{line}"),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (name, labels, value) = sample(line);
        let suffix = if kind == "info" { "_info" } else { "" };
        assert_eq!(name, format!("{family}{suffix}"), "{line}");
        assert!(kind == "gauge" || value == 1.0 || (kind == "stateset" && value == 0.0), "{line}");
        assert!(kind != "stateset" || labels.iter().any(|(label, _)| *label == family), "{line}");
        samples.push((name.to_owned(), labels, value));
    }
    let series: BTreeSet<_> = samples.iter().map(|(name, labels, _)| (name, labels)).collect();
    assert_eq!(series.len(), samples.len(), "each series once");
    // against results.csv, row by row: comparable runs alone, an empty cell has no sample
    let mut csv = csv::Reader::from_path(tree.path().join("report/results.csv")).unwrap();
    let header = csv.headers().unwrap().clone();
    let mut compared = 0;
    for row in csv.records().map(Result::unwrap) {
        let cell = |name: &str| row[header.iter().position(|column| column == name).unwrap()].to_owned();
        let is_comparable = ["done", "partial"].contains(&cell("state").as_str());
        for (metric, column, scale) in [
            ("median_seconds", "median_us", 1e6),
            ("p99_seconds", "p99_us", 1e6),
            ("overlap_bytes_per_second", "overlap_gb_per_s", 1e-9),
        ] {
            let place = [("path", cell("path")), ("payload_bytes", cell("payload_bytes")), ("op", cell("op"))];
            let is_here = |labels: &[(String, String)]| {
                place.iter().all(|(name, value)| labels.iter().any(|(n, v)| n == name && v == value))
            };
            let found =
                samples.iter().find(|(name, labels, _)| *name == format!("shardscale_{metric}") && is_here(labels));
            let expected = cell(column).parse::<f64>().ok().filter(|_| is_comparable);
            assert_eq!(found.is_some(), expected.is_some(), "{metric} {place:?}");
            if let (Some((_, _, value)), Some(expected)) = (found, expected) {
                assert!(
                    (value * scale - expected).abs() <= 1e-3 * expected.abs().max(1e-3),
                    "{metric}: {value} {expected}"
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 300 && text.contains("shardscale_p99_seconds{"), "{compared}");
    let invalid = "shardscale_run_state=\"invalid\"} 1\n";
    assert!(text.contains(invalid) && text.contains("shardscale_unreadable_runs 1\n"));
}

#[test]
fn each_line_of_jsonl_is_a_row_of_the_csv_and_as_its_schema_says() {
    let tree = tree();
    let (_, text) = collect(tree.path(), "--jsonl", &tree.path().join("lines.jsonl"));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let schema = validator("jsonl");
    let mut csv = csv::Reader::from_path(tree.path().join("report/results.csv")).unwrap();
    let header = csv.headers().unwrap().clone();
    let rows: Vec<_> = csv.records().map(Result::unwrap).collect();
    assert_eq!(lines.len(), rows.len());
    for (line, row) in lines.iter().zip(&rows) {
        schema.validate(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for (column, cell) in header.iter().zip(row) {
            let Some(value) = line.get(column).or_else(|| line["parameters"].get(column)) else { continue };
            match value {
                Value::Null => assert_eq!(cell, "", "{column}"),
                Value::Number(number) => {
                    // half of the last digit is rounded up in one, to even in the other
                    let step = if column.ends_with("_us") { 1.001e-3 } else { 1.001e-6 };
                    let difference = number.as_f64().unwrap() - cell.parse::<f64>().unwrap();
                    assert!(difference.abs() <= step, "{column}: {number} {cell}");
                }
                Value::String(text) => assert_eq!(text, cell, "{column}"),
                other => assert_eq!(other.to_string(), cell, "{column}"),
            }
        }
    }
    let mut wrong = lines[0].clone();
    wrong["median_us"] = "fast".into();
    assert!(!schema.is_valid(&wrong));
}

#[test]
fn the_files_of_a_history_are_as_their_schema_says() {
    let tree = tree();
    let history = tree.path().join("history");
    collect(tree.path(), "--history", &history);
    let files: Vec<_> = fs::read_dir(&history).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    let mut entry: Value = serde_json::from_slice(&fs::read(&files[0]).unwrap()).unwrap();
    let schema = validator("history");
    schema.validate(&entry).unwrap_or_else(|error| panic!("{error}"));
    entry["configurations"][0]["figures"][0]["op"] = 1.into();
    assert!(!schema.is_valid(&entry));
    assert!(validator("study").is_valid(&serde_json::json!({})) && !validator("site").is_valid(&serde_json::json!({})));
}

#[test]
fn a_file_that_cannot_be_is_refused_before_anything_is_read() {
    let tree = tempfile::tempdir().unwrap();
    let (output, _) = collect(tree.path(), "--jsonl", &tree.path().join("none/lines.jsonl"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("--jsonl") && said.contains("make it first"), "{said}");
    let (output, _) = collect(tree.path(), "--openmetrics", tree.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("--openmetrics") && said.contains("no file"), "{said}");
}
