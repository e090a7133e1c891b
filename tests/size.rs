//! `shardscale size` and `shardscale next` by the commands a user types, on runs whose law is known.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use collect_support::{DONE, Model, permutation};
use serde_json::Value;
use shardscale::record::manifest::Manifest;
use shardscale::record::vocabulary::KeyPlacement;

fn shardscale(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shardscale")).args(args).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Standard and colocated, up to 32 nodes of four ranks, keys in equal shares.
fn study(tree: &Path) {
    for client_nodes in [4, 8, 16, 32] {
        for db_nodes in [Some(4), Some(8), Some(16), None] {
            for repeat in [1, 2] {
                let mut manifest = permutation(client_nodes, db_nodes, repeat);
                manifest.job.keys = KeyPlacement::Balanced;
                Model::new(manifest).execute(tree, 1, DONE);
            }
        }
    }
}

fn size(tree: &Path, args: &[&str]) -> Output {
    let mut all = vec!["size", tree.to_str().unwrap()];
    all.extend(args);
    shardscale(&all)
}

/// The median of a put of 1 MiB takes 0.9375 x (26 us + 1 MiB / 1.4 GB/s) x (1 + ranks of a server / 12), as the model has it.
fn least_nodes(ranks: f64, limit_ns: f64) -> f64 {
    let alone = 0.9375 * (26_000.0 + 1_048_576.0 / 1.4);
    ranks / (12.0 * (limit_ns / alone - 1.0))
}

#[test]
fn the_least_store_is_found_beyond_what_was_measured() {
    let tree = tempfile::tempdir().unwrap();
    study(tree.path());
    let asked =
        ["--ranks", "512", "--clients-per-node", "4", "--tensor-bytes", "1MiB", "--op", "put_tensor", "--p50", "2ms"];
    let output = size(tree.path(), &[&asked[..], &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let json: Value = serde_json::from_str(&out(&output)).unwrap();
    let standard = json["stores"].as_array().unwrap().iter().find(|store| store["db_nodes"].is_number()).unwrap();
    assert_eq!(standard["answer"], "met", "{}", out(&size(tree.path(), &asked)));
    let truth = least_nodes(512.0, 2e6);
    let (named, may_do) = (standard["db_nodes"].as_f64().unwrap(), standard["db_nodes_may_do"].as_f64().unwrap());
    assert!(named >= truth && named < 1.3 * truth, "{named} for {truth}");
    assert!(may_do <= truth.ceil(), "{may_do} for {truth}");
    let figure = &standard["figures"][0];
    assert_eq!((figure["basis"].as_str(), figure["op"].as_str()), (Some("extrapolated"), Some("put_tensor")));
    let ci = &figure["us_ci90"];
    assert!(ci[0].as_f64().unwrap() < figure["us"].as_f64().unwrap() && ci[1].as_f64().unwrap() <= 2000.0, "{figure}");
    // the same in words
    let text = out(&size(tree.path(), &asked));
    assert!(text.contains(&format!("met by {named} DB nodes")) && text.contains("extrapolated"), "{text}");
    assert!(text.contains(&format!("128 node-hours of the application and {named} of the store")), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn what_cannot_be_met_or_was_not_measured_is_said() {
    let tree = tempfile::tempdir().unwrap();
    study(tree.path());
    let base = ["--ranks", "512", "--clients-per-node", "4", "--tensor-bytes"];
    let ask = |args: &[&str]| {
        let output = size(tree.path(), &[&base[..], args].concat());
        assert_eq!(output.status.code(), Some(3), "{args:?}: {}", out(&output));
        out(&output)
    };
    // alone a put takes 0.7 ms
    let text = ask(&["1MiB", "--p50", "300us"]);
    assert_eq!(text.matches("cannot be met").count(), 2, "{text}");
    // half a step is enough, a thousandth is not, and the stricter of two limits decides
    let text = ask(&["1MiB", "--share", "0.01%", "--step", "1s", "--p50", "1s"]);
    assert_eq!(text.matches("cannot be met").count(), 2, "{text}");
    assert!(ask(&["16MiB", "--p50", "1s"]).contains("run it with --tensor-bytes"));
    assert!(ask(&["1MiB", "--op", "run_model", "--p50", "1s"]).contains("no run has measured this operation"));
    let output =
        size(tree.path(), &["--ranks", "512", "--clients-per-node", "64", "--tensor-bytes", "1MiB", "--p50", "1s"]);
    assert!(out(&output).contains("all runs had as many ranks at the client node: run others (--clients-per-node)"));
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_question_may_come_from_a_file_and_a_wrong_one_is_explained() {
    let tree = tempfile::tempdir().unwrap();
    study(tree.path());
    let file = tree.path().join("question.toml");
    fs::write(&file, "ranks = 512\ntensor_bytes = \"1MiB\"\nop = [\"put_tensor\"]\np50 = \"2ms\"\n").unwrap();
    let file = file.to_str().unwrap();
    let from_file = size(tree.path(), &["--question", file]);
    let from_flags =
        size(tree.path(), &["--ranks", "512", "--tensor-bytes", "1MiB", "--op", "put_tensor", "--p50", "2ms"]);
    assert_eq!((from_file.status.code(), out(&from_file)), (Some(0), out(&from_flags)));
    assert!(out(&size(tree.path(), &["--question", file, "--p50", "3ms"])).contains("p50 <= 3.00 ms"));
    for (args, says) in [
        (vec!["--ranks", "512", "--tensor-bytes", "1MiB"], "nothing is asked for"),
        (vec!["--tensor-bytes", "1MiB", "--p50", "1ms"], "--ranks is missing"),
        (vec!["--ranks", "0", "--tensor-bytes", "1MiB", "--p50", "1ms"], "--ranks"),
        (vec!["--ranks", "4294967295", "--tensor-bytes", "1MiB", "--p50", "1ms"], "more than 4194304 ranks"),
        (vec!["--ranks", "8", "--tensor-bytes", "1MiB", "--p50", "soon"], "50ms"),
        (vec!["--ranks", "8", "--tensor-bytes", "1MiB", "--share", "5%"], "--step 2s"),
        (vec!["--ranks", "8", "--tensor-bytes", "1MiB", "--gb-per-s", "nan"], "--gb-per-s"),
    ] {
        let output = size(tree.path(), &args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
        assert!(err(&output).contains(says), "{args:?}: {}", err(&output));
        assert_eq!(out(&output), "");
    }
    fs::write(file, "rank = 512\n").unwrap();
    let output = size(tree.path(), &["--question", file]);
    assert!(
        output.status.code() == Some(1) && err(&output).contains("question.toml") && err(&output).contains("rank"),
        "{}",
        err(&output)
    );
}

/// Executes what `gen` planned as the model has it.
fn measure(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let manifest = entry.unwrap().path().join("run.toml");
        if let Ok(text) = fs::read_to_string(manifest) {
            Model::new(toml::from_str::<Manifest>(&text).unwrap()).execute(folder, 1, DONE);
        }
    }
}

#[test]
fn next_proposes_runs_that_gen_makes_and_that_decide() {
    let tree = tempfile::tempdir().unwrap();
    let [first, second, study] =
        ["out", "out-next", "next.toml"].map(|name| tree.path().join(name).to_str().unwrap().to_owned());
    let generate = shardscale(&[
        "gen",
        "--site",
        "perlmutter-cpu",
        "--set",
        "account=m1",
        "--deployment",
        "standard",
        "--client-nodes",
        "1,2,4",
        "--clients-per-node",
        "4",
        "--db-nodes",
        "1",
        "--io-threads",
        "1,4",
        "--db-cpus",
        "4",
        "--cpu-bind",
        "none",
        "--keys",
        "balanced",
        "--tensor-bytes",
        "1MiB",
        "--iterations",
        "40",
        "--out",
        &first,
    ]);
    assert_eq!(generate.status.code(), Some(0), "{}", err(&generate));
    measure(Path::new(&first));
    let question =
        ["--ranks", "128", "--clients-per-node", "4", "--tensor-bytes", "1MiB", "--op", "put_tensor", "--p50", "2ms"];
    let width = |folders: &[&str]| {
        let output = shardscale(&[&["size"], folders, &question[..], &["--format", "json"]].concat());
        let json: Value = serde_json::from_str(&out(&output)).unwrap();
        let ci = json["stores"][0]["figures"][0]["us_ci90"].clone();
        ci[0].as_f64().map_or(f64::INFINITY, |low| ci[1].as_f64().unwrap() / low)
    };
    let next = |more: &[&str]| shardscale(&[&["next", first.as_str()], &question[..], more].concat());

    let poor = next(&["--budget", "0.001"]);
    assert_eq!(poor.status.code(), Some(3), "{}", out(&poor));
    assert!(out(&poor).contains("no run within the budget of 0.00100"), "{}", out(&poor));

    let found = next(&["--budget", "30", "--write", &study]);
    assert_eq!(found.status.code(), Some(0), "{}{}", out(&found), err(&found));
    assert!(out(&found).contains("  run ") && out(&found).contains(&format!("gen --study {study}")), "{}", out(&found));
    let generate = shardscale(&["gen", "--study", &study, "--out", &second]);
    assert_eq!(generate.status.code(), Some(0), "{}", err(&generate));
    let made = fs::read_dir(&second).unwrap().filter(|entry| entry.as_ref().unwrap().path().join("run.toml").is_file());
    let (made, points) = (made.count(), out(&found).matches("\n  run ").count());
    assert_eq!(made, points, "{}{}", out(&found), out(&generate));
    // several points share nodes in one job, and wait for them once
    let is_packed = fs::read_to_string(&study).unwrap().contains("pack = \"nested\"");
    assert!(points > 1 && is_packed && out(&generate).contains("pack-"), "{}{}", out(&found), out(&generate));
    assert!(out(&found).contains("packed: 1 job instead of 2"), "{}", out(&found));
    // its own study is replaced, and nobody else's
    assert_eq!(next(&["--budget", "30", "--write", &study]).status.code(), Some(0));
    let own = Path::new(&first).join("study.toml");
    let (before_it, other) = (fs::read(&own).unwrap(), next(&["--write", own.to_str().unwrap()]));
    assert!(other.status.code() == Some(1) && err(&other).contains("name another file"), "{}", err(&other));
    assert_eq!(fs::read(&own).unwrap(), before_it);
    assert_eq!(next(&["--budget", "nan"]).status.code(), Some(2));
    let before = width(&[&first]);
    measure(Path::new(&second));
    let after = width(&[&first, &second]);
    assert!(after < before, "{before} {after}");

    // nothing is open where the answer is there
    let settled = shardscale(&[
        "next",
        &first,
        &second,
        "--ranks",
        "4",
        "--clients-per-node",
        "4",
        "--tensor-bytes",
        "1MiB",
        "--op",
        "put_tensor",
        "--p50",
        "1s",
    ]);
    assert_eq!(settled.status.code(), Some(0));
    assert!(!out(&settled).contains("  run "), "{}", out(&settled));
    // without the study that made the runs
    fs::remove_file(Path::new(&first).join("study.toml")).unwrap();
    let lost = next(&[]);
    assert!(lost.status.code() == Some(1) && err(&lost).contains("--study"), "{}", err(&lost));
}
