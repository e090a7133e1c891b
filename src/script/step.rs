//! One parallel launch inside a job, in terms that every launcher's template can use.

use serde::Serialize;

use super::JobScript;
use crate::record::cpus::CpuSet;
use crate::record::vocabulary::BindKind;

/// A launch: so many processes on so many of the job's nodes, and where each may run.
#[derive(Serialize)]
pub struct Step {
    /// `store` or `client`: the stem of file names and of the array of nodes.
    role: &'static str,
    /// The nodes as words of bash: `"${client_nodes[@]}"`.
    nodes_words: String,
    /// The nodes joined by the first character of IFS: `${client_nodes[*]}`.
    nodes_text: String,
    nodes: u32,
    ranks_per_node: u32,
    ranks: u32,
    cpus_per_rank: u32,
    bind: BindKind,
    /// Hexadecimal masks, one for each local rank; empty unless `bind` is `mask`.
    masks: Vec<String>,
    /// The same as lists of CPUs.
    lists: Vec<String>,
    args: Vec<String>,
}

impl Step {
    /// The servers.
    pub fn store(script: &JobScript<'_>) -> Step {
        let servers = script.manifest.expect.servers;
        let nodes = if script.node.single { 1 } else { servers };
        let cpus: Vec<&CpuSet> = script.placement.iter().map(|placement| &placement.server).collect();
        let step = Step::new("store", script, &cpus, &script.site.launch.server_args);
        Step {
            nodes,
            ranks_per_node: servers / nodes,
            ranks: servers,
            cpus_per_rank: script.manifest.job.db_cpus,
            ..step
        }
    }

    /// The MPI client.
    pub fn clients(script: &JobScript<'_>) -> Step {
        let job = &script.manifest.job;
        let cpus: Vec<&CpuSet> = script.placement.iter().flat_map(|placement| &placement.ranks).collect();
        let step = Step::new("client", script, &cpus, &script.site.launch.client_args);
        let ranks = script.manifest.expect.ranks;
        Step { nodes: job.client_nodes, ranks_per_node: job.clients_per_node, ranks, cpus_per_rank: 1, ..step }
    }

    fn new(role: &'static str, script: &JobScript<'_>, cpus: &[&CpuSet], args: &[String]) -> Step {
        Step {
            role,
            nodes_words: format!("\"${{{role}_nodes[@]}}\""),
            nodes_text: format!("${{{role}_nodes[*]}}"),
            nodes: 1,
            ranks_per_node: 1,
            ranks: 1,
            cpus_per_rank: 1,
            bind: script.manifest.job.cpu_bind.kind(),
            masks: cpus.iter().map(|set| set.to_mask()).collect(),
            lists: cpus.iter().map(|set| set.to_list()).collect(),
            args: args.to_vec(),
        }
    }
}
