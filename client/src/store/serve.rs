//! `serve`: one store server under supervision, in the foreground of the launcher's task.
//!
//! The server lives no longer than this process, and this process no longer than the server. What happened to it stands
//! in `server-N.json` at every moment; a server that never served leaves `server-N.error`.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sched::CpuSet;
use redis::ConnectionAddr;
use shardscale::record::SCHEMA;
use shardscale::record::files;
use shardscale::record::manifest::Manifest;
use shardscale::record::server::{Server, ServerExit};
use shardscale::record::vocabulary::Deployment;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tempfile::TempDir;

use super::config::{BUS_OFFSET, Config, Listen, MAX_SOCKET_PATH_BYTES};
use super::daemon::{Daemon, Program};
use super::link::{self, Link};
use super::{interface, limits};
use crate::launcher::{self, Task};

/// Longest wait for the first PONG of a server that has nothing to load.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// From TERM to KILL; shorter than the 30 s that schedulers grant.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How often the server is looked after.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);
/// How often a shared file system is asked whether the run stops: thousands of supervisors may ask.
const STOPPING_INTERVAL: Duration = Duration::from_secs(1);
/// A launcher's TERM reaches server and supervisor in any order, and `stopping` is older than the SHUTDOWN that follows it.
const REASON_GRACE: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Attempt folder that `begin` made
    #[arg(long, value_name = "DIR")]
    attempt: PathBuf,
    /// Network interface to listen on, by its first IPv4 address
    #[arg(long, value_name = "IF")]
    ifname: String,
    /// Port of this node's first server; the others of the node take the following ones
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Listen on a UNIX socket alone
    #[arg(long, conflicts_with = "cluster")]
    uds: bool,
    /// Be a shard of a cluster
    #[arg(long)]
    cluster: bool,
    /// Threads of the server that read and write
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=128))]
    io_threads: u32,
    /// Server program, by name or path
    #[arg(long, value_name = "PROGRAM", default_value = "redis-server")]
    server: String,
    /// Node-local folder; a private subfolder is made and removed
    #[arg(long, value_name = "DIR", default_value = "/tmp")]
    scratch: PathBuf,
    /// CPUs that the server is bound to, such as 0-7,64-71; without it, it runs where this process may
    #[arg(long, value_name = "LIST", value_parser = limits::parse_cpus)]
    cpus: Option<CpuSet>,
    /// Number of this server; without it, the launcher's task number
    #[arg(long, value_name = "N")]
    index: Option<u32>,
}

/// Returns when the server has ended as asked.
///
/// # Errors
/// It did not start, or it ended unasked.
pub fn run(args: &Args) -> Result<()> {
    let task = launcher::task(args.index)?;
    let host = super::host_name()?;
    let outcome = serve(args, task, &host).with_context(|| format!("store server {} on {host}", task.index));
    if let Err(error) = &outcome
        && !Server::path(&args.attempt, task.index).exists()
    {
        let path = Server::error_path(&args.attempt, task.index);
        if let Err(unwritten) = files::replace(&path, format!("{error:#}\n").as_bytes(), 0o644) {
            eprintln!("{unwritten:#}");
        }
    }
    outcome
}

fn serve(args: &Args, task: Task, host: &str) -> Result<()> {
    let stop = Stop::listen(&args.attempt)?;
    let program = Program::identify(&args.server)?;
    let listen = listen(args, task, host)?;
    let scratch = private_folder(&args.scratch, task)?;
    let config = Config {
        product: program.product,
        listen,
        socket: socket_in(scratch.path())?,
        scratch: scratch.path().to_owned(),
        password: super::read_password(&args.attempt)?,
        io_threads: args.io_threads,
        max_clients: limits::max_clients(ranks_per_server(&args.attempt))?,
        backlog: limits::backlog(),
    };
    let daemon = program.start(&config.text(), args.cpus, format!("server {} on {host}", task.index))?;
    let mut supervisor = Supervisor { daemon, stop };
    let Some(info) = supervisor.await_start(&config)? else { return Ok(()) };
    let server = Server {
        schema: SCHEMA,
        index: task.index,
        host: host.to_owned(),
        address: config.address().map(|(address, _)| address.to_string()),
        port: config.address().map(|(_, port)| port),
        socket: (listen == Listen::Socket).then(|| config.socket.clone()),
        ifname: args.ifname.clone(),
        pid: supervisor.daemon.pid(),
        cpus: limits::cpus_of(supervisor.daemon.pid())?,
        version: version(&config, &info),
        exit: None,
    };
    server.write(&args.attempt)?;
    supervisor.watch(server)
}

/// Where this server will listen, after a look whether that is free: the server's own message names no remedy.
fn listen(args: &Args, task: Task, host: &str) -> Result<Listen> {
    if args.uds {
        return Ok(Listen::Socket);
    }
    let highest = if args.cluster { u16::MAX - BUS_OFFSET } else { u16::MAX };
    let port = args.port.checked_add(task.local_index).filter(|port| *port <= highest).with_context(|| {
        format!(
            "--port {} leaves no port for server {} of the node: the highest is {highest}{}",
            args.port,
            task.local_index,
            if args.cluster { format!(", the cluster bus takes port + {BUS_OFFSET}") } else { String::new() }
        )
    })?;
    let address = interface::address(&args.ifname, host)?;
    let bus = args.cluster.then_some(port.saturating_add(BUS_OFFSET));
    for port in [Some(port), bus].into_iter().flatten() {
        TcpListener::bind(SocketAddrV4::new(address, port)).with_context(|| {
            format!(
                "port {port} of {address} ({}) on {host} cannot be used: give another --port (gen: --db-port), or end \
                 what holds it (`ss -ltnp` on {host} names it)",
                args.ifname
            )
        })?;
    }
    Ok(Listen::Tcp { address, port, cluster: args.cluster })
}

