//! The parameters in which runs differ, as the page filters, colours and labels by them.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::collect::groups::{title, value};
use crate::collect::model::Run;
use crate::collect::params::{COLUMNS, FOLLOWS, Value};

/// Columns in the order in which they are likely to tell most: the first that differs gives plots their colours.
pub const PREFER: [&str; 12] = [
    "workload",
    "db_nodes",
    "servers_per_node",
    "source",
    "deployment",
    "transport",
    "cpu_bind",
    "store",
    "server",
    "keys",
    "io_threads",
    "clients_per_node",
];

/// Columns that a label leaves out where the others tell runs apart without them.
pub const WEAK: [&str; 10] = [
    "net_ifname",
    "walltime_s",
    "launcher",
    "scheduler",
    "store",
    "wire",
    "transport",
    "db_cpus",
    "iterations",
    "warmup",
];

/// What plots stand against.
#[derive(Serialize)]
pub struct X {
    key: &'static str,
    label: String,
    /// The value of all runs, where they do not differ.
    value: Option<Value>,
}

/// A parameter in which runs differ.
#[derive(Serialize)]
pub struct Axis {
    pub key: &'static str,
    pub label: String,
    bare: bool,
    follows: bool,
    /// Some runs have no value.
    pub absent: bool,
    /// In order.
    pub values: Vec<Value>,
}

impl Axis {
    /// Somebody varied it: it follows from no other one.
    pub fn is_varied(&self) -> bool {
        !self.follows
    }

    /// Index of the run's value; -1 where it has none.
    pub fn index(&self, run: &Run) -> i32 {
        let index = value(run, self.key).and_then(|value| self.values.binary_search(&value).ok());
        index.map_or(-1, |index| index as i32)
    }
}

/// The columns in which `runs` differ, in the order of reports.
pub fn axes(runs: &[Run]) -> Vec<Axis> {
    let columns = COLUMNS.iter().map(|(column, _)| *column).chain(["wire", "server", "source"]);
    let axis = |column| {
        let is_measured = matches!(column, "wire" | "server");
        let asked: Vec<_> = runs.iter().filter(|run| !is_measured || run.measured.is_some()).collect();
        let values: BTreeSet<Value> = asked.iter().filter_map(|run| value(run, column)).collect();
        let absent = asked.iter().any(|run| value(run, column).is_none());
        let (label, bare) = title(column);
        // what only some stores or workloads have, and always the same, their name says
        let is_said_by = |by: &str| {
            column != by && {
                let kinds: BTreeSet<_> =
                    asked.iter().map(|run| (run.params.get(by), value(run, column).is_some())).collect();
                let names: BTreeSet<_> = kinds.iter().map(|(name, _)| name).collect();
                kinds.len() == names.len()
            }
        };
        let is_said = values.len() == 1 && absent && (is_said_by("store") || is_said_by("workload"));
        // of the wire, what was used counts
        let follows = FOLLOWS.contains(&column) || column == "wire_asked" || is_said;
        let axis = Axis { key: column, label, bare, follows, absent, values: values.into_iter().collect() };
        (axis.values.len() + usize::from(absent) > 1).then_some(axis)
    };
    columns.filter_map(axis).collect()
}

/// Client nodes; where all runs have the same number of those and differ in clients per node, these.
pub fn x(runs: &[Run]) -> X {
    let values = |column| runs.iter().filter_map(|run| run.params.get(column)).collect::<BTreeSet<_>>();
    let (nodes, per_node) = (values("client_nodes"), values("clients_per_node"));
    let (key, values) =
        if nodes.len() <= 1 && per_node.len() > 1 { ("clients_per_node", per_node) } else { ("client_nodes", nodes) };
    X { key, label: title(key).0, value: values.first().map(|value| (*value).clone()) }
}
