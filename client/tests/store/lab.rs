//! A run folder, the built program, and servers that do not outlive a test.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use shardscale::record::manifest;
use shardscale::record::server::Server;
use tempfile::TempDir;

/// Longest wait for anything that should be a matter of a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// Variables by which a launcher around the tests would number our tasks.
const LAUNCHER: &[&str] = &[
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "PALS_RANKID",
    "PALS_LOCAL_RANKID",
    "PMIX_RANK",
    "PMI_RANK",
    "MPI_LOCALRANKID",
    "SLURM_PROCID",
    "SLURM_LOCALID",
];

/// What a finished command said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub fn client(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shardscale-client"));
    command.args(arguments).stdin(Stdio::null()).env_remove("SHARDSCALE_RERUN");
    for name in LAUNCHER {
        command.env_remove(name);
    }
    command
}

pub fn finish(mut command: Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Waits until `probe` has an answer.
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(answer) = probe() {
            return answer;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("not within {PATIENCE:?}: {what}");
}

/// Whether a process runs; one that only waits to be reaped does not.
pub fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// The first of `count` ports on loopback that are free, as are those of their cluster buses.
pub fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let offset = u16::try_from(std::process::id() % 100).unwrap() * 90;
    let free = |port| TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).is_ok();
    loop {
        let first = 20_000 + offset + NEXT.fetch_add(count, Ordering::Relaxed) % 2000;
        if (first..first + count).all(|port| free(port) && free(port + 10_000)) {
            return first;
        }
    }
}

pub struct Lab {
    folder: TempDir,
    supervisors: Vec<Child>,
}

impl Lab {
    pub fn new() -> Lab {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("scratch")).unwrap();
        fs::create_dir(folder.path().join("run")).unwrap();
        let text = manifest::example().to_toml().unwrap();
        fs::write(folder.path().join("run/run.toml"), text).unwrap();
        Lab { folder, supervisors: Vec::new() }
    }

    pub fn run_dir(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    pub fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch")
    }

    pub fn begin(&self) -> Command {
        client(&["begin", "--run-dir", self.run_dir().to_str().unwrap(), "--job", "77"])
    }

    /// A new attempt, made by `begin`.
    pub fn attempt(&self) -> PathBuf {
        let said = finish(self.begin());
        assert_eq!(said.code, Some(0), "{said:?}");
        PathBuf::from(said.stdout.trim_end())
    }

    /// The command that serves as server `index` on loopback.
    pub fn serve(&self, attempt: &Path, index: u32, port: u16, more: &[&str]) -> Command {
        let mut command = client(&["serve", "--ifname", "lo", "--port", &port.to_string()]);
        command.args(["--index", &index.to_string(), "--attempt"]).arg(attempt);
        command.arg("--scratch").arg(self.scratch()).args(more);
        command
    }

    /// A program that answers `version` to --version, and runs the shell line `then` instead of serving.
    pub fn stand_in(&self, version: &str, then: &str) -> String {
        use std::os::unix::fs::PermissionsExt;
        let path = self.run_dir().join(format!("stand-in-{}", version.split(' ').next().unwrap()));
        let answer = format!("[ \"$1\" = --version ] && {{ echo '{version}'; exit; }}");
        fs::write(&path, format!("#!/bin/sh\n{answer}\n{then}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Starts it in the background, its stderr in `serve-N.log`; the number is that of [`Lab::supervisor`].
    pub fn start(&mut self, mut command: Command) -> usize {
        let number = self.supervisors.len();
        let log = fs::File::create(self.folder.path().join(format!("serve-{number}.log"))).unwrap();
        self.supervisors.push(command.stderr(log).spawn().unwrap());
        number
    }

    /// Starts a server and waits for its record.
    pub fn started(&mut self, attempt: &Path, index: u32, port: u16, more: &[&str]) -> (usize, Server) {
        let number = self.start(self.serve(attempt, index, port, more));
        let record = eventually("a server's record", || {
            assert_eq!(self.supervisors[number].try_wait().unwrap(), None, "{}", self.log(number));
            Server::read(attempt, index).unwrap()
        });
        (number, record)
    }

    pub fn log(&self, number: usize) -> String {
        fs::read_to_string(self.folder.path().join(format!("serve-{number}.log"))).unwrap()
    }

    pub fn supervisor(&mut self, number: usize) -> &mut Child {
        &mut self.supervisors[number]
    }

    /// Exit status of a supervisor that should end by itself.
    pub fn ended(&mut self, number: usize) -> Option<i32> {
        let child = &mut self.supervisors[number];
        eventually("a supervisor's end", || child.try_wait().unwrap()).code()
    }

    pub fn await_store(&self, attempt: &Path, servers: u32, more: &[&str]) -> Said {
        let mut command = client(&["await-store", "--servers", &servers.to_string(), "--attempt"]);
        command.arg(attempt).args(more);
        finish(command)
    }

    pub fn stop_store(&self, attempt: &Path) -> Said {
        let mut command = client(&["stop-store", "--attempt"]);
        command.arg(attempt);
        finish(command)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in &mut self.supervisors {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn password(attempt: &Path) -> String {
    fs::read_to_string(attempt.join("password")).unwrap().trim_end().to_owned()
}

/// A connection to a server on loopback.
pub fn connect(attempt: &Path, server: &Server) -> redis::Connection {
    let password = password(attempt);
    let url = match (&server.socket, &server.address, server.port) {
        (Some(socket), _, _) => format!("redis+unix://{}?pass={password}", socket.display()),
        (None, Some(address), Some(port)) => format!("redis://:{password}@{address}:{port}"),
        _ => panic!("{server:?} is nowhere"),
    };
    redis::Client::open(url).unwrap().get_connection().unwrap()
}

pub fn signal(pid: u32, name: &str) {
    let killed = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap();
    assert!(killed.success());
}
