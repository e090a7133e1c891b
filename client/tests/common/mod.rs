//! What the tests of the client share: servers on loopback that die with their owner, and the client under mpirun.
#![allow(dead_code, reason = "each test file uses its part of this module")]

pub mod aftermath;
pub mod stand_in;
pub mod study;

use std::fs;
use std::io::{Read, Seek};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use shardscale::record::attempt::ClientError;
use shardscale::record::files;
use shardscale::record::samples::SamplesFile;

pub const CLIENT: &str = env!("CARGO_BIN_EXE_shardscale-client");
/// Longest that one launch of the client may take here, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(120);

/// Fails the test, naming the package, where a program is missing: a test that skips itself proves nothing.
pub fn require(program: &str, package: &str) {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).any(|folder| folder.join(program).is_file());
    assert!(found, "{program} is not installed: install the package {package}");
}

/// Ports that a test program has to itself, in hundreds below the range from which the kernel takes ports for connections. Their
/// buses, 10000 above, are below it too, and nobody's ports.
const HUNDREDS: u16 = 100;

/// A port on which, and 10000 above which (the cluster bus), nobody listens; nor on the next three, for the servers of a study.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let first = 10_000 + own_hundred() * 100;
    (0..50)
        .map(|_| first + NEXT.fetch_add(4, Ordering::Relaxed) % 100)
        .find(|port| (*port..port + 4).all(|port| free(port) && free(port + 10_000)))
        .expect("a free port")
}

/// Test programs run side by side: each holds a port that says which hundred is its own, as long as it lives.
fn own_hundred() -> u16 {
    static HELD: OnceLock<(TcpListener, u16)> = OnceLock::new();
    let hold = |at: u16| Some((TcpListener::bind((Ipv4Addr::LOCALHOST, 9_800 + at)).ok()?, at));
    HELD.get_or_init(|| (0..HUNDREDS).find_map(hold).expect("fewer than a hundred test programs at once")).1
}

/// A child process that is killed when dropped. A test that fails meanwhile prints whether it had ended, and what it said.
pub struct Running(pub Child, Option<fs::File>);

impl Drop for Running {
    fn drop(&mut self) {
        let ended = self.0.try_wait();
        let _ = self.0.kill();
        let _ = self.0.wait();
        if let Some(mut said) = self.1.take()
            && std::thread::panicking()
        {
            let mut text = String::new();
            let _ = said.rewind().and_then(|()| said.read_to_string(&mut text));
            println!("the client, ended: {ended:?}, said:\n{text}");
        }
    }
}

/// A redis-server of its own, with data in a folder that disappears with it.
pub struct Redis {
    pub port: u16,
    pub folder: tempfile::TempDir,
    pub process: Running,
}

impl Redis {
    pub fn start(extra: &[&str]) -> Redis {
        require("redis-server", "redis-server");
        Redis::of("redis-server", extra)
    }

    /// Of a program of the family.
    pub fn of(program: &str, extra: &[&str]) -> Redis {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder.path());
        command.arg("--unixsocket").arg(folder.path().join("socket")).args(extra).stdout(Stdio::null());
        let redis = Redis { port, process: Running(command.spawn().unwrap(), None), folder };
        wait_for("redis-server", || redis.socket().exists() && TcpListener::bind(("127.0.0.1", port)).is_err());
        redis
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub fn connection(&self) -> redis::Connection {
        redis::Client::open(format!("redis://{}", self.address())).unwrap().get_connection().unwrap()
    }
}

/// Three shards that form a cluster.
pub fn cluster() -> Vec<Redis> {
    require("redis-server", "redis-server");
    cluster_of("redis-server")
}

/// The same of a program of the family.
pub fn cluster_of(program: &str) -> Vec<Redis> {
    require("redis-cli", "redis-tools");
    let shards: Vec<Redis> = (0..3).map(|_| Redis::of(program, &["--cluster-enabled", "yes"])).collect();
    let mut create = Command::new("redis-cli");
    create.args(["--cluster", "create"]).args(shards.iter().map(Redis::address));
    let output = create.args(["--cluster-replicas", "0", "--cluster-yes"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    for shard in &shards {
        let mut connection = shard.connection();
        wait_for("the cluster", || {
            let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut connection).unwrap();
            info.contains("cluster_state:ok")
        });
    }
    shards
}

pub fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come within {PATIENCE:?}");
        sleep(Duration::from_millis(20));
    }
}

