//! What a scheduler says of its machine, in terms that a site file has for all of them.

use crate::site::{Scope, Walltime};

/// A machine as its scheduler knows it.
#[derive(Debug, Clone, Default)]
pub struct Surveyed {
    pub kind: &'static str,
    pub version: Option<String>,
    /// Name of the cluster.
    pub cluster: Option<String>,
    /// Its own launcher; `None`: one that belongs to an MPI.
    pub launcher: Option<&'static str>,
    /// What that can do about CPUs, where the cores are known.
    pub cpu_bind: &'static [&'static str],
    /// Of the launch, for people: further lines of the file.
    pub launch_todo: Option<&'static str>,
    /// The launcher counts hardware threads where nodes have several a core.
    pub counts_threads: bool,
    pub limits_command: &'static str,
    /// Directives of every job.
    pub always: &'static [&'static str],
    /// Jobs without an account are refused.
    pub needs_account: bool,
    /// How to run a command on a compute node.
    pub on_a_node: &'static str,
    /// The most numerous first.
    pub kinds: Vec<Kind>,
    pub rows: Vec<Row>,
}

/// A kind of node.
#[derive(Debug, Clone, Default)]
pub struct Kind {
    pub name: String,
    /// `None`: the scheduler does not say.
    pub count: Option<u32>,
    pub sockets: Option<u32>,
    pub cores: Option<u32>,
    pub threads_per_core: Option<u32>,
    pub memory_gib: Option<u64>,
    pub constraint: Option<String>,
    /// PBS: `ncpus`, which are cores or hardware threads.
    pub ncpus: Option<u32>,
    /// This runs on a node of that kind, if it runs on one at all.
    pub own: bool,
}

/// A queue row.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: String,
    pub submit_as: String,
    pub min_nodes: u32,
    pub max_nodes: Option<u32>,
    pub min_walltime: Option<Walltime>,
    pub max_walltime: Option<Walltime>,
    pub node_types: Vec<String>,
    pub on_request: bool,
    /// (what counts, for whom, how many).
    pub limits: Vec<(&'static str, Scope, u32)>,
}

impl Kind {
    pub fn named(name: &str) -> Kind {
        Kind { name: name.to_owned(), ..Kind::default() }
    }
}

/// A name with the characters that names in a site file may have.
pub fn plain(name: &str) -> String {
    let text: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' }).collect();
    let text = text.trim_start_matches('-');
    if text.is_empty() { "mysite".to_owned() } else { text.to_owned() }
}
