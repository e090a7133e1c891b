//! `collect` from end to end: result trees as machines leave them, whole and broken.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;

use std::fs;
use std::path::{Path, PathBuf};

use collect_support::{CLIENT_FAILED, DONE, Model, TIMED_OUT, permutation, study};
use shardscale::collect::collection::Collection;
use shardscale::collect::model::{Run, State};
use shardscale::collect::{self, CollectOptions};
use shardscale::record::samples;
use shardscale::record::vocabulary::{Store, Wire};
use shardscale::record::workload::UNPACK;

struct Tree {
    folder: tempfile::TempDir,
}

impl Tree {
    fn new() -> Tree {
        Tree { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn gather(&self) -> Collection {
        collect::gather(self.path(), &self.path().join("report")).unwrap()
    }

    fn only(&self) -> Run {
        let mut collection = self.gather();
        assert_eq!((collection.runs.len(), collection.problems.len()), (1, 0), "{:?}", collection.problems);
        collection.runs.remove(0)
    }

    fn collect(&self) -> collect::Collected {
        collect::run(&CollectOptions::of(self.path().to_owned()), &|_, _, _| {}).unwrap()
    }

    fn report(&self, name: &str) -> String {
        fs::read_to_string(self.path().join("report").join(name)).unwrap()
    }
}

/// 2 nodes x 4 ranks against 3 shards, all six sizes done.
fn model() -> Model {
    Model::new(permutation(2, Some(3), 1))
}

fn damage(attempt: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let path = attempt.join(samples::FILE);
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn rows(text: &str) -> Vec<csv::StringRecord> {
    csv::Reader::from_reader(text.as_bytes()).records().collect::<Result<_, _>>().unwrap()
}

fn cell<'a>(text: &str, row: &'a csv::StringRecord, column: &str) -> &'a str {
    let header = csv::Reader::from_reader(text.as_bytes()).headers().unwrap().clone();
    &row[header.iter().position(|name| name == column).unwrap_or_else(|| panic!("no column {column}"))]
}

#[test]
fn a_done_run_is_reported_whole() {
    let tree = Tree::new();
    model().execute(tree.path(), 1, DONE);
    let collected = tree.collect();
    assert!(collected.all_good, "{}", collected.summary);
    let run = tree.only();
    assert_eq!((run.state, run.reason.as_str(), run.attempt, run.sizes().len()), (State::Done, "", Some(1), 6));
    let size = &run.sizes()[0];
    assert_eq!((size.payload_bytes, size.ops.len()), (1024, 2));
    // 8 ranks x 30 iterations, 2 of warm-up each
    assert_eq!((size.ops[0].latency.n, size.ops[0].warmup_excluded, size.ops[0].ranks), (240, 16, 8));
    assert_eq!(size.ops[0].latency.p99, None);
    assert_eq!(run.measured.unwrap().ranks_per_shard, [3, 3, 2]);
    assert_eq!(rows(&tree.report("results.csv")).len(), 12);
}

/// Header and one row of results.csv, of a run small enough to be done by hand.
#[test]
fn the_csv_is_what_it_was() {
    let tree = Tree::new();
    let mut model = model();
    model.manifest.sweep.tensor_bytes = vec![1024];
    model.sizes_done = 1;
    model.execute(tree.path(), 1, DONE);
    tree.collect();
    let text = tree.report("results.csv");
    let golden = include_str!("collect_support/results.csv");
    if std::env::var_os("BLESS").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/collect_support/results.csv"), &text).unwrap();
    }
    assert_eq!(text, golden, "BLESS=1 accepts the change");
}

#[test]
fn the_same_results_give_the_same_bytes_wherever_they_lie() {
    let (one, two) = (Tree::new(), Tree::new());
    study(one.path());
    study(two.path());
    let (first, second) = (one.collect(), two.collect());
    assert_eq!(first.summary, second.summary);
    let first: Vec<_> = fs::read_dir(first.report).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    // which files were read, by their inodes: no part of the report
    let first: Vec<_> = first.iter().filter(|name| *name != collect::cache::FILE).collect();
    assert_eq!(first.len(), 8);
    for name in first {
        let name = name.to_str().unwrap();
        assert!(one.report(name) == two.report(name), "{name} differs between two places");
    }
    let before = one.report("report.html");
    one.collect();
    assert!(before == one.report("report.html"), "the second collect changed the report");
}

