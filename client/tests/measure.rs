//! Runs that succeed: real servers, TCP and UNIX socket, one server and a cluster, 1 to 3 ranks.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;

use common::stand_in::{Mischief, StandIn};
use common::{Redis, Run, cluster, samples};
use shardscale::record::progress::Progress;
use shardscale::record::server::Server;
use shardscale::record::vocabulary::Wire;
use shardscale::record::workload::{PUT, UNPACK};
use shardscale::record::{SCHEMA, files};

fn unix_ns() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64
}

fn own_host() -> String {
    rustix::system::uname().nodename().to_str().unwrap().to_owned()
}

fn announce(attempt: &std::path::Path, index: u32, redis: &Redis, socket: bool) {
    announce_on(&own_host(), attempt, index, redis, socket);
}

fn announce_on(host: &str, attempt: &std::path::Path, index: u32, redis: &Redis, socket: bool) {
    let server = Server {
        schema: SCHEMA,
        index,
        local_index: Some(0),
        host: host.to_owned(),
        address: Some("127.0.0.1".into()),
        port: Some(redis.port),
        socket: socket.then(|| redis.socket()),
        folder: None,
        ifname: "lo".into(),
        pid: 1,
        cpus: "0".into(),
        version: "redis".into(),
        in_force: None,
        bus: None,
        exit: None,
    };
    server.write(attempt).unwrap();
}

#[test]
fn every_sample_of_every_rank_is_on_disk() {
    let redis = Redis::start(&[]);
    for ranks in [1, 2, 3] {
        let attempt = tempfile::tempdir().unwrap();
        let before = unix_ns();
        Run::new(ranks, "1KiB,64KiB,4")
            .attempt(attempt.path())
            .arg("--address", redis.address())
            .arg("--iterations", 7)
            .arg("--warmup", 3)
            .arg("--barrier", "iteration")
            .flag("--verify")
            .succeed();
        let after = unix_ns();
        let file = samples(attempt.path());
        let contents = file.contents().unwrap();
        assert!(contents.ended && contents.torn.is_none());
        let meta = contents.meta.unwrap();
        assert_eq!((meta.world_size, meta.iterations, meta.warmup, meta.wire), (ranks, 7, 3, Wire::Plain));
        assert_eq!(meta.tensor_bytes, [1024, 65536, 4]);
        assert_eq!(meta.shards, [redis.address()]);
        assert!(meta.server.starts_with("redis "), "{}", meta.server);
        assert!(meta.server_settings.contains(&("appendonly".into(), "no".into())), "{:?}", meta.server_settings);
        let keys: Vec<_> = contents.ranks.iter().map(|rank| rank.key.clone()).collect();
        let prefix = keys[0].strip_suffix("{throughput_rank_0}").unwrap();
        assert!(prefix.starts_with("shardscale:"), "{prefix}");
        assert_eq!(keys, (0..ranks).map(|rank| format!("{prefix}{{throughput_rank_{rank}}}")).collect::<Vec<_>>());
        let found: Vec<_> = contents.series.iter().map(|s| (s.size_index, s.rank, s.op, s.payload_bytes)).collect();
        let mut due = Vec::new();
        for (index, bytes) in [1024, 65536, 4].into_iter().enumerate() {
            for rank in 0..ranks {
                due.extend([PUT, UNPACK].map(|op| (index as u32, rank, op, bytes)));
            }
        }
        assert_eq!(found, due);
        for series in &contents.series {
            assert_eq!((series.len(), series.warmup, series.shard), (10, 3, 0));
            assert!(series.durations_ns().all(|ns| (1_000..10_000_000_000).contains(&ns)));
            assert!(series.base_ns >= 0, "samples start after zero of the common clock: {}", series.base_ns);
            let (start, _) = series.samples().last().unwrap();
            let at = meta.unix_ns_at_zero + start.cast_unsigned();
            assert!((before..after).contains(&at), "{before} <= {at} < {after}");
            let timed: u64 = series.durations_ns().skip(3).sum();
            assert!(series.loop_ns > timed, "the loop contains its samples");
        }
        let efforts: Vec<_> = contents.effort.iter().map(|effort| (effort.size_index, effort.ranks.len())).collect();
        assert_eq!(efforts, [0, 1, 2].map(|size| (size, ranks as usize)));
        assert!(contents.effort.iter().flat_map(|effort| &effort.ranks).all(|rank| rank.cpu_us > 0));
        let progress: Progress = files::read_json(&attempt.path().join("progress.json")).unwrap().unwrap();
        assert_eq!((progress.sizes_done, progress.sizes_total, progress.payload_bytes), (3, 3, None));
    }
}

