//! What Slurm says of itself: configuration, partitions, kinds of nodes.

use std::collections::BTreeMap;

use super::versions::SEPARATOR;
use crate::scheduler::ask::ask as output;
use crate::scheduler::surveyed::{Kind, Row, Surveyed, plain};
use crate::site::Walltime;

/// One line for each kind of node of each partition: partition, nodes, sockets, cores a socket, threads a core, MB, features.
const NODES: [&str; 7] = ["%R", "%D", "%X", "%Y", "%Z", "%m", "%f"];

/// One line for each partition: name, name with a star for the default, up or not, longest time, least and most nodes of a job,
/// whether these are shared, whether it is for root alone, nodes.
const PARTITIONS: [&str; 8] = ["%R", "%P", "%a", "%l", "%s", "%h", "%r", "%D"];

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slurm {
    pub version: Option<String>,
    pub cluster: Option<String>,
    /// Slurm can bind tasks to CPUs.
    pub binds: bool,
    /// Jobs without an account are refused.
    pub needs_account: bool,
    pub partitions: Vec<Partition>,
    /// Nodes by partition; one node may stand in several.
    pub nodes: Vec<NodeGroup>,
    /// Every node once.
    pub all_nodes: Vec<NodeGroup>,
    /// The node of a job on which this runs; `None` outside jobs.
    pub here: Option<NodeGroup>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    pub name: String,
    pub default: bool,
    pub min_nodes: u32,
    /// The smaller of its limit and its size.
    pub max_nodes: u32,
    /// `None`: no limit.
    pub max_walltime: Option<Walltime>,
    /// Jobs get whole nodes.
    pub exclusive: bool,
}

/// Nodes of one partition that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeGroup {
    pub partition: String,
    pub count: u32,
    pub sockets: u32,
    pub cores_per_socket: u32,
    pub threads_per_core: u32,
    pub memory_mib: u64,
    pub features: Vec<String>,
}

impl Slurm {
    /// The same in terms of site files.
    pub fn surveyed(&self) -> Surveyed {
        let mut kinds = kinds_of(&self.all_nodes);
        let several = kinds.len() > 1;
        for (kind, _) in &mut kinds {
            kind.own = !several || self.here.as_ref().is_some_and(|group| is_of(kind, group));
        }
        let has_default = self.partitions.iter().any(|partition| partition.default);
        let row = |partition: &Partition| {
            let groups = || self.nodes.iter().filter(|group| group.partition == partition.name);
            let here = kinds.iter().map(|(kind, _)| kind).filter(|kind| groups().any(|group| is_of(kind, group)));
            Row {
                name: plain(&partition.name),
                submit_as: format!("--partition={}", partition.name),
                min_nodes: partition.min_nodes.min(partition.max_nodes),
                max_nodes: Some(partition.max_nodes),
                min_walltime: None,
                max_walltime: partition.max_walltime,
                node_types: here.map(|kind| kind.name.clone()).filter(|_| several).collect(),
                on_request: has_default && !partition.default,
                limits: Vec::new(),
            }
        };
        let mut rows: Vec<Row> = self.partitions.iter().map(row).collect();
        rows.sort_by_key(|row| row.on_request);
        let threaded = kinds.iter().any(|(kind, _)| kind.threads_per_core.is_some_and(|threads| threads > 1));
        Surveyed {
            kind: "slurm",
            version: self.version.clone(),
            cluster: self.cluster.clone(),
            launcher: Some("srun"),
            cpu_bind: if self.binds { &["none", "scheduler", "mask"] } else { &["none"] },
            launch_todo: Some("# TODO if MPI needs it (srun --mpi=list): client_args = [\"--mpi=pmix\"]"),
            counts_threads: threaded,
            limits_command: "sacctmgr show assoc where user=$USER",
            always: &["--account={account}", "--exclusive", "--no-requeue"],
            needs_account: self.needs_account,
            on_a_node: "srun -N 1",
            kinds: kinds.into_iter().map(|(kind, _)| kind).collect(),
            rows,
        }
    }
}

