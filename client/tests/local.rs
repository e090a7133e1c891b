//! The main job on this machine: `gen --site local`, the script under bash, `collect`; and what the user sees when a part is
//! missing, taken, killed or full.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

mod common;

use std::fs;
use std::process::Command;

use common::study::{Study, machine, shardscale};
use common::{CLIENT, Redis, require, text};
use shardscale::record::attempt::{FailureKind, Outcome};
use shardscale::record::samples::SamplesFile;

fn kill(pid: i32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
}

/// The first size takes a moment, the second one longer than any test waits.
const LONG: [&str; 3] = ["--tensor-bytes=1KiB,4MB", "--iterations=5000", "--warmup=1"];
const SHORT: [&str; 3] = ["--tensor-bytes=1KiB,64KiB", "--iterations=20", "--verify"];

#[test]
fn standard_and_colocated_run_and_are_collected() {
    for args in [
        &["--deployment=standard"][..],
        &["--deployment=standard", "--db-nodes=1"],
        &["--deployment=standard", "--db-nodes=2", "--keys=balanced"],
        &["--deployment=colocated", "--transport=tcp"],
        &["--deployment=colocated", "--transport=uds"],
        &["--deployment=standard", "--dtype=float64", "--shape=16xN", "--tensors=4", "--pipeline=4", "--order=phases"],
        &["--deployment=standard", "--access=one-to-many", "--payload=random", "--mix=1:3", "--rate=500"],
    ] {
        let study = Study::new(&[args, &SHORT].concat());
        let output = study.run();
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        study.assert_nothing_left();
        let (code, table) = study.collect();
        assert_eq!(code, Some(0), "{table}");
        assert!(table.contains("1 done"), "{table}");
    }
}

#[test]
fn servers_of_one_machine_share_its_ports_and_ranks() {
    let study = Study::standard(&["--db-nodes=1", "--shards-per-node=3", "--keys=balanced", "--iterations=5"]);
    let output = study.run();
    assert!(output.status.success(), "{}", text(&output));
    let servers = study.attempt(1).servers;
    let ports: Vec<u16> = servers.iter().filter_map(|server| server.port).collect();
    assert_eq!((ports.len(), ports[1] - ports[0], ports[2] - ports[0]), (3, 1, 2));
    let shown = study.collect();
    assert_eq!(shown.0, Some(0), "{}", shown.1);
    study.assert_nothing_left();
    drop(study);

    // two UNIX sockets, a rank each
    let colocated = ["--deployment=colocated", "--transport=uds", "--servers-per-node=2", "--iterations=5"];
    let study = Study::new(&colocated);
    let output = study.run();
    assert!(output.status.success(), "{}", text(&output));
    let file = SamplesFile::open(&study.attempt(1).samples()).unwrap().unwrap();
    let shards: Vec<u32> = file.contents().unwrap().ranks.iter().map(|rank| rank.shard).collect();
    assert_eq!(shards, [0, 1]);
    let shown = study.collect();
    assert_eq!(shown.0, Some(0), "{}", shown.1);
    study.assert_nothing_left();
}

#[test]
fn a_measured_run_is_left_alone_until_told_otherwise() {
    let study = Study::standard(&SHORT);
    assert!(study.run().status.success());
    let again = study.run();
    assert!(again.status.success() && text(&again).contains("already measured"), "{}", text(&again));
    assert!(!study.script.with_extension("").join("attempt-2").exists());
    assert!(study.command().env("SHARDSCALE_RERUN", "1").output().unwrap().status.success());
    assert_eq!((study.attempt(1).outcome(), study.attempt(2).outcome()), (Outcome::Done, Outcome::Done));
}

#[test]
fn several_scripts_run_one_after_another() {
    let study = Study::new(&[&["--deployment=standard"][..], &SHORT].concat());
    let output = shardscale(
        study.folder.path(),
        &[
            &[
                "gen",
                "--site=./site.toml",
                "--client",
                CLIENT,
                "--deployment=colocated",
                "--transport=uds",
                "--clients-per-node=1",
            ][..],
            &SHORT,
        ]
        .concat(),
    );
    assert!(output.status.success(), "{}", text(&output));
    let output = Command::new("bash").args(["-c", "bash out/*.sh"]).current_dir(study.folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let (code, table) = study.collect();
    assert!(code == Some(0) && table.contains("2 done"), "{table}");
}

#[test]
fn a_missing_client_and_a_missing_server_say_the_remedy() {
    let study = Study::standard(&SHORT);
    let output = study.command().env("SHARDSCALE_CLIENT", "/nowhere/shardscale-client").output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output).contains("/nowhere/shardscale-client does not start; build it"), "{}", text(&output));
    let (code, table) = study.collect();
    assert!(code == Some(3) && table.contains("missing"), "{table}");

    drop(study);
    let study = Study::standard(&[&SHORT[..], &["--store-server=/nowhere/redis-server"]].concat());
    let output = study.run();
    assert!(!output.status.success());
    let (kind, detail) = study.failure();
    assert_eq!(kind, FailureKind::StoreStart);
    assert!(detail.starts_with("store server ") && detail.contains("\"/nowhere/redis-server\" on "), "{detail}");
    let line = format!("shardscale-client: store did not start: {detail}\n");
    assert!(text(&output).contains(&line), "{}", text(&output));
    let (code, said) = study.collect();
    assert!(code == Some(3) && said.contains("there is no server program \"/nowhere/redis-server\""), "{said}");
}

