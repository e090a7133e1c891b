//! `run.toml`: what one permutation is to measure, written by `gen`, read by everybody else.
//!
//! All metadata of a run comes from here and never from a folder's name. It holds no time and no path of the machine that
//! `gen` ran on, so that the same inputs give the same bytes everywhere.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::aggregation::Aggregation;
use super::binding::CpuBind;
use super::folder::FileSettings;
use super::malloc_conf::MallocConf;
use super::placement::Placement;
use super::units::ByteCount;
use super::vocabulary::{
    Barrier, DbFrom, Deployment, Distribution, KeyPlacement, Store, Transport, Wire, WorkloadKind,
};
use super::workload::Workload;
use super::{files, interfaces, parse_toml};

/// Name of the manifest in a run directory.
pub const FILE: &str = "run.toml";

/// One permutation: one script, one run directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub schema: u32,
    /// The permutation's name: that of the script and of the run directory.
    pub name: String,
    pub site: String,
    /// Name of the scheduler template that made the script: `slurm`, `pbs`, `none`.
    pub scheduler: String,
    /// Name of the launcher template: `srun`, `pals`, `openmpi`.
    pub launcher: String,
    pub job: Job,
    pub sweep: Sweep,
    pub expect: Expect,
    /// Which CPUs each process is to have; absent where nobody is told (since schema 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
}

/// The axes of a job: each combination is a permutation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    pub deployment: Deployment,
    /// Nodes on which the application runs.
    pub client_nodes: u32,
    /// Ranks on each of them.
    pub clients_per_node: u32,
    /// Cores for each rank (since schema 2).
    #[serde(default = "one")]
    pub client_cpus: u32,
    /// Nodes that servers have for themselves; absent for a colocated store, whose servers run on every client node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub db_nodes: Option<u32>,
    /// Servers on each node that has any; those of a standard deployment are shards of one cluster (since schema 2).
    #[serde(default = "one")]
    pub servers_per_node: u32,
    /// CPUs for each server.
    /// 0 for files, which have none.
    pub db_cpus: u32,
    pub cpu_bind: CpuBind,
    /// How the ranks of a node are dealt to its L3 groups where ShardScale places them (since schema 2).
    #[serde(default = "packed")]
    pub distribution: Distribution,
    /// Network interface that servers listen on, or several that the servers of a node share: `hsn0+hsn1`; `lo` for a UNIX socket.
    pub net_ifname: String,
    pub transport: Transport,
    pub store: Store,
    /// I/O threads of each server.
    pub io_threads: u32,
    /// Options of each server's allocator (since schema 2).
    #[serde(default)]
    pub malloc_conf: MallocConf,
    /// Bytes of data after which a server refuses more; 0: no limit (since schema 2).
    #[serde(default)]
    pub maxmemory: ByteCount,
    /// Modules that each server loads, with their arguments: `redisai.so THREADS_PER_QUEUE 2` (since schema 2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub load_module: Vec<String>,
    pub keys: KeyPlacement,
    /// Counts from 1: the same measurement again.
    pub repeat: u32,
    /// Where the servers of a standard deployment come from (since schema 2).
    #[serde(default = "allocation")]
    pub db_from: DbFrom,
    /// Hosts that servers were to run on (since schema 2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub db_hosts: Vec<String>,
    /// Addresses, `host:port`, of a store that runs already (since schema 2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub db_address: Vec<String>,
    /// Kind of the client's nodes where the site has several (since schema 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_node_type: Option<String>,
    /// Kind of the servers' nodes where it is another one (since schema 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub db_node_type: Option<String>,
    /// How tensors become files; absent for a store that has servers (since schema 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FileSettings>,
    /// What the ranks do with their tensors (since schema 2).
    #[serde(default)]
    pub workload: Workload,
}

fn one() -> u32 {
    1
}

fn packed() -> Distribution {
    Distribution::Packed
}

fn allocation() -> DbFrom {
    DbFrom::Allocation
}

