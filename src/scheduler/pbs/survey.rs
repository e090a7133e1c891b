//! What PBS says of itself: queues and kinds of nodes.

use std::collections::BTreeMap;

use crate::scheduler::ask::ask as output;
use crate::scheduler::surveyed::{Kind, Row, Surveyed, plain};
use crate::site::{Scope, Walltime};

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pbs {
    pub version: Option<String>,
    pub queues: Vec<PbsQueue>,
    pub nodes: Vec<PbsNodes>,
    /// What the node is on which this runs; `None` where that is none of PBS'.
    pub here: Option<PbsNodes>,
}

/// A queue that takes jobs, or one that a routing queue hands on to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PbsQueue {
    pub name: String,
    /// Where a routing queue hands on to; empty for a queue that runs jobs.
    pub destinations: Vec<String>,
    /// Jobs come from a routing queue alone.
    pub from_route_only: bool,
    pub min_nodes: Option<u32>,
    pub max_nodes: Option<u32>,
    pub min_walltime: Option<Walltime>,
    pub max_walltime: Option<Walltime>,
    /// Jobs that may run and that may wait, for each user or project.
    pub max_run: Option<(Scope, u32)>,
    pub max_queued: Option<(Scope, u32)>,
}

/// Nodes that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PbsNodes {
    pub count: u32,
    pub ncpus: u32,
    pub memory_gib: u64,
}

impl PbsNodes {
    /// Whether both are of one kind.
    pub fn is_like(&self, other: &PbsNodes) -> bool {
        (self.ncpus, self.memory_gib) == (other.ncpus, other.memory_gib)
    }
}

impl Pbs {
    /// The same in terms of site files.
    pub fn surveyed(&self) -> Surveyed {
        let kind = |(i, nodes): (usize, &PbsNodes)| Kind {
            name: if i == 0 { "compute".into() } else { format!("n{}-{}g", nodes.ncpus, nodes.memory_gib) },
            count: Some(nodes.count),
            memory_gib: (nodes.memory_gib > 0).then_some(nodes.memory_gib),
            ncpus: Some(nodes.ncpus),
            own: self.nodes.len() == 1 || self.here.as_ref().is_some_and(|own| own.is_like(nodes)),
            ..Kind::default()
        };
        let mut kinds: Vec<Kind> = self.nodes.iter().enumerate().map(kind).collect();
        if kinds.is_empty() {
            kinds.push(Kind::named("compute"));
        }
        Surveyed {
            kind: "pbs",
            version: self.version.clone(),
            cpu_bind: &["none", "mask"],
            limits_command: "qstat -Qf",
            always: &["-A {account}", "-l place=scatter:excl"],
            on_a_node: "a job on one node:",
            kinds,
            rows: self
                .queues
                .iter()
                .filter(|queue| !queue.from_route_only)
                .flat_map(|queue| self.rows(queue))
                .collect(),
            ..Surveyed::default()
        }
    }

    /// A queue, or those that it hands on to.
    fn rows(&self, queue: &PbsQueue) -> Vec<Row> {
        let total: u32 = self.nodes.iter().map(|nodes| nodes.count).sum();
        let targets: Vec<_> = self.queues.iter().filter(|target| queue.destinations.contains(&target.name)).collect();
        let row = |target: &PbsQueue| {
            let name = if target.name == queue.name {
                plain(&queue.name)
            } else {
                plain(&format!("{}-{}", queue.name, target.name))
            };
            let limit = |counts, limit: Option<(Scope, u32)>| limit.map(|(scope, most)| (counts, scope, most));
            let max_nodes = target.max_nodes.map(|most| if total > 0 { most.min(total) } else { most });
            Row {
                name,
                submit_as: format!("-q {}", queue.name),
                min_nodes: target.min_nodes.unwrap_or(1).max(1),
                max_nodes: max_nodes.map(|most| most.max(target.min_nodes.unwrap_or(1))),
                min_walltime: target.min_walltime,
                max_walltime: target.max_walltime,
                node_types: Vec::new(),
                on_request: false,
                limits: [limit("running", target.max_run), limit("queued", target.max_queued)]
                    .into_iter()
                    .flatten()
                    .collect(),
            }
        };
        if targets.is_empty() { vec![row(queue)] } else { targets.into_iter().map(row).collect() }
    }
}

/// Asks qstat and pbsnodes, the latter about `host` as well; `None` where there is no PBS or it does not answer.
pub fn ask(host: &str) -> Option<Pbs> {
    let queues = queues(&output("qstat", &["-Qf"]).ok()?);
    // Slurm's imitation of qstat knows no -Qf
    (!queues.is_empty()).then(|| Pbs {
        version: output("qstat", &["--version"]).ok().and_then(|text| version(&text)),
        queues,
        nodes: nodes(&output("pbsnodes", &["-a"]).unwrap_or_default()),
        here: nodes(&output("pbsnodes", &[host]).unwrap_or_default()).into_iter().next(),
    })
}

/// Reads `pbs_version = 23.06.06`.
fn version(text: &str) -> Option<String> {
    Some(text.split_once("pbs_version = ")?.1.split_whitespace().next()?.to_owned())
}

/// Blocks of indented `key = value` lines under a heading; a line that begins with a tab continues the one before.
fn blocks(text: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut blocks: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    let mut last = String::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match blocks.last_mut() {
            Some((_, values)) if line.starts_with('\t') => {
                if let Some(value) = values.get_mut(&last) {
                    value.push_str(line.trim());
                }
            }
            Some((_, values)) if line.starts_with(' ') => {
                let Some((key, value)) = line.split_once(" = ") else { continue };
                key.trim().clone_into(&mut last);
                values.insert(last.clone(), value.trim().to_owned());
            }
            _ => blocks.push((line.trim().trim_start_matches("Queue: ").to_owned(), BTreeMap::new())),
        }
    }
    blocks
}

