//! Aggregations by the commands a user types: producers and consumers over servers and files, in one report; and what is left when
//! one of them dies.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod common;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::process::{Command, Stdio};

use common::study::Study;
use common::{free_port, text, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use shardscale::record::attempt::{FailureKind, Outcome};
use shardscale::record::samples::{Meta, SamplesFile};
use shardscale::record::vocabulary::Role;

const AGGREGATION: &str = "--workload=aggregation";
const LONG: [&str; 4] = [AGGREGATION, "--tensor-bytes=1KiB,4MB", "--iterations=400", "--warmup=1"];

fn rows(study: &Study, file: &str) -> Vec<HashMap<String, String>> {
    let path = study.folder.path().join("out/report").join(file);
    csv::Reader::from_path(path).unwrap().deserialize().map(Result::unwrap).collect()
}

fn meta(study: &Study) -> Meta {
    let file = SamplesFile::open(&study.attempt(1).samples()).unwrap().unwrap();
    file.contents().unwrap().meta.unwrap()
}

#[test]
fn what_producers_put_consumers_fetch_every_byte_of_it() {
    for (store, args) in [
        ("redis", &["--db-nodes=3", "--consumers=1", "--consumer-threads=2"][..]),
        (
            "redis",
            &["--db-nodes=1", "--consumers=2", "--consumer-threads=3", "--mix=0:1", "--dtype=int8", "--payload=random"],
        ),
        ("redis", &["--db-nodes=3", "--keys=balanced", "--consumer-threads=5"]),
        ("files", &["--consumers=2", "--consumer-threads=2", "--fan-out=3"]),
    ] {
        let store = format!("--store={store}");
        let usual =
            [AGGREGATION, "--verify", "--tensors=3", "--tensor-bytes=1KiB,64KiB", "--iterations=10", "--warmup=2"];
        let study = Study::standard(&[&usual[..], args, &[store.as_str()]].concat());
        let output = study.run();
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        let (code, table) = study.collect();
        assert!(code == Some(0) && table.contains("1 run: 1 done"), "{args:?}: {table}");
        let results = rows(&study, "results.csv");
        let ops: BTreeSet<&str> = results.iter().map(|row| row["op"].as_str()).collect();
        let puts_once = args.contains(&"--mix=0:1");
        assert_eq!(ops.len(), if puts_once { 5 } else { 6 }, "{args:?}: {ops:?}");
        let consumers = meta(&study).roles.consumers.len();
        for row in results.iter().filter(|row| row["payload_bytes"] == "65536") {
            let n: usize = row["n"].parse().unwrap();
            let takes = match row["op"].as_str() {
                "put_dataset" | "append_to_list" => 2,
                "poll_list_length" | "get_datasets_from_list" => consumers,
                _ => 1,
            };
            assert_eq!(n, 10 * takes, "{args:?}: {}", row["op"]);
            let number = |column: &str| row[column].parse::<f64>().unwrap_or(0.0);
            // all 2 x 3 tensors are handed over, each consumer fetches its part of them
            let moved = match row["op"].as_str() {
                "put_dataset" => 3.0,
                "get_datasets_from_list" => 6.0 / consumers as f64,
                "hand_over" => 6.0,
                _ => continue,
            };
            let gb_per_s = moved * 65536.0 / number("median_us") / 1e3;
            assert!((number("median_gb_per_s") / gb_per_s - 1.0).abs() < 0.01, "{args:?}: {row:?}");
        }
        study.assert_nothing_left();
        let out = study.folder.path().join("out");
        let left = walkdir::WalkDir::new(out).into_iter().flatten();
        let names = left.map(|entry| entry.file_name().to_string_lossy().into_owned());
        assert_eq!(names.filter(|name| name.contains("aggregation_rank_")).count(), 0, "files of datasets");
    }
}

#[test]
fn a_store_of_others_keeps_nothing_of_ours() {
    common::require("redis-server", "redis-server");
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let cli = |words: &[&str]| {
        let output = Command::new("redis-cli").args(["-p", &port.to_string()]).args(words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let mut server = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the server", || cli(&["PING"]) == "PONG");
    cli(&["SET", "aggregation_rank_0", "theirs"]);
    let address = format!("--db-address=127.0.0.1:{port}");
    let study = Study::standard(&[AGGREGATION, &address, "--db-nodes=1", "--tensor-bytes=1KiB", "--iterations=5"]);
    let output = study.run();
    let left = cli(&["KEYS", "*"]);
    drop(study); // one at a time
    // a rank dies: its script removes what the ranks left
    let broken = Study::standard(&[&LONG[..], &[&address, "--db-nodes=1"]].concat());
    let mut child = broken.start();
    kill(Pid::from_raw(broken.processes("\0run\0")[0]), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    let left_after_death = cli(&["KEYS", "*"]);
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!((left.as_str(), left_after_death.as_str()), ("aggregation_rank_0", "aggregation_rank_0"));
}

#[test]
fn whoever_dies_ends_the_run_by_name_and_what_was_measured_stays() {
    for victim in ["producer", "consumer", "server"] {
        let study = Study::standard(&[&LONG[..], &["--db-nodes=1"]].concat());
        let mut child = study.start();
        let pid = match victim {
            "server" => study.attempt(1).servers[0].pid.cast_signed(),
            _ => {
                let wanted = if victim == "producer" { Role::Producer } else { Role::Leader };
                let roles = meta(&study).roles;
                let of_role = |pid: &i32| {
                    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                    let environment = String::from_utf8_lossy(&environment).into_owned();
                    let rank = environment.split('\0').find_map(|it| it.strip_prefix("OMPI_COMM_WORLD_RANK="));
                    rank.is_some_and(|rank| roles.of(rank.parse().unwrap()) == wanted)
                };
                study.processes("\0run\0").into_iter().find(of_role).unwrap()
            }
        };
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        let Outcome::Failed { kind, detail } = study.attempt(1).outcome() else { panic!("{victim}: done") };
        let expected: &[FailureKind] = match victim {
            "server" => &[FailureKind::StoreDied, FailureKind::ClientError],
            _ => &[FailureKind::RankDied, FailureKind::ClientError],
        };
        assert!(expected.contains(&kind), "{victim}: {kind:?} {detail}");
        let series = SamplesFile::open(&study.attempt(1).samples()).unwrap().unwrap();
        assert_eq!(series.contents().unwrap().series.len(), 2 * 2 + 4, "{victim}: all ops of the first size");
        study.assert_nothing_left();
    }
}

#[test]
fn what_an_aggregation_cannot_have_is_refused_with_the_remedy() {
    let study = Study::standard(&[AGGREGATION, "--tensor-bytes=1KiB"]);
    for (args, needle) in [
        (&["--deployment=colocated"][..], "--workload aggregation needs --deployment standard"),
        (&["--deployment=standard", "--consumers=3"], "use a divisor of 4"),
        (&["--deployment=standard", "--consumer-nodes=1"], "0 lets them share"),
        (&["--deployment=standard", "--rate=5"], "--rate is nothing that an aggregation has"),
    ] {
        let usual = ["gen", "--site=./site.toml", "--client", common::CLIENT, "--clients-per-node=4", AGGREGATION];
        let output = common::study::shardscale(study.folder.path(), &[&usual[..], args].concat());
        assert!(!output.status.success() && text(&output).contains(needle), "{args:?}: {}", text(&output));
    }
}