#[test]
fn a_client_whose_mpi_is_missing_says_so() {
    let study = Study::standard(&SHORT);
    // what the dynamic linker does where libmpi is not loaded: exit status 127 and its own message
    let broken = study.folder.path().join("broken-client");
    fs::write(&broken, "#!/bin/sh\necho 'error while loading shared libraries: libmpi.so.40' >&2\nexit 127\n").unwrap();
    fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let output = study.command().env("SHARDSCALE_CLIENT", &broken).output().unwrap();
    let said = text(&output);
    assert!(said.contains("libmpi.so.40") && said.contains("load its MPI"), "{said}");
}

#[test]
fn a_taken_port_and_a_bad_interface_are_named() {
    let study = Study::standard(&SHORT);
    let site = fs::read_to_string(study.folder.path().join("site.toml")).unwrap();
    let port: u16 = site.lines().find_map(|line| line.strip_prefix("db_port = ")).unwrap().parse().unwrap();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let output = study.run();
    assert!(!output.status.success() && text(&output).contains(&port.to_string()), "{}", text(&output));
    assert_eq!(study.failure().0, FailureKind::StoreStart);
    study.assert_nothing_left();

    drop(study);
    let study = Study::standard(&SHORT);
    let script = fs::read_to_string(&study.script).unwrap().replace("--ifname lo", "--ifname hsn9");
    fs::write(&study.script, script).unwrap();
    let output = study.run();
    assert!(!output.status.success() && text(&output).contains("hsn9"), "{}", text(&output));
    assert!(study.failure().1.contains("has no network interface \"hsn9\""), "{}", study.failure().1);
}

#[test]
fn a_killed_rank_ends_the_run_and_keeps_what_was_measured() {
    let study = Study::standard(&LONG);
    let mut child = study.start();
    kill(study.processes("\0run\0")[0]);
    assert!(!child.wait().unwrap().success());
    study.assert_nothing_left();
    let (kind, detail) = study.failure();
    assert!(matches!(kind, FailureKind::RankDied | FailureKind::ClientError), "{kind:?} {detail}");
    let (code, table) = study.collect();
    assert!(code == Some(3) && table.contains("partial") && table.contains("1/2"), "{table}");
}

#[test]
fn a_store_that_runs_already_keeps_no_key_of_ours_however_the_run_ends() {
    // while no study has a port: the shards of one count up from it, and would meet this one
    let redis = {
        let _machine = machine();
        Redis::start(&[])
    };
    let keys = || redis::cmd("KEYS").arg("*").query::<Vec<String>>(&mut redis.connection()).unwrap();
    let address = format!("--db-address={}", redis.address());
    for how in ["a killed rank", "a terminated script"] {
        let study = Study::standard(&[&LONG[..], &[&address]].concat());
        let mut child = study.start();
        assert!(keys().len() == 2 && keys().iter().all(|key| key.starts_with("shardscale:")), "{:?}", keys());
        match how {
            "a killed rank" => kill(study.processes("\0run\0")[0]),
            _ => nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), nix::sys::signal::SIGTERM)
                .unwrap(),
        }
        assert!(!child.wait().unwrap().success());
        assert_eq!(keys(), Vec::<String>::new(), "after {how}");
        assert!(!study.attempt(1).path.join("keys.json").exists());
    }
    let study = Study::standard(&[&SHORT[..], &[&address]].concat());
    let output = study.run();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!((keys(), study.attempt(1).path.join("keys.json").exists()), (vec![], false));
}

