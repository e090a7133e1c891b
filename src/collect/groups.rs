//! What plots stand against, and which runs belong on one line: those that differ only in that axis and the repeat.
//!
//! The axis is client nodes; where all runs have the same number of those and differ in clients per node, it is these.
//! What was measured counts beside what was asked: runs of another wire or another version of the store are never joined.

use std::collections::{BTreeMap, BTreeSet};

use crate::collect::model::Run;
use crate::collect::params::{COLUMNS, FOLLOWS, Value};

const CLIENT_NODES: &str = "client_nodes";
const CLIENTS_PER_NODE: &str = "clients_per_node";
const SOURCE: &str = "source";
const STORE: &str = "store";
const WORKLOAD: &str = "workload";

/// The label where there is nothing to tell apart.
pub const ALIKE: &str = "all runs";

/// Columns in which runs of one line may differ beside the axis: the repeat, and what follows from both.
const FREE: &[&str] = &[
    "repeat",
    // which nodes: another set of them is the same measurement
    "db_hosts",
    "db_address",
    // what was used counts
    "wire_asked",
];

/// Columns that no manifest has.
const FOUND: [&str; 3] = [SOURCE, "wire", "server"];

/// Columns whose values say by themselves what they are.
const BARE: [&str; 10] =
    ["site", "scheduler", "launcher", "deployment", "net_ifname", "transport", "store", "server", "source", "workload"];

/// The lines of a plot.
#[derive(Debug, PartialEq, Eq)]
pub struct Groups {
    /// The column that plots stand against.
    pub axis: &'static str,
    /// What tells each line from the others, in order.
    pub labels: Vec<String>,
    /// For each run its line; absent where it has nothing to compare.
    pub of_run: Vec<Option<usize>>,
}

/// (column, value) of all that makes a run's line.
pub type Key = Vec<(&'static str, Option<Value>)>;

/// Sorts runs into lines.
pub fn groups(runs: &[Run]) -> Groups {
    let axis = axis(runs);
    let keys: Vec<Option<Key>> = runs.iter().map(|run| key(run, &[axis])).collect();
    let mut lines: BTreeMap<&Key, usize> = keys.iter().flatten().map(|key| (key, 0)).collect();
    lines.values_mut().enumerate().for_each(|(index, line)| *line = index);
    let labels = labels(&lines.keys().copied().collect::<Vec<_>>());
    Groups { axis, labels, of_run: keys.iter().map(|key| Some(lines[key.as_ref()?])).collect() }
}

/// What tells each key from the others, in words.
pub fn labels(keys: &[&Key]) -> Vec<String> {
    let differs = |at: usize| keys.iter().any(|key| key[at] != keys[0][at]);
    let differing: Vec<usize> =
        (0..keys.first().map_or(0, |key| key.len())).filter(|at| differs(*at) && !is_implied(keys, *at)).collect();
    let label = |key: &&Key| {
        let label = differing.iter().filter_map(|at| say(&key[*at])).collect::<Vec<_>>().join(", ");
        if label.is_empty() { ALIKE.to_owned() } else { label }
    };
    keys.iter().map(label).collect()
}

/// Whether another column says it already: some sources of results do not record a column, and some stores or workloads do not have what
/// it counts, while all others agree on it.
fn is_implied(keys: &[&Key], at: usize) -> bool {
    [SOURCE, STORE, WORKLOAD].into_iter().filter(|by| keys.iter().all(|key| key[at].0 != *by)).any(|by| {
        let kind = |key: &Key| key.iter().find(|(column, _)| *column == by).cloned();
        let mut by_kind: BTreeMap<_, BTreeSet<&Option<Value>>> = BTreeMap::new();
        for key in keys {
            by_kind.entry(kind(key)).or_default().insert(&key[at].1);
        }
        by_kind.len() > 1
            && by_kind.values().all(|values| values.len() == 1)
            && by_kind.values().any(|values| values.contains(&None))
    })
}

/// The axis of most plots.
pub fn axis(runs: &[Run]) -> &'static str {
    let values = |column| {
        let measuring = runs.iter().filter(|run| is_drawn(run));
        measuring.filter_map(|run| run.params.get(column)).collect::<BTreeSet<_>>().len()
    };
    if values(CLIENT_NODES) <= 1 && values(CLIENTS_PER_NODE) > 1 { CLIENTS_PER_NODE } else { CLIENT_NODES }
}

fn is_drawn(run: &Run) -> bool {
    run.state.is_comparable() && !run.sizes().is_empty()
}

/// What a run shares with those of its line; the `free` columns may differ. Absent where it has nothing to compare.
pub fn key(run: &Run, free: &[&str]) -> Option<Key> {
    if !is_drawn(run) {
        return None;
    }
    let asked = COLUMNS
        .iter()
        .map(|(column, _)| *column)
        .filter(|column| !FREE.contains(column) && !FOLLOWS.contains(column) && !free.contains(column));
    let mut key: Key = asked.map(|column| (column, run.params.get(column).cloned())).collect();
    let found = FOUND.iter().filter(|column| !free.contains(column));
    key.extend(found.map(|column| (*column, value(run, column))));
    Some(key)
}

/// What a run was asked in a column, or what it found out.
pub fn value(run: &Run, column: &str) -> Option<Value> {
    match (column, &run.measured) {
        ("server", Some(measured)) => Some(Value::Text(measured.server.clone())),
        ("wire", Some(measured)) => Some(Value::Text(measured.wire.clone())),
        (SOURCE, _) => Some(Value::Text(run.source.as_str().to_owned())),
        _ => run.params.get(column).cloned(),
    }
}

