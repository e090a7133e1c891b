//! What goes wrong on real machines, and what is said and left then.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use shardscale::record::cause::{self, Cause};
use shardscale::record::server::Server;

use super::lab::{Lab, Said, client, eventually, finish, free_ports, runs, signal};

/// Runs a server that must not start, and checks what it leaves: exit code 1, the cause, no record, no scratch.
fn refused(lab: &Lab, attempt: &Path, command: Command) -> Said {
    let said = finish(command);
    assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""), "{said:?}");
    assert!(!attempt.join("server-0.json").exists());
    let Cause { who, host, what, .. } = Cause::read(attempt).unwrap().expect("a cause");
    assert!(said.stderr.ends_with(&format!("shardscale-client: {who} on {host}: {what}\n")), "{said:?} {what}");
    assert_eq!(who, "store server 0");
    fs::remove_file(attempt.join(cause::FILE)).unwrap();
    assert_eq!(fs::read_dir(lab.scratch()).unwrap().count(), 0);
    said
}

/// A program that passes for a Redis until it is started.
fn false_server(lab: &Lab, then: &str) -> String {
    lab.stand_in("Redis server v=7.0.0 bits=64", then)
}

#[test]
fn a_port_that_is_taken_is_named_with_host_and_remedy() {
    let lab = Lab::new();
    let attempt = lab.attempt();
    let port = free_ports(1);
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let said = refused(&lab, &attempt, lab.serve(&attempt, 0, port, &[]));
    assert!(said.stderr.contains(&format!("port {port} of 127.0.0.1 (lo) on ")), "{said:?}");
    assert!(said.stderr.contains("give another --port") && said.stderr.contains("in use"), "{said:?}");
    drop(taken);
    let _bus = TcpListener::bind((Ipv4Addr::LOCALHOST, port + 10_000)).unwrap();
    let said = refused(&lab, &attempt, lab.serve(&attempt, 0, port, &["--cluster"]));
    assert!(said.stderr.contains(&format!("port {} of 127.0.0.1", port + 10_000)), "{said:?}");
}

#[test]
fn a_port_without_room_for_the_cluster_bus_is_refused() {
    let lab = Lab::new();
    let attempt = lab.attempt();
    let said = refused(&lab, &attempt, lab.serve(&attempt, 0, 60_000, &["--cluster"]));
    assert!(said.stderr.contains("the highest is 55535, the cluster bus takes port + 10000"), "{said:?}");
}

#[test]
fn an_unknown_interface_lists_those_of_the_host() {
    let lab = Lab::new();
    let attempt = lab.attempt();
    let mut command = client(&["serve", "--ifname", "hsn9", "--port", "6780", "--index", "0", "--attempt"]);
    command.arg(&attempt).arg("--scratch").arg(lab.scratch());
    let said = refused(&lab, &attempt, command);
    assert!(said.stderr.contains("has no network interface \"hsn9\"; it has "), "{said:?}");
    assert!(said.stderr.contains("lo (127.0.0.1)"), "{said:?}");
}

/// In a fresh network namespace, loopback is down and has no address.
#[test]
fn an_interface_without_an_address_is_told_apart() {
    let lab = Lab::new();
    let attempt = lab.attempt();
    let inner = lab.serve(&attempt, 0, 6780, &[]);
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net"]).arg(inner.get_program()).args(inner.get_args());
    let said = refused(&lab, &attempt, command);
    assert!(
        said.stderr.contains("interface \"lo\" of ") && said.stderr.contains("has no address but link-local ones"),
        "{said:?}"
    );
    assert!(said.stderr.contains("it has lo (no address)"), "{said:?}");
}