/// `shardscale-client run` under mpirun; arguments are added by the builder's methods.
pub struct Run {
    command: Command,
}

impl Run {
    /// `ranks` ranks that are told that they are `ranks`, measuring `sizes`.
    pub fn new(ranks: u32, sizes: &str) -> Run {
        Run::told(ranks, ranks, sizes)
    }

    pub fn told(ranks: u32, told: u32, sizes: &str) -> Run {
        Run::through(&[], ranks).arg("--ranks", told).arg("--tensor-bytes", sizes)
    }

    /// Two ranks on each of two hosts, `cn0` and `cn1`: one machine under two names.
    pub fn on_two_hosts(sizes: &str) -> Run {
        require("unshare", "util-linux");
        let rename = r#"hostname cn$((OMPI_COMM_WORLD_RANK / 2)) && exec "$0" "$@""#;
        Run::through(&["unshare", "--user", "--map-root-user", "--uts", "sh", "-c", rename], 4)
            // processes in different user namespaces may not read each other's memory
            .env("OMPI_MCA_btl_vader_single_copy_mechanism", "none")
            .arg("--ranks", 4)
            .arg("--tensor-bytes", sizes)
    }

    fn through(wrapper: &[&str], ranks: u32) -> Run {
        require("mpirun", "openmpi-bin");
        let mut command = Command::new("mpirun");
        command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
        // more ranks than cores: a rank that waits must leave its core to the others
        command.env("OMPI_MCA_mpi_yield_when_idle", "1").env_remove("SSDB").env_remove("SHARDSCALE_PASSWORD");
        // other launches are on the machine, and would be bound to the same first core
        command
            .args(["--oversubscribe", "--bind-to", "none", "-n", &ranks.to_string()])
            .args(wrapper)
            .args([CLIENT, "run"]);
        Run { command }
    }

    #[allow(clippy::needless_pass_by_value, reason = "callers pass literals")]
    pub fn arg(mut self, flag: &str, value: impl ToString) -> Run {
        self.command.arg(flag).arg(value.to_string());
        self
    }

    pub fn flag(mut self, flag: &str) -> Run {
        self.command.arg(flag);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Run {
        self.command.env(name, value);
        self
    }

    pub fn attempt(self, folder: &Path) -> Run {
        self.arg("--attempt", folder.display())
    }

    /// Runs to the end, which must come.
    pub fn output(mut self) -> Output {
        let child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (id, (done, waiting)) = (child.id(), std::sync::mpsc::channel::<()>());
        let guard = std::thread::spawn(move || {
            if waiting.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").arg(id.to_string()).status();
                panic!("the client did not end within {PATIENCE:?}");
            }
        });
        let output = child.wait_with_output().unwrap();
        drop(done);
        guard.join().unwrap();
        output
    }

    pub fn succeed(self) -> Output {
        let output = self.output();
        assert!(output.status.success(), "{}", text(&output));
        output
    }

    /// Runs to an unsuccessful end; what was said on stderr.
    pub fn fail(self) -> String {
        let output = self.output();
        assert!(!output.status.success(), "{}", text(&output));
        String::from_utf8(output.stderr).unwrap()
    }

    /// Runs on while the test does something to it.
    pub fn start(mut self) -> Running {
        let said = tempfile::tempfile().unwrap();
        let child = self.command.stdout(Stdio::null()).stderr(said.try_clone().unwrap()).spawn().unwrap();
        Running(child, Some(said))
    }
}

/// Waits for the end of a client that something was done to: its exit status.
pub fn end_of(running: &mut Running) -> std::process::ExitStatus {
    let mut status = None;
    wait_for("the end of the client", || {
        status = running.0.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

/// The ranks that mpirun started, by their process ids.
pub fn ranks_of(mpirun: &Running) -> Vec<u32> {
    let parent = mpirun.0.id();
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    let is_client = |pid: &u32| {
        fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| program == fs::canonicalize(CLIENT).unwrap())
    };
    children.split_whitespace().map(|pid| pid.parse().unwrap()).filter(is_client).collect()
}

pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub fn samples(attempt: &Path) -> SamplesFile {
    SamplesFile::open(&attempt.join("samples.bin")).unwrap().expect("samples.bin")
}

pub fn client_error(attempt: &Path) -> ClientError {
    files::read_json(&attempt.join(ClientError::FILE)).unwrap().expect("client-error.json")
}