#[test]
fn a_killed_server_is_the_reason_that_is_told() {
    let study = Study::standard(&LONG);
    let mut child = study.start();
    for server in study.attempt(1).servers {
        kill(server.pid as i32);
    }
    assert!(!child.wait().unwrap().success());
    study.assert_nothing_left();
    let (kind, detail) = study.failure();
    assert_eq!(kind, FailureKind::StoreDied, "{detail}");
    assert!(detail.contains("it ended unasked (signal: 9") && detail.contains("1 of 2 sizes measured"), "{detail}");
}

/// Rank 0, which speaks for all, never comes to MPI_Init.
#[test]
fn a_rank_that_never_starts_costs_a_stated_time() {
    let study = Study::standard(&SHORT);
    let script = fs::read_to_string(&study.script).unwrap();
    let run = "sh -c '[ \"$OMPI_COMM_WORLD_RANK\" != 0 ] || exec sleep 600; exec \"$@\"' sh \"$client\" run --start-timeout 2 ";
    fs::write(&study.script, script.replace("\"$client\" run ", run)).unwrap();
    let begun = std::time::Instant::now();
    let output = study.run();
    assert!(!output.status.success() && begun.elapsed().as_secs() < 60, "{}", text(&output));
    study.assert_nothing_left();
    let (kind, detail) = study.failure();
    assert_eq!(kind, FailureKind::ClientError, "{detail}");
    let due = "in start MPI: MPI_Init did not return within the 2 s of --start-timeout: another rank did not start";
    assert!(detail.starts_with("rank 1 on ") && detail.contains(due), "{detail}");
    let log = fs::read_to_string(study.attempt(1).path.join("client.log")).unwrap();
    assert_eq!(log.matches(due).count(), 1, "{log}");
}

/// Ranks that never return from MPI_Finalize, or die there: all is measured, and the script goes by that.
#[test]
fn an_mpi_that_does_not_end_costs_a_stated_time_and_no_run() {
    require("gcc", "gcc");
    let library = tempfile::tempdir().unwrap();
    let library = library.path().join("no_finalize.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/common/no_finalize.c");
    let built = Command::new("gcc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).status().unwrap();
    assert!(built.success());
    for (crashes, noted) in [
        (false, "MPI_Finalize did not return within 3 s (rank "),
        (true, "all was measured before the launch of the ranks failed: client rc="),
    ] {
        let study = Study::standard(&SHORT);
        let script = fs::read_to_string(&study.script).unwrap();
        fs::write(&study.script, script.replace("\"$client\" run ", "\"$client\" run --finalize-timeout 3 ")).unwrap();
        let mut command = study.command();
        command.env("LD_PRELOAD", &library);
        if crashes {
            command.env("FINALIZE_CRASHES", "1");
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        study.assert_nothing_left();
        let attempt = study.attempt(1);
        assert_eq!((attempt.outcome(), attempt.left.is_some()), (Outcome::Done, !crashes), "{:?}", attempt.events);
        let notes = attempt.notes().join("; ");
        assert!(notes.contains(noted), "{notes}");
        let at = |word: &str| attempt.events.iter().find(|event| event.word == word).unwrap().unix_s;
        let seconds = at("done") - at("client-started");
        assert!(seconds < 20, "it took {seconds} s");
        let (code, table) = study.collect();
        assert!(code == Some(0) && table.contains("1 done"), "{table}");
        let report = fs::read_to_string(study.folder.path().join("out/report/runs.csv")).unwrap();
        assert!(report.contains(noted), "{report}");
    }
}

#[test]
fn a_look_that_goes_on_ends_with_the_runs() {
    let study = Study::standard(&["--db-nodes=1", "--tensor-bytes=1KiB,1MiB", "--iterations=2000", "--warmup=1"]);
    let mut script = study.start();
    let program = std::path::Path::new(CLIENT).with_file_name("shardscale");
    let line = format!("{} status out --watch 1", program.display());
    // a terminal of its own: each look replaces the one before
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]).stdin(std::process::Stdio::null());
    let seen = terminal.current_dir(study.folder.path()).output().unwrap();
    let piped = shardscale(study.folder.path(), &["status", "out", "--watch", "1"]);
    script.wait().unwrap();
    let seen = text(&seen);
    let looks: Vec<&str> = seen.split("\x1b[H\x1b[2J").collect();
    assert!(looks.len() >= 3 && looks[1].contains("1 running"), "{seen}");
    assert!(looks.last().unwrap().contains("1 done"), "{seen}");
    assert_eq!(text(&piped).matches("RUN ").count(), 1, "{}", text(&piped));
}

#[test]
fn a_terminated_script_stops_everything() {
    let study = Study::standard(&LONG);
    let mut child = study.start();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    study.assert_nothing_left();
    assert_eq!(study.failure().0, FailureKind::Terminated);
    assert!(!study.attempt(1).path.join("password").exists());
}

