//! What somebody else on the machine sees of a run and can do to it, on the virtual Slurm cluster: docs/explanation/security.md.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use shardscale::record::attempt::Outcome;

mod slurm_support;
use slurm_support::{Case, Cluster, assert_nothing_left, attempt, processes, text, wait_for};

const CASES: &[Case] = &[
    ("the password is in no process list, script, log or readable file, whatever the umask", nobody_sees_the_password),
    ("who has no password is answered nothing, from another node", strangers_are_refused),
    ("a server that joins over the bus ends the run and learns nothing", a_stranger_on_the_bus),
    ("a full scratch folder and a full out folder are named, and healed by submitting again", full_disks),
];

fn main() -> ExitCode {
    // mounted before the nodes exist, so that they see it as a file system of the machine, and in their namespace: it ends with it
    let _disk = nix::unistd::geteuid().is_root().then(|| {
        slurm_support::in_networks_of_its_own();
        SmallDisk::mount()
    });
    slurm_support::run(CASES, &[("NODES", "6")])
}

const STUDY: &str = "--deployment standard --transport tcp --client-nodes 2 --clients-per-node 1 --db-nodes 2";

/// Where `password` was seen by somebody else so far.
fn sightings(password: &str, folder: &Path) -> Vec<String> {
    let holds = |path: &Path| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(password.len()).any(|window| window == password.as_bytes())
    };
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let processes = processes.filter(|path| path.join("cmdline").exists());
    let mut seen: Vec<PathBuf> = processes.flat_map(|path| [path.join("cmdline"), path.join("environ")]).collect();
    let files = walkdir(folder).into_iter().filter(|path| path.file_name().is_some_and(|name| name != "password"));
    seen.extend(files);
    seen.retain(|path| holds(path));
    seen.into_iter().map(|path| path.display().to_string()).collect()
}

fn walkdir(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(walkdir(&path));
        } else if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            found.push(path);
        }
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn nobody_sees_the_password(cluster: &Cluster) {
    for umask in ["000", "077"] {
        let folder = cluster.folder(&format!("umask-{umask}"));
        let script = cluster.generate(&folder, &format!("{STUDY} --iterations 3000")).remove(0);
        cluster.bash(&folder, &format!("umask {umask}; sbatch out/*.sh"));
        let attempt_dir = script.with_extension("").join("attempt-1");
        let mut password = String::new();
        wait_for("the password", || {
            password = fs::read_to_string(attempt_dir.join("password")).unwrap_or_default().trim().to_owned();
            password.len() == 64
        });
        assert_eq!((mode(&attempt_dir), mode(&attempt_dir.join("password"))), (0o700, 0o600), "umask {umask}");
        // the search finds what is there
        let control = folder.join("control");
        fs::write(&control, &password).unwrap();
        assert_eq!(sightings(&password, &folder), [control.display().to_string()]);
        fs::remove_file(&control).unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let sampler = thread::spawn({
            let (over, password, folder) = (Arc::clone(&over), password.clone(), folder.clone());
            move || {
                let (mut looks, mut seen) = (0, Vec::new());
                while !over.load(Ordering::Relaxed) {
                    seen.extend(sightings(&password, &folder));
                    looks += 1;
                    thread::sleep(Duration::from_millis(50));
                }
                (looks, seen)
            }
        });
        cluster.wait_until_idle();
        over.store(true, Ordering::Relaxed);
        let (looks, seen) = sampler.join().unwrap();
        assert!(looks > 5 && seen.is_empty(), "umask {umask}: {seen:?}");
        assert_eq!(attempt(&script, 2).outcome(), Outcome::Done);
        assert!(!attempt_dir.join("password").exists());
        // nobody else may change what the next submission runs
        for path in [&script, &script.with_extension("").join("run.toml")] {
            assert_eq!(mode(path) & 0o022, 0, "{} can be written by others", path.display());
        }
        println!("umask {umask}: {looks} looks at all processes and files, nothing seen");
    }
}

/// Runs a line of bash within the network of a node.
fn on_node(cluster: &Cluster, node: &str, line: &str) -> String {
    let pid = fs::read_to_string(cluster.lab.join("pid").join(node)).unwrap();
    let output =
        Command::new("nsenter").args(["--target", pid.trim(), "--net", "timeout", "10", "bash", "-c", line]).output();
    text(&output.unwrap()).trim().to_owned()
}

