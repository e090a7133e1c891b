//! One parallel launch inside a job, in terms that every launcher's template can use.

use serde::Serialize;

use super::JobScript;
use crate::record::cpus::CpuSet;
use crate::record::vocabulary::{BindKind, DbFrom, Deployment};
use crate::site::Node;

/// A launch: so many processes on so many of the job's nodes, and where each may run.
#[derive(Serialize)]
pub struct Step<'a> {
    /// `store` or `client`: the stem of file names and of the array of nodes.
    role: &'static str,
    /// The nodes as words of bash: `"${client_nodes[@]}"`.
    nodes_words: String,
    /// The nodes joined by the first character of IFS: `${client_nodes[*]}`.
    nodes_text: String,
    nodes: u32,
    /// Place of the first of them among the job's nodes, which begin with the client's.
    first_node: u32,
    ranks_per_node: u32,
    ranks: u32,
    /// What the launcher is asked for where it places: cores, or hardware threads where it counts these.
    cpus_per_rank: u32,
    /// Of this launch: a side that `mask-db` or `mask-app` leaves free has `none`.
    bind: BindKind,
    #[serde(flatten)]
    cpus: &'a Spelled,
    args: &'a [String],
}

/// The CPUs of the processes of a node in the spellings of launchers; empty where they are free. They hold CPU numbers of
/// the operating system, one entry for each process in the order of local index.
#[derive(Debug, Default, Serialize)]
pub struct Spelled {
    /// Slurm's `mask_cpu`: `0xff,0x100`.
    masks: String,
    /// PALS' `list`: `0-7:8`.
    lists: String,
    /// For `--cpus` of our own program: `0-7;8`, or `job:0-7;8`.
    self_cpus: String,
    /// They are numbers among the CPUs that the job gets, which no launcher understands: our program binds itself.
    in_job: bool,
}

impl Spelled {
    pub fn new(cpus: &[CpuSet]) -> Spelled {
        let join =
            |spell: fn(&CpuSet) -> String, between: &str| cpus.iter().map(spell).collect::<Vec<_>>().join(between);
        Spelled {
            masks: join(CpuSet::to_mask, ","),
            lists: join(CpuSet::to_list, ":"),
            self_cpus: join(CpuSet::to_list, ";"),
            in_job: false,
        }
    }

    /// Of cores that are counted within the job.
    pub fn in_job(cores: &[CpuSet]) -> Spelled {
        let absolute = Spelled::new(cores);
        Spelled { self_cpus: format!("job:{}", absolute.self_cpus), in_job: !cores.is_empty(), ..absolute }
    }
}

impl<'a> Step<'a> {
    /// The servers.
    pub fn store(script: &'a JobScript<'_>) -> Step<'a> {
        let job = &script.manifest.job;
        let servers = script.manifest.expect.servers;
        if !job.store.has_servers() {
            // keepers of files, one a node, which sleep
            let usual = Step::new("store", script, &script.placed.servers);
            return Step {
                nodes: servers,
                ranks: servers,
                bind: BindKind::None,
                args: &script.site.launch.server_args,
                ..usual
            };
        }
        let nodes = if script.node.single { 1 } else { job.db_nodes.unwrap_or(job.client_nodes) };
        let behind_clients =
            job.deployment == Deployment::Standard && job.db_from != DbFrom::Job && !script.node.single;
        Step {
            nodes,
            first_node: if behind_clients { job.launch_nodes() } else { 0 },
            ranks_per_node: servers / nodes,
            ranks: servers,
            cpus_per_rank: script.cpus_for(job.db_cpus, script.db_node),
            args: &script.site.launch.server_args,
            ..Step::new("store", script, &script.placed.servers)
        }
    }

    /// The MPI client.
    pub fn clients(script: &'a JobScript<'_>) -> Step<'a> {
        let job = &script.manifest.job;
        Step {
            nodes: job.launch_nodes(),
            ranks_per_node: job.ranks_per_node(),
            ranks: script.manifest.expect.ranks,
            cpus_per_rank: script.cpus_for(job.client_cpus, script.node),
            args: &script.site.launch.client_args,
            ..Step::new("client", script, &script.placed.ranks)
        }
    }

    fn new(role: &'static str, script: &JobScript<'_>, cpus: &'a Spelled) -> Step<'a> {
        let bind = match script.manifest.job.cpu_bind.kind() {
            BindKind::Mask if cpus.masks.is_empty() => BindKind::None,
            kind => kind,
        };
        Step {
            role,
            nodes_words: format!("\"${{{role}_nodes[@]}}\""),
            nodes_text: format!("${{{role}_nodes[*]}}"),
            nodes: 1,
            first_node: 0,
            ranks_per_node: 1,
            ranks: 1,
            cpus_per_rank: 1,
            bind,
            cpus,
            args: &[],
        }
    }
}

impl JobScript<'_> {
    /// `cores` of a node of that kind as the launcher counts them.
    pub(super) fn cpus_for(&self, cores: u32, node: &Node) -> u32 {
        if self.site.launch.counts_threads { cores * node.threads_per_core } else { cores }
    }
}
