//! A server that does what it should, from its announcement to its end.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use shardscale::record::server::{Server, ServerExit};
use shardscale::record::vocabulary::Store;

use super::lab::{Lab, client, connect, eventually, finish, free_ports, password, runs, signal};

/// How server 0 ended, without what others sent over its interface meanwhile.
fn ended(attempt: &Path) -> Option<ServerExit> {
    let exit = Server::read(attempt, 0).unwrap().unwrap().exit?;
    assert!(exit.interface_bytes.is_some());
    Some(ServerExit { interface_bytes: None, ..exit })
}

const IN_ORDER: ServerExit = ServerExit { asked: true, code: Some(0), signal: None, interface_bytes: None };

#[test]
fn a_tcp_server_is_announced_serves_and_stops() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    let port = free_ports(1);
    let (number, server) = lab.started(&attempt, 0, port, &["--io-threads", "2"]);
    assert_eq!((server.address.as_deref(), server.port, &server.socket), (Some("127.0.0.1"), Some(port), &None));
    assert_eq!((server.ifname.as_str(), &server.exit), ("lo", &None));
    assert!(server.version.starts_with("redis ") && server.version.contains('.'), "{server:?}");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim(), server.host);
    let said = lab.await_store(&attempt, 1, &["--timeout", "10"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{said:?}");
    assert!(said.stderr.starts_with("1 server serves (redis "), "{said:?}");

    let mut connection = connect(&attempt, &server);
    let value: String = redis::pipe()
        .cmd("SET")
        .arg("k")
        .arg("v")
        .ignore()
        .cmd("GET")
        .arg("k")
        .query::<Vec<_>>(&mut connection)
        .unwrap()
        .remove(0);
    assert_eq!(value, "v");
    for (name, value) in [("save", ""), ("appendonly", "no"), ("io-threads", "2"), ("io-threads-do-reads", "yes")] {
        let found: Vec<String> = redis::cmd("CONFIG").arg("GET").arg(name).query(&mut connection).unwrap();
        assert_eq!(found, [name, value]);
    }

    let said = lab.stop_store(&attempt);
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (Some(0), "", ""), "{said:?}");
    assert_eq!(lab.ended(number), Some(0), "{}", lab.log(number));
    assert_eq!(ended(&attempt), Some(IN_ORDER));
    assert!(!runs(server.pid));
    assert!(!attempt.join("password").exists());
    assert_eq!(fs::read_dir(lab.scratch()).unwrap().count(), 0);
    assert_eq!(lab.stop_store(&attempt).code, Some(0), "a second stop has nothing to do");
}

#[test]
fn a_socket_server_opens_no_port_and_its_folder_is_private() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    let (number, server) = lab.started(&attempt, 3, free_ports(1), &["--uds"]);
    assert_eq!((&server.address, server.port), (&None, None));
    let socket = server.socket.clone().unwrap();
    assert_eq!(fs::metadata(socket.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o700);
    let mut connection = connect(&attempt, &server);
    let port: Vec<String> = redis::cmd("CONFIG").arg("GET").arg("port").query(&mut connection).unwrap();
    assert_eq!(port, ["port", "0"]);
    assert_eq!(lab.stop_store(&attempt).code, Some(0));
    assert_eq!(lab.ended(number), Some(0), "{}", lab.log(number));
    assert!(!socket.exists());
}

#[test]
fn a_socket_on_another_host_is_stopped_by_its_supervisor() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    let (number, server) = lab.started(&attempt, 0, free_ports(1), &["--uds"]);
    // what this host then reads is what it would read of a server elsewhere
    Server { host: "elsewhere".into(), ..server }.write(&attempt).unwrap();
    let said = lab.await_store(&attempt, 1, &[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = lab.stop_store(&attempt);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said:?}");
    assert_eq!(lab.ended(number), Some(0), "{}", lab.log(number));
    assert_eq!(ended(&attempt), Some(IN_ORDER));
}

#[test]
fn without_the_password_nothing_is_served_and_nobody_sees_it() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    let port = free_ports(1);
    let (_, server) = lab.started(&attempt, 0, port, &[]);
    let stranger = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap().get_connection();
    let refused = stranger.and_then(|mut connection| redis::cmd("GET").arg("k").query::<String>(&mut connection));
    assert!(refused.unwrap_err().to_string().to_lowercase().contains("authentication required"));

    let password = password(&attempt);
    let shown = |path: &std::path::Path| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(password.len()).any(|window| window == password.as_bytes())
    };
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let processes: Vec<_> = processes.filter(|path| path.join("cmdline").exists()).collect();
    assert!(processes.iter().any(|path| path.ends_with(server.pid.to_string())));
    for process in processes {
        assert!(!shown(&process.join("cmdline")), "{}", process.display());
        assert!(!shown(&process.join("environ")), "{}", process.display());
    }
    let scratch = fs::read_dir(lab.scratch()).unwrap().next().unwrap().unwrap().path();
    for entry in fs::read_dir(scratch).unwrap() {
        assert!(!shown(&entry.unwrap().path()));
    }
    assert!(!lab.log(0).contains(&password));
}

