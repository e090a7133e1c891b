//! What only shows with many ranks: who asks the store for what, how ranks come to their servers, and what the record says
//! of node, MPI and store. At most 24 ranks; `benches/scale.sh` has 256.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use common::{Redis, Run, cluster, end_of, ranks_of, wait_for};
use shardscale::record::environment::{self, Environment};
use shardscale::record::files;
use shardscale::record::store::{self, StoreRecord};
use shardscale_client::address::Address;
use shardscale_client::connecting::patiently;
use shardscale_client::connection::{self, Dial, Timeouts};
use socket2::{Domain, SockAddr, Socket, Type};

fn environment(attempt: &Path) -> Environment {
    files::read_json(&attempt.join(environment::FILE)).unwrap().expect("environment.json")
}

fn store_record(attempt: &Path) -> StoreRecord {
    files::read_json(&attempt.join(store::FILE)).unwrap().expect("store.json")
}

/// How often `command` ran on `redis`, as INFO commandstats counts it; subcommands are written `cluster|slots`.
fn calls(redis: &Redis, command: &str) -> u64 {
    let info: String = redis::cmd("INFO").arg("commandstats").query(&mut redis.connection()).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |rest| rest.split(',').next().unwrap().parse().unwrap())
}

#[test]
fn one_rank_asks_for_the_topology_whatever_their_number() {
    let shards = cluster();
    for ranks in [2, 24] {
        for shard in &shards {
            redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut shard.connection()).unwrap();
        }
        let attempt = tempfile::tempdir().unwrap();
        let addresses: Vec<_> = shards.iter().map(Redis::address).collect();
        Run::new(ranks, "1KiB,4KiB")
            .attempt(attempt.path())
            .arg("--address", addresses.join(","))
            .arg("--iterations", 2)
            .succeed();
        let sum = |command: &str| shards.iter().map(|shard| calls(shard, command)).sum::<u64>();
        assert_eq!(sum("cluster|slots"), 1, "{ranks} ranks");
        assert_eq!(sum("command|info"), 1, "{ranks} ranks");
        // rank 0 asks every shard before the first size and after each of the two
        assert_eq!(sum("cluster|info"), 9, "{ranks} ranks");
        // and each rank opens one connection, which it tries with one PING
        assert_eq!(sum("ping"), u64::from(ranks));
        let seen = environment(attempt.path());
        assert_eq!((seen.mpi.world_size, seen.connections.retries), (ranks, 0));
    }
}

#[test]
fn the_record_says_how_the_ranks_ran() {
    let redis = Redis::start(&[]);
    let attempt = tempfile::tempdir().unwrap();
    Run::new(3, "1KiB").attempt(attempt.path()).arg("--address", redis.address()).arg("--reply-timeout", 7).succeed();
    let seen = environment(attempt.path());
    assert!(seen.mpi.library.contains("MPI") && !seen.mpi.files.is_empty() && seen.mpi.standard.contains('.'));
    assert_eq!((seen.connections.connect_timeout_s, seen.connections.reply_timeout_s), (30, 7));
    assert!(seen.connections.slowest_ns > 1000 && seen.connections.spread_ns < 1_000_000_000);
    let [route] = &seen.routes[..] else { panic!("{:?}", seen.routes) };
    assert_eq!((route.interface.as_deref(), route.address.as_deref()), (Some("lo"), Some("127.0.0.1")));
    assert_eq!(route.ranks, "0-2");
    let [group] = &seen.hosts[..] else { panic!("{:?}", seen.hosts) };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(group.facts.kernel, format!("Linux {}", kernel.trim()));
    let congestion = fs::read_to_string("/proc/sys/net/ipv4/tcp_congestion_control").unwrap();
    assert_eq!(group.facts.tcp_congestion_control.as_deref(), Some(congestion.trim()));
    let buffers = (seen.connections.send_buffer_bytes, seen.connections.receive_buffer_bytes);
    assert!(
        buffers.0.is_some_and(|bytes| bytes >= 4096) && buffers.1.is_some_and(|bytes| bytes >= 4096),
        "{buffers:?}"
    );
    assert!(group.facts.somaxconn.is_some() && group.facts.clock_source.is_some(), "{group:?}");
    assert!(seen.start_up.iter().any(|phase| phase.name == "start MPI" && phase.ns > 1_000_000), "{:?}", seen.start_up);
    let memory = seen.rank_memory.expect("written at the end");
    assert!((1 << 20..1 << 32).contains(&memory.median_bytes) && memory.median_bytes <= memory.most_bytes);
}

#[test]
fn the_store_is_asked_before_and_after() {
    let redis = Redis::start(&["--io-threads", "2"]);
    let attempt = tempfile::tempdir().unwrap();
    Run::new(2, "64KiB").attempt(attempt.path()).arg("--address", redis.address()).arg("--iterations", 50).succeed();
    let record = store_record(attempt.path());
    let [shard] = &record.shards[..] else { panic!("{record:?}") };
    assert_eq!((shard.address.as_str(), record.sizes_done), (redis.address().as_str(), 1));
    assert_eq!(shard.settings["io-threads"], "2");
    assert_eq!(shard.before["role"], "master");
    // 2 ranks x 52 iterations, each way
    let bytes = 2 * 52 * 65536;
    for field in ["total_net_input_bytes", "total_net_output_bytes"] {
        assert!((bytes..bytes + bytes / 10).contains(&shard.growth(field).unwrap()), "{field} {record:?}");
    }
    assert_eq!((record.spoiled(), record.notes()), (vec![], vec![]));
}

