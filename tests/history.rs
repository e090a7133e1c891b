//! `collect --history`: what is kept, what is shown of it, and `--fail-if` against the last collections.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;
mod verdict_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use verdict_support::collection;

fn command(runs: &Path, history: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardscale"));
    command.arg("collect").arg(runs).arg("--history").arg(history).args(more);
    command
}

fn collect(runs: &Path, history: &Path, more: &[&str]) -> Output {
    command(runs, history, more).output().unwrap()
}

fn files(history: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(history).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn report(runs: &Path, name: &str) -> String {
    fs::read_to_string(runs.join("report").join(name)).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_same_measurements_are_kept_once() {
    let tree = tempfile::tempdir().unwrap();
    let [runs, copy, history] = ["runs", "copy", "history"].map(|name| tree.path().join(name));
    collection(&runs, 0, |_| {});
    let first = collect(&runs, &history, &[]);
    assert!(first.status.success() && err(&first).contains(": added 20251222T"), "{}", err(&first));
    let before = fs::read(&files(&history)[0]).unwrap();
    let entry: serde_json::Value = serde_json::from_slice(&before).unwrap();
    assert_eq!(entry["commit"], shardscale::built::COMMIT, "which program collected");
    let again = collect(&runs, &history, &["--fresh"]);
    assert!(again.status.success() && err(&again).contains("is there already"), "{}", err(&again));
    assert!(Command::new("cp").arg("-r").arg(&runs).arg(&copy).status().unwrap().success());
    collect(&copy, &history, &[]);
    assert_eq!((files(&history).len(), fs::read(&files(&history)[0]).unwrap()), (1, before), "never changed");
    // another configuration beside it: a new file, in which the old runs are the old point
    collect_support::Model::new(collect_support::permutation(4, Some(4), 1)).execute(&runs, 1, collect_support::DONE);
    let third = collect(&runs, &history, &[]);
    assert_eq!(files(&history).len(), 2, "{}", err(&third));
    let table = report(&runs, "history.csv");
    let of = |name: &str| table.lines().filter(|line| line.contains(name)).count();
    assert_eq!((of("standard-n2x4-r1"), of("standard-n4x4")), (4, 12), "two sizes and two ops once: {table}");
    // a run that was not there yet: the fuller moment stands
    fs::remove_dir_all(runs.join("standard-n2x4-r3")).unwrap();
    let [fewer] = ["fewer"].map(|name| tree.path().join(name));
    collect(&runs, &fewer, &[]);
    collection(&tree.path().join("whole"), 0, |_| {});
    collect(&tree.path().join("whole"), &fewer, &[]);
    let table = report(&tree.path().join("whole"), "history.csv");
    let rows: Vec<_> = csv::Reader::from_reader(table.as_bytes()).into_records().map(Result::unwrap).collect();
    let counts: Vec<&str> = rows.iter().filter(|row| row[2].contains("-n2x4-")).map(|row| &row[6]).collect();
    assert_eq!(counts, ["3"; 4], "{table}");
}

#[test]
fn who_collects_at_the_same_time_loses_nothing() {
    let tree = tempfile::tempdir().unwrap();
    let history = tree.path().join("new/history");
    let trees: Vec<PathBuf> = (0..6).map(|day| tree.path().join(format!("runs-{day}"))).collect();
    trees.iter().zip(0..).for_each(|(runs, day)| collection(runs, day, |_| {}));
    // each twice, into reports of their own, all at once
    let children: Vec<Child> = (0..12)
        .map(|at| {
            let out = tree.path().join(format!("report-{at}"));
            let mut one = command(&trees[at % 6], &history, &["--out", out.to_str().unwrap()]);
            one.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut added = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", err(&output));
        added += usize::from(err(&output).contains(": added "));
    }
    assert_eq!((files(&history).len(), added), (6, 6), "{:?}", files(&history));
    let last = collect(&trees[0], &history, &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&last.stdout).unwrap();
    assert_eq!(json["history"]["collections"], 6);
    assert_eq!(json["history"]["configurations"][0]["moments"].as_array().unwrap().len(), 6);
}

#[test]
fn what_cannot_be_read_is_named_and_keeps_nothing_from_being_read() {
    let tree = tempfile::tempdir().unwrap();
    let history = tree.path().join("history");
    for day in 0..4 {
        let runs = tree.path().join(format!("runs-{day}"));
        collection(&runs, day, |_| {});
        collect(&runs, &history, &[]);
    }
    let good = fs::read_to_string(&files(&history)[0]).unwrap();
    let write = |name: &str, text: &str| fs::write(history.join(name), text).unwrap();
    write("a-truncated.json", &good[..good.len() / 2]);
    write("b-later.json", &good.replacen("\"schema\":1", "\"schema\":7", 1));
    write("c-zero.json", &good.replacen("\"schema\":1", "\"schema\":0", 1));
    write("d-empty.json", "");
    write("e-negative.json", &good.replacen("\"run_medians_us\":[", "\"run_medians_us\":[-", 1));
    write("f-huge.json", &good.replacen("\"run_medians_us\":[", "\"run_medians_us\":[1e999,", 1));
    write("g-deep.json", &"[".repeat(100_000));
    write("h-other.json", "{\"schema\":1,\"figures\":\"</script><script>\\u001b[2J\"}");
    write("notes.txt", "no part of it");
    fs::create_dir(history.join("i-folder.json")).unwrap();
    let runs = tree.path().join("runs-3");
    let output = collect(&runs, &history, &[]);
    assert_eq!(output.status.code(), Some(3), "something needs a look: {}", err(&output));
    let text = String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("History: 4 collections of 1 configuration"), "{text}");
    for said in [
        "a-truncated.json: is left out of the history, and the others are used: it is damaged",
        "b-later.json: is left out of the history, and the others are used: it has schema 7 of a later shardscale",
        "c-zero.json: is left out of the history, and the others are used: it has schema 0",
        "d-empty.json: is left out",
        "e-negative.json: is left out of the history, and the others are used: it is damaged; restore it, or remove it",
        "that is no duration",
        "f-huge.json: is left out",
        "g-deep.json: is left out",
        "h-other.json: is left out",
        "i-folder.json: is left out",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("notes.txt"), "{text}");
    assert_eq!(report(&runs, "history.csv").lines().count(), 1 + 4 * 4);
}

#[test]
fn a_file_of_before_a_parameter_was_known_is_the_same_configuration() {
    let tree = tempfile::tempdir().unwrap();
    let history = tree.path().join("history");
    let [old, new] = ["old", "new"].map(|name| tree.path().join(name));
    collection(&old, 0, |_| {});
    collect(&old, &history, &[]);
    let file = &files(&history)[0];
    let text = fs::read_to_string(file).unwrap();
    let older = text.replace("\"servers_per_node\",", "").replace("\"servers_per_node\":1,", "");
    assert!(text.len() - older.len() > 20);
    fs::write(file, older).unwrap();
    collection(&new, 1, |_| {});
    let output = collect(&new, &history, &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let configurations = json["history"]["configurations"].as_array().unwrap();
    assert_eq!(
        (configurations.len(), configurations[0]["moments"].as_array().unwrap().len()),
        (1, 2),
        "{configurations:?}"
    );
}

#[test]
fn the_last_collections_are_what_a_slowdown_is_told_from() {
    let tree = tempfile::tempdir().unwrap();
    let history = tree.path().join("history");
    let day = |day: u64, slowdown: f64, more: &[&str]| {
        let runs = tree.path().join(format!("runs-{day}"));
        collection(&runs, day, |model| model.slowdown = slowdown);
        let output = collect(&runs, &history, more);
        (output.status.code().unwrap(), String::from_utf8(output.stdout.clone()).unwrap(), err(&output))
    };
    let fail = &["--fail-if", "slower=5%"][..];
    let (code, text, said) = day(0, 1.0, fail);
    assert!(code == 0 && !text.contains("Against"), "nothing before it: {text}");
    assert!(said.contains("there is no earlier collection to compare with"), "{said}");
    // one collection before: its repeats are what there is
    let (code, text, _) = day(1, 1.5, fail);
    assert!(code == 4 && text.contains("4 comparisons: 4 slower"), "{code} {text}");
    assert!(report(&tree.path().join("runs-1"), "baseline.csv").contains(",3,3,"), "runs of both sides");
    for at in 2..7 {
        let (code, text, said) = day(at, 1.0, &["--fail-if", "slower=5%", "--last", "1"]);
        assert_eq!(code, 0, "{text} {said}");
    }
    let (code, text, _) = day(7, 1.3, fail);
    assert!(code == 4 && text.contains("Against the last 5 collections in"), "{code} {text}");
    let table = report(&tree.path().join("runs-7"), "baseline.csv");
    assert_eq!(
        table.lines().filter(|row| row.contains(",5,3,") && row.contains(",collections,slower,")).count(),
        4,
        "{table}"
    );
    // the slow one is among the last five now: how collections differ is in the interval
    let (code, text, _) = day(8, 1.3, fail);
    assert!(code == 0 && text.contains("4 comparisons: 4 noise"), "{code} {text}");
    // an old collection is held against what was before it
    let again = collect(&tree.path().join("runs-0"), &history, fail);
    assert_eq!(again.status.code(), Some(0), "{}", err(&again));
    assert!(String::from_utf8(again.stdout).unwrap().contains("no run has the parameters"));
}

#[test]
fn wrong_flags_are_refused_with_a_remedy() {
    let tree = tempfile::tempdir().unwrap();
    let runs = tree.path().join("runs");
    collection(&runs, 0, |_| {});
    let file = tree.path().join("file");
    fs::write(&file, "").unwrap();
    let (runs, file) = (runs.to_str().unwrap(), file.to_str().unwrap());
    for (args, said) in [
        (&["--last", "3"][..], "--history"),
        (&["--history", "h", "--last", "0"], "a whole number from 1 on"),
        (&["--history", "h", "--baseline", "b", "--last", "2"], "--baseline"),
        (&["--fail-if", "slower=5%"], "--history"),
        (&["--history", file], "it is no folder"),
    ] {
        let refused =
            Command::new(env!("CARGO_BIN_EXE_shardscale")).arg("collect").arg(runs).args(args).output().unwrap();
        assert!(!refused.status.success() && err(&refused).contains(said), "{args:?}: {}", err(&refused));
        assert!(!Path::new(runs).join("report").exists(), "nothing half-written is left");
    }
}

#[test]
fn a_new_level_is_told_with_what_differs_there() {
    let tree = tempfile::tempdir().unwrap();
    let history = tree.path().join("history");
    let mut last = PathBuf::new();
    for day in 0..14 {
        last = tree.path().join(format!("runs-{day}"));
        collection(&last, day, |model| {
            if day >= 8 {
                (model.slowdown, model.server) = (1.2, "redis 7.2.1".into());
            }
        });
        collect(&last, &history, &[]);
    }
    let summary = report(&last, "summary.md");
    let told = "slower from 2025-12-30 on, over all ops and sizes";
    assert!(summary.contains("1 change of level") && summary.contains(told), "{summary}");
    assert!(summary.contains("there differs: server redis 7.0.15 -> redis 7.2.1"), "{summary}");
    let table = report(&last, "history.csv");
    let begins: Vec<&str> = table.lines().filter(|row| row.contains(",true,0.")).collect();
    assert!(
        begins.len() == 4 && begins.iter().all(|row| row.contains(",2,true,") && row.contains("2025-12-30T")),
        "{table}"
    );
    let page = report(&last, "report.html");
    assert!(page.contains(told), "the page says so too");
}
