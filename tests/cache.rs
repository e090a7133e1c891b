//! A second `collect` reads what is new or changed, and says the same as one that reads everything.

#![allow(clippy::unwrap_used)] // clippy takes #[test] functions alone for tests, not their helpers

mod collect_support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use collect_support::{DONE, Model, TIMED_OUT, old_session, permutation, study};
use shardscale::collect::cache::FILE;
use shardscale::collect::{self, CollectOptions};

/// Runs taken from the cache, and the files of the report by name.
fn collected(options: &CollectOptions) -> (usize, BTreeMap<String, Vec<u8>>) {
    let collected = collect::run(options, &|_, _, _| {}).unwrap();
    let mut files: BTreeMap<String, Vec<u8>> = fs::read_dir(&collected.report)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    assert!(files.remove(FILE).is_some(), "nothing is remembered");
    assert!(files.len() >= 4, "{:?}", files.keys());
    files.insert("stdout".into(), collected.summary.into_bytes());
    (collected.known, files)
}

fn collect(tree: &Path) -> (usize, BTreeMap<String, Vec<u8>>) {
    collected(&CollectOptions::of(tree.to_owned()))
}

/// Collects with what is remembered, checks that the report is the one of a collection that reads all, and returns how many
/// runs were taken from the cache.
fn collect_twice(tree: &Path) -> usize {
    let (known, report) = collect(tree);
    let cache = fs::read(tree.join("report").join(FILE)).unwrap();
    let (none, fresh) = collected(&CollectOptions { fresh: true, ..CollectOptions::of(tree.to_owned()) });
    assert_eq!(none, 0);
    for (name, bytes) in &fresh {
        assert!(report.get(name) == Some(bytes), "{name} differs from that of a collection that reads all");
    }
    assert_eq!(report.len(), fresh.len());
    assert!(
        fs::read(tree.join("report").join(FILE)).unwrap() == cache,
        "a collection that reads all remembers the same"
    );
    known
}

/// Waits until a change would show.
fn settle() {
    std::thread::sleep(Duration::from_millis(3100));
}

#[test]
fn only_new_and_changed_runs_are_read_and_the_report_is_the_same() {
    let tree = tempfile::tempdir().unwrap();
    let tree = tree.path();
    study(tree);
    old_session(tree, "sess-1");
    old_session(tree, "sess-2");
    fs::create_dir(tree.join("broken")).unwrap();
    fs::write(tree.join("broken/run.toml"), "schema = 999").unwrap();
    settle();
    let (known, first) = collect(tree);
    assert_eq!(known, 0);
    // all but the one that cannot be read: that is tried again each time
    let runs = 34;
    assert_eq!(collect_twice(tree), runs);
    assert_eq!(collect(tree).1, first);

    let mut late = Model::new(permutation(128, Some(4), 1));
    late.manifest.sweep.tensor_bytes.truncate(2);
    late.sizes_done = 2;
    late.execute(tree, 1, DONE);
    // it is remembered once it cannot change unseen; on a slow machine that may be so at once
    assert_eq!(collect(tree).0, runs);
    settle();
    collect(tree);
    assert_eq!(collect_twice(tree), runs + 1);

    // a later attempt, a changed timing, a vanished run
    late.execute(tree, 2, TIMED_OUT);
    let timing = tree.join("throughput/run-2023/sess-1/rank_0_timing.csv");
    fs::write(&timing, fs::read_to_string(&timing).unwrap().replace("0.0001", "0.0003")).unwrap();
    fs::remove_dir_all(tree.join("throughput/run-2023/sess-2")).unwrap();
    settle();
    assert_eq!(collect_twice(tree), runs - 2);
    assert_eq!(collect_twice(tree), runs);
}

/// A small tree that is remembered.
fn remembered() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    for repeat in 1..=2 {
        let mut model = Model::new(permutation(2, Some(3), repeat));
        model.manifest.sweep.tensor_bytes.truncate(2);
        model.sizes_done = 2;
        model.execute(tree.path(), 1, DONE);
    }
    settle();
    assert_eq!(collect(tree.path()).0, 0);
    assert_eq!(collect(tree.path()).0, 2);
    tree
}

#[test]
fn a_cache_that_is_damaged_or_not_ours_counts_as_none() {
    let tree = remembered();
    let cache = tree.path().join("report").join(FILE);
    let good = fs::read(&cache).unwrap();
    let (_, report) = collect(tree.path());
    let mut tries = vec![Vec::new(), b"junk".to_vec(), good[..good.len() - 1].to_vec(), [&good[..], b"x"].concat()];
    for place in 0..100 {
        let mut bytes = good.clone();
        bytes[place * (good.len() - 1) / 99] ^= 1 << (place % 8);
        tries.push(bytes);
    }
    for bytes in tries {
        fs::write(&cache, bytes).unwrap();
        assert_eq!(collect(tree.path()), (0, report.clone()));
    }
    // another build of the program: its stamp stands at the beginning, and the checksum is right
    let mut other = good[..good.len() - 4].to_vec();
    let version = other.windows(5).position(|bytes| bytes == env!("CARGO_PKG_VERSION").as_bytes()).unwrap();
    other[version] = b'9';
    other.extend(crc32fast::hash(&other).to_le_bytes());
    fs::write(&cache, other).unwrap();
    assert_eq!(collect(tree.path()).0, 0);
    // a pipe would be waited for
    fs::remove_file(&cache).unwrap();
    assert!(Command::new("mkfifo").arg(&cache).status().unwrap().success());
    assert_eq!(collect(tree.path()).0, 0);
    assert_eq!(collect(tree.path()).0, 2);
}

#[test]
fn a_copy_is_read_anew_and_a_baseline_is_remembered() {
    let tree = remembered();
    let copy = tempfile::tempdir().unwrap();
    let status = Command::new("cp").args(["-a"]).arg(tree.path()).arg(copy.path().join("out")).status().unwrap();
    assert!(status.success());
    let copied = copy.path().join("out");
    // the same lengths and times of modification, but other files
    assert_eq!(collect(&copied).0, 0);

    settle();
    let options = CollectOptions { baseline: Some(tree.path().to_owned()), ..CollectOptions::of(copied) };
    collect(&options.dir);
    let before = fs::read(tree.path().join("report").join(FILE)).unwrap();
    let (known, remembered) = collected(&options);
    assert_eq!(known, 2);
    let (_, fresh) = collected(&CollectOptions { fresh: true, ..options });
    assert!(remembered == fresh && fresh.contains_key("baseline.csv"), "{:?}", fresh.keys());
    assert!(fs::read(tree.path().join("report").join(FILE)).unwrap() == before, "a baseline is only looked at");
}