#[test]
fn a_server_program_that_is_missing_or_another_is_refused() {
    let lab = Lab::new();
    let attempt = lab.attempt();
    let said = refused(&lab, &attempt, lab.serve(&attempt, 0, free_ports(1), &["--server", "valkey-nowhere"]));
    assert!(said.stderr.contains("there is no server program \"valkey-nowhere\" on "), "{said:?}");
    assert!(said.stderr.contains("load the module"), "{said:?}");
    let said = refused(&lab, &attempt, lab.serve(&attempt, 0, free_ports(1), &["--server", "cat"]));
    assert!(said.stderr.contains("\"cat\" is no store server, to --version it answers \"cat ("), "{said:?}");
    // those who wait are told at once
    finish(lab.serve(&attempt, 0, free_ports(1), &["--server", "cat"]));
    let begun = Instant::now();
    let said = lab.await_store(&attempt, 2, &["--timeout", "60"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("store server 0 on ") && said.stderr.contains("no store server"), "{said:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn the_last_words_of_a_server_that_ends_at_its_start_are_repeated() {
    let lab = Lab::new();
    let attempt = lab.attempt();
    let program = false_server(&lab, "echo 'out of luck' >&2; exit 3");
    let said = refused(&lab, &attempt, lab.serve(&attempt, 0, free_ports(1), &["--server", &program]));
    assert!(
        said.stderr.contains("it did not start (exit status: 3); its last lines are:\n    out of luck"),
        "{said:?}"
    );
    // a real one, with a configuration that it refuses
    let program = false_server(&lab, "exec redis-server - --no-such-directive yes");
    let said = refused(&lab, &attempt, lab.serve(&attempt, 0, free_ports(1), &["--server", &program]));
    assert!(said.stderr.contains("no-such-directive"), "{said:?}");
}

#[test]
fn a_module_that_cannot_be_loaded_and_a_missing_library_have_advice() {
    let lab = Lab::new();
    let attempt = lab.attempt();
    let said =
        refused(&lab, &attempt, lab.serve(&attempt, 0, free_ports(1), &["--load-module", "/no/such/redisai.so"]));
    assert!(
        said.stderr.contains("/no/such/redisai.so") && said.stderr.contains("--load-module names a file"),
        "{said:?}"
    );
    let words = "redis-server: error while loading shared libraries: libjemalloc.so.2: cannot open shared object file";
    let program = false_server(&lab, &format!("echo '{words}' >&2; exit 127"));
    let said = refused(&lab, &attempt, lab.serve(&attempt, 0, free_ports(1), &["--server", &program]));
    assert!(said.stderr.contains("load the modules that it was built with"), "{said:?}");
    let program = false_server(&lab, "kill -9 $$");
    let said = refused(&lab, &attempt, lab.serve(&attempt, 0, free_ports(1), &["--server", &program]));
    assert!(said.stderr.contains("memory limit"), "{said:?}");
}

#[test]
fn allocator_options_that_are_not_in_force_are_refused() {
    let lab = Lab::new();
    let attempt = lab.attempt();
    // jemalloc skips what it does not understand with a line that nobody reads
    let wrong = ["--malloc-conf", "dirty_decay_ms:never"];
    let said = refused(&lab, &attempt, lab.serve(&attempt, 0, free_ports(1), &wrong));
    assert!(said.stderr.contains("--malloc-conf dirty_decay_ms:never is not in force"), "{said:?}");
    assert!(said.stderr.contains("runs with dirty_decay_ms:10000"), "{said:?}");
    let said = finish(lab.serve(&attempt, 0, free_ports(1), &["--malloc-conf", "dirty_decay_ms=-1"]));
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("is no setting of the allocator"), "{said:?}");
}

/// With few files allowed, the ranks of the manifest do not fit: said before the server starts.
#[test]
fn a_file_limit_below_the_ranks_is_told_before_it_is_hit() {
    let lab = Lab::new();
    let attempt = lab.attempt();
    let mut manifest = shardscale::record::manifest::example();
    manifest.expect.ranks = 4608;
    fs::write(lab.run_dir().join("run.toml"), manifest.to_toml().unwrap()).unwrap();
    let inner = lab.serve(&attempt, 0, free_ports(1), &[]);
    let mut command = Command::new("prlimit");
    command.arg("--nofile=1024:1024").arg(inner.get_program()).args(inner.get_args());
    let said = refused(&lab, &attempt, command);
    assert!(said.stderr.contains("4608 ranks will connect") && said.stderr.contains("1024 open files"), "{said:?}");
    assert!(said.stderr.contains("ulimit -Hn"), "{said:?}");
}

#[test]
fn a_path_too_long_for_a_socket_is_refused() {
    let lab = Lab::new();
    let attempt = lab.attempt();
    let deep = lab.run_dir().join("x".repeat(100));
    fs::create_dir(&deep).unwrap();
    let mut command = client(&["serve", "--ifname", "lo", "--port", "6780", "--uds", "--index", "0", "--attempt"]);
    command.arg(&attempt).arg("--scratch").arg(&deep);
    let said = refused(&lab, &attempt, command);
    assert!(said.stderr.contains("the kernel admits 107") && said.stderr.contains("shorter --scratch"), "{said:?}");
    assert_eq!(fs::read_dir(&deep).unwrap().count(), 0);
}

#[test]
fn without_a_password_no_server_starts() {
    let lab = Lab::new();
    let attempt = lab.attempt();
    fs::remove_file(attempt.join("password")).unwrap();
    let said = refused(&lab, &attempt, lab.serve(&attempt, 0, free_ports(1), &[]));
    assert!(said.stderr.contains("password: `shardscale-client begin` makes it"), "{said:?}");
}

#[test]
fn a_killed_server_is_recorded_as_unasked_and_ends_its_supervisor() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    let (number, server) = lab.started(&attempt, 0, free_ports(1), &[]);
    signal(server.pid, "KILL");
    assert_eq!(lab.ended(number), Some(1));
    let exit = Server::read(&attempt, 0).unwrap().unwrap().exit;
    assert_eq!(exit.map(|exit| (exit.asked, exit.code, exit.signal)), Some((false, None, Some(9))));
    assert!(lab.log(number).contains("it ended unasked (signal: 9 (SIGKILL))"), "{}", lab.log(number));
    assert_eq!(fs::read_dir(lab.scratch()).unwrap().count(), 0);
    let said = lab.await_store(&attempt, 1, &["--timeout", "60"]);
    assert_eq!(said.code, Some(1));
    let cause = format!("store server 0 on {}: it ended unasked (signal: 9 (SIGKILL))", server.host);
    assert!(said.stderr.contains(&cause), "{said:?}");
    assert_eq!(lab.stop_store(&attempt).code, Some(0), "nothing is left to stop");
}