#[test]
fn a_script_killed_with_its_session_is_unfinished_and_leaves_no_server() {
    let study = Study::standard(&LONG);
    let mut child = study.start();
    let launchers = study.processes("");
    kill(child.id() as i32);
    child.wait().unwrap();
    // what a scheduler does to the rest of a job whose script is gone
    launchers.into_iter().for_each(kill);
    study.assert_nothing_left();
    assert_eq!(study.failure().0, FailureKind::Unfinished);
    assert_eq!(study.collect().0, Some(3));
}

#[test]
fn torn_samples_keep_their_whole_blocks_and_are_told() {
    let study = Study::standard(&SHORT);
    assert!(study.run().status.success());
    let samples = study.attempt(1).samples();
    let bytes = fs::read(&samples).unwrap();
    fs::write(&samples, &bytes[..bytes.len() - 500]).unwrap();
    let (code, table) = study.collect();
    assert!(code == Some(3) && table.contains("partial") && table.contains("1/2"), "{table}");
}

#[test]
fn a_full_disk_is_named() {
    // a file system of its own, in a mount namespace that ends with the shell; full once the folder has its ballast
    let study = Study::standard(&LONG);
    let run_dir = study.script.with_extension("");
    let line = format!(
        "mount -t tmpfs -o size=256k none '{dir}' && cp '{keep}' '{dir}/run.toml' && head -c 190000 /dev/zero > '{dir}/ballast'; \
         bash '{script}'; rc=$?; cat '{dir}'/attempt-1/status '{dir}'/attempt-1/client.log >&2; exit $rc",
        dir = run_dir.display(),
        keep = study.folder.path().join("run.toml").display(),
        script = study.script.display(),
    );
    fs::copy(run_dir.join("run.toml"), study.folder.path().join("run.toml")).unwrap();
    let output = Command::new("unshare").args(["--mount", "--map-root-user", "bash", "-c", &line]).output();
    let output = output.expect("unshare is part of util-linux");
    assert!(!output.status.success(), "{}", text(&output));
    let said = text(&output);
    assert!(said.contains("no space is left for") && said.contains("failed client rc=1 no space left"), "{said}");
}

#[test]
fn settings_of_the_store_are_axes_and_what_was_in_force_is_in_the_record() {
    let args =
        ["--db-nodes=1", "--io-threads=2", "--malloc-conf=dirty_decay_ms:-1+muzzy_decay_ms:0", "--maxmemory=256MiB"];
    let study = Study::standard(&[&args[..], &["--tensor-bytes=1MiB", "--iterations=20"]].concat());
    let name = study.script.file_stem().unwrap().to_string_lossy().into_owned();
    assert!(name.ends_with("-io2-dirty_decay_ms.-1+muzzy_decay_ms.0-max256MiB-r1"), "{name}");
    let output = study.run();
    assert!(output.status.success(), "{}", text(&output));
    let attempt = study.attempt(1);
    let in_force = attempt.servers[0].in_force.as_ref().unwrap();
    assert_eq!((&*in_force.malloc["dirty_decay_ms"], &*in_force.malloc["muzzy_decay_ms"]), ("-1", "0"));
    assert_eq!((&*in_force.settings["io-threads"], &*in_force.settings["maxmemory"]), ("2", "268435456"));
    let record = attempt.store.as_ref().unwrap();
    assert_eq!((record.sizes_done, record.shards.len(), record.spoiled()), (1, 1, vec![]));
    let (code, said) = study.collect();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_run_whose_store_saved_is_invalid_in_the_report() {
    let study = Study::standard(&["--db-nodes=1", "--tensor-bytes=1KiB,1MiB", "--iterations=3000"]);
    let mut child = study.start();
    let attempt = study.attempt(1);
    let password = fs::read_to_string(attempt.path.join("password")).unwrap();
    let server = &attempt.servers[0];
    let url = format!("redis://:{}@127.0.0.1:{}", password.trim(), server.port.unwrap());
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    redis::cmd("BGSAVE").exec(&mut connection).unwrap();
    drop(connection);
    assert!(child.wait().unwrap().success());
    let (code, said) = study.collect();
    assert_ne!(code, Some(0), "{said}");
    assert!(said.contains("1 run: 1 invalid") && said.contains("rdb_saves grew by 1"), "{said}");
    let results = fs::read_to_string(study.folder.path().join("out/report/runs.csv")).unwrap();
    assert!(results.contains("rdb_saves grew by 1"), "{results}");
}
