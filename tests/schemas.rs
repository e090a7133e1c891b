//! What the commands print as JSON is what `shardscale schema` says, and nothing else: a key that the schema lacks fails here.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;
mod verdict_support;

use std::path::Path;
use std::process::Command;

use collect_support::{DONE, Model, permutation, study};
use serde_json::Value;

/// Standard output, whatever the exit code: most of these trees need a look.
fn printed(folder: &Path, args: &[&str]) -> Vec<u8> {
    let output = Command::new(env!("CARGO_BIN_EXE_shardscale")).args(args).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!([Some(0), Some(3)].contains(&output.status.code()), "{args:?}: {said}");
    output.stdout
}

/// The schema, with every object closed that has named keys: in the published one later versions may add some.
fn closed(name: &str) -> Value {
    fn close(schema: &mut Value) {
        if let Value::Object(object) = schema {
            if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".into(), false.into());
            }
            object.values_mut().for_each(close);
        } else if let Value::Array(all) = schema {
            all.iter_mut().for_each(close);
        }
    }
    let mut schema = serde_json::from_slice(&printed(Path::new("."), &["schema", name])).unwrap();
    close(&mut schema);
    schema
}

/// Holds what a command prints against its schema.
fn validated(folder: &Path, args: &[&str]) -> Value {
    let mut printed: Value = serde_json::from_slice(&printed(folder, args)).unwrap();
    let schema = jsonschema::validator_for(&closed(args[0])).unwrap();
    schema.validate(&printed).unwrap_or_else(|error| panic!("{args:?}: {error} at {}", error.instance_path()));
    assert_eq!((printed["schema"].as_str(), printed["version"].is_u64()), (Some(args[0]), true));
    let whole = printed.clone();
    printed[if args[0] == "size" { "stores" } else { "runs" }][0]["unheard_of"] = 1.into();
    assert!(!schema.is_valid(&printed), "{args:?}: a key that the schema lacks");
    whole
}

#[test]
fn a_report_with_everything_in_it() {
    let tree = tempfile::tempdir().unwrap();
    let out = tree.path().join("out");
    study(&out);
    verdict_support::settings(&out.join("settings"), 3);
    verdict_support::crossing(&out.join("crossing"), 3);
    let mut model = Model::new(permutation(2, Some(3), 9));
    model.manifest.job.workload.compute = "2ms".parse().unwrap();
    model.execute(&out.join("application"), 1, DONE);
    verdict_support::collection(&tree.path().join("old"), 1, |model| model.slowdown = 2.0);
    verdict_support::collection(&out.join("new"), 2, |_| {});
    let with = ["--baseline", "old", "--history", "history"];
    printed(tree.path(), &["collect", "old", "--history", "history"]);
    let report = validated(tree.path(), &[&["collect", "out", "--format", "json"], &with[..]].concat());
    // the check above reaches only what is there
    for list in [
        "/runs",
        "/problems",
        "/scaling",
        "/scaling/0/points",
        "/application",
        "/settings",
        "/settings/0/places/0/values",
        "/crossover",
        "/crossover/0/cells",
        "/crossover/0/curves",
        "/history/configurations",
        "/history/configurations/0/moments/0/figures",
        "/baseline/changes",
        "/baseline/further",
    ] {
        let found = report.pointer(list).and_then(Value::as_array);
        assert!(found.is_some_and(|found| !found.is_empty()), "{list} is empty");
    }
}

#[test]
fn the_answers_of_size() {
    let tree = tempfile::tempdir().unwrap();
    for (client_nodes, db_nodes) in [(4, 4), (8, 4), (8, 8), (16, 8), (16, 16), (32, 16)] {
        Model::new(permutation(client_nodes, Some(db_nodes), 1)).execute(&tree.path().join("out"), 1, DONE);
    }
    let asked = ["--ranks", "64", "--tensor-bytes", "1MiB", "--p50", "5ms", "--gb-per-s", "1"];
    let answers = validated(tree.path(), &[&["size", "out", "--format", "json"], &asked[..]].concat());
    assert!(answers["stores"][0]["figures"][0]["us"].is_number(), "{answers}");
    let none = ["--ranks", "64", "--tensor-bytes", "16MiB", "--p50", "5ms"];
    validated(tree.path(), &[&["size", "out", "--format", "json"], &none[..]].concat());
}

#[test]
fn how_runs_and_their_rehearsal_stand() {
    let tree = tempfile::tempdir().unwrap();
    let study = ["--site=local", "--deployment=standard,colocated", "--client-nodes=1", "--client=/bin/false"];
    printed(tree.path(), &[&["gen"], &study[..]].concat());
    assert_eq!(validated(tree.path(), &["status", "--format", "json"])["runs"][0]["state"], "not-submitted");
    let report = validated(tree.path(), &["rehearse", "--client=/bin/false", "--format", "json"]);
    assert_eq!(report["findings"][0]["what"], "run", "{report}");
}