#[test]
fn the_launchers_numbers_choose_record_and_port() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    let port = free_ports(3);
    let mut command = client(&["serve", "--ifname", "lo", "--port", &port.to_string(), "--attempt"]);
    command.arg(&attempt).arg("--scratch").arg(lab.scratch());
    command.env("OMPI_COMM_WORLD_RANK", "5").env("OMPI_COMM_WORLD_LOCAL_RANK", "2").env("SLURM_PROCID", "0");
    lab.start(command);
    let server = eventually("record 5", || Server::read(&attempt, 5).unwrap());
    assert_eq!((server.index, server.port), (5, Some(port + 2)));
}

#[test]
fn the_server_is_bound_to_the_cpus_and_the_record_shows_what_the_kernel_granted() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    let ours = fs::read_to_string("/proc/self/status").unwrap();
    let list = ours.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let last = list.rsplit(['-', ',']).next().unwrap();
    let (_, server) = lab.started(&attempt, 0, free_ports(1), &["--cpus", last]);
    assert_eq!(server.cpus, last);
    let (_, server) = lab.started(&attempt, 1, free_ports(1), &[]);
    assert_eq!(server.cpus, list);
    let said = finish(lab.serve(&attempt, 2, free_ports(1), &["--cpus", "1000-1010"]));
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("are the CPUs of --cpus on this node?"), "{said:?}");
}

#[test]
fn term_ends_the_server_in_order() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    for name in ["TERM", "INT"] {
        let (number, server) = lab.started(&attempt, 0, free_ports(1), &[]);
        signal(lab.supervisor(number).id(), name);
        assert_eq!(lab.ended(number), Some(0), "{}", lab.log(number));
        assert_eq!(ended(&attempt), Some(IN_ORDER));
        assert!(!runs(server.pid));
        fs::remove_file(attempt.join("server-0.json")).unwrap();
    }
    assert_eq!(fs::read_dir(lab.scratch()).unwrap().count(), 0);
}

/// Sites wrap servers to load libraries or to trace them, and not every wrapper ends in `exec`.
#[test]
fn a_wrapper_that_stays_takes_its_server_along() {
    for how in ["TERM", "KILL"] {
        let mut lab = Lab::new();
        let attempt = lab.attempt();
        let wrapper = lab.scratch().join("wrapper");
        fs::write(&wrapper, "#!/bin/bash\nredis-server \"$@\"\nexit $?\n").unwrap();
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
        let port = free_ports(1);
        let (number, server) = lab.started(&attempt, 0, port, &["--server", wrapper.to_str().unwrap()]);
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.pid)).unwrap();
        let real: u32 = children.trim().parse().unwrap();
        assert!(runs(real));
        match how {
            "TERM" => signal(lab.supervisor(number).id(), "TERM"), // the supervisor's way
            _ => signal(server.pid, "KILL"),                       // the wrapper alone is killed
        }
        eventually("the real server to end", || (!runs(real)).then_some(()));
        eventually("the supervisor to end", || lab.ended(number));
    }
}

#[test]
fn a_server_that_starts_while_the_run_stops_ends_at_once() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    assert_eq!(lab.stop_store(&attempt).code, Some(0), "no server is no error");
    let fresh = lab.attempt();
    fs::write(fresh.join("stopping"), "").unwrap();
    let begun = Instant::now();
    let number = lab.start(lab.serve(&fresh, 0, free_ports(1), &[]));
    assert_eq!(lab.ended(number), Some(0), "{}", lab.log(number));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_is_in_force_is_asked_and_recorded() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    let settings = ["--io-threads", "3", "--io-threads-do-reads", "no", "--maxmemory", "64MiB"];
    let settings = [&settings[..], &["--malloc-conf", "dirty_decay_ms:-1+muzzy_decay_ms:5"]].concat();
    let (_, server) = lab.started(&attempt, 0, free_ports(1), &settings);
    let in_force = server.in_force.unwrap();
    for (name, value) in [
        ("io-threads", "3"),
        ("io-threads-do-reads", "no"),
        ("maxmemory", "67108864"),
        ("maxmemory-policy", "noeviction"),
        ("save", ""),
        ("appendonly", "no"),
    ] {
        assert_eq!(in_force.settings[name], value, "{name}");
    }
    assert_eq!((in_force.malloc["dirty_decay_ms"].as_str(), in_force.malloc["muzzy_decay_ms"].as_str()), ("-1", "5"));
    assert_eq!(in_force.interface.unwrap().name, "lo");
    let hostname = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    assert_eq!(in_force.node.somaxconn, hostname.trim().parse().ok());
    let files = in_force.node.open_files.unwrap();
    assert_eq!(files.soft, files.hard, "raised to the hard limit");

    let (_, server) = lab.started(&attempt, 1, free_ports(1), &[]);
    let in_force = server.in_force.unwrap();
    assert_eq!((in_force.settings["io-threads"].as_str(), in_force.settings["maxmemory"].as_str()), ("1", "0"));
    assert_eq!(in_force.malloc["dirty_decay_ms"], "10000", "jemalloc's own");
}

