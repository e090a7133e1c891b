//! Runs that fail: each ends all ranks, with a message that names what failed, and keeps what was measured.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use common::stand_in::{Mischief, StandIn};
use common::{CLIENT, Redis, Run, client_error, end_of, ranks_of, require, samples, text, wait_for};
use shardscale::record::progress::Progress;

fn mischief(tensors: bool, mischief: Mischief) -> (StandIn, tempfile::TempDir, Run) {
    let server = StandIn::start(tensors, mischief);
    let attempt = tempfile::tempdir().unwrap();
    let run = Run::new(1, "1KiB").attempt(attempt.path()).arg("--address", server.address()).arg("--iterations", 10);
    (server, attempt, run)
}

#[test]
fn verification_finds_one_flipped_bit() {
    for (tensors, byte, offset) in [(true, 1000, 1000), (false, 24 + 7, 7)] {
        let (server, attempt, run) = mischief(tensors, Mischief::Corrupt { from: 6, byte });
        let said = run.flag("--verify").fail();
        let error = client_error(attempt.path());
        assert_eq!((error.op.as_str(), error.iteration, error.payload_bytes), ("verify", Some(3), Some(1024)));
        assert_eq!(error.endpoint, Some(server.address()));
        assert!(error.cause.starts_with(&format!("byte {offset} of 1024 ")), "{}", error.cause);
        assert!(said.contains(&error.to_string()), "{said}");
    }
}

#[test]
fn what_the_server_refuses_is_told_in_its_words_and_not_tried_again() {
    let refusals = [
        (4, "OOM command not allowed when used memory > 'maxmemory'.", "put_tensor"),
        (5, "MOVED 866 127.0.0.1:6780", "unpack_tensor"),
        (6, "ASK 866 127.0.0.1:6780", "put_tensor"),
        (3, "CLUSTERDOWN The cluster is down", "unpack_tensor"),
        (2, "NOAUTH Authentication required.", "put_tensor"),
        (0, "LOADING Redis is loading the dataset in memory", "put_tensor"),
    ];
    for (at, refusal, op) in refusals {
        let (server, attempt, run) = mischief(true, Mischief::Refuse { at, error: refusal });
        run.fail();
        let error = client_error(attempt.path());
        assert_eq!((error.op.as_str(), error.iteration), (op, Some(at / 2)));
        assert!(error.cause.contains(refusal), "{}", error.cause);
        assert_eq!(server.timed_commands(), at + 1);
    }
}

#[test]
fn a_missing_key_a_closed_connection_and_silence_are_told_apart() {
    let cases = [
        (true, Mischief::Forget { at: 3 }, "tensor key is empty or in a different shard"),
        (false, Mischief::Forget { at: 3 }, "the key has no value"),
        (true, Mischief::Close { at: 3 }, "the server closed the connection"),
        (true, Mischief::Hang { at: 3 }, "--reply-timeout"),
    ];
    for (tensors, what, cause) in cases {
        let (_server, attempt, run) = mischief(tensors, what);
        run.arg("--reply-timeout", 1).fail();
        let error = client_error(attempt.path());
        assert_eq!((error.op.as_str(), error.iteration), ("unpack_tensor", Some(1)));
        assert!(error.cause.contains(cause), "{what:?}: {}", error.cause);
    }
}

#[test]
fn real_memory_limit() {
    let redis = Redis::start(&["--maxmemory", "3mb"]);
    let said = Run::new(1, "1KiB,8MiB").arg("--address", redis.address()).fail();
    assert!(said.contains("put_tensor of 8 MiB, iteration") && said.contains("OOM"), "{said}");
}

#[test]
fn a_store_that_cannot_be_used_is_named() {
    let redis = Redis::start(&["--requirepass", "right"]);
    let run = || Run::new(2, "1KiB").arg("--address", redis.address());
    assert!(run().fail().contains("SHARDSCALE_PASSWORD"));
    let wrong = run().env("SHARDSCALE_PASSWORD", "wrong-word").fail();
    assert!(!wrong.contains("wrong-word"), "a password is never printed: {wrong}");
    let no_tensors = run().env("SHARDSCALE_PASSWORD", "right").arg("--wire", "redisai").fail();
    assert!(no_tensors.contains("AI.TENSORSET") && no_tensors.contains("--wire plain"), "{no_tensors}");
    let two = Run::new(1, "1KiB").arg("--address", format!("{0},{0}", redis.address()));
    let two = two.env("SHARDSCALE_PASSWORD", "right").fail();
    assert!(two.contains("not part of a cluster"), "{two}");
    let nobody = Run::new(1, "1KiB").arg("--address", format!("127.0.0.1:{}", common::free_port())).fail();
    assert!(nobody.contains("no server answers"), "{nobody}");
    let nowhere = Run::new(1, "1KiB").fail();
    assert!(nowhere.contains("--address is not given") && nowhere.contains("SSDB"), "{nowhere}");
}

#[test]
fn mistakes_in_the_arguments_are_told_once() {
    for (sizes, extra, said) in [
        ("1022", None, "1020 would be"),
        ("1KiB", Some(("--barrier", "sometimes")), "allowed: none, size, iteration"),
        ("1KiB", Some(("--iterations", "20000000")), "at most 10000000"),
        ("1KiB", Some(("--address", "host")), "HOST:PORT"),
        ("1KiB", Some(("--dtype", "complex64")), "allowed: float64, float32"),
        ("1KiB", Some(("--shape", "3xN")), "1020 would be"),
        ("1KiB", Some(("--pipeline", "8")), "add --tensors 8"),
        ("1KiB", Some(("--mix", "0:0")), "write PUTS:UNPACKS"),
    ] {
        let run = Run::new(3, sizes);
        let run = extra.into_iter().fold(run, |run, (flag, value)| run.arg(flag, value));
        let output = run.output();
        assert_eq!(output.status.code(), Some(2), "{}", text(&output));
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(said), "{stderr}");
        assert_eq!(stderr.matches("try '--help'").count(), 1, "{stderr}");
    }
}

