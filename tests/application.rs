//! What the store costs the application, from made samples to the report.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use collect_support::{DONE, Model, TIMED_OUT, permutation};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use shardscale::collect::{self, CollectOptions, Format};

/// 2 nodes x 4 ranks that compute for 2 ms between their transfers, 1.25 times as long beside the store.
fn computing(repeat: u32) -> Model {
    let mut manifest = permutation(2, None, repeat);
    manifest.job.workload.compute = "2ms".parse().unwrap();
    manifest.sweep.tensor_bytes = vec![1024, 4_096_000];
    manifest.sweep.iterations = 64;
    Model::new(manifest)
}

fn collected(tree: &Path) -> collect::Collected {
    collect::run(&CollectOptions::of(tree.to_owned()), &|_, _, _| {}).unwrap()
}

fn rows(file: &Path) -> Vec<HashMap<String, String>> {
    csv::Reader::from_path(file).unwrap().deserialize().map(Result::unwrap).collect()
}

fn number(row: &HashMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column} is {:?}", row[column]))
}

#[test]
fn the_slowdown_and_the_part_of_transfers_are_those_of_the_samples() {
    let tree = tempfile::tempdir().unwrap();
    computing(1).execute(tree.path(), 1, DONE);
    let report = collected(tree.path()).report;
    let rows = rows(&report.join("application.csv"));
    assert_eq!(rows.iter().map(|row| row["payload_bytes"].as_str()).collect::<Vec<_>>(), ["1024", "4096000"]);
    for row in &rows {
        let [slowdown, low, high] =
            ["slowdown", "slowdown_ci99_low", "slowdown_ci99_high"].map(|column| number(row, column));
        assert!((1.24..1.26).contains(&slowdown) && low < slowdown && slowdown < high && high < 1.3, "{row:?}");
        assert!((2000.0..2100.0).contains(&number(row, "alone_median_us")), "{row:?}");
        let [share, low, high] =
            ["transfer_share", "transfer_share_ci99_low", "transfer_share_ci99_high"].map(|column| number(row, column));
        assert!(low < share && share < high, "{row:?}");
        // transfers of 31 us and 3.6 ms beside 2.5 ms of computing, each a little more
        let due = if row["payload_bytes"] == "1024" { 0.01..0.04 } else { 0.5..0.7 };
        assert!(due.contains(&share), "{row:?}");
    }
}

#[test]
fn bandwidths_are_those_of_transfers_alone() {
    let overlap = |model: &Model, tree: &Path| {
        model.execute(tree, 1, DONE);
        let rows = rows(&collected(tree).report.join("results.csv"));
        let columns = ["overlap_both_ops_gb_per_s", "classic_gb_per_s", "iteration_both_ops_gb_per_s"];
        let put = rows.iter().rfind(|row| row["op"] == "put_tensor").unwrap();
        let computed: Vec<_> = rows.iter().filter(|row| row["op"] == "compute").cloned().collect();
        (columns.map(|column| number(put, column)), computed)
    };
    let trees = [0, 1].map(|_| tempfile::tempdir().unwrap());
    // one rank: in several the time in which one of them transfers is not the time of each
    let mut model = computing(1);
    (model.manifest.job.client_nodes, model.manifest.job.clients_per_node) = (1, 1);
    (model.manifest.expect.ranks, model.manifest.expect.servers, model.world_size) = (1, 1, 1);
    let (with, computed) = overlap(&model, trees[0].path());
    model.manifest.job.workload.compute = "none".parse().unwrap();
    let (without, none) = overlap(&model, trees[1].path());
    // the noise is another one
    assert!(
        (with[0] / without[0] - 1.0).abs() < 0.1 && (with[2] / without[2] - 1.0).abs() < 0.1,
        "{with:?} {without:?}"
    );
    assert_eq!((computed.len(), none.len()), (2, 0));
    for row in computed {
        assert_eq!((row["median_gb_per_s"].as_str(), row["overlap_gb_per_s"].as_str()), ("", ""), "it moves nothing");
        assert_eq!((row["n"].as_str(), row["warmup_excluded"].as_str()), ("64", "2"));
    }
}