/// A run in its timed loop: its script, and the address of its first server.
fn long_run(cluster: &Cluster, name: &str) -> (PathBuf, String) {
    let folder = cluster.folder(name);
    let script = cluster.generate(&folder, &format!("{STUDY} --rate 1000 --iterations 6000")).remove(0);
    cluster.bash(&folder, "sbatch out/*.sh");
    wait_for("the first size on disk", || {
        attempt(&script, 2).progress.is_some_and(|progress| progress.sizes_done == 1)
    });
    let address = attempt(&script, 2).servers[0].address.clone().unwrap();
    (script, address)
}

fn strangers_are_refused(cluster: &Cluster) {
    let (script, address) = long_run(cluster, "strangers");
    let port = attempt(&script, 2).servers[0].port.unwrap();
    for command in [
        "PING",
        "GET k",
        "INFO",
        "KEYS *",
        "CONFIG GET requirepass",
        "CONFIG SET requirepass x",
        "CONFIG SET dir /tmp",
        "ACL WHOAMI",
        "AUTH wrong",
        "CLIENT LIST",
        "FLUSHALL",
        "DEBUG SLEEP 1",
        "REPLICAOF 10.78.0.6 1",
        "CLUSTER NODES",
        "CLUSTER MEET 10.78.0.6 6780",
        "MODULE LOAD /tmp/x.so",
        "SHUTDOWN NOSAVE",
    ] {
        let said = on_node(cluster, "cn6", &format!("set -f; redis-cli -h {address} -p {port} {command}"));
        let refused = ["NOAUTH Authentication required.", "WRONGPASS", "command not allowed"]
            .iter()
            .any(|word| said.contains(word));
        println!("cn6$ redis-cli -h {address} -p {port} {command:<26} {said}");
        assert!(refused, "{command}: {said}");
    }
    // the store listens on the interface that was chosen and on no other
    let host = attempt(&script, 2).servers[0].host.clone();
    let said =
        on_node(cluster, "cn6", &format!("redis-cli -h 10.77.0.{} -p {port} PING", host.trim_start_matches("cn")));
    assert!(said.contains("Connection refused"), "{said}");
    let bus = on_node(
        cluster,
        "cn6",
        &format!(
            "exec 3<>/dev/tcp/{address}/{}; printf 'CONFIG GET *\\r\\n' >&3; timeout 1 cat <&3 2> /dev/null",
            port + 10_000
        ),
    );
    assert_eq!(bus, "", "the bus speaks its own protocol alone");
    cluster.wait_until_idle();
    assert_eq!(attempt(&script, 2).outcome(), Outcome::Done, "the run took no harm");
    assert_nothing_left();
}

/// The bus has no password: a server of somebody else can join, take the slots, and be taken for a master by the shards. The run
/// must then fail and say so, and the shards, which turn to their new master, must not tell it the password.
fn a_stranger_on_the_bus(cluster: &Cluster) {
    let (script, address) = long_run(cluster, "bus");
    let password = fs::read_to_string(script.with_extension("").join("attempt-1/password")).unwrap();
    let port = attempt(&script, 2).servers[0].port.unwrap();
    let folder = script.parent().unwrap().parent().unwrap().to_owned();
    let stranger = folder.join("stranger");
    fs::create_dir(&stranger).unwrap();
    let heard = false_master(cluster, "cn6", 7002);
    let line = format!(
        "cd {}; redis-server --port 7001 --cluster-enabled yes --cluster-announce-port 7002 --cluster-announce-bus-port 17001 \
         --protected-mode no --save '' > log 2>&1 & pid=$!; \
         for i in $(seq 50); do redis-cli -p 7001 PING > /dev/null 2>&1 && break; sleep 0.1; done; \
         redis-cli -p 7001 CLUSTER SET-CONFIG-EPOCH 1000; redis-cli -p 7001 CLUSTER ADDSLOTSRANGE 0 16383; \
         redis-cli -p 7001 CLUSTER MEET {address} {port}; sleep 5; redis-cli -p 7001 CLUSTER NODES; kill $pid; wait $pid",
        stranger.display()
    );
    let said = on_node(cluster, "cn6", &line);
    cluster.wait_until_idle();
    let outcome = attempt(&script, 2).outcome();
    let heard = String::from_utf8_lossy(&heard.lock().unwrap()).into_owned();
    println!(
        "a stranger's server joins over the bus:\n{said}\nthe run: {outcome:?}\nwhat shards told it first: {:?}",
        &heard[..heard.len().min(300)]
    );
    assert!(said.contains(&address), "it did not join: {said}");
    // the shard has lost its slots, and for a moment sees slots that nobody has
    let is_end = |detail: &str| ["MOVED", "CLUSTERDOWN"].iter().any(|word| detail.contains(word));
    assert!(matches!(&outcome, Outcome::Failed { detail, .. } if is_end(detail)), "{outcome:?}");
    assert!(heard.contains("PING"), "no shard turned to it: {heard}");
    assert!(!heard.contains(password.trim()) && !heard.contains("AUTH"), "the password was told to a stranger");
    assert_nothing_left();
}