#[test]
fn a_killed_supervisor_takes_its_server_along() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    let (number, server) = lab.started(&attempt, 0, free_ports(1), &[]);
    assert!(runs(server.pid));
    lab.supervisor(number).kill().unwrap();
    eventually("the server's end", || (!runs(server.pid)).then_some(()));
    let mut command = client(&["stop-store", "--timeout", "1", "--attempt"]);
    command.arg(&attempt);
    let said = finish(command);
    assert_eq!(said.code, Some(1));
    let message = format!("no end is reported within 1 s by server 0 on {}", server.host);
    assert!(said.stderr.contains(&message), "{said:?}");
    assert!(attempt.join("password").exists(), "it may still be needed");
}

#[test]
fn a_server_that_ignores_term_is_killed() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    let program = false_server(&lab, "trap '' TERM; echo waiting; while :; do sleep 0.2; done");
    let number = lab.start(lab.serve(&attempt, 0, free_ports(1), &["--server", &program]));
    eventually("its first line", || lab.log(number).contains("waiting").then_some(()));
    signal(lab.supervisor(number).id(), "TERM");
    assert_eq!(lab.ended(number), Some(0), "{}", lab.log(number));
    assert!(lab.log(number).contains("killing it"), "{}", lab.log(number));
}

#[test]
fn those_who_never_came_are_named() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    lab.started(&attempt, 1, free_ports(1), &[]);
    fs::write(attempt.join("store.log"), "server 1 says hello\nsrun: error: cn2: task 2: Out Of Memory\n").unwrap();
    let said = lab.await_store(&attempt, 3, &["--timeout", "1"]);
    assert_eq!(said.code, Some(1));
    let due = "2 of 3 servers did not announce themselves in time: 0, 2; see store.log";
    assert!(said.stderr.contains(due), "{said:?}");
    // what the launcher says of a supervisor that was killed
    let cause = Cause::read(&attempt).unwrap().expect("a cause");
    assert!(cause.what.ends_with(", which ends with: srun: error: cn2: task 2: Out Of Memory"), "{cause}");
}