/// Asks scontrol, whose configuration no version tells in another form, and sinfo; `None` where there is no Slurm or it does not answer.
pub fn ask() -> Option<Slurm> {
    let config = config(&output("scontrol", &["show", "config"]).ok()?);
    let word = |key: &str| config.get(key).map(String::as_str);
    let format = |fields: &[&str]| fields.join(&SEPARATOR.to_string());
    let sinfo = |format: &str| output("sinfo", &["--noheader", "--exact", "--format", format]).ok();
    // without the partition in the format, sinfo counts a node once
    let all = format(&NODES).replace("%R", "all");
    Some(Slurm {
        version: word("SLURM_VERSION").map(str::to_owned),
        cluster: word("ClusterName").map(str::to_owned),
        binds: word("TaskPlugin").is_some_and(|plugins| plugins.contains("affinity") || plugins.contains("cgroup")),
        needs_account: word("AccountingStorageEnforce").is_some_and(|words| words.contains("associations")),
        partitions: partitions(&sinfo(&format(&PARTITIONS))?),
        nodes: nodes(&sinfo(&format(&NODES))?),
        all_nodes: nodes(&sinfo(&all)?),
        here: std::env::var("SLURMD_NODENAME").ok().and_then(|node| {
            let about = output("sinfo", &["--noheader", "--exact", "--nodes", &node, "--format", &all]).ok()?;
            nodes(&about).into_iter().next()
        }),
    })
}

/// Groups of sinfo that differ in features alone are one kind, which has the features of all; the most numerous comes first.
fn kinds_of(groups: &[NodeGroup]) -> Vec<(Kind, Vec<String>)> {
    let mut kinds: Vec<(Kind, Vec<String>)> = Vec::new();
    for group in groups {
        if let Some((kind, features)) = kinds.iter_mut().find(|(kind, _)| is_of(kind, group)) {
            kind.count = kind.count.map(|count| count + group.count);
            features.retain(|feature| group.features.contains(feature));
            continue;
        }
        let kind = Kind {
            count: Some(group.count),
            sockets: Some(group.sockets),
            cores: Some(group.sockets * group.cores_per_socket),
            threads_per_core: Some(group.threads_per_core),
            memory_gib: Some((group.memory_mib / 1024).max(1)),
            ..Kind::default()
        };
        kinds.push((kind, group.features.clone()));
    }
    kinds.sort_by_key(|(kind, _)| std::cmp::Reverse(kind.count));
    let features: Vec<Vec<String>> = kinds.iter().map(|(_, features)| features.clone()).collect();
    for (i, (kind, _)) in kinds.iter_mut().enumerate() {
        let others = features.iter().enumerate().filter(|(other, _)| *other != i).map(|(_, features)| features);
        let own =
            |feature: &&String| others.clone().all(|other| !other.contains(feature)) && plain(feature) == **feature;
        kind.constraint = features[i].iter().find(own).filter(|_| features.len() > 1).cloned();
        kind.name = match (&kind.constraint, features.len()) {
            (_, 1) => "compute".to_owned(),
            (Some(feature), _) => feature.clone(),
            (None, _) => format!("c{}-{}g", kind.cores.unwrap_or(0), kind.memory_gib.unwrap_or(0)),
        };
    }
    // two kinds may differ in sockets or threads alone
    for i in 1..kinds.len() {
        if kinds[..i].iter().any(|(kind, _)| kind.name == kinds[i].0.name) {
            kinds[i].0.name = format!("{}-{}", kinds[i].0.name, i + 1);
        }
    }
    kinds
}

fn is_of(kind: &Kind, group: &NodeGroup) -> bool {
    (kind.sockets, kind.cores, kind.threads_per_core, kind.memory_gib)
        == (
            Some(group.sockets),
            Some(group.sockets * group.cores_per_socket),
            Some(group.threads_per_core),
            Some((group.memory_mib / 1024).max(1)),
        )
}