#[test]
fn a_study_comes_back_with_one_run_in_each_state() {
    let tree = Tree::new();
    study(tree.path());
    let collected = tree.collect();
    assert!(!collected.all_good);
    assert!(
        collected.summary.contains("33 runs: 28 done, 1 partial, 1 failed, 1 invalid, 1 missing, 1 unreadable"),
        "{}",
        collected.summary
    );
    for line in collected.summary.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    for said in [
        "TERM reached the job",
        "rank 37 on cn0009 in put_tensor of 1 KiB",
        "ranks 32 instead of 64",
        "the script has not run",
        "schema version 7",
    ] {
        let table = collected.summary.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(table.contains(said), "{said} is not in\n{table}");
        for file in ["runs.csv", "summary.md", "report.html"] {
            assert!(tree.report(file).contains(said), "{said} is not in {file}");
        }
    }
    let runs = tree.report("runs.csv");
    let noted =
        rows(&runs).into_iter().find(|row| row[0].starts_with("standard-n8x4-db8x1") && &row[2] == "done").unwrap();
    assert!(cell(&runs, &noted, "notes").contains("later attempt-2 is not used: terminated"), "{noted:?}");
}

#[test]
fn the_last_whole_attempt_counts() {
    let tree = Tree::new();
    let mut model = model();
    model.execute(tree.path(), 1, DONE);
    model.execute(tree.path(), 2, DONE);
    model.sizes_done = 1;
    model.execute(tree.path(), 3, TIMED_OUT);
    let run = tree.only();
    assert_eq!((run.state, run.attempt, run.sizes().len()), (State::Done, Some(2), 6));
    assert!(run.notes.iter().any(|note| note.contains("earlier attempt-1 is not used: done")), "{:?}", run.notes);
    assert!(run.notes.iter().any(|note| note.contains("later attempt-3 is not used: terminated")), "{:?}", run.notes);
}

#[test]
fn a_later_attempt_without_samples_leaves_an_earlier_partial_one() {
    let tree = Tree::new();
    let mut model = model();
    model.sizes_done = 3;
    model.execute(tree.path(), 1, TIMED_OUT);
    fs::create_dir(model.generate(tree.path()).join("attempt-2")).unwrap();
    let run = tree.only();
    assert_eq!((run.state, run.attempt, run.sizes().len()), (State::Partial, Some(1), 3));
    assert!(run.reason.contains("TERM reached the job") && run.reason.contains("3 of 6 sizes"), "{}", run.reason);
    assert!(run.notes[0].contains("later attempt-2 is not used: unfinished: nothing is recorded"), "{:?}", run.notes);
}

#[test]
fn torn_samples_leave_the_complete_sizes() {
    let tree = Tree::new();
    let attempt = model().execute(tree.path(), 1, DONE);
    // a series of 32 samples is 320 bytes, the end block 64: this tears the third last series
    damage(&attempt, |bytes| bytes.truncate(bytes.len() - 64 - 2 * 320 - 5));
    let run = tree.only();
    assert_eq!((run.state, run.sizes().len()), (State::Partial, 5));
    assert!(
        run.reason.contains("its status says done, its samples do not; samples.bin: it breaks off at byte"),
        "{}",
        run.reason
    );
    assert!(
        run.notes[0].contains("not reported: 4000 KiB") || run.notes[0].contains("not reported: 4096000 B"),
        "{:?}",
        run.notes
    );
}

#[test]
fn a_flipped_bit_costs_what_follows_it_and_is_named() {
    let tree = Tree::new();
    let attempt = model().execute(tree.path(), 1, DONE);
    damage(&attempt, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
    });
    let run = tree.only();
    assert_eq!(run.state, State::Partial);
    assert!((1..6).contains(&run.sizes().len()));
    assert!(run.reason.contains("the checksum is wrong at byte"), "{}", run.reason);
}

#[test]
fn a_damaged_progress_and_a_missing_status_do_not_hide_samples() {
    let tree = Tree::new();
    let attempt = model().execute(tree.path(), 1, DONE);
    fs::write(attempt.join("progress.json"), "{\"sche").unwrap();
    let run = tree.only();
    assert_eq!(run.state, State::Done);
    assert!(run.notes.iter().any(|note| note.starts_with("progress.json is damaged")), "{:?}", run.notes);
    fs::remove_file(attempt.join("status")).unwrap();
    let run = tree.only();
    assert_eq!((run.state, run.sizes().len()), (State::Partial, 6));
    assert!(run.reason.contains("nothing is recorded but the folder"), "{}", run.reason);
}

