//! The schema of a site file. Unknown keys are errors that list the known ones.

use serde::Deserialize;

use super::Walltime;
use crate::placement::CpuSet;
use crate::record::vocabulary::CpuBind;
use crate::study::Axes;

/// Everything that a site file says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Version of this schema: 1.
    pub schema: u32,
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Where the facts come from and when they were looked up.
    pub sources: Vec<String>,
    /// Template under `templates/scheduler/`.
    pub scheduler: String,
    pub launch: Launch,
    pub node: Node,
    pub network: Network,
    /// Directives that every job needs, without the scheduler's prefix: `--exclusive`, `-l filesystems=home:eagle`.
    #[serde(default)]
    pub directives: Vec<String>,
    /// Appended to a PBS select chunk, such as `:system=polaris`.
    #[serde(default)]
    pub select_suffix: String,
    /// The centre refuses jobs without an account.
    #[serde(default)]
    pub account_required: bool,
    /// Wall time of a job unless the user gives one; absent where no scheduler ends jobs.
    #[serde(default)]
    pub walltime: Option<Walltime>,
    /// Rows in order of preference: the first that admits a job is taken.
    #[serde(default, rename = "queue")]
    pub queues: Vec<Queue>,
    /// Lines of bash that prepare a job: modules, exports. They are code, and go into the script as they are.
    #[serde(default)]
    pub environment: Vec<String>,
    pub scratch: Scratch,
    #[serde(default)]
    pub store: StoreDefaults,
    /// Axes of the study that `gen` makes without flags.
    #[serde(default)]
    pub study: Axes,
}

/// How processes get onto the nodes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    /// Template under `templates/launcher/`.
    pub launcher: String,
    /// Bindings that scripts for this site can ask for.
    pub cpu_bind: Vec<CpuBind>,
    /// Further arguments of the launcher for the MPI client.
    #[serde(default)]
    pub client_args: Vec<String>,
    /// Further arguments of the launcher for the servers.
    #[serde(default)]
    pub server_args: Vec<String>,
}

/// One node of the kind that jobs get.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Physical cores, CPUs 0..cores being the first hardware thread of each; absent where it is not known beforehand
    /// (the `local` site), which switches the check against oversubscription off.
    #[serde(default)]
    pub cores: Option<u32>,
    /// Hardware threads a core.
    #[serde(default = "one")]
    pub threads_per_core: u32,
    /// Cores that the centre keeps for the system.
    #[serde(default)]
    pub reserved_cores: Vec<u32>,
    /// Memory for jobs in GiB; absent where it is not known.
    #[serde(default)]
    pub memory_gib: Option<u64>,
    /// All "nodes" of a job are this machine.
    #[serde(default)]
    pub single: bool,
}

/// Interfaces for TCP between nodes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Names on the compute nodes; the loopback `lo` need not be listed.
    pub interfaces: Vec<String>,
    /// First port of a server; those that share a node count up from it.
    #[serde(default = "smartsim_port")]
    pub db_port: u16,
}

/// One row of what the scheduler admits: a queue of one name may have several rows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    pub name: String,
    /// Directives that submit to it: `--partition=batch`, `-q prod`.
    #[serde(default)]
    pub directives: Vec<String>,
    #[serde(default = "one")]
    pub min_nodes: u32,
    /// Absent for no limit.
    #[serde(default)]
    pub max_nodes: Option<u32>,
    pub max_walltime: Walltime,
    /// Taken only when asked for by name.
    #[serde(default)]
    pub on_request: bool,
}

/// Where servers keep what they write.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scratch {
    /// Node-local folder for data and sockets; short, since a socket's path has at most 107 bytes.
    pub node_local: String,
}

/// The store's program at this site.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreDefaults {
    /// Path of the server program; absent: `redis-server`, `valkey-server` or `keydb-server` from PATH.
    #[serde(default)]
    pub server: Option<String>,
}

impl Node {
    /// Cores that jobs may use; absent where the node's cores are not known.
    pub fn usable(&self) -> Option<CpuSet> {
        let cores = self.cores?;
        Some((0..cores).filter(|core| !self.reserved_cores.contains(core)).collect())
    }
}

fn one() -> u32 {
    1
}

/// SmartSim's port.
fn smartsim_port() -> u16 {
    6780
}