/// What one launch of the client goes through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    pub wire: Wire,
    /// Sizes of the float32 tensors in bytes, in the order of measurement.
    pub tensor_bytes: Vec<u64>,
    /// Timed iterations for each size; each is one put_tensor and one unpack_tensor.
    pub iterations: u32,
    /// Iterations before them, kept and marked.
    pub warmup: u32,
    pub barrier: Barrier,
    /// Every byte of every read is compared with what was written, outside the timed section.
    pub verify: bool,
}

/// What `collect` holds the results against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Nodes of the allocation.
    pub nodes: u32,
    /// MPI ranks of the client.
    pub ranks: u32,
    /// Store servers: shards, or one for each node.
    pub servers: u32,
    /// Requested wall time in seconds; absent where no scheduler ends the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walltime_s: Option<u32>,
    /// Name of the site's queue row; absent where there is no queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The same for the database's own job; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub db_queue: Option<String>,
}

impl Job {
    /// One rank on one node and a server of one core with the usual settings, over the loopback.
    pub fn usual(deployment: Deployment) -> Job {
        Job {
            deployment,
            client_nodes: 1,
            clients_per_node: 1,
            client_cpus: 1,
            db_nodes: None,
            servers_per_node: 1,
            db_cpus: 1,
            cpu_bind: CpuBind::None,
            distribution: Distribution::Packed,
            net_ifname: "lo".to_owned(),
            transport: Transport::Tcp,
            store: Store::Redis,
            io_threads: 1,
            malloc_conf: MallocConf::default(),
            maxmemory: ByteCount(0),
            load_module: Vec::new(),
            keys: KeyPlacement::Hash,
            repeat: 1,
            db_from: DbFrom::Allocation,
            db_hosts: Vec::new(),
            db_address: Vec::new(),
            client_node_type: None,
            db_node_type: None,
            files: None,
            workload: Workload::default(),
        }
    }

    /// Nodes of the launch: those of the client, and of its consumers where they have some for themselves.
    pub fn launch_nodes(&self) -> u32 {
        self.workload.aggregation.as_ref().map_or(self.client_nodes, |it| it.nodes(self.client_nodes))
    }

    /// Ranks that the launch has on each node.
    pub fn ranks_per_node(&self) -> u32 {
        let each = self.clients_per_node;
        self.workload.aggregation.as_ref().map_or(each, |it| it.ranks_per_node(self.client_nodes, each))
    }

    /// Ranks of the launch.
    pub fn ranks(&self) -> u32 {
        self.launch_nodes().saturating_mul(self.ranks_per_node())
    }

    /// Ranks that put tensors.
    pub fn writers(&self) -> u32 {
        self.client_nodes.saturating_mul(self.clients_per_node)
    }

    /// All servers of the run: the shards of a standard deployment; of files the folders, one for all nodes or one on each.
    pub fn servers(&self) -> u32 {
        if !self.store.has_servers() {
            return if self.deployment == Deployment::Standard { 1 } else { self.client_nodes };
        }
        self.db_nodes.unwrap_or(self.client_nodes).saturating_mul(self.servers_per_node)
    }

    /// The same job with one value for what has no effect beside its store and workload: files have no servers, nodes, cores, interfaces or
    /// commands in flight, servers have no files, roles are an aggregation's.
    pub fn without_idle_axes(mut self) -> Job {
        let producers = self.writers();
        self.workload.aggregation = match self.workload.kind {
            WorkloadKind::Aggregation => {
                Some(Aggregation { producers, ..self.workload.aggregation.unwrap_or_default() })
            }
            _ => None,
        };
        self.workload.inference = match self.workload.kind {
            WorkloadKind::Inference => Some(self.workload.inference.unwrap_or_default()),
            _ => None,
        };
        if self.store.has_servers() {
            return Job { files: None, ..self };
        }
        let usual = Job::usual(self.deployment);
        Job {
            client_nodes: self.client_nodes,
            clients_per_node: self.clients_per_node,
            client_cpus: self.client_cpus,
            cpu_bind: self.cpu_bind,
            distribution: self.distribution,
            store: self.store,
            repeat: self.repeat,
            client_node_type: self.client_node_type,
            db_cpus: 0,
            files: Some(self.files.unwrap_or_default()),
            workload: Workload { pipeline: 1, ..self.workload },
            ..usual
        }
    }