#[test]
fn fewer_ranks_than_asked_and_other_differences_are_invalid() {
    type Change = fn(&mut Model);
    let cases: [(&str, Change); 6] = [
        ("ranks 6 instead of 8", |model| model.world_size = 6),
        ("1 of 16 series are missing, such as unpack_tensor of rank 5", |model| {
            model.without = Some((2, 5, UNPACK));
        }),
        ("wire plain instead of redisai", |model| model.manifest.sweep.wire = Wire::RedisAi),
        ("store redis 7.0.15 instead of keydb", |model| model.manifest.job.store = Store::KeyDb),
        ("store dragonfly 1.2 instead of redis", |model| model.server = "dragonfly 1.2".into()),
        ("shards 3 instead of 4", |_| {}),
    ];
    for (said, change) in cases {
        let tree = Tree::new();
        let mut model = model();
        change(&mut model);
        let attempt = model.execute(tree.path(), 1, DONE);
        if said.starts_with("shards") {
            model.manifest.expect.servers = 4;
            model.generate(tree.path());
        }
        assert!(attempt.exists());
        let run = tree.only();
        assert_eq!(run.state, State::Invalid, "{said}");
        assert!(run.reason.contains(said), "{said}: {}", run.reason);
        let collected = tree.collect();
        assert!(!collected.all_good);
        assert!(rows(&tree.report("results.csv")).iter().all(|row| &row[2] == "invalid"));
    }
}

/// Earlier clients took a product's name from the path of its program; what the program itself said stands in `server-N.json`.
#[test]
fn a_path_in_an_earlier_record_is_no_product() {
    let tree = Tree::new();
    let attempt = Model { server: "keydb 7.0.15".into(), ..model() }.execute(tree.path(), 1, DONE);
    assert_eq!(tree.only().state, State::Invalid, "nobody else says what it was");
    model().server(0).write(&attempt).unwrap();
    assert_eq!(tree.only().state, State::Done);
    Model { server: "valkey 9.1.2".into(), ..model() }.server(1).write(&attempt).unwrap();
    let run = tree.only();
    assert_eq!(run.reason, "not what was asked: store valkey 9.1.2 instead of redis");
}

#[test]
fn a_manifest_changed_after_the_run_is_a_contradiction() {
    let tree = Tree::new();
    let mut model = model();
    model.execute(tree.path(), 1, DONE);
    model.manifest.sweep.iterations = 31;
    model.manifest.sweep.tensor_bytes.push(8_000_000);
    model.generate(tree.path());
    let run = tree.only();
    assert_eq!(run.state, State::Invalid);
    assert!(run.reason.contains("iterations 30 instead of 31"), "{}", run.reason);
    assert!(run.reason.contains("tensor sizes 1 KiB, 8 KiB"), "{}", run.reason);
}

#[test]
fn a_failed_run_has_a_row_and_its_reason() {
    let tree = Tree::new();
    let dir = model().generate(tree.path());
    fs::create_dir(dir.join("attempt-1")).unwrap();
    fs::write(dir.join("attempt-1/status"), CLIENT_FAILED).unwrap();
    let run = tree.only();
    assert_eq!((run.state, run.attempt), (State::Failed, None));
    assert!(run.reason.starts_with("attempt-1: rank died: ranks ended without a message"), "{}", run.reason);
    fs::write(dir.join("attempt-1/samples.bin"), "rank,function,seconds\n").unwrap();
    assert!(tree.only().reason.contains("is no samples file of ShardScale"), "{}", tree.only().reason);
    fs::remove_file(dir.join("attempt-1/samples.bin")).unwrap();
    fs::create_dir(dir.join("attempt-1/samples.bin")).unwrap();
    let reason = tree.only().reason;
    assert!(reason.contains("cannot read samples.bin") && reason.contains("directory"), "{reason}");
}

#[test]
fn a_run_without_an_attempt_is_missing_and_points_at_the_schedulers_log() {
    let tree = Tree::new();
    let dir = model().generate(tree.path());
    assert_eq!((tree.only().state, tree.only().reason.as_str()), (State::Missing, "the script has not run"));
    fs::write(dir.join("job-77.log"), "slurmstepd: error").unwrap();
    assert!(tree.only().reason.ends_with("the scheduler left job-77.log"), "{}", tree.only().reason);
}

#[test]
fn unreadable_manifests_and_shared_names_are_listed_and_all_runs_kept() {
    let tree = Tree::new();
    model().execute(tree.path(), 1, DONE);
    model().execute(&tree.path().join("copy"), 1, DONE);
    fs::create_dir_all(tree.path().join("broken/run.toml")).unwrap();
    fs::create_dir_all(tree.path().join("torn")).unwrap();
    fs::write(tree.path().join("torn/run.toml"), "schema = 1\nname = \"x").unwrap();
    let collection = tree.gather();
    assert_eq!(collection.runs.len(), 2);
    let problems: Vec<_> = collection.problems.iter().map(|p| (p.path.as_str(), p.what.as_str())).collect();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].0 == "broken" && problems[0].1.contains("cannot read run.toml"), "{problems:?}");
    assert!(problems[1].0.starts_with("copy/") && problems[1].1.contains("has the same name"), "{problems:?}");
    assert!(problems[2].0 == "torn" && problems[2].1.contains("run.toml is no manifest"), "{problems:?}");
    let collected = tree.collect();
    assert!(!collected.all_good);
    let runs = rows(&tree.report("runs.csv"));
    assert_eq!(runs.iter().filter(|row| &row[2] == "unreadable").count(), 2);
}