#[test]
fn put_and_unpack_alternate() {
    let redis = Redis::start(&[]);
    let attempt = tempfile::tempdir().unwrap();
    Run::new(1, "1KiB").attempt(attempt.path()).arg("--address", redis.address()).succeed();
    let file = samples(attempt.path());
    let contents = file.contents().unwrap();
    let [put, unpack] = [0, 1].map(|at| contents.series[at].samples().collect::<Vec<_>>());
    for (put, unpack) in put.iter().zip(&unpack) {
        assert!(put.0 + put.1.cast_signed() <= unpack.0);
    }
    for (unpack, put) in unpack.iter().zip(&put[1..]) {
        assert!(unpack.0 + unpack.1.cast_signed() <= put.0);
    }
}

#[test]
fn each_rank_of_a_cluster_reaches_its_own_shard() {
    let shards = cluster();
    let attempt = tempfile::tempdir().unwrap();
    shards.iter().enumerate().for_each(|(index, shard)| announce(attempt.path(), index as u32, shard, false));
    Run::new(3, "1KiB,1MiB").attempt(attempt.path()).arg("--keys", "balanced").flag("--verify").succeed();
    let file = samples(attempt.path());
    let contents = file.contents().unwrap();
    assert!(contents.ended);
    let of_ranks: Vec<_> = contents.ranks.iter().map(|rank| rank.shard).collect();
    assert_eq!(of_ranks, [0, 1, 2]);
    let meta = contents.meta.unwrap();
    for rank in &contents.ranks {
        let shard = shards.iter().find(|shard| shard.address() == meta.shards[rank.shard as usize]).unwrap();
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut shard.connection()).unwrap();
        assert_eq!(keys, std::slice::from_ref(&rank.key));
    }
}

#[test]
fn a_cluster_is_found_from_one_of_its_shards() {
    let shards = cluster();
    let out = Run::new(2, "1KiB").env("SSDB", &shards[1].address()).flag("--verify").succeed();
    assert_eq!(String::from_utf8(out.stdout).unwrap().lines().count(), 2);
}

#[test]
fn a_colocated_rank_takes_the_socket_of_its_host_with_the_attempts_password() {
    let redis = Redis::start(&["--requirepass", "s e\"cret"]);
    let attempt = tempfile::tempdir().unwrap();
    announce(attempt.path(), 0, &redis, true);
    fs::write(attempt.path().join("password"), "s e\"cret\n").unwrap();
    Run::new(2, "64KiB").attempt(attempt.path()).flag("--colocated").flag("--verify").succeed();
    let file = samples(attempt.path());
    let meta = file.contents().unwrap().meta.unwrap();
    assert_eq!(meta.shards, [redis.socket().display().to_string()]);
}

