//! What the page's script draws from, as JSON. Times are in us, bandwidths in GB/s, an absent value is null.
//!
//! Figures of an op stand in a row without names, in the order of [`FIELDS`]: 500 runs have 11,000 such rows.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::collect::model::{OpResult, Run, SizeResult};
use crate::collect::params::{COLUMNS, Value};

/// What the row of an op holds.
const FIELDS: [&str; 11] =
    ["n", "min", "p5", "median", "ci_low", "ci_high", "p95", "p99", "max", "overlap", "median_gb"];

/// Columns that follow from others, or that make no other measurement: no reason to tell runs apart.
const FOLLOWS: &[&str] = &[
    "repeat",
    "sweep_tensor_bytes",
    "expected_nodes",
    "expected_ranks",
    "expected_servers",
    "walltime_s",
    "queue",
    "wire_asked",
];

/// Columns in the order in which they are likely to tell most: the first that differs gives plots their colours.
const PREFER: [&str; 9] =
    ["db_nodes", "deployment", "transport", "cpu_bind", "store", "server", "keys", "io_threads", "clients_per_node"];

/// Columns that a label leaves out where the others tell runs apart without them.
const WEAK: [&str; 8] = ["net_ifname", "walltime_s", "launcher", "scheduler", "store", "wire", "transport", "db_cpus"];

/// What a column is called in plots, and whether its values say by themselves what they are.
fn title(column: &str) -> (String, bool) {
    let bare = ["site", "scheduler", "launcher", "deployment", "net_ifname", "transport", "store", "server"];
    let label = match column {
        "db_nodes" => "DB nodes".to_owned(),
        "db_cpus" => "DB CPUs".to_owned(),
        "cpu_bind" => "CPU binding".to_owned(),
        "net_ifname" => "interface".to_owned(),
        "io_threads" => "I/O threads".to_owned(),
        "keys" => "keys".to_owned(),
        other => other.replace('_', " "),
    };
    (label, bare.contains(&column))
}

#[derive(Serialize)]
struct Data<'a> {
    fields: [&'static str; FIELDS.len()],
    prefer: [&'static str; PREFER.len()],
    weak: [&'static str; WEAK.len()],
    /// What plots stand against.
    x: X,
    axes: Vec<Axis>,
    runs: Vec<RunData<'a>>,
}

#[derive(Serialize)]
struct X {
    key: &'static str,
    label: String,
    /// The value of all runs, where they do not differ.
    value: Option<Value>,
}

/// A parameter in which runs differ.
#[derive(Serialize)]
struct Axis {
    key: &'static str,
    label: String,
    bare: bool,
    follows: bool,
    /// Some runs have no value.
    absent: bool,
    values: Vec<Value>,
}

#[derive(Serialize)]
struct RunData<'a> {
    name: &'a str,
    state: &'static str,
    comparable: bool,
    ranks: Option<u32>,
    repeat: Option<&'a Value>,
    /// For each axis the index of the run's value; -1 where it has none.
    at: Vec<i32>,
    sizes: Vec<SizeData>,
}

#[derive(Serialize)]
struct SizeData {
    bytes: u64,
    overlap: Option<Figure>,
    classic: Option<Figure>,
    ops: BTreeMap<&'static str, [Option<Figure>; FIELDS.len()]>,
}

/// A number with the six digits that a plot can show at most.
struct Figure(f64);

impl Serialize for Figure {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let short: f64 = format!("{:.5e}", self.0).parse().unwrap_or(self.0);
        if short.fract() == 0.0 && short.abs() < 1e15 {
            to.serialize_i64(short as i64)
        } else {
            to.serialize_f64(short)
        }
    }
}

/// The runs as JSON that may stand in a script element.
pub fn json(runs: &[Run]) -> Result<String> {
    let axes = axes(runs);
    let data = Data {
        fields: FIELDS,
        prefer: PREFER,
        weak: WEAK,
        x: x(runs),
        runs: runs.iter().map(|run| run_data(run, &axes)).collect(),
        axes,
    };
    let text = serde_json::to_string(&data).context("cannot encode the plots' data")?;
    // `</script>` and `<!--` in a name would end the element; no other character of JSON has a meaning there
    Ok(text.replace('<', "\\u003c"))
}

/// A run's value in a column: what it was asked, or what it found out.
fn value(run: &Run, column: &str) -> Option<Value> {
    match (column, &run.measured) {
        ("server", Some(measured)) => Some(Value::Text(measured.server.clone())),
        ("wire", Some(measured)) => Some(Value::Text(measured.wire.clone())),
        _ => run.params.get(column).cloned(),
    }
}

fn axes(runs: &[Run]) -> Vec<Axis> {
    let columns = COLUMNS.iter().map(|(column, _)| *column).chain(["wire", "server"]);
    let axis = |column| {
        let measured_only = matches!(column, "wire" | "server");
        let asked: Vec<_> = runs.iter().filter(|run| !measured_only || run.measured.is_some()).collect();
        let values: BTreeSet<Value> = asked.iter().filter_map(|run| value(run, column)).collect();
        let absent = asked.iter().any(|run| value(run, column).is_none());
        let (label, bare) = title(column);
        let follows = FOLLOWS.contains(&column) && column != "repeat";
        let axis = Axis { key: column, label, bare, follows, absent, values: values.into_iter().collect() };
        (axis.values.len() + usize::from(absent) > 1).then_some(axis)
    };
    columns.filter_map(axis).collect()
}

/// Client nodes; where all runs have the same number of those and differ in clients per node, these.
fn x(runs: &[Run]) -> X {
    let values = |column| runs.iter().filter_map(|run| run.params.get(column)).collect::<BTreeSet<_>>();
    let (nodes, per_node) = (values("client_nodes"), values("clients_per_node"));
    let (key, values) =
        if nodes.len() <= 1 && per_node.len() > 1 { ("clients_per_node", per_node) } else { ("client_nodes", nodes) };
    X { key, label: title(key).0, value: values.first().map(|value| (*value).clone()) }
}

fn run_data<'a>(run: &'a Run, axes: &[Axis]) -> RunData<'a> {
    let at = axes.iter().map(|axis| {
        let index = value(run, axis.key).and_then(|value| axis.values.binary_search(&value).ok());
        index.map_or(-1, |index| index as i32)
    });
    RunData {
        name: &run.name,
        state: run.state.as_str(),
        comparable: run.state.is_comparable(),
        ranks: run.measured.as_ref().map(|measured| measured.ranks),
        repeat: run.params.get("repeat"),
        at: at.collect(),
        sizes: run.sizes().iter().map(size_data).collect(),
    }
}

fn size_data(size: &SizeResult) -> SizeData {
    SizeData {
        bytes: size.payload_bytes,
        overlap: size.overlap_gb_per_s.map(Figure),
        classic: size.classic_gb_per_s.map(Figure),
        ops: size.ops.iter().map(|op| (op.op.as_str(), op_data(op))).collect(),
    }
}

fn op_data(op: &OpResult) -> [Option<Figure>; FIELDS.len()] {
    let latency = &op.latency;
    let us = |ns: f64| Some(Figure(ns / 1e3));
    let interval = latency.median_ci95;
    [
        Some(Figure(latency.n as f64)),
        us(latency.min as f64),
        us(latency.p5),
        us(latency.median),
        interval.and_then(|(low, _)| us(low as f64)),
        interval.and_then(|(_, high)| us(high as f64)),
        us(latency.p95),
        latency.p99.and_then(us),
        us(latency.max as f64),
        op.overlap_gb_per_s.map(Figure),
        op.median_gb_per_s.map(Figure),
    ]
}