#[test]
fn a_coarse_common_clock_is_named() {
    let tree = Tree::new();
    let mut model = model();
    model.clock_error_ns = 400_000;
    model.execute(tree.path(), 1, DONE);
    let run = tree.only();
    assert_eq!(run.state, State::Done);
    assert!(run.notes[0].contains("agree to 800.0 us only"), "{:?}", run.notes);
}

#[test]
fn hostile_names_stay_text() {
    let tree = Tree::new();
    let mut model = model();
    let hostile = "</script><script>alert(1)</script>, \"a\"\n|b| \u{1b}[2J=1+1";
    model.execute(tree.path(), 1, DONE);
    model.manifest.site = hostile.into();
    model.manifest.job.net_ifname = "<img src=x onerror=alert(2)>".into();
    let dir: PathBuf = model.generate(tree.path());
    model.manifest.name = hostile.into();
    fs::write(dir.join("run.toml"), model.manifest.to_toml().unwrap()).unwrap();
    let collected = tree.collect();
    assert!(!collected.summary.contains('\u{1b}'));
    let page = tree.report("report.html");
    assert!(!page.contains("<script>alert") && !page.contains("<img src=x"));
    assert_eq!(page.matches("</script>").count(), 3);
    let text = tree.report("results.csv");
    let rows = rows(&text);
    assert_eq!((rows.len(), cell(&text, &rows[0], "run"), cell(&text, &rows[0], "site")), (12, hostile, hostile));
    assert!(!tree.report("summary.md").contains("<script>"));
}

#[test]
fn damaged_and_hostile_small_files_hide_no_samples() {
    let binary: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let deep = b"[".repeat(1_000_000);
    let long = format!("1 started\n9 failed client {}\n", "x".repeat(10_000_000)).into_bytes();
    for bytes in [&binary, &deep, &long, &b"{\"schema\":1e999}".to_vec(), &vec![0; 10_000_000]] {
        let tree = Tree::new();
        let attempt = model().execute(tree.path(), 1, DONE);
        for name in ["client-error.json", "progress.json", "store.json", "server-0.json", "status"] {
            fs::write(attempt.join(name), bytes).unwrap();
        }
        let run = tree.only();
        assert_eq!((run.state, run.sizes().len()), (State::Partial, 6), "{}", run.reason);
        tree.collect();
        assert!(tree.report("report.html").len() < 5_000_000);
    }
}

#[test]
fn nothing_to_collect_is_an_error() {
    let tree = Tree::new();
    let options = |dir: &Path| CollectOptions::of(dir.to_owned());
    let error = collect::run(&options(tree.path()), &|_, _, _| {}).unwrap_err();
    assert!(format!("{error:#}").starts_with("no run.toml under "), "{error:#}");
    assert!(!tree.path().join("report").exists());
    let error = collect::run(&options(&tree.path().join("nowhere")), &|_, _, _| {}).unwrap_err();
    assert!(format!("{error:#}").contains("cannot read"), "{error:#}");
}

#[test]
fn the_report_goes_where_it_is_asked_to() {
    let (tree, elsewhere) = (Tree::new(), Tree::new());
    model().execute(tree.path(), 1, DONE);
    let out = elsewhere.path().join("a/b");
    let options = CollectOptions { out: Some(out.clone()), ..CollectOptions::of(tree.path().to_owned()) };
    assert_eq!(collect::run(&options, &|_, _, _| {}).unwrap().report, out);
    assert!(out.join("report.html").exists() && !tree.path().join("report").exists());
}

/// Not a test: a tree to look at and to collect by hand, at SHARDSCALE_DEMO.
#[test]
#[ignore = "writes a study to the folder in SHARDSCALE_DEMO, for a look by hand"]
fn demo() {
    let folder = PathBuf::from(std::env::var_os("SHARDSCALE_DEMO").expect("SHARDSCALE_DEMO names a new folder"));
    study(&folder);
    let options = CollectOptions::of(folder);
    println!("{}", collect::run(&options, &|_, _, _| {}).unwrap().summary);
}
