//! `doctor` on this machine: what it says, its exit codes, and that it leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::net::TcpListener;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use common::{CLIENT, require};

fn doctor(args: &[&str]) -> Command {
    let mut command = Command::new(CLIENT);
    command.arg("doctor").args(args);
    for name in ["OMPI_COMM_WORLD_SIZE", "PALS_SIZE", "PMI_SIZE", "SLURM_NTASKS"] {
        command.env_remove(name);
    }
    command
}

fn findings(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", common::text(output)))
}

/// The finding about `what` as (level, found).
fn finding(report: &serde_json::Value, what: &str) -> (String, String) {
    let all = report["findings"].as_array().unwrap();
    let one = all.iter().find(|one| one["what"] == what).unwrap_or_else(|| panic!("nothing on {what}: {report:#}"));
    (one["level"].as_str().unwrap().to_owned(), one["found"].as_str().unwrap().to_owned())
}

#[test]
fn a_node_with_all_that_is_needed() {
    require("redis-server", "redis-server");
    let scratch = tempfile::tempdir().unwrap();
    let port = common::free_port().to_string();
    let begun = Instant::now();
    let args = ["--ifname", "lo", "--port", &port, "--malloc-conf", "dirty_decay_ms:-1", "--scratch"];
    let output = doctor(&args).arg(scratch.path()).args(["--format", "json"]).output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "it waits for no launcher");
    let report = findings(&output);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    // as the published schema says, and with no key that it lacks
    let mut schema = findings(&doctor(&["--format", "schema"]).output().unwrap());
    schema["additionalProperties"] = false.into();
    schema["$defs"]["Finding"]["additionalProperties"] = false.into();
    assert!(schema["$defs"]["Finding"]["properties"].is_object(), "{schema:#}");
    let schema = jsonschema::validator_for(&schema).unwrap();
    schema.validate(&report).unwrap_or_else(|error| panic!("{error}: {report:#}"));
    let mut wrong = report.clone();
    wrong["findings"][0]["unheard_of"] = 1.into();
    assert!(!schema.is_valid(&wrong) && report["schema"] == "doctor");
    assert_ne!(report["worst"], "bad");
    assert!(finding(&report, "interface lo").1.starts_with("127.0.0.1, "));
    assert!(finding(&report, "server program").1.contains("redis 7."), "{report:#}");
    let (level, found) = finding(&report, "server start");
    assert!(level == "ok" && found.starts_with("redis 7.") && found.contains("jemalloc"), "{found}");
    assert_eq!(finding(&report, "wires").1, "plain alone: no AI.TENSORSET (no modules)");
    assert!(finding(&report, "MPI library").1.contains("built against "), "{report:#}");
    assert!(finding(&report, "launcher").1.starts_with("none"));
    let cpus = std::thread::available_parallelism().unwrap().to_string();
    assert!(finding(&report, "CPUs").1.starts_with(&cpus));
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "nothing is left");
}

#[test]
fn what_is_bad_is_named_with_a_remedy_and_the_exit_code_says_so() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    // of two such ports one leaves room for the bus
    let (port, why) = if port > 55_535 { (port, "no port for the cluster bus") } else { (port, "cannot be used") };
    let args =
        ["--ifname", "hsn9", "--port", &port.to_string(), "--server", "valkey-nowhere", "--scratch", "/no/where"];
    let output = doctor(&args).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.lines().next().unwrap().contains("4 bad"), "{said}");
    for part in ["has no network interface \"hsn9\"; it has ", why, "no server program \"valkey-nowhere\"", "/no/where"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(said.lines().filter(|line| line.starts_with("  BAD")).count(), 4);
    assert!(said.lines().filter(|line| line.contains("-> ")).count() >= 4, "{said}");
}

#[test]
fn a_server_that_does_not_start_says_why() {
    let args = ["--load-module", "/no/redisai.so", "--port", &common::free_port().to_string(), "--format", "json"];
    let output = doctor(&args).output().unwrap();
    let report = findings(&output);
    assert_eq!(output.status.code(), Some(1));
    let (level, found) = finding(&report, "server start");
    assert!(level == "bad" && found.contains("/no/redisai.so"), "{found}");
    assert_eq!(finding(&report, "module /no/redisai.so").0, "bad");
}

#[test]
fn a_file_limit_below_the_ranks_is_bad() {
    require("prlimit", "util-linux");
    let inner =
        doctor(&["--ranks", "4608", "--no-start", "--port", &common::free_port().to_string(), "--format", "json"]);
    let mut command = Command::new("prlimit");
    command.arg("--nofile=1024:1024").arg(inner.get_program()).args(inner.get_args());
    let output = command.output().unwrap();
    let report = findings(&output);
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    let (level, found) = finding(&report, "open files");
    assert!(level == "bad" && found.contains("4608 ranks"), "{found}");
}

#[test]
fn under_a_launcher_mpi_is_started_where_asked() {
    require("mpirun", "openmpi-bin");
    let mut command = Command::new("mpirun");
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    command.args(["--oversubscribe", "-n", "2", CLIENT, "doctor", "--mpi", "--no-start"]);
    command.args(["--port", &common::free_port().to_string()]);
    let output = command.output().unwrap();
    let said = common::text(&output);
    assert!(said.contains("Open MPI's mpirun, 2 tasks"), "{said}");
    assert!(said.contains("a communicator of 2 ranks, this is rank 0"), "{said}");
}

#[test]
fn a_mistyped_flag_is_exit_code_2() {
    let output = doctor(&["--format", "yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("[possible values: text, json, schema]"));
}

#[test]
fn the_long_version_names_both_mpis() {
    let output = Command::new(CLIENT).args(["version", "--long"]).output().unwrap();
    let said = common::text(&output);
    let fact = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    assert!(output.status.success() && said.starts_with("shardscale-client "), "{said}");
    assert!(fact("commit").starts_with(shardscale::built::COMMIT) && fact("rustc").starts_with("rustc "), "{said}");
    assert!(fact("runs with").contains("MPI") && !fact("built against").is_empty(), "{said}");
}