/// Each write(2) may be cut from the next one by another rank's.
#[test]
fn a_failing_rank_says_its_message_in_one_write() {
    require("strace", "strace");
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("writes");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-s", "4096", "-e", "trace=write", "-e", "write=none", "-o"]).arg(&log);
    command.args([CLIENT, "run", "--ranks", "1", "--tensor-bytes", "1KiB"]).env_remove("SSDB");
    let output =
        command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1").output().unwrap();
    let said = text(&output);
    let message = said.lines().find(|line| line.starts_with("shardscale-client: rank 0 on ")).expect(&said);
    let writes = std::fs::read_to_string(&log).unwrap();
    // strace shows quotes and the line's end as C has them
    let due = format!("write(2, \"{}\\n\", {})", message.replace('"', "\\\""), message.len() + 1);
    assert_eq!(writes.matches(&due).count(), 1, "{due} in {writes}");
}

#[test]
fn another_number_of_ranks_is_refused() {
    let said = Run::told(2, 5, "1KiB").fail();
    assert!(said.contains("the client saw 2 rank(s) where the script started 5"), "{said}");
}

#[test]
fn an_attempt_is_measured_once() {
    let redis = Redis::start(&[]);
    let attempt = tempfile::tempdir().unwrap();
    let run = || Run::new(1, "1KiB").attempt(attempt.path()).arg("--address", redis.address());
    run().succeed();
    let before = std::fs::read(attempt.path().join("samples.bin")).unwrap();
    assert!(run().fail().contains("an attempt is measured once"));
    assert_eq!(std::fs::read(attempt.path().join("samples.bin")).unwrap(), before);
}

/// A sweep whose second size takes long enough to be interrupted; returns once the first size is on disk.
fn in_the_second_size(redis: &Redis, attempt: &std::path::Path) -> common::Running {
    let run = Run::new(3, "1KiB,16MiB").attempt(attempt).arg("--address", redis.address()).arg("--iterations", 2000);
    let running = run.start();
    wait_for("the first size", || {
        let progress: Option<Progress> = shardscale::record::files::read_json(&attempt.join("progress.json")).unwrap();
        progress.is_some_and(|progress| progress.sizes_done == 1)
    });
    sleep(Duration::from_millis(300));
    running
}

fn first_size_is_kept(attempt: &std::path::Path) {
    let file = samples(attempt);
    let contents = file.contents().unwrap();
    assert!(!contents.ended);
    assert_eq!(contents.series.len(), 6, "3 ranks x 2 ops of the first size");
    assert!(contents.series.iter().all(|series| series.len() == 2002 && series.payload_bytes == 1024));
}

#[test]
fn a_killed_rank_ends_all_and_the_first_size_is_kept() {
    let redis = Redis::start(&[]);
    let attempt = tempfile::tempdir().unwrap();
    let mut running = in_the_second_size(&redis, attempt.path());
    wait_for("a report from within the size", || {
        let progress: Progress =
            shardscale::record::files::read_json(&attempt.path().join("progress.json")).unwrap().unwrap();
        assert_eq!((progress.sizes_done, progress.payload_bytes), (1, Some(16 << 20)));
        progress.running.is_some_and(|at| at.iteration > 0 && at.iterations == 2002 && at.gb_per_s > 0.0)
    });
    let ranks = ranks_of(&running);
    assert_eq!(ranks.len(), 3);
    assert!(Command::new("kill").args(["-9", &ranks[1].to_string()]).status().unwrap().success());
    assert!(!end_of(&mut running).success());
    wait_for("the end of every rank", || {
        ranks.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
    });
    first_size_is_kept(attempt.path());
}

#[test]
fn a_server_that_dies_is_named_and_the_first_size_is_kept() {
    let mut redis = Redis::start(&[]);
    let attempt = tempfile::tempdir().unwrap();
    let mut running = in_the_second_size(&redis, attempt.path());
    redis.process.0.kill().unwrap();
    assert!(!end_of(&mut running).success());
    let error = client_error(attempt.path());
    assert_eq!((error.endpoint, error.payload_bytes), (Some(redis.address()), Some(16 << 20)));
    assert!(["put_tensor", "unpack_tensor"].contains(&error.op.as_str()), "{}", error.op);
    assert!(error.cause.contains("closed the connection"), "{}", error.cause);
    first_size_is_kept(attempt.path());
}

#[test]
fn a_full_disk_is_named_with_the_file() {
    require("unshare", "util-linux");
    require("mpirun", "openmpi-bin");
    let redis = Redis::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    // a file system of twelve pages, seen by this one launch and gone with it
    let script = r#"mount -t tmpfs -o size=48k none "$1" && exec mpirun --oversubscribe -n 2 "$2" run --attempt "$1" \
        --address "$3" --ranks 2 --tensor-bytes 1KiB,2KiB --iterations 4000"#;
    let mut command = Command::new("timeout");
    command.args(["60", "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(folder.path()).args([CLIENT, &redis.address()]);
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    let output = command.env("OMPI_MCA_mpi_yield_when_idle", "1").output().unwrap();
    let said = text(&output);
    assert!(!output.status.success() && output.status.code() != Some(124), "{said}");
    let file = folder.path().join("samples.bin");
    assert!(said.contains("write samples") && said.contains(&file.display().to_string()), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
}
