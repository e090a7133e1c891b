//! What Slurm says of itself: configuration, partitions, kinds of nodes.

use std::collections::BTreeMap;

use super::ask::output;
use crate::site::Walltime;

/// One line for each kind of node of each partition: partition, nodes, sockets, cores a socket, threads a core, MB, features.
pub const SINFO_FORMAT: &str = "%R|%D|%X|%Y|%Z|%m|%f";

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

/// Asks scontrol and sinfo; `None` where there is no Slurm or it does not answer.
pub fn ask() -> Option<Slurm> {
    let config = config(&output("scontrol", &["show", "config"])?);
    let word = |key: &str| config.get(key).map(String::as_str);
    let sinfo = |format: &str| output("sinfo", &["--noheader", "--exact", "--format", format]);
    // without the partition in the format, sinfo counts a node once
    let all = SINFO_FORMAT.replace("%R", "all");
    Some(Slurm {
        version: word("SLURM_VERSION").map(str::to_owned),
        cluster: word("ClusterName").map(str::to_owned),
        binds: word("TaskPlugin").is_some_and(|plugins| plugins.contains("affinity") || plugins.contains("cgroup")),
        needs_account: word("AccountingStorageEnforce").is_some_and(|words| words.contains("associations")),
        partitions: partitions(&output("scontrol", &["--oneliner", "show", "partition"])?),
        nodes: nodes(&sinfo(SINFO_FORMAT)?),
        all_nodes: nodes(&sinfo(&all)?),
        here: std::env::var("SLURMD_NODENAME").ok().and_then(|node| {
            let about = output("sinfo", &["--noheader", "--exact", "--nodes", &node, "--format", &all])?;
            nodes(&about).into_iter().next()
        }),
    })
}

/// Reads `scontrol show config`: lines `Key = value`.
fn config(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        let (key, value) = line.split_once('=')?;
        Some((key.trim().to_owned(), value.trim().to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

/// Reads `scontrol --oneliner show partition`: lines of `Key=value` words. Partitions that take no jobs are left out.
fn partitions(text: &str) -> Vec<Partition> {
    text.lines().filter_map(partition).collect()
}

fn partition(line: &str) -> Option<Partition> {
    let words: BTreeMap<&str, &str> = line.split_whitespace().filter_map(|word| word.split_once('=')).collect();
    let size: u32 = words.get("TotalNodes")?.parse().ok()?;
    let limit = words.get("MaxNodes").and_then(|text| text.parse::<u32>().ok()).unwrap_or(size);
    let up = *words.get("State")? == "UP" && size > 0 && words.get("RootOnly") != Some(&"YES");
    up.then(|| Partition {
        name: words["PartitionName"].to_owned(),
        default: words.get("Default") == Some(&"YES"),
        min_nodes: words.get("MinNodes").and_then(|text| text.parse().ok()).unwrap_or(1).max(1),
        max_nodes: limit.min(size).max(1),
        max_walltime: words.get("MaxTime").and_then(|text| walltime(text)),
        exclusive: words.get("OverSubscribe") == Some(&"EXCLUSIVE"),
    })
}

/// Reads a time as scontrol writes it: `1-00:00:00`, `12:00:00`; `UNLIMITED` and more than 999 hours are no limit.
fn walltime(text: &str) -> Option<Walltime> {
    let (days, clock) = text.split_once('-').unwrap_or(("0", text));
    let (hours, rest) = clock.split_once(':')?;
    let hours = days.parse::<u32>().ok()?.checked_mul(24)?.checked_add(hours.parse().ok()?)?;
    format!("{hours:02}:{rest}").parse().ok()
}

/// Reads sinfo's lines in [`SINFO_FORMAT`].
fn nodes(text: &str) -> Vec<NodeGroup> {
    text.lines().filter_map(group).collect()
}

fn group(line: &str) -> Option<NodeGroup> {
    let words: Vec<&str> = line.trim().split('|').collect();
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
        let config = config(include_str!("../../tests/survey/slurm-config.txt"));
        assert_eq!((config["SLURM_VERSION"].as_str(), config["ClusterName"].as_str()), ("22.05.8", "vslurm"));
        assert_eq!(config["TaskPlugin"], "task/affinity");
        let partitions = partitions(include_str!("../../tests/survey/slurm-partitions.txt"));
        let day = "24:00:00".parse().ok();
        let shared = Partition {
            name: "shared".into(),
            default: false,
            min_nodes: 1,
            max_nodes: 3,
            max_walltime: day,
            exclusive: false,
        };
        let compute = Partition { name: "compute".into(), default: true, exclusive: true, ..shared };
        assert_eq!(partitions, [compute, shared]);
        let nodes = nodes(include_str!("../../tests/survey/slurm-sinfo.txt"));
        assert_eq!(nodes.len(), 2);
        let NodeGroup { count, sockets, cores_per_socket, threads_per_core, memory_mib, .. } = nodes[0];
        assert_eq!((count, sockets, cores_per_socket, threads_per_core, memory_mib), (4, 2, 16, 2, 256_000));
        assert_eq!((nodes[0].partition.as_str(), nodes[0].features.as_slice()), ("compute", &["cpu".to_owned()][..]));
    }

    #[test]
    fn times_as_scontrol_writes_them() {
        let text = |text| walltime(text).map(|walltime: Walltime| walltime.to_string());
        assert_eq!(text("1-00:00:00").as_deref(), Some("24:00:00"));
        assert_eq!(text("7-12:30:00").as_deref(), Some("180:30:00"));
        assert_eq!(text("00:30:00").as_deref(), Some("00:30:00"));
        for none in ["UNLIMITED", "365-00:00:00", "NONE", "", "9999999999-00:00:00"] {
            assert_eq!(text(none), None, "{none}");
        }
    }

    #[test]
    fn partitions_that_take_no_jobs_are_left_out() {
        let line = "PartitionName=a MaxNodes=4 MaxTime=UNLIMITED MinNodes=0 State=DOWN TotalNodes=9";
        assert_eq!(partitions(line).len(), 0);
        let up = partitions(&line.replace("DOWN", "UP"));
        assert_eq!((up[0].max_nodes, up[0].max_walltime), (4, None));
        assert_eq!(partitions("").len() + nodes("broken|line").len(), 0);
    }
}