#[test]
fn two_hosts_have_a_server_each_and_one_clock() {
    let servers = [Redis::start(&[]), Redis::start(&[])];
    let attempt = tempfile::tempdir().unwrap();
    // the servers announce themselves in another order than the ranks' hosts
    announce_on("cn1", attempt.path(), 0, &servers[1], false);
    announce_on("cn0", attempt.path(), 1, &servers[0], true);
    Run::on_two_hosts("1KiB").attempt(attempt.path()).flag("--colocated").flag("--verify").succeed();
    let file = samples(attempt.path());
    let contents = file.contents().unwrap();
    let meta = contents.meta.unwrap();
    assert_eq!(meta.hosts, ["cn0", "cn1"]);
    assert_eq!(meta.shards, [servers[0].socket().display().to_string(), servers[1].address()]);
    let places: Vec<_> = contents.ranks.iter().map(|rank| (rank.host, rank.shard)).collect();
    assert_eq!(places, [(0, 0), (0, 0), (1, 1), (1, 1)]);
    assert_eq!(contents.series.iter().map(|s| s.shard).collect::<Vec<_>>(), [0, 0, 0, 0, 1, 1, 1, 1]);
    // both names are one machine, so that the true offset between their clocks is known: none
    let offsets: Vec<_> = contents.ranks.iter().map(|rank| (rank.clock_offset_ns, rank.clock_error_ns)).collect();
    assert_eq!((offsets[0], offsets[2].1), (offsets[1], offsets[3].1));
    assert_eq!(offsets[0].1, 0);
    assert!((1..10_000_000).contains(&offsets[2].1), "{offsets:?}");
    assert!(offsets[2].0.abs_diff(offsets[0].0) <= offsets[2].1, "{offsets:?}");
    // one clock under two names does not drift
    let at_end = contents.clocks_at_end.as_ref().unwrap();
    assert_eq!(at_end.len(), 2);
    for rank in &contents.ranks {
        let end = at_end[rank.host as usize];
        assert!(end.offset_ns.abs_diff(rank.clock_offset_ns) <= end.error_ns + rank.clock_error_ns, "{end:?} {rank:?}");
        assert!(end.error_bound_ns(rank) < 10_000_000);
    }
    for server in &servers {
        let keys: usize = redis::cmd("DBSIZE").query(&mut server.connection()).unwrap();
        assert_eq!(keys, 2);
    }
}

#[test]
fn without_an_attempt_a_table_is_all_that_stdout_gets() {
    let redis = Redis::start(&["--requirepass", "pw"]);
    let folder = tempfile::tempdir().unwrap();
    let output = Run::new(2, "1KiB,4MB")
        .arg("--address", format!("unix://{}", redis.socket().display()))
        .arg("--iterations", 5)
        .env("SHARDSCALE_PASSWORD", "pw")
        .succeed();
    let table = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        rows[0],
        ["tensor", "samples", "put_tensor_median_us", "unpack_tensor_median_us", "cpu_us_per_op", "gb_per_s"]
    );
    assert_eq!((&rows[1][..3], &rows[2][..2]), (&["1", "KiB", "10"][..], &["4000000", "B"][..]));
    assert!(rows[1][3..].iter().chain(&rows[2][3..]).all(|us| us.parse::<f64>().unwrap() > 0.0));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn redisai_is_used_where_it_is_offered() {
    let server = StandIn::start(true, Mischief::None);
    let attempt = tempfile::tempdir().unwrap();
    Run::new(2, "1KiB,1MiB")
        .attempt(attempt.path())
        .arg("--address", server.address())
        .arg("--iterations", 10)
        .flag("--verify")
        .succeed();
    let file = samples(attempt.path());
    assert_eq!(file.contents().unwrap().meta.unwrap().wire, Wire::RedisAi);
    // 2 ranks x 2 sizes x (10 + 2) iterations x 2 ops: nothing is sent twice
    assert_eq!(server.timed_commands(), 96);
}

#[test]
fn a_slow_reply_is_waited_for_and_recorded_as_slow() {
    let server = StandIn::start(true, Mischief::Slow { at: 9, by: std::time::Duration::from_millis(700) });
    let attempt = tempfile::tempdir().unwrap();
    Run::new(1, "64KiB").attempt(attempt.path()).arg("--address", server.address()).arg("--iterations", 10).succeed();
    let file = samples(attempt.path());
    let contents = file.contents().unwrap();
    // command 9 is the unpack_tensor of iteration 4
    let slow = contents.series[1].durations_ns().nth(4).unwrap();
    assert!((700_000_000..2_000_000_000).contains(&slow), "{slow}");
    assert_eq!(server.timed_commands(), 24);
}
