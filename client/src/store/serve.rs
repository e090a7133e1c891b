//! `serve`: one store server under supervision, in the foreground of the launcher's task.
//!
//! The server lives no longer than this process, and this process no longer than the server. What happened to it stands
//! in `server-N.json` at every moment; one that cannot serve leaves the cause.

use std::net::{IpAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use redis::ConnectionAddr;
use shardscale::record::SCHEMA;
use shardscale::record::interfaces;
use shardscale::record::manifest::Manifest;
use shardscale::record::server::{InForce, Server};
use shardscale::record::vocabulary::Deployment;
use tempfile::TempDir;

use super::config::{BUS_OFFSET, Config, Listen, MAX_SOCKET_PATH_BYTES};
use super::daemon::{Program, Start};
use super::in_force;
use super::link::Link;
use super::settings::Settings;
use super::supervisor::{Stop, Supervisor};
use crate::affinity::{CpuLists, kernel_set};
use crate::launcher::{self, Task};
use crate::limits;
use crate::node::{self, interface};
use crate::say;
use crate::wire::LONGEST_DESCRIPTION;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Attempt folder that `begin` made
    #[arg(long, value_name = "DIR")]
    attempt: PathBuf,
    /// Network interface to listen on, by its first address, IPv4 before IPv6; the servers of a node take several (ib0+ib1) in turn
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
    /// Server program, by name or path
    #[arg(long, value_name = "PROGRAM", default_value = "redis-server")]
    server: String,
    /// Node-local folder; a private subfolder is made and removed
    #[arg(long, value_name = "DIR", default_value = "/tmp")]
    scratch: PathBuf,
    /// CPUs that the server is bound to, such as 0-7,64-71, one list for each server of the node: 0-7;8-15; job:0-7;8-15
    /// counts the cores that the job got of the node. Without it, a server runs where this process may
    #[arg(long, value_name = "LIST;..")]
    cpus: Option<CpuLists>,
    /// Number of this node's first server; without it, a server's number is the launcher's task number
    #[arg(long, value_name = "N")]
    index: Option<u32>,
    #[command(flatten)]
    settings: Settings,
}

/// Returns when the server has ended as asked.
///
/// # Errors
/// It did not start, or it ended unasked.
pub fn run(args: &Args) -> Result<()> {
    let task = launcher::task(args.index)?;
    let host = crate::node::host_name()?;
    let who = format!("store server {}", task.index);
    let served = super::leaving_cause(&args.attempt, &who, || serve(args, task, &host));
    served.with_context(|| format!("{who} on {host}"))
}

fn serve(args: &Args, task: Task, host: &str) -> Result<()> {
    let ifname = interfaces::of_local(&args.ifname, task.local_index.into());
    let stop = Stop::listen(&args.attempt)?;
    let program = Program::identify(&args.server)?;
    let manifest = Manifest::of_attempt(&args.attempt);
    if let Some(asked) = manifest.as_ref().map(|manifest| manifest.job.store) {
        ensure!(
            program.product == asked,
            "the server program {:?} is {}, and the run asks for {asked}: give the path of {asked}'s with --server (gen: \
             --store-server {asked}=PATH)",
            program.path,
            program.version
        );
    }
    let listen = listen(args, ifname, task, host)?;
    let scratch = private_folder(&args.scratch, task)?;
    let clients = manifest.as_ref().map_or(0, ranks_per_server);
    let config = Config {
        product: program.product,
        listen,
        socket: socket_in(scratch.path())?,
        scratch: scratch.path().to_owned(),
        password: super::read_password(&args.attempt)?,
        max_clients: limits::max_clients(clients)?,
        backlog: limits::backlog(),
        settings: Settings {
            longest_value: args.settings.longest_value.or(manifest.as_ref().map(longest_value)),
            ..args.settings.clone()
        },
    };
    let cpus = args.cpus.as_ref().map(|lists| kernel_set(&lists.own()?)).transpose()?;
    let label = format!("server {} on {host}", task.index);
    let start =
        Start { config: &config.text(), cpus, malloc_conf: args.settings.malloc_conf.variable(), label: Some(label) };
    let mut supervisor = Supervisor { daemon: program.start(start)?, stop };
    let Some(mut connection) = supervisor.await_start(&config.link())? else { return Ok(()) };
    let said = in_force::ask(&mut connection, &program.path, &config, ifname)?;
    let warnings = in_force::warnings(&said.in_force, clients);
    warnings.iter().for_each(|warning| say::line(format_args!("server {} on {host}: {warning}", task.index)));
    let server = Server {
        schema: SCHEMA,
        index: task.index,
        local_index: Some(task.local_index.into()),
        host: host.to_owned(),
        address: config.address().map(|(address, _)| address.to_string()),
        port: config.address().map(|(_, port)| port),
        socket: (listen == Listen::Socket).then(|| config.socket.clone()),
        folder: None,
        ifname: ifname.to_owned(),
        pid: supervisor.daemon.pid(),
        cpus: node::affinity(supervisor.daemon.pid())?,
        version: said.version,
        in_force: Some(InForce { warnings, ..said.in_force }),
        bus: None,
        exit: None,
    };
    server.write(&args.attempt)?;
    drop(connection);
    supervisor.watch(server, args.cluster)
}

/// Where this server will listen, after a look whether that is free: the server's own message names no remedy.
fn listen(args: &Args, ifname: &str, task: Task, host: &str) -> Result<Listen> {
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
    let address = interface::address(ifname, host)?;
    let bus = args.cluster.then_some(port.saturating_add(BUS_OFFSET));
    for port in [Some(port), bus].into_iter().flatten() {
        TcpListener::bind((address, port)).with_context(|| {
            format!(
                "port {port} of {address} ({}) on {host} cannot be used: give another --port (gen: --db-port), or end \
                 what holds it (`ss -ltnp` on {host} names it)",
                ifname
            )
        })?;
    }
    Ok(Listen::Tcp { address, port, cluster: args.cluster })
}

/// A folder that only we can enter, with a name of its own, removed when the value is dropped.
pub fn private_folder(parent: &Path, task: Task) -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix(&format!("shardscale-{}-", task.index))
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir_in(parent)
        .with_context(|| format!("cannot make a folder in {}: give a node-local --scratch", parent.display()))
}

pub fn socket_in(scratch: &Path) -> Result<PathBuf> {
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

/// Bytes of the longest value that the run puts: its largest tensor with what describes it.
fn longest_value(manifest: &Manifest) -> u64 {
    manifest.sweep.tensor_bytes.iter().max().map_or(0, |bytes| bytes.saturating_add(LONGEST_DESCRIPTION))
}

/// Ranks that will connect to each server.
fn ranks_per_server(manifest: &Manifest) -> u64 {
    match manifest.job.deployment {
        Deployment::Standard => manifest.expect.ranks.into(),
        Deployment::Colocated => manifest.job.clients_per_node.div_ceil(manifest.job.servers_per_node.max(1)).into(),
    }
}

impl Config {
    fn address(&self) -> Option<(IpAddr, u16)> {
        match self.listen {
            Listen::Tcp { address, port, .. } => Some((address, port)),
            Listen::Socket => None,
        }
    }

    /// How its supervisor speaks to it.
    pub fn link(&self) -> Link {
        Link { address: ConnectionAddr::Unix(self.socket.clone()), password: self.password.clone() }
    }
}
