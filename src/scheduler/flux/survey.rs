//! What Flux says of itself: queues and kinds of nodes.

use crate::scheduler::ask::ask as output;
use crate::scheduler::surveyed::{Kind, Row, Surveyed, plain};
use crate::site::Walltime;

/// A line for each queue: its name, that with a star if it is the default, whether it takes jobs, its limits.
const QUEUES: &str = "{queue}|{queuem}|{enabled.ascii}|{limits.timelimit}|{limits.min.nnodes}|{limits.max.nnodes}";
/// A line for each group of nodes in a state: the queues and properties that they have, nodes, cores.
const NODES: &str = "{queue}|{properties}|{nnodes}|{ncores}";

/// Asks flux resource and flux queue; `None` where no Flux answers.
pub fn ask() -> Option<Surveyed> {
    let nodes = ["resource", "list", "--states=free,allocated,down", "--no-header", "--format", NODES];
    let nodes = output("flux", &nodes).ok()?;
    let queues = output("flux", &["queue", "list", "--no-header", "--format", QUEUES]).unwrap_or_default();
    let version = output("flux", &["version"]).ok();
    Some(Surveyed { version: version.and_then(|text| self::version(&text)), ..surveyed(&nodes, &queues) })
}

/// Reads `commands:    0.88.0`.
fn version(text: &str) -> Option<String> {
    text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}

fn surveyed(nodes: &str, queues: &str) -> Surveyed {
    let mut kinds: Vec<Group> = Vec::new();
    for group in nodes.lines().filter_map(group) {
        match kinds.iter_mut().find(|kind| kind.is_like(&group)) {
            Some(kind) => kind.count += group.count,
            None => kinds.push(group),
        }
    }
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
    let several = kinds.len() > 1;
    let total: u32 = kinds.iter().map(|kind| kind.count).sum();
    let name = |index: usize| if index == 0 { "compute".to_owned() } else { format!("compute-{}", index + 1) };
    let mut rows: Vec<Row> = queues.lines().filter_map(|line| row(line, total)).collect();
    if several {
        for row in &mut rows {
            let has = |(_, kind): &(usize, &Group)| kind.queues.contains(&row.name);
            row.node_types = kinds.iter().enumerate().filter(has).map(|(index, _)| name(index)).collect();
        }
    }
    rows.sort_by_key(|row| row.on_request);
    Surveyed {
        kind: "flux",
        launcher: Some("flux"),
        cpu_bind: &["none", "scheduler", "mask"],
        limits_command: "flux queue list",
        always: &["--bank={account}"],
        on_a_node: "flux run -N1 -n1",
        kinds: kinds.iter().enumerate().map(|(index, kind)| kind.named(&name(index), !several)).collect(),
        rows,
        ..Surveyed::default()
    }
}

/// Nodes that are alike.
struct Group {
    queues: Vec<String>,
    properties: String,
    count: u32,
    cores: u32,
}

impl Group {
    fn is_like(&self, other: &Group) -> bool {
        // a state that no node is in has a line for each queue
        (self.cores, &self.properties, &self.queues) == (other.cores, &other.properties, &other.queues)
    }

    fn named(&self, name: &str, own: bool) -> Kind {
        Kind { count: Some(self.count), cores: Some(self.cores), own, ..Kind::named(name) }
    }
}

fn group(line: &str) -> Option<Group> {
    let words: Vec<&str> = line.trim().split('|').collect();
    let [queues, properties, nodes, cores] = words[..] else { return None };
    let (count, cores): (u32, u32) = (nodes.parse().ok()?, cores.parse().ok()?);
    (count > 0).then(|| Group {
        queues: queues.split(',').map(str::to_owned).collect(),
        properties: properties.to_owned(),
        count,
        cores: cores / count,
    })
}

/// A queue that takes jobs. A Flux without queues has one without a name.
fn row(line: &str, total: u32) -> Option<Row> {
    let words: Vec<&str> = line.trim().split('|').collect();
    let [name, marked, takes, time, least, most] = words[..] else { return None };
    let most = most.parse().unwrap_or(total).min(total).max(1);
    takes.starts_with('y').then(|| Row {
        name: if name.is_empty() { "default".to_owned() } else { plain(name) },
        submit_as: if name.is_empty() { String::new() } else { format!("--queue={name}") },
        min_nodes: least.parse().unwrap_or(1).clamp(1, most),
        max_nodes: Some(most),
        min_walltime: None,
        max_walltime: walltime(time),
        node_types: Vec::new(),
        on_request: !(name.is_empty() || marked.ends_with('*')),
        limits: Vec::new(),
    })
}

/// Reads seconds, `86400.0`; `inf` and more than 999 hours are no limit.
fn walltime(text: &str) -> Option<Walltime> {
    let seconds = text.split('.').next()?.parse::<u32>().ok()?;
    (1..3_600_000).contains(&seconds).then_some(Walltime { seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_of_a_real_flux() {
        let nodes = include_str!("../../../tests/survey/flux-resource.txt");
        let surveyed = surveyed(nodes, include_str!("../../../tests/survey/flux-queue.txt"));
        let kinds: Vec<_> = surveyed.kinds.iter().map(|kind| (kind.name.as_str(), kind.count, kind.cores)).collect();
        assert_eq!(kinds, [("compute", Some(6), Some(8))]);
        let row = |row: &Row| {
            (row.submit_as.clone(), row.max_nodes, row.max_walltime.map(|time| time.seconds), row.on_request)
        };
        assert_eq!(
            surveyed.rows.iter().map(row).collect::<Vec<_>>(),
            [
                ("--queue=batch".to_owned(), Some(6), Some(86_400), false),
                ("--queue=debug".to_owned(), Some(2), Some(3600), true)
            ]
        );
        assert_eq!(version(include_str!("../../../tests/survey/flux-version.txt")).as_deref(), Some("0.88.0"));
    }

    #[test]
    fn a_flux_without_queues_has_one_without_a_name() {
        let rows = surveyed("||4|8\n", "||y|inf|0|inf\n").rows;
        assert_eq!((rows[0].name.as_str(), rows[0].submit_as.as_str(), rows[0].max_nodes), ("default", "", Some(4)));
        assert_eq!((rows[0].max_walltime, rows[0].on_request), (None, false));
        assert_eq!(surveyed("nonsense\n", "x|y\n").rows.len(), 0);
    }
}