/// What a column is called in plots, and whether its values say by themselves what they are.
pub fn title(column: &str) -> (String, bool) {
    let label = match column {
        "db_nodes" => "DB nodes".to_owned(),
        "db_cpus" => "DB CPUs".to_owned(),
        "servers_per_node" => "servers/node".to_owned(),
        "cpu_bind" => "CPU binding".to_owned(),
        "net_ifname" => "interface".to_owned(),
        "io_threads" => "I/O threads".to_owned(),
        other => other.replace('_', " "),
    };
    (label, BARE.contains(&column))
}

/// A value that says what it is; absent where there is none.
pub fn say((column, value): &(&str, Option<Value>)) -> Option<String> {
    let value = value.as_ref()?;
    Some(match *column {
        "db_nodes" => format!("{value} DB nodes"),
        "db_cpus" => format!("{value} DB CPUs"),
        "clients_per_node" => format!("{value} clients/node"),
        "servers_per_node" => format!("{value} servers/node"),
        "io_threads" => format!("{value} I/O threads"),
        bare if BARE.contains(&bare) => value.to_string(),
        other => format!("{} {value}", other.replace('_', " ")),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::collect::model::{Measured, State};
    use crate::collect::params::Params;
    use crate::record::manifest::example;

    /// A run of one size without figures.
    pub(crate) fn run(client_nodes: u32, db_nodes: Option<u32>, repeat: u32, server: &str) -> Run {
        let mut manifest = example();
        (manifest.job.client_nodes, manifest.job.db_nodes, manifest.job.repeat) = (client_nodes, db_nodes, repeat);
        Run {
            path: String::new(),
            name: String::new(),
            source: crate::collect::model::Source::ShardScale,
            placement: None,
            timeline: Default::default(),
            params: Params::of_manifest(&manifest).unwrap(),
            state: State::Done,
            reason: String::new(),
            notes: Vec::new(),
            attempt: Some(1),
            pack: None,
            sizes_total: 0,
            measured: Some(Measured {
                ranks: 1,
                hosts: 1,
                host_names: Vec::new(),
                host_ratios: Vec::new(),
                ranks_per_shard: Vec::new(),
                wire: "plain".into(),
                server: server.into(),
                window_error_ns: 0,
                facts: Vec::new(),
                sizes: vec![crate::collect::model::SizeResult {
                    payload_bytes: 1024,
                    size_index: 0,
                    window_ns: None,
                    overlap_gb_per_s: None,
                    classic_gb_per_s: None,
                    iteration_gb_per_s: None,
                    iteration_gb_per_s_ci95: None,
                    shard_gb_per_s: Vec::new(),
                    ops: Vec::new(),
                    application: Vec::new(),
                }],
                alone: None,
                ranks_standing: Default::default(),
                hosts_standing: Default::default(),
                shards_standing: Default::default(),
            }),
        }
    }

    #[test]
    fn nodes_and_repeats_share_a_line_and_a_failed_run_has_none() {
        let mut runs = vec![run(4, Some(16), 1, "redis"), run(8, Some(4), 1, "redis"), run(8, Some(16), 2, "redis")];
        runs.push(Run { state: State::Invalid, ..run(1, Some(4), 1, "redis") });
        let groups = groups(&runs);
        assert_eq!(groups.labels, ["4 DB nodes", "16 DB nodes"]);
        assert_eq!(groups.of_run, [Some(1), Some(0), Some(1), None]);
    }

    #[test]
    fn on_one_node_the_axis_is_its_clients() {
        let mut runs = vec![run(1, Some(4), 1, "redis"), run(1, Some(4), 1, "redis")];
        assert_eq!(groups(&runs).axis, "client_nodes");
        runs[1].params.set("clients_per_node", Some(Value::Count(4)));
        let one_node = groups(&runs);
        assert_eq!((one_node.axis, one_node.of_run), ("clients_per_node", vec![Some(0), Some(0)]));
        runs[1].params.set("client_nodes", Some(Value::Count(2)));
        assert_eq!(groups(&runs).labels, ["2 clients/node", "4 clients/node"]);
    }

    #[test]
    fn another_server_is_another_line() {
        let groups = groups(&[run(4, None, 1, "redis 7"), run(8, None, 1, "redis 8")]);
        assert_eq!(groups.labels, ["redis 7", "redis 8"]);
    }

    #[test]
    fn what_only_one_source_records_is_said_by_its_name() {
        let mut runs = vec![run(4, Some(4), 1, "redis 7"), run(8, Some(16), 1, "redis 7")];
        for old in runs.clone() {
            let mut old = Run { source: crate::collect::model::Source::SmartSimScaling, ..old };
            for (column, _) in COLUMNS.iter().filter(|(column, _)| !matches!(*column, CLIENT_NODES | "db_nodes")) {
                old.params.set(column, None);
            }
            // what both record and differ in is said
            old.params.set(CLIENTS_PER_NODE, Some(Value::Count(48)));
            runs.push(old);
        }
        let labels = groups(&runs).labels;
        assert_eq!(labels.len(), 4);
        assert!(labels.iter().any(|label| label == "48 clients/node, 4 DB nodes, SmartSim-Scaling"), "{labels:?}");
        assert!(labels.iter().all(|label| label.len() < 60), "{labels:?}");
    }

    #[test]
    fn alike_runs_need_no_telling_apart() {
        assert_eq!(groups(&[run(4, None, 1, "redis")]).labels, ["all runs"]);
        assert_eq!(groups(&[]), Groups { axis: "client_nodes", labels: vec![], of_run: vec![] });
    }
}
