//! A store of files on real file systems: measured, collected, full, read-only, killed; and nothing of it left.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::study::{Study, shardscale};
use common::{text, wait_for};
use shardscale::record::attempt::{FailureKind, Outcome};
use shardscale::record::samples::SamplesFile;

const FILES: &str = "--store=files";
const LONG: [&str; 4] = [FILES, "--tensor-bytes=1KiB,4MB", "--iterations=5000", "--warmup=1"];

/// Tensors, and folders of keepers, anywhere below `folder`.
fn left_in(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder).into_iter().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("throughput_rank_") || name.starts_with("shardscale-0-") {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

fn csv(study: &Study, file: &str) -> Vec<std::collections::HashMap<String, String>> {
    let path = study.folder.path().join("out/report").join(file);
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

#[test]
fn files_stand_beside_redis_in_one_report() {
    let usual = ["--tensor-bytes=1KiB,64KiB", "--iterations=20", "--verify"];
    let study =
        Study::standard(&[&usual[..], &[FILES, "--file-cache=drop", "--durability=fsync", "--fan-out=4"]].concat());
    let redis = shardscale(
        study.folder.path(),
        &[
            &["gen", "--site=./site.toml", "--client", common::CLIENT, "--clients-per-node=2", "--deployment=standard"],
            &usual[..],
        ]
        .concat(),
    );
    assert!(redis.status.success(), "{}", text(&redis));
    let colocated = shardscale(
        study.folder.path(),
        &[
            &[
                "gen",
                "--site=./site.toml",
                "--client",
                common::CLIENT,
                "--clients-per-node=2",
                "--deployment=colocated",
                "--store=files",
                "--access=own",
            ],
            &usual[..],
        ]
        .concat(),
    );
    assert!(colocated.status.success(), "{}", text(&colocated));
    let output = Command::new("bash").args(["-c", "bash out/*.sh"]).current_dir(study.folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));

    let server = study.attempt(1).servers.remove(0);
    let folder = server.folder.unwrap();
    assert_eq!(
        (server.address, server.port, server.version),
        (None, None, format!("files {}", folder.file_system.kind))
    );
    assert!(folder.file_system.bytes_free > 0 && !folder.file_system.source.is_empty(), "{folder:?}");
    assert_eq!((folder.settings.fan_out, folder.path.exists()), (4, false));
    assert_eq!(left_in(study.folder.path()), Vec::<String>::new());

    let (code, table) = study.collect();
    assert!(code == Some(0) && table.contains("3 runs: 3 done"), "{table}");
    let results = csv(&study, "results.csv");
    let of = |store: &str| results.iter().filter(|row| row["store"] == store && row["op"] == "put_tensor").count();
    assert_eq!((of("files"), of("redis")), (4, 2), "sizes of two runs, and of one");
    for row in results.iter().filter(|row| row["store"] == "files") {
        let absent =
            ["transport", "net_ifname", "db_cpus", "db_nodes", "io_threads", "keys"].map(|column| row[column].as_str());
        assert_eq!(absent, [""; 6], "files have none");
        assert!(row["median_us"].parse::<f64>().unwrap() > 0.0);
    }
    let runs = csv(&study, "runs.csv");
    let notes = |cache: &str| runs.iter().find(|run| run["file_cache"] == cache).unwrap()["notes"].clone();
    assert!(notes("any").contains("page cache of its own node"), "{}", notes("any"));
    assert!(!notes("drop").contains("cache"), "{}", notes("drop"));
    study.assert_nothing_left();
}

#[test]
fn ranks_read_what_others_wrote() {
    for store in ["redis", "files"] {
        let args =
            [&format!("--store={store}"), "--access=neighbour", "--verify", "--iterations=20", "--tensor-bytes=4KiB"];
        let study = Study::standard(&args);
        let output = study.run();
        assert!(output.status.success(), "{store}: {}", text(&output));
        let (code, table) = study.collect();
        assert_eq!(code, Some(0), "{table}");
    }
}

#[test]
fn a_killed_rank_leaves_its_samples_and_no_file() {
    let study = Study::standard(&LONG);
    let mut child = study.start();
    let ranks = study.processes("\0run\0");
    assert!(!left_in(study.folder.path()).is_empty(), "files are there while it runs");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(ranks[1]), nix::sys::signal::Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    assert!(matches!(study.failure().0, FailureKind::RankDied | FailureKind::ClientError), "{:?}", study.failure());
    let samples = SamplesFile::open(&study.attempt(1).samples()).unwrap().unwrap();
    assert_eq!(samples.contents().unwrap().series.len(), 4, "ranks x ops of the first size");
    assert_eq!(left_in(study.folder.path()), Vec::<String>::new());
    study.assert_nothing_left();
}

#[test]
fn a_terminated_script_removes_its_files() {
    let study = Study::new(&[&["--deployment=colocated"], &LONG[..]].concat());
    let mut child = study.start();
    let folder = study.attempt(1).servers[0].folder.clone().unwrap().path;
    assert!(folder.exists());
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().cast_signed()), nix::sys::signal::Signal::SIGTERM)
        .unwrap();
    child.wait().unwrap();
    assert_eq!(study.failure().0, FailureKind::Terminated);
    assert!(!folder.exists());
    study.assert_nothing_left();
}

/// Runs a study's script with `mount` on the folder of its files, in mount and user namespaces of their own.
fn run_on(study: &Study, folder: &Path, mount: &str) -> String {
    fs::create_dir_all(folder).unwrap();
    let line = format!("mount {mount} && exec bash \"$1\"");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "bash", "-c", &line]).arg(folder).arg(&study.script);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success(), "{mount}: {}", text(&output));
    text(&output)
}

#[test]
fn what_a_file_system_refuses_is_named_and_nothing_measured_is_lost() {
    let cases = [
        // two ranks, each with an old and a new file of 64 KiB
        ("-t tmpfs -o size=176k none \"$0\"", "put_tensor", "its file system has no space left (", true),
        // the root, the keeper's folder and its subfolder; then the file of one rank
        ("-t tmpfs -o size=1m,nr_inodes=4 none \"$0\"", "put_tensor", "its file system has no inodes left (", false),
        ("--bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\"", "", "Read-only file system", false),
    ];
    for (mount, op, needle, measured_some) in cases {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("full");
        let files_dir = format!("--files-dir={}", folder.display());
        let study = Study::standard(&[FILES, &files_dir, "--tensor-bytes=1KiB,64KiB", "--iterations=20"]);
        let said = run_on(&study, &folder, mount);
        let Outcome::Failed { detail, .. } = study.attempt(1).outcome() else { panic!("{mount}: done") };
        assert!(detail.contains(needle) || said.contains(needle), "{mount}: {detail}\n{said}");
        assert!(detail.contains(op), "{mount}: {detail}");
        let series = SamplesFile::open(&study.attempt(1).samples()).unwrap();
        let series = series.map_or(0, |file| file.contents().unwrap().series.len());
        assert_eq!(series, if measured_some { 4 } else { 0 }, "{mount}: the size that fitted is kept");
        wait_for("all processes to end", || study.processes("").is_empty());
        let (_, status) = study.collect();
        assert!(status.contains(needle), "{mount}: {status}");
    }
}