/// Reads `qstat -Qf`. Queues that are not enabled or not started are left out.
fn queues(text: &str) -> Vec<PbsQueue> {
    let open = |values: &BTreeMap<String, String>| {
        ["enabled", "started"].iter().all(|key| values.get(*key).is_some_and(|value| value == "True"))
    };
    blocks(text).into_iter().filter(|(_, values)| open(values)).map(|(name, values)| queue(name, &values)).collect()
}

fn queue(name: String, values: &BTreeMap<String, String>) -> PbsQueue {
    let text = |key: &str| values.get(key).map(String::as_str);
    let number = |key: &str| text(key).and_then(|text| text.parse().ok());
    let time = |key: &str| text(key).and_then(walltime);
    let destinations = text("route_destinations").unwrap_or_default();
    PbsQueue {
        name,
        destinations: destinations.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        from_route_only: text("from_route_only") == Some("True"),
        min_nodes: number("resources_min.nodect"),
        max_nodes: number("resources_max.nodect"),
        min_walltime: time("resources_min.walltime"),
        max_walltime: time("resources_max.walltime"),
        max_run: text("max_run").and_then(per_head),
        max_queued: text("max_queued").and_then(per_head),
    }
}

/// Reads a time as PBS writes it, HH:MM:SS with as many digits of hours as it takes.
fn walltime(text: &str) -> Option<Walltime> {
    let hours = text.split(':').next()?.parse::<u32>().ok()?;
    format!("{hours:02}:{}", text.split_once(':')?.1).parse().ok()
}

/// Reads a limit for everybody by himself: `[u:PBS_GENERIC=10]`, `[o:PBS_ALL=500], [p:PBS_GENERIC=20]`.
fn per_head(text: &str) -> Option<(Scope, u32)> {
    let words = text.split(',').map(|word| word.trim().trim_matches(['[', ']']));
    words.filter_map(|word| word.split_once("PBS_GENERIC=")).find_map(|(kind, most)| {
        let scope = match kind {
            "u:" => Scope::User,
            "p:" => Scope::Project,
            _ => return None,
        };
        Some((scope, most.trim_matches('"').parse().ok()?))
    })
}

/// Reads `pbsnodes -a`: nodes that are alike become one entry, the most numerous first.
fn nodes(text: &str) -> Vec<PbsNodes> {
    let mut counts: BTreeMap<(u32, u64), u32> = BTreeMap::new();
    for (_, values) in blocks(text) {
        let resource = |name: &str| values.get(&format!("resources_available.{name}"));
        let Some(ncpus) = resource("ncpus").and_then(|text| text.parse().ok()) else { continue };
        let memory = resource("mem").and_then(|text| memory_gib(text)).unwrap_or(0);
        if ncpus > 0 {
            *counts.entry((ncpus, memory)).or_default() += 1;
        }
    }
    let mut nodes: Vec<PbsNodes> =
        counts.into_iter().map(|((ncpus, memory_gib), count)| PbsNodes { count, ncpus, memory_gib }).collect();
    nodes.sort_by_key(|nodes| std::cmp::Reverse(nodes.count));
    nodes
}

/// Reads `263867812kb`, `251gb`, `512mb`, `1tb`.
fn memory_gib(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "b" | "" => Some(number >> 30),
        "kb" => Some(number >> 20),
        "mb" => Some(number >> 10),
        "gb" => Some(number),
        "tb" => number.checked_mul(1024),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_in_the_format_of_the_manual() {
        let queues = queues(include_str!("../../../tests/survey/qstat-Qf.txt"));
        let names: Vec<&str> = queues.iter().map(|queue| queue.name.as_str()).collect();
        assert_eq!(names, ["prod", "small", "medium", "debug"], "the stopped queue is left out");
        assert_eq!(queues[0].destinations, ["small", "medium"], "a list that goes over two lines");
        let small = &queues[1];
        assert!(small.from_route_only);
        assert_eq!((small.min_nodes, small.max_nodes), (Some(10), Some(24)));
        assert_eq!(small.max_walltime, "03:00:00".parse().ok());
        assert_eq!(small.max_run, Some((Scope::Project, 10)));
        assert_eq!(queues[3].max_queued, Some((Scope::User, 1)));
        assert_eq!(queues[3].min_walltime, "00:05:00".parse().ok());
    }

    #[test]
    fn nodes_that_are_alike_are_one_kind() {
        let nodes = nodes(include_str!("../../../tests/survey/pbsnodes-a.txt"));
        assert_eq!(
            nodes,
            [PbsNodes { count: 2, ncpus: 64, memory_gib: 503 }, PbsNodes { count: 1, ncpus: 128, memory_gib: 251 }]
        );
    }

    #[test]
    fn versions_sizes_and_limits() {
        assert_eq!(version("pbs_version = 23.06.06\n").as_deref(), Some("23.06.06"));
        assert_eq!(["1073741824b", "2097152kb", "2tb", "x"].map(memory_gib), [Some(1), Some(2), Some(2048), None]);
        assert_eq!(per_head("[o:PBS_ALL=500]"), None);
        assert_eq!(per_head("[o:PBS_ALL=500], [u:PBS_GENERIC=20]"), Some((Scope::User, 20)));
        assert_eq!(walltime("168:00:00").map(|time| time.seconds), Some(604_800));
        assert_eq!(queues("").len() + queues("nonsense\nmore").len(), 0);
    }
}
