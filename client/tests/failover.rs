//! A shard changes its master while it is measured: the run ends with the server's words, and what it had measured is kept.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Redis, Run, client_error, cluster, end_of, samples, wait_for};
use shardscale::record::files;
use shardscale::record::progress::Progress;

fn ask(redis: &Redis, command: &[&str]) -> String {
    let (name, rest) = command.split_first().unwrap();
    redis::cmd(name).arg(rest).query(&mut redis.connection()).unwrap()
}

/// A replica of `master`, whole and linked.
fn replica_of(master: &Redis) -> Redis {
    let replica = Redis::start(&["--cluster-enabled", "yes"]);
    let id = ask(master, &["CLUSTER", "MYID"]);
    assert_eq!(ask(&replica, &["CLUSTER", "MEET", "127.0.0.1", &master.port.to_string()]), "OK");
    wait_for("the replica to know its master", || ask(&replica, &["CLUSTER", "NODES"]).contains(&id));
    assert_eq!(ask(&replica, &["CLUSTER", "REPLICATE", &id]), "OK");
    wait_for("the link to the master", || ask(&replica, &["INFO", "replication"]).contains("master_link_status:up"));
    wait_for("the replica in the cluster's view", || {
        ask(master, &["CLUSTER", "NODES"]).lines().any(|line| line.contains("slave") && line.contains(&id))
    });
    replica
}

#[test]
fn a_failover_ends_the_run_in_the_servers_words() {
    let shards = cluster();
    let replica = replica_of(&shards[1]);
    let attempt = tempfile::tempdir().unwrap();
    // keys balanced: each of three ranks has a shard of its own
    let run = Run::new(3, "1KiB,64KiB").attempt(attempt.path()).arg("--address", shards[0].address());
    let mut running = run.arg("--keys", "balanced").arg("--iterations", 60_000).start();
    wait_for("the second size", || {
        let progress: Option<Progress> = files::read_json(&attempt.path().join("progress.json")).unwrap();
        progress.is_some_and(|at| at.sizes_done == 1 && at.running.is_some_and(|now| now.iteration > 0))
    });
    assert_eq!(ask(&replica, &["CLUSTER", "FAILOVER"]), "OK");
    assert!(!end_of(&mut running).success());
    let error = client_error(attempt.path());
    assert!(error.cause.contains("MOVED"), "{error}");
    assert!(["put_tensor", "unpack_tensor"].contains(&error.op.as_str()), "{error}");
    assert_eq!((error.endpoint.as_deref(), error.payload_bytes), (Some(shards[1].address().as_str()), Some(65536)));
    let file = samples(attempt.path());
    let contents = file.contents().unwrap();
    assert!(!contents.ended && contents.series.len() == 6, "the first size is kept, and no part of the second");
    assert!(contents.series.iter().all(|series| series.payload_bytes == 1024));
    // it was a failover, and nothing else, that ended it
    wait_for("the new master", || ask(&replica, &["INFO", "replication"]).contains("role:master"));
}