/// The one reason for which the record of `attempt` says that the run is not valid.
fn spoiled_by(attempt: &Path) -> String {
    let mut spoiled = store_record(attempt).spoiled();
    assert_eq!(spoiled.len(), 1, "{spoiled:?}");
    spoiled.remove(0)
}

#[test]
fn a_store_that_evicts_or_persists_makes_the_run_invalid() {
    let evicting = Redis::start(&["--maxmemory", "24mb", "--maxmemory-policy", "allkeys-lru"]);
    for i in 0..16 {
        redis::cmd("SET").arg(format!("old{i}")).arg(vec![0u8; 1 << 20]).exec(&mut evicting.connection()).unwrap();
    }
    let appending = Redis::start(&["--appendonly", "yes"]);
    for (redis, reason) in [(&evicting, "evicted keys (evicted_keys grew by "), (&appending, "aof_enabled")] {
        let attempt = tempfile::tempdir().unwrap();
        let run = Run::new(1, "4MiB").attempt(attempt.path()).arg("--address", redis.address());
        let said = String::from_utf8(run.arg("--iterations", 5).succeed().stderr).unwrap();
        assert!(said.contains("THIS RUN IS NOT VALID") && said.contains(reason), "{said}");
        assert!(spoiled_by(attempt.path()).contains(reason));
    }
}

#[test]
fn a_save_in_the_middle_is_noticed_at_the_end() {
    let redis = Redis::start(&[]);
    let attempt = tempfile::tempdir().unwrap();
    let run = Run::new(1, "4MiB").attempt(attempt.path()).arg("--address", redis.address());
    let mut running = run.arg("--rate", 40).arg("--iterations", 200).start();
    wait_for("the measurement", || attempt.path().join(store::FILE).exists());
    redis::cmd("BGSAVE").exec(&mut redis.connection()).unwrap();
    assert!(end_of(&mut running).success());
    assert!(spoiled_by(attempt.path()).contains("rdb_saves grew by 1"));
}

const PATIENT: Timeouts = Timeouts { connect: Duration::from_secs(10), reply: Duration::from_secs(10) };

fn dial(connect: Duration) -> Dial<'static> {
    Dial { password: None, timeouts: Timeouts { connect, ..PATIENT }, source: None }
}

/// Answers AUTH and PING on one connection.
fn greet(listener: &Socket) {
    use std::io::{Read, Write};
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = [0; 64];
    assert!(stream.read(&mut bytes).unwrap() > 0);
    stream.write_all(b"+PONG\r\n").unwrap();
}

#[test]
fn a_server_that_refuses_at_first_is_tried_again() {
    // bound and not yet listening: connections are refused
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    let port = listener.local_addr().unwrap().as_socket_ipv4().unwrap().port();
    let server = spawn(move || {
        sleep(Duration::from_millis(400));
        listener.listen(8).unwrap();
        greet(&listener);
    });
    let address = Address::Tcp { host: "127.0.0.1".into(), port };
    let open = |connect| connection::open(&address, dial(connect));
    let reached = patiently(PATIENT.connect, open).unwrap();
    assert!(reached.retries >= 2, "{}", reached.retries);
    server.join().unwrap();
}

#[test]
fn a_socket_whose_queue_is_full_is_waited_for_and_given_up_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    listener.listen(0).unwrap();
    // nobody accepts: a queue of 0 takes one connection
    let first = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    first.connect(&SockAddr::unix(&path).unwrap()).unwrap();
    let address = Address::Unix(path);
    let begun = Instant::now();
    let limit = Duration::from_millis(600);
    let open = |connect| connection::open(&address, dial(connect));
    let error = format!("{:#}", patiently(limit, open).unwrap_err());
    assert!(error.contains("cannot connect to the socket"), "{error}");
    assert!((limit / 2..Duration::from_secs(5)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let server = spawn(move || {
        sleep(Duration::from_millis(300));
        drop(listener.accept().unwrap());
        greet(&listener);
    });
    patiently(PATIENT.connect, open).unwrap();
    server.join().unwrap();
}

#[test]
fn the_password_is_in_no_process_list_and_no_file_but_its_own() {
    let redis = Redis::start(&[]);
    let password = "correcthorsebatterystaple";
    redis::cmd("CONFIG").arg("SET").arg("requirepass").arg(password).exec(&mut redis.connection()).unwrap();
    let attempt = tempfile::tempdir().unwrap();
    fs::write(attempt.path().join("password"), format!("{password}\n")).unwrap();
    let shown = |path: &Path| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(password.len()).any(|window| window == password.as_bytes())
    };
    let run = Run::new(2, "1MiB").attempt(attempt.path()).arg("--address", redis.address());
    let mut running = run.arg("--rate", 40).arg("--iterations", 200).start();
    wait_for("the measurement", || attempt.path().join(store::FILE).exists());
    assert_eq!(ranks_of(&running).len(), 2);
    for process in fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()) {
        assert!(!shown(&process.join("cmdline")), "{}", process.display());
        assert!(!shown(&process.join("environ")), "{}", process.display());
    }
    assert!(end_of(&mut running).success());
    let files: Vec<_> = fs::read_dir(attempt.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files.iter().filter(|file| !file.ends_with("password")) {
        assert!(!shown(file), "{}", file.display());
    }
    // and a stranger is answered nothing
    let stranger = redis::Client::open(format!("redis://{}", redis.address())).unwrap().get_connection();
    let refused =
        stranger.and_then(|mut connection| redis::cmd("GET").arg("throughput_rank_0").query::<String>(&mut connection));
    assert!(refused.unwrap_err().to_string().to_lowercase().contains("authentication required"));
}