/// A folder that only we can enter, with a name of its own, removed when the value is dropped.
fn private_folder(parent: &Path, task: Task) -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix(&format!("shardscale-{}-", task.index))
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .with_context(|| format!("cannot make a folder in {}: give a node-local --scratch", parent.display()))
}

fn socket_in(scratch: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(scratch).context("cannot resolve --scratch")?.join("socket");
    let bytes = path.as_os_str().len();
    ensure!(
        bytes <= MAX_SOCKET_PATH_BYTES,
        "the path of the server's socket would be {bytes} bytes, the kernel admits {MAX_SOCKET_PATH_BYTES}: {}; give a \
         shorter --scratch, such as /tmp",
        path.display()
    );
    Ok(path)
}

/// Ranks that will connect to each server, as the run's manifest says; 0 where there is none beside the attempt.
fn ranks_per_server(attempt: &Path) -> u64 {
    let manifest = attempt.parent().and_then(|run_dir| Manifest::read(run_dir).ok());
    manifest.map_or(0, |manifest| match manifest.job.deployment {
        Deployment::Standard => manifest.expect.ranks.into(),
        Deployment::Colocated => manifest.job.clients_per_node.into(),
    })
}

/// Product and version, as the running server tells them.
fn version(config: &Config, info: &str) -> String {
    let version = link::field(info, "valkey_version").or_else(|| link::field(info, "redis_version"));
    format!("{} {}", config.product, version.unwrap_or_default()).trim_end().to_owned()
}

impl Config {
    fn address(&self) -> Option<(Ipv4Addr, u16)> {
        match self.listen {
            Listen::Tcp { address, port, .. } => Some((address, port)),
            Listen::Socket => None,
        }
    }
}

/// Whether somebody wants the end: a signal to this process, or `stopping` in the attempt.
struct Stop {
    signalled: Arc<AtomicBool>,
    attempt: PathBuf,
    looked: Option<Instant>,
}

impl Stop {
    fn listen(attempt: &Path) -> Result<Stop> {
        let signalled = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&signalled)).context("cannot listen to signals")?;
        }
        Ok(Stop { signalled, attempt: attempt.to_owned(), looked: None })
    }

    /// The signal as of now, the file as of at most [`STOPPING_INTERVAL`] ago.
    fn wanted(&mut self) -> bool {
        self.signalled.load(Ordering::Relaxed) || {
            let due = self.looked.is_none_or(|looked| looked.elapsed() >= STOPPING_INTERVAL);
            due && {
                self.looked = Some(Instant::now());
                super::stop_wanted(&self.attempt)
            }
        }
    }

    /// Whether an end that just happened was wanted.
    fn was_wanted(&mut self) -> bool {
        let deadline = Instant::now() + REASON_GRACE;
        while Instant::now() < deadline {
            self.looked = None;
            if self.wanted() {
                return true;
            }
            thread::sleep(WATCH_INTERVAL);
        }
        false
    }
}

struct Supervisor {
    daemon: Daemon,
    stop: Stop,
}

impl Supervisor {
    /// Waits until the server answers and returns its INFO; `None` where the end was wanted first.
    fn await_start(&mut self, config: &Config) -> Result<Option<String>> {
        let link = Link { address: ConnectionAddr::Unix(config.socket.clone()), password: config.password.clone() };
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if self.stop.wanted() {
                self.daemon.stop(STOP_GRACE)?;
                return Ok(None);
            }
            if let Some(status) = self.daemon.ended()? {
                if self.stop.was_wanted() {
                    return Ok(None);
                }
                bail!("it did not start ({status}); {}", self.daemon.last_words());
            }
            match link.open() {
                Ok(mut connection) => {
                    let info = redis::cmd("INFO").arg("server").query(&mut connection);
                    return info.map(Some).context("it does not tell its version");
                }
                Err(error) if Instant::now() > deadline => {
                    let words = self.daemon.last_words();
                    bail!("it does not answer after {} s ({error:#}); {words}", START_TIMEOUT.as_secs());
                }
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Looks after the server until it has ended, and records how.
    fn watch(mut self, server: Server) -> Result<()> {
        let (status, asked) = loop {
            if let Some(status) = self.daemon.ended()? {
                break (status, self.stop.was_wanted());
            }
            if self.stop.wanted() {
                break (self.daemon.stop(STOP_GRACE)?, true);
            }
            thread::sleep(WATCH_INTERVAL);
        };
        let exit = exit(asked, status);
        let attempt = &self.stop.attempt;
        Server { exit: Some(exit), ..server }.write(attempt)?;
        ensure!(asked, "it ended unasked ({status}); {}", self.daemon.last_words());
        Ok(())
    }
}

fn exit(asked: bool, status: ExitStatus) -> ServerExit {
    ServerExit { asked, code: status.code(), signal: status.signal() }
}