/// Listens on a node as a master that lets replicas begin, and keeps what they say.
fn false_master(cluster: &Cluster, node: &str, port: u16) -> Arc<Mutex<Vec<u8>>> {
    let pid = fs::read_to_string(cluster.lab.join("pid").join(node)).unwrap();
    let network = fs::File::open(format!("/proc/{}/ns/net", pid.trim())).unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (keep, (ready, is_ready)) = (Arc::clone(&heard), mpsc::channel());
    // a network namespace is a thread's own; it listens for as long as the test runs
    thread::spawn(move || {
        nix::sched::setns(network, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let listener = TcpListener::bind(("0.0.0.0", port)).unwrap();
        ready.send(()).unwrap();
        for mut stream in listener.incoming().flatten() {
            let keep = Arc::clone(&keep);
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(n @ 1..) = stream.read(&mut bytes) {
                    keep.lock().unwrap().extend_from_slice(&bytes[..n]);
                    let _ = stream.write_all(b"+PONG\r\n");
                }
            });
        }
    });
    is_ready.recv().unwrap();
    heard
}

/// A file system of 16 MB, gone with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/slurm-tests/small-disk")
    }

    fn mount() -> SmallDisk {
        let path = SmallDisk::path();
        fs::create_dir_all(&path).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "none"]).arg(&path).status().unwrap();
        assert!(mounted.success());
        SmallDisk(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn status(cluster: &Cluster, folder: &Path) -> String {
    cluster.bash(folder, &format!("\"{}\" status out || [ $? = 3 ]", cluster.program()))
}

fn full_disks(cluster: &Cluster) {
    let folder = SmallDisk::path();
    let script = cluster.generate(&folder, &format!("{STUDY} --iterations 8000")).remove(0);
    // scratch of the first of the servers' nodes: nothing goes in there any more
    let pid = fs::read_to_string(cluster.lab.join("pid/cn3")).unwrap();
    let there = |command: &[&str]| {
        let done = Command::new("nsenter").args(["--target", pid.trim(), "--mount"]).args(command).output().unwrap();
        assert!(done.status.success(), "{command:?}: {}", text(&done));
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let mount = |options: &str| there(&["mount", "-o", &format!("remount,{options}"), "/tmp"]);
    // what is there already (the shared folder may lie below /tmp) and not one file more
    let used = there(&["df", "--output=iused", "/tmp"]);
    mount(&format!("nr_inodes={}", used.split_whitespace().last().unwrap()));
    cluster.shardscale(&folder, "submit out", 0);
    cluster.wait_until_idle();
    mount("nr_inodes=100000");
    let said = status(cluster, &folder);
    println!("scratch full:\n{said}\n{}", log_tail(&script));
    assert!(said.contains("store did not start"), "{said}");
    assert!(log_tail(&script).contains("No space left on device"), "{}", log_tail(&script));
    assert_nothing_left();

    cluster.shardscale(&folder, "submit out", 0);
    let second = || shardscale::record::attempt::Attempt::read(2, &script.with_extension("").join("attempt-2"), 2);
    wait_for("the second attempt's first size", || second().progress.is_some_and(|progress| progress.sizes_done == 1));
    // everything that is left, in the last bytes too
    cluster.bash(&folder, "dd if=/dev/zero of=filler bs=64k status=none 2> /dev/null; dd if=/dev/zero of=filler2 bs=1k status=none 2> /dev/null; true");
    cluster.wait_until_idle();
    let said = status(cluster, &folder);
    println!("out folder full:\n{said}\n{}", log_tail(&script));
    assert!(said.contains("no space left") || said.contains("No space left"), "{said}");
    assert_eq!(second().progress.unwrap().sizes_done, 1, "the finished size is kept");
    assert_nothing_left();

    fs::remove_file(folder.join("filler")).unwrap();
    let _ = fs::remove_file(folder.join("filler2"));
    cluster.shardscale(&folder, "submit out", 0);
    cluster.wait_until_idle();
    assert!(status(cluster, &folder).contains("1 done"), "{}", status(cluster, &folder));
    assert!(processes("redis-server").is_empty());
}

/// The last lines of the newest log of the job.
fn log_tail(script: &Path) -> String {
    let logs = fs::read_dir(script.with_extension("")).unwrap().map(|entry| entry.unwrap().path());
    let newest = logs
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    let said = newest.map(|path| fs::read_to_string(path).unwrap()).unwrap_or_default();
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
