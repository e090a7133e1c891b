//! What the page's script draws from, as JSON. Times are in us, bandwidths in GB/s, an absent value is null.
//!
//! Figures of an op stand in a row without names, in the order of [`FIELDS`], and the shape of its distribution in a string
//! of one letter a bin: 500 runs have 11,000 of both. Nothing here grows with the number of samples.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

use super::axes::{self, Axis, PREFER, WEAK, X};
use super::placement::{self, Node};
use crate::collect::model::{OpResult, Run, SizeResult};
use crate::collect::params::Value;

/// What the row of an op holds.
const FIELDS: [&str; 11] =
    ["n", "min", "p5", "median", "ci_low", "ci_high", "p95", "p99", "max", "overlap", "median_gb"];

#[derive(Serialize)]
struct Data<'a> {
    fields: [&'static str; FIELDS.len()],
    prefer: [&'static str; PREFER.len()],
    weak: [&'static str; WEAK.len()],
    x: X,
    axes: Vec<Axis>,
    runs: Vec<RunData<'a>>,
    /// Each once: most runs share theirs with others.
    placements: Vec<Vec<Node>>,
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
    notes: &'a [String],
    sizes: Vec<SizeData>,
    /// Ranks of each shard.
    shards: &'a [u32],
    /// Index into the placements.
    placement: Option<usize>,
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
    let axes = axes::axes(runs);
    let mut placements: Vec<Vec<Node>> = Vec::new();
    let runs_data = runs.iter().map(|run| {
        let placement = run.placement.as_ref().map(placement::nodes).filter(|nodes| !nodes.is_empty());
        run_data(run, &axes, placement.map(|nodes| index_of(&mut placements, nodes)))
    });
    let runs_data = runs_data.collect();
    let data = Data { fields: FIELDS, prefer: PREFER, weak: WEAK, x: axes::x(runs), axes, runs: runs_data, placements };
    let text = serde_json::to_string(&data).context("cannot encode the plots' data")?;
    // `</script>` and `<!--` in a name would end the element; no other character of JSON has a meaning there
    Ok(text.replace('<', "\\u003c"))
}

/// Index of `one` in `all`, to which it is added where it is new.
fn index_of<T: PartialEq>(all: &mut Vec<T>, one: T) -> usize {
    all.iter().position(|known| *known == one).unwrap_or_else(|| {
        all.push(one);
        all.len() - 1
    })
}

fn run_data<'a>(run: &'a Run, axes: &[Axis], placement: Option<usize>) -> RunData<'a> {
    RunData {
        name: &run.name,
        state: run.state.as_str(),
        comparable: run.state.is_comparable(),
        ranks: run.measured.as_ref().map(|measured| measured.ranks),
        repeat: run.params.get("repeat"),
        at: axes.iter().map(|axis| axis.index(run)).collect(),
        notes: &run.notes,
        sizes: run.sizes().iter().map(size_data).collect(),
        shards: run.measured.as_ref().map_or(&[], |measured| &measured.ranks_per_shard),
        placement,
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