#[test]
fn a_server_that_is_not_what_the_run_asks_for_never_serves() {
    let mut lab = Lab::new();
    let mut manifest = shardscale::record::manifest::example();
    manifest.job.store = Store::KeyDb;
    fs::write(lab.run_dir().join("run.toml"), manifest.to_toml().unwrap()).unwrap();
    let attempt = lab.attempt();
    let said = finish(lab.serve(&attempt, 0, free_ports(1), &[]));
    assert_eq!(said.code, Some(1), "{said:?}");
    for part in ["\"redis-server\" is redis 7", "the run asks for keydb", "--store-server keydb=PATH"] {
        assert!(said.stderr.contains(part), "{said:?}");
    }
    // one that calls itself KeyDB, and is a Redis once it runs
    let pretender = lab.stand_in(
        "KeyDB server v=6.3.4 sha=0 bits=64",
        "sed s/^server-threads/io-threads/ > $0.conf; exec redis-server - < $0.conf",
    );
    let said = finish(lab.serve(&attempt, 1, free_ports(1), &["--server", &pretender]));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stderr.contains("calls itself keydb for --version, and as a running server says that it is redis 7"),
        "{said:?}"
    );
    // a name is no identity
    manifest.job.store = Store::Redis;
    fs::write(lab.run_dir().join("run.toml"), manifest.to_toml().unwrap()).unwrap();
    let renamed = lab.run_dir().join("mykeydb-vs-redis");
    std::os::unix::fs::symlink("/usr/bin/redis-server", &renamed).unwrap();
    let (_, server) = lab.started(&attempt, 2, free_ports(1), &["--server", renamed.to_str().unwrap()]);
    assert!(server.version.starts_with("redis "), "{}", server.version);
}

/// A module without any header of Redis: the first word of its context is the function that gives it the others.
const MODULE: &str = r#"
int RedisModule_OnLoad(void *ctx, void **argv, int argc) {
    int (*get)(const char *, void *) = *(int (**)(const char *, void *))ctx;
    void (*attributes)(void *, const char *, int, int);
    get("RedisModule_SetModuleAttribs", &attributes);
    attributes(ctx, "probe", 7, 1);
    return 0;
}
"#;

#[test]
fn modules_are_loaded_with_their_arguments_and_listed() {
    let mut lab = Lab::new();
    let attempt = lab.attempt();
    let (source, module) = (lab.scratch().join("probe.c"), lab.run_dir().join("probe.so"));
    fs::write(&source, MODULE).unwrap();
    let built =
        std::process::Command::new("cc").args(["-shared", "-fPIC", "-w", "-o"]).arg(&module).arg(source).status();
    assert!(built.unwrap().success());
    let asked = format!("{} THREADS 2", module.display());
    let (_, server) = lab.started(&attempt, 0, free_ports(1), &["--load-module", &asked]);
    assert_eq!(server.in_force.unwrap().modules, ["probe 7 (probe.so THREADS 2)"]);
}

#[test]
fn a_server_takes_the_longest_value_of_the_run() {
    let mut lab = Lab::new();
    let mut manifest = shardscale::record::manifest::example();
    // 512 MiB of payload do not fit 512 MiB of value on the plain wire, which puts a description before them
    for (index, (largest, limit)) in [(1 << 20, 512 << 20), (512 << 20, (512 << 20) + 72)].into_iter().enumerate() {
        manifest.sweep.tensor_bytes = vec![1024, largest];
        fs::write(lab.run_dir().join("run.toml"), manifest.to_toml().unwrap()).unwrap();
        let attempt = lab.attempt();
        let (_, server) = lab.started(&attempt, index as u32, free_ports(1), &[]);
        assert_eq!(server.in_force.unwrap().settings["proto-max-bulk-len"], limit.to_string());
    }
}