    /// The interfaces that servers listen on; one or more.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        interfaces::of(&self.net_ifname)
    }
}

impl Manifest {
    /// The file's text.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).with_context(|| format!("cannot encode the manifest of {}", self.name))
    }

    /// Reads `run.toml` of `run_dir`.
    ///
    /// # Errors
    /// A missing, unreadable, newer or wrong file; the message names the path, and the line where there is one.
    pub fn read(run_dir: &Path) -> Result<Manifest> {
        let path = run_dir.join(FILE);
        let text = files::read_text(&path)?
            .with_context(|| format!("there is no {}: `shardscale gen` makes it", path.display()))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// The manifest of the run whose attempt `attempt` is; `None` where it lies beside none.
    pub fn of_attempt(attempt: &Path) -> Option<Manifest> {
        attempt.parent().and_then(|run_dir| Manifest::read(run_dir).ok())
    }

    /// Reads the text of a `run.toml`; `what` names it in errors.
    pub fn parse(text: &str, what: &str) -> Result<Manifest> {
        parse_toml(text, what)
    }
}

/// A manifest for the tests of this crate and of the client: 2 nodes x 2 ranks against 3 shards.
#[doc(hidden)]
pub fn example() -> Manifest {
    Manifest {
        schema: super::SCHEMA,
        name: "standard-n2x2-db3x1-none-hsn0-tcp-r1".into(),
        site: "test".into(),
        scheduler: "slurm".into(),
        launcher: "srun".into(),
        job: Job {
            client_nodes: 2,
            clients_per_node: 2,
            db_nodes: Some(3),
            net_ifname: "hsn0".into(),
            ..Job::usual(Deployment::Standard)
        },
        sweep: Sweep {
            wire: Wire::Auto,
            tensor_bytes: vec![1024, 65536],
            iterations: 10,
            warmup: 2,
            barrier: Barrier::Size,
            verify: false,
        },
        expect: Expect {
            nodes: 5,
            ranks: 4,
            servers: 3,
            walltime_s: Some(600),
            queue: Some("batch".into()),
            db_queue: None,
        },
        placement: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_reads_back() {
        let manifest = example();
        assert_eq!(Manifest::parse(&manifest.to_toml().unwrap(), "run.toml").unwrap(), manifest);
    }

    #[test]
    fn a_manifest_of_schema_1_is_read() {
        let mut old = toml::Table::try_from(example()).unwrap();
        old.insert("schema".into(), 1.into());
        let job = old["job"].as_table_mut().unwrap();
        for newer in ["servers_per_node", "client_cpus", "distribution", "db_from", "malloc_conf", "maxmemory"] {
            job.remove(newer).unwrap();
        }
        let manifest = Manifest::parse(&old.to_string(), "run.toml").unwrap();
        assert_eq!(Manifest { schema: 2, ..manifest }, example());
    }

    #[test]
    fn an_absent_value_is_absent_and_not_zero() {
        let mut manifest = example();
        manifest.job.deployment = Deployment::Colocated;
        manifest.job.db_nodes = None;
        let text = manifest.to_toml().unwrap();
        assert!(!text.contains("db_nodes"), "{text}");
        assert_eq!(Manifest::parse(&text, "run.toml").unwrap(), manifest);
    }

    #[test]
    fn a_newer_schema_and_a_wrong_word_are_named() {
        let newer = example().to_toml().unwrap().replace("schema = 2", "schema = 7\nunheard_of = 1");
        let error = format!("{:#}", Manifest::parse(&newer, "out/x/run.toml").unwrap_err());
        assert!(error.contains("out/x/run.toml has schema version 7"), "{error}");
        let wrong = example().to_toml().unwrap().replace("\"tcp\"", "\"udp\"");
        let error = format!("{:#}", Manifest::parse(&wrong, "out/x/run.toml").unwrap_err());
        assert!(error.contains("allowed: tcp, uds"), "{error}");
    }
}
