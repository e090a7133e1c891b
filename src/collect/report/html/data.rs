//! What the page's script draws from, as JSON. Times are in us, bandwidths in GB/s, an absent value is null.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::collect::model::{OpResult, Run, SizeResult};
use crate::collect::params::Value;
use crate::collect::report::groups::Groups;

#[derive(Serialize)]
struct Data<'a> {
    /// Name of what plots stand against.
    axis: String,
    groups: &'a [String],
    runs: Vec<RunData<'a>>,
}

#[derive(Serialize)]
struct RunData<'a> {
    name: &'a str,
    group: usize,
    state: &'static str,
    /// The run's place on that axis.
    x: Option<&'a Value>,
    repeat: Option<&'a Value>,
    sizes: Vec<SizeData>,
}

#[derive(Serialize)]
struct SizeData {
    bytes: u64,
    overlap: Option<f64>,
    classic: Option<f64>,
    ops: BTreeMap<&'static str, OpData>,
}

#[derive(Serialize)]
struct OpData {
    n: usize,
    p5: Option<f64>,
    median: f64,
    p95: Option<f64>,
    p99: Option<f64>,
    max: f64,
    overlap: Option<f64>,
    at_median: Option<f64>,
}

/// The comparable runs as JSON that may stand in a script element.
pub fn json(runs: &[Run], groups: &Groups) -> Result<String> {
    let lines = runs.iter().zip(&groups.of_run).filter_map(|(run, group)| Some((run, (*group)?)));
    let runs = lines.map(|(run, group)| run_data(run, group, groups.axis)).collect();
    let data = Data { axis: groups.axis.replace('_', " "), groups: &groups.labels, runs };
    let text = serde_json::to_string(&data).context("cannot encode the plots' data")?;
    // `</script>` and `<!--` in a name would end the element; no other character of JSON has a meaning there
    Ok(text.replace('<', "\\u003c"))
}

fn run_data<'a>(run: &'a Run, group: usize, axis: &str) -> RunData<'a> {
    RunData {
        name: &run.name,
        group,
        state: run.state.as_str(),
        x: run.params.get(axis),
        repeat: run.params.get("repeat"),
        sizes: run.sizes().iter().map(size_data).collect(),
    }
}

fn size_data(size: &SizeResult) -> SizeData {
    SizeData {
        bytes: size.payload_bytes,
        overlap: size.overlap_gb_per_s,
        classic: size.classic_gb_per_s,
        ops: size.ops.iter().map(|op| (op.op.as_str(), op_data(op))).collect(),
    }
}

fn op_data(op: &OpResult) -> OpData {
    let latency = &op.latency;
    OpData {
        n: latency.n,
        p5: latency.p5.map(|ns| ns / 1e3),
        median: latency.median / 1e3,
        p95: latency.p95.map(|ns| ns / 1e3),
        p99: latency.p99.map(|ns| ns / 1e3),
        max: latency.max as f64 / 1e3,
        overlap: op.overlap_gb_per_s,
        at_median: op.median_gb_per_s,
    }
}