/// Reads `scontrol show config`: lines `Key = value`.
fn config(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let (key, value) = line.split_once('=')?;
        Some((key.trim().to_owned(), value.trim().to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

/// Reads sinfo's lines of [`PARTITIONS`]. Partitions that take no jobs are left out.
fn partitions(text: &str) -> Vec<Partition> {
    text.lines().filter_map(partition).collect()
}

fn partition(line: &str) -> Option<Partition> {
    let words: Vec<&str> = line.trim().split(SEPARATOR).collect();
    let [name, marked, state, time, job_nodes, sharing, for_root, nodes] = words[..] else { return None };
    let size: u32 = nodes.parse().ok()?;
    let (least, most) = job_nodes.split_once('-').unwrap_or((job_nodes, job_nodes));
    (state == "up" && size > 0 && for_root != "yes").then(|| Partition {
        name: name.to_owned(),
        default: marked.ends_with('*'),
        min_nodes: least.parse().unwrap_or(1).max(1),
        max_nodes: most.parse().unwrap_or(size).clamp(1, size),
        max_walltime: walltime(time),
        exclusive: sharing == "EXCLUSIVE",
    })
}

/// Reads a time as sinfo writes it: `1-00:00:00`, `12:00:00`; `infinite` and more than 999 hours are no limit.
fn walltime(text: &str) -> Option<Walltime> {
    let (days, clock) = text.split_once('-').unwrap_or(("0", text));
    // below an hour it writes 30:00
    let clock = if clock.matches(':').count() == 1 { format!("00:{clock}") } else { clock.to_owned() };
    let (hours, rest) = clock.split_once(':')?;
    let hours = days.parse::<u32>().ok()?.checked_mul(24)?.checked_add(hours.parse().ok()?)?;
    format!("{hours:02}:{rest}").parse().ok()
}

/// Reads sinfo's lines of [`NODES`].
fn nodes(text: &str) -> Vec<NodeGroup> {
    text.lines().filter_map(group).collect()
}

fn group(line: &str) -> Option<NodeGroup> {
    let words: Vec<&str> = line.trim().split(SEPARATOR).collect();
    let [partition, count, sockets, cores, threads, memory, features] = words[..] else { return None };
    Some(NodeGroup {
        partition: partition.to_owned(),
        count: count.parse().ok()?,
        sockets: sockets.parse().ok()?,
        cores_per_socket: cores.parse().ok()?,
        threads_per_core: threads.parse().ok()?,
        // without --exact sinfo writes 256000+ for the least of several
        memory_mib: memory.trim_end_matches('+').parse().ok()?,
        features: features.split(',').filter(|word| *word != "(null)").map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_a_real_slurm() {
        let config = config(include_str!("../../../tests/survey/slurm-config.txt"));
        assert_eq!((config["SLURM_VERSION"].as_str(), config["ClusterName"].as_str()), ("22.05.8", "vslurm"));
        assert_eq!(config["TaskPlugin"], "task/affinity");
        let partitions = partitions(include_str!("../../../tests/survey/slurm-partitions.txt"));
        let day = "24:00:00".parse().ok();
        let shared = Partition {
            name: "shared".into(),
            default: false,
            min_nodes: 1,
            max_nodes: 4,
            max_walltime: day,
            exclusive: false,
        };
        let compute = Partition { name: "compute".into(), default: true, exclusive: true, ..shared };
        assert_eq!(partitions, [compute, shared]);
        let nodes = nodes(include_str!("../../../tests/survey/slurm-sinfo.txt"));
        assert_eq!(nodes.len(), 2);
        let NodeGroup { count, sockets, cores_per_socket, threads_per_core, memory_mib, .. } = nodes[0];
        assert_eq!((count, sockets, cores_per_socket, threads_per_core, memory_mib), (4, 2, 16, 2, 256_000));
        assert_eq!((nodes[0].partition.as_str(), nodes[0].features.as_slice()), ("compute", &["cpu".to_owned()][..]));
    }

    #[test]
    fn times_as_sinfo_writes_them() {
        let text = |text| walltime(text).map(|walltime: Walltime| walltime.to_string());
        assert_eq!(text("1-00:00:00").as_deref(), Some("24:00:00"));
        assert_eq!(text("7-12:30:00").as_deref(), Some("180:30:00"));
        assert_eq!(text("30:00").as_deref(), Some("00:30:00"));
        for none in ["infinite", "365-00:00:00", "NONE", "", "9999999999-00:00:00"] {
            assert_eq!(text(none), None, "{none}");
        }
    }

    #[test]
    fn partitions_that_take_no_jobs_are_left_out() {
        let of = |line: &str| partitions(&line.replace('|', &SEPARATOR.to_string()));
        for line in ["a|a|down|infinite|1-4|NO|no|9", "a|a|up|infinite|1-4|NO|yes|9", "a|a|up|infinite|1-4|NO|no|0"] {
            assert_eq!(of(line), [], "{line}");
        }
        let up = of("a|a*|up|infinite|2-infinite|NO|no|9");
        assert_eq!((up[0].min_nodes, up[0].max_nodes, up[0].max_walltime, up[0].default), (2, 9, None, true));
        assert_eq!(of("a|a|up|30:00|1-4|NO|no|9")[0].max_nodes, 4);
        assert_eq!(partitions("").len() + nodes("broken|line").len(), 0);
    }
}
