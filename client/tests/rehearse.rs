//! `shardscale rehearse` as a user types it: real servers and ranks for a moment, and what would hinder the study.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use common::study::{machine, shardscale};
use common::{CLIENT, free_port, text};

/// A folder with the study that `args` of gen make of site `local`, on ports of its own.
fn study(args: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let network = format!("[network]\ndb_port = {}\n\n[scratch]", free_port());
    let site = include_str!("../../site-configs/local.toml").replace("[scratch]", &network);
    fs::write(folder.path().join("site.toml"), site).unwrap();
    let usual = ["gen", "--site=./site.toml", "--client", CLIENT, "--tensor-bytes=1KiB,4KiB,64KiB"];
    let output = shardscale(folder.path(), &[&usual[..], args].concat());
    assert!(output.status.success(), "{}", text(&output));
    folder
}

fn rehearse(folder: &Path, before: &str) -> Output {
    let program = Path::new(CLIENT).with_file_name("shardscale");
    let line = format!("{before} exec \"$0\" rehearse out --client \"$1\" --format json");
    let mut bash = Command::new("bash");
    bash.args(["-c", &line])
        .arg(program)
        .arg(CLIENT)
        .current_dir(folder)
        .env_remove("SHARDSCALE_CONFIG")
        .output()
        .unwrap()
}

/// What was looked at and what was found; stdout is JSON and nothing else.
fn findings(output: &Output) -> Vec<(String, String)> {
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(output)));
    let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap().to_owned();
    report["findings"].as_array().unwrap().iter().map(|one| (text(one, "what"), text(one, "found"))).collect()
}

#[test]
fn a_study_that_will_run_has_no_findings_and_its_rehearsal_is_no_measurement() {
    let _machine = machine();
    let folder =
        study(&["--deployment=standard,colocated", "--transport=tcp", "--clients-per-node=2,3", "--store=redis,files"]);
    let output = rehearse(folder.path(), "");
    assert_eq!((output.status.code(), findings(&output)), (Some(0), Vec::new()), "{}", text(&output));
    let made = fs::read_dir(folder.path().join("out/rehearsal")).unwrap().flatten();
    assert_eq!(
        made.filter(|entry| entry.path().extension().is_some_and(|it| it == "sh")).count(),
        2,
        "one a deployment"
    );

    let status = shardscale(folder.path(), &["status", "out"]);
    assert!(text(&status).contains("8 runs: 8 not submitted"), "{}", text(&status));
    let collected = shardscale(folder.path(), &["collect", "out"]);
    assert!(text(&collected).contains("8 runs: 8 missing"), "{}", text(&collected));
}

#[test]
fn what_would_fail_or_hinder_is_found_before_node_hours_are_spent() {
    let _machine = machine();
    let folder = study(&["--deployment=standard", "--store-server=/nowhere/redis-server", "--clients-per-node=2"]);
    let output = rehearse(folder.path(), "");
    let found = findings(&output);
    assert_eq!((output.status.code(), found.len()), (Some(3), 1), "{found:?}");
    assert!(found[0].1.contains("/nowhere/redis-server"), "{found:?}");

    // the small job runs; the large one of the study would not get its connections
    let folder = study(&["--deployment=colocated", "--transport=tcp", "--clients-per-node=2,500"]);
    let output = rehearse(folder.path(), "ulimit -n 900;");
    let found = findings(&output);
    assert_eq!(output.status.code(), Some(3), "{found:?}");
    assert!(
        found.iter().any(|(what, found)| what == "open files" && found.contains("500 ranks of colocated-n1x500-")),
        "{found:?}"
    );
}
