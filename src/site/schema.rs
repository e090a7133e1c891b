//! The schema of a site file. Unknown keys are errors that list the known ones.
//!
//! Values stand here; where each comes from stands in the file's `[facts]` ([`super::facts`]).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ask::Ask;
use super::charge::Charge;
use super::facts::{Fact, Source};
use super::node::Node;
use super::queue::{Limit, Queue};
use crate::record::vocabulary::BindKind;
use crate::record::walltime::Walltime;
use crate::study::{Axes, Programs};

/// Everything that a site file says.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Version of this schema: 2.
    pub schema: u32,
    /// Name for `--site`: the file's name without `.toml`.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Documents that values come from, by a short name of your choice.
    pub sources: BTreeMap<String, Source>,
    /// Where each value comes from: key of this file -> source and status. A key speaks for all below it; the longest wins.
    pub facts: BTreeMap<String, Fact>,
    pub scheduler: Scheduler,
    pub launch: Launch,
    /// Kinds of nodes; the first is the one that jobs get unless told otherwise.
    #[serde(rename = "node")]
    pub nodes: Vec<Node>,
    #[serde(default)]
    pub network: Network,
    #[serde(default)]
    pub directives: Directives,
    /// Values that only the user knows, by name; `{NAME}` in a directive or in a line of `environment` stands for them.
    #[serde(default)]
    pub ask: BTreeMap<String, Ask>,
    /// Wall time of a job unless the user gives one; absent where no scheduler ends jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walltime: Option<Walltime>,
    /// Rows in order of preference: the first that admits a job is taken.
    #[serde(default, rename = "queue", skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<Queue>,
    /// How many jobs the centre takes.
    #[serde(default, rename = "limit", skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<Charge>,
    /// Lines of bash that prepare a job: modules, exports. They are code, and go into the script as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    pub scratch: Scratch,
    #[serde(default)]
    pub store: StoreDefaults,
    /// Axes of the study that `gen` makes without flags.
    #[serde(default)]
    pub study: Axes,
}

/// The scheduler and what is peculiar to it here.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scheduler {
    /// Template under `templates/scheduler/`: slurm, pbs, none, flux, lsf.
    pub kind: String,
    /// Version in use, as the centre or the scheduler says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// PBS: `ncpus` of a select chunk; absent: all hardware threads of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select_ncpus: Option<u32>,
    /// PBS: appended to each select chunk, such as `:system=polaris`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub select_suffix: String,
    /// What this version or set-up does that others do not, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quirks: Vec<String>,
    /// Command that shows the limits in force today, for people: `qlimits`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits_command: Option<String>,
}

/// How processes get onto the nodes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    /// Template under `templates/launcher/`: srun, pals, openmpi, hydra, ibrun, flux.
    pub launcher: String,
    /// What it can do about CPUs: none, scheduler, mask.
    pub cpu_bind: Vec<BindKind>,
    /// The launcher counts hardware threads where it is asked for CPUs (srun's -c at NERSC); else cores.
    #[serde(default)]
    pub counts_threads: bool,
    /// Further arguments of the launcher for the MPI client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_args: Vec<String>,
    /// Further arguments of the launcher for the servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server_args: Vec<String>,
}

/// What the servers listen on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// First port of a server; those that share a node count up from it.
    #[serde(default = "smartsim_port")]
    pub db_port: u16,
}

/// Directives for the scheduler, without its prefix: `--exclusive`, `-l filesystems=home:eagle`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Directives {
    /// Every job has them. A line with a `{NAME}` that was neither given nor has a default is left out, or refused: see `ask`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub always: Vec<String>,
    /// A user may want them, with `--directive`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional: Vec<Remark>,
    /// The centre rejects or misreads them: `--directive` refuses what begins with one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forbidden: Vec<Remark>,
}

impl Directives {
    /// The first forbidden line that `line` begins with, if any.
    pub fn forbids(&self, line: &str) -> Option<&Remark> {
        self.forbidden.iter().find(|remark| line.starts_with(&remark.line))
    }
}

/// A directive and what is to be said of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remark {
    pub line: String,
    pub why: String,
}

/// Where servers keep what they write, and where runs should lie.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scratch {
    /// Node-local folder for data and sockets; short, since a socket's path has at most 107 bytes. Variables of the job may
    /// stand in it: `$TMPDIR`, `/mnt/bb/$USER`.
    pub node_local: String,
    /// Folder that all nodes see, as a shell expression for people: `$MEMBERWORK/PROJECT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<String>,
    /// Compute nodes see the home directories.
    #[serde(default = "yes")]
    pub home_on_compute: bool,
}

/// The store's program at this site.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreDefaults {
    /// Path of the server program, or `STORE=PATH,STORE=PATH`; absent: `redis-server`, `valkey-server` or `keydb-server` from PATH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<Programs>,
}

impl Default for Network {
    fn default() -> Self {
        Network { db_port: smartsim_port() }
    }
}

fn yes() -> bool {
    true
}

/// SmartSim's port.
fn smartsim_port() -> u16 {
    6780
}
