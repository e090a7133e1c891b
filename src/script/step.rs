//! One parallel launch inside a job, in terms that every launcher's template can use.

use serde::Serialize;

use super::JobScript;
use crate::record::cpus::CpuSet;
use crate::record::vocabulary::BindKind;

/// A launch: so many processes on so many of the job's nodes, and where each may run.
///
/// The spellings of CPUs (`masks`, `lists`, `plus_lists`, `self_cpus`) say the same and are empty unless `bind` is `mask`. They
/// hold CPU numbers of the operating system, one entry for each process of a node in the order of local index.
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
    /// What the launcher is asked for where it places: cores, or hardware threads where it counts these.
    cpus_per_rank: u32,
    /// Of this launch: a side that `mask-db` or `mask-app` leaves free has `none`.
    bind: BindKind,
    /// Slurm's mask_cpu, joined by `,`: `0xff00`.
    masks: Vec<String>,
    /// PALS' `list:`, joined by `:`, and the slots of a rankfile: `1-7,9`.
    lists: Vec<String>,
    /// Hydra's `user:`, joined by `,`: `1+2+3`.
    plus_lists: Vec<String>,
    /// For `--cpus` of our own program where the launcher cannot bind, or binds otherwise: `1-7,9;10;11`.
    self_cpus: String,
    args: Vec<String>,
}

impl Step {
    /// The servers.
    pub fn store(script: &JobScript<'_>) -> Step {
        let servers = script.manifest.expect.servers;
        let nodes = if script.node.single { 1 } else { servers };
        let cpus = script.manifest.placement.as_ref().map_or(&[][..], |placement| &placement.servers);
        let step = Step::new("store", script, cpus, &script.site.launch.server_args);
        let cpus_per_rank = script.cpus_for(script.manifest.job.db_cpus);
        Step { nodes, ranks_per_node: servers / nodes, ranks: servers, cpus_per_rank, ..step }
    }

    /// The MPI client.
    pub fn clients(script: &JobScript<'_>) -> Step {
        let job = &script.manifest.job;
        let cpus = script.manifest.placement.as_ref().map_or(&[][..], |placement| &placement.ranks);
        let step = Step::new("client", script, cpus, &script.site.launch.client_args);
        let (ranks, cpus_per_rank) = (script.manifest.expect.ranks, script.cpus_for(job.client_cpus));
        Step { nodes: job.client_nodes, ranks_per_node: job.clients_per_node, ranks, cpus_per_rank, ..step }
    }

    fn new(role: &'static str, script: &JobScript<'_>, cpus: &[CpuSet], args: &[String]) -> Step {
        let bind = match script.manifest.job.cpu_bind.kind() {
            BindKind::Mask if cpus.is_empty() => BindKind::None,
            kind => kind,
        };
        let lists: Vec<String> = cpus.iter().map(CpuSet::to_list).collect();
        let plus = |set: &CpuSet| set.iter().map(|cpu| cpu.to_string()).collect::<Vec<_>>().join("+");
        Step {
            role,
            nodes_words: format!("\"${{{role}_nodes[@]}}\""),
            nodes_text: format!("${{{role}_nodes[*]}}"),
            nodes: 1,
            ranks_per_node: 1,
            ranks: 1,
            cpus_per_rank: 1,
            bind,
            masks: cpus.iter().map(CpuSet::to_mask).collect(),
            self_cpus: lists.join(";"),
            lists,
            plus_lists: cpus.iter().map(plus).collect(),
            args: args.to_vec(),
        }
    }
}

impl JobScript<'_> {
    /// `cores` as the launcher counts them.
    fn cpus_for(&self, cores: u32) -> u32 {
        if self.site.launch.counts_threads { cores * self.node.threads_per_core } else { cores }
    }
}