#[test]
fn three_repeats_are_pooled_and_two_have_no_interval() {
    let tree = tempfile::tempdir().unwrap();
    for (repeat, compute_slowdown) in [(1, 1.2), (2, 1.3)] {
        Model { compute_slowdown, ..computing(repeat) }.execute(tree.path(), 1, DONE);
    }
    let pooled = |report: &Path| {
        let rows = rows(&report.join("application.csv"));
        rows.into_iter().find(|row| row["of"] == "repeats").unwrap()
    };
    let two = pooled(&collected(tree.path()).report);
    assert_eq!((two["runs"].as_str(), two["slowdown_ci99_low"].as_str()), ("2", ""));
    Model { compute_slowdown: 1.25, ..computing(3) }.execute(tree.path(), 1, DONE);
    let done = collected(tree.path());
    let three = pooled(&done.report);
    let mean = number(&three, "slowdown");
    assert!((mean - (1.2f64 * 1.3 * 1.25).cbrt()).abs() < 0.01, "{three:?}");
    assert!(number(&three, "slowdown_ci99_low") < 1.0 && number(&three, "slowdown_ci99_high") > 1.4, "{three:?}");
    let said = done.summary.lines().find(|line| line.contains("(compute, 3 runs): 1.2")).unwrap();
    assert!(said.starts_with("- colocated-n2x4-db1-none-lo-uds-r1"), "{said}");
    assert!(done.summary.lines().all(|line| line.chars().count() <= 100), "{}", done.summary);
    let summary = fs::read_to_string(done.report.join("summary.md")).unwrap();
    assert!(summary.contains("## Application") && summary.contains("| compute, 3 runs |"), "{summary}");
    let json = CollectOptions { format: Format::Json, ..CollectOptions::of(tree.path().to_owned()) };
    let again = collect::run(&json, &|_, _, _| {}).unwrap();
    let json: serde_json::Value = serde_json::from_str(&again.summary).unwrap();
    let figures = &json["application"][0]["figures"];
    assert_eq!((&json["application"][0]["runs"], &figures["op"]), (&3.into(), &"compute".into()));
    assert!((figures["slowdown"].as_f64().unwrap() - mean).abs() < 1e-6);
    assert_eq!(json["runs"][0]["measured"]["alone"]["op"], "compute_alone");
    assert_eq!(json["runs"][0]["measured"]["sizes"][0]["application"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_remembered_has_the_same_figures_and_every_sample_is_exported() {
    let tree = tempfile::tempdir().unwrap();
    computing(1).execute(tree.path(), 1, DONE);
    // until a change would show
    std::thread::sleep(std::time::Duration::from_millis(3100));
    let options = CollectOptions { parquet: true, ..CollectOptions::of(tree.path().to_owned()) };
    let once = || {
        let done = collect::run(&options, &|_, _, _| {}).unwrap();
        (done.known, fs::read(done.report.join("application.csv")).unwrap(), done.report)
    };
    let (first, second) = (once(), once());
    assert_eq!((first.0, second.0), (0, 1));
    assert_eq!(first.1, second.1);
    let file = second.2.join("samples").join(format!("{}.parquet", computing(1).manifest.name));
    let reader = SerializedFileReader::new(fs::File::open(file).unwrap()).unwrap();
    let (mut computed, mut alone) = (0, 0);
    for row in reader.get_row_iter(None).unwrap().map(Result::unwrap) {
        match row.get_string(3).unwrap().as_str() {
            "compute" => computed += 1,
            "compute_alone" => {
                assert_eq!(row.get_long(2).unwrap(), 0, "it belongs to no size");
                alone += 1;
            }
            _ => {}
        }
    }
    assert_eq!((computed, alone), (8 * 2 * 66, 8 * 30));
}

#[test]
fn where_nobody_computes_nothing_is_said_of_it() {
    let tree = tempfile::tempdir().unwrap();
    computing(1).execute(tree.path(), 1, DONE);
    assert!(collected(tree.path()).report.join("application.csv").exists());
    fs::remove_dir_all(tree.path().join(&computing(1).manifest.name)).unwrap();
    Model::new(permutation(2, Some(3), 1)).execute(tree.path(), 1, DONE);
    let done = collected(tree.path());
    assert!(!done.report.join("application.csv").exists(), "that of an earlier collection would pass for its own");
    let page = fs::read_to_string(done.report.join("report.html")).unwrap();
    assert!(!page.contains("data-figure=\"slowdown\"") && !done.summary.contains("application"));
}

#[test]
fn a_reference_that_was_disturbed_is_told() {
    let tree = tempfile::tempdir().unwrap();
    Model { compute_slowdown: 0.8, ..computing(1) }.execute(tree.path(), 1, DONE);
    let done = collected(tree.path());
    let runs = fs::read_to_string(done.report.join("runs.csv")).unwrap();
    assert!(runs.contains("compute takes longer alone than beside the store at 2 of 2 sizes, such as 1 KiB"), "{runs}");
}

#[test]
fn a_run_that_broke_off_before_all_had_computed_alone_has_no_slowdown() {
    let tree = tempfile::tempdir().unwrap();
    let mut model = computing(1);
    model.sizes_done = 1;
    model.execute(tree.path(), 1, TIMED_OUT);
    let first = |tree: &Path| rows(&collected(tree).report.join("application.csv")).remove(0);
    assert!(number(&first(tree.path()), "slowdown") > 1.2, "a size that was measured whole has one");

    // the samples of rank 0 alone are no reference for all
    let run = tree.path().join(&model.manifest.name);
    fs::remove_dir_all(&run).unwrap();
    let path = model.execute(tree.path(), 1, TIMED_OUT).join("samples.bin");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(10).position(|window| window.starts_with(b"SHSB") && window[8] == 7).unwrap();
    let length = 64 + u32::from_le_bytes(bytes[at + 12..at + 16].try_into().unwrap()) as usize;
    bytes.drain(at..at + length);
    fs::write(&path, bytes).unwrap();
    let row = first(tree.path());
    assert_eq!((row["slowdown"].as_str(), row["alone_median_us"].as_str()), ("", ""));
    assert!(number(&row, "transfer_share") > 0.0);
    let runs = fs::read_to_string(tree.path().join("report/runs.csv")).unwrap();
    assert!(runs.contains("how much the store slows them down is not known"), "{runs}");
}
