//! What the page's script draws from, as JSON. Times are in us, bandwidths in GB/s, an absent value is null.
//!
//! Figures of an op stand in a row without names, in the order of [`FIELDS`], and the shape of its distribution in a string
//! of one letter a bin: 500 runs have 11,000 of both. Nothing here grows with the number of samples.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

use super::axes::{self, Axis, PREFER, WEAK, X};
use super::baseline::{Comparison, comparison};
use super::crossover::{DuelData, duels, shares};
use super::figure::{Figure, Rough, index_of};
use super::history::{HistoryData, history};
use super::nodes::{Nodes, nodes};
use super::placement::{self, Node};
use super::question::FamilyData;
use super::scaling::{self, Series};
use super::settings::{SettingData, settings, standings};
use super::times::{Times, phases, times};
use crate::collect::application::Pooled;
use crate::collect::collection::Collection;
use crate::collect::hosts;
use crate::collect::model::{Application, OpResult, Run, SizeResult, Standings};
use crate::collect::params::{self, Value};
use crate::collect::stats::density::Density;
use crate::record::op::Op;

/// What the row of an op holds.
const FIELDS: [&str; 14] = [
    "n",
    "min",
    "p5",
    "p25",
    "median",
    "ci_low",
    "ci_high",
    "p75",
    "p95",
    "p99",
    "p999",
    "max",
    "overlap",
    "median_gb",
];

/// The letter of an empty bin; the fullest bin of a distribution is [`STEPS`] letters further.
const ZERO: u8 = b'0';
const STEPS: u64 = 63;

/// Hosts, ranks of a run that are listed as slow.
const SLOWEST: usize = 16;

#[derive(Serialize)]
struct Data<'a> {
    fields: [&'static str; FIELDS.len()],
    /// All that any run has, in the order of the first that has it.
    ops: Vec<Op>,
    prefer: [&'static str; PREFER.len()],
    weak: [&'static str; WEAK.len()],
    zero: u8,
    x: X,
    axes: Vec<Axis>,
    /// For each axis what changes with it.
    entails: BTreeMap<&'static str, Vec<&'static str>>,
    runs: Vec<RunData<'a>>,
    /// Each once: most runs share theirs with others.
    placements: Vec<Vec<Node>>,
    readings: Vec<(&'static str, &'static str)>,
    scaling: Vec<Series<'a>>,
    /// What the store costs the application, over repeats.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    application: Vec<PooledData<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    settings: Vec<SettingData<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    crossover: Vec<DuelData<'a>>,
    shares: [(&'static str, &'static str); 3],
    standings: [&'static str; 5],
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<HistoryData<'a>>,
    baseline: Option<Comparison<'a>>,
    /// What the question box answers from.
    families: Vec<FamilyData>,
    /// (track, what) of the phases in the runs' time lines.
    phases: Vec<(&'static str, &'static str)>,
    /// Which nodes were slow in which runs.
    nodes: Option<Nodes<'a>>,
}

#[derive(Serialize)]
struct RunData<'a> {
    name: &'a str,
    state: &'static str,
    comparable: bool,
    ranks: Option<u32>,
    /// Servers of the store.
    servers: Option<&'a Value>,
    repeat: Option<&'a Value>,
    /// For each axis the index of the run's value; -1 where it has none.
    at: Vec<i32>,
    notes: &'a [String],
    sizes: Vec<SizeData>,
    /// Nodes of the store, and all of the job.
    nodes: (Option<f64>, Option<f64>),
    /// Ranks of each shard.
    shards: &'a [u32],
    hosts: Option<Slow<'a>>,
    slow_ranks: Option<Slow<'a>>,
    /// Index into the placements.
    placement: Option<usize>,
    /// When what happened.
    times: Option<Times<'a>>,
}

/// Who was slow in a run: the slowest first, as (name, ranks, times the median of all).
#[derive(Serialize)]
struct Slow<'a> {
    total: usize,
    /// From where one is a straggler, and how many are.
    limit: Option<Figure>,
    stragglers: usize,
    slowest: Vec<(&'a str, u32, Rough)>,
}

/// An op of the application at a size; the slowdown and the part of transfers as (figure, low, high).
#[derive(Serialize)]
struct PooledData<'a> {
    runs: &'a [usize],
    bytes: u64,
    #[serde(flatten)]
    of: ApplicationData,
}

#[derive(Serialize)]
struct ApplicationData {
    op: Op,
    slowdown: [Option<Figure>; 3],
    share: [Option<Figure>; 3],
}

/// (bytes, GB/s by overlap, classic, by iteration, of each shard, ops, application): thousands of them need no names.
#[derive(Serialize)]
struct SizeData(
    u64,
    Option<Figure>,
    Option<Figure>,
    Option<Figure>,
    Vec<Option<Rough>>,
    Vec<OpData>,
    #[serde(skip_serializing_if = "Vec::is_empty")] Vec<ApplicationData>,
);

/// (index of the op, its row, the shape of its distribution, what to know of its median).
#[derive(Serialize)]
struct OpData(
    usize,
    [Option<Cell>; FIELDS.len()],
    Option<ShapeData>,
    #[serde(skip_serializing_if = "Vec::is_empty")] Vec<String>,
);

/// Lower edge of the first bin, upper edge of the last one, a letter for each bin, samples above the last one.
type ShapeData = (Figure, Figure, String, u64);

/// An entry of an op's row: the count of samples is exact.
#[derive(Serialize)]
#[serde(untagged)]
enum Cell {
    Count(usize),
    Figure(Figure),
}

/// The runs as JSON that may stand in a script element; `axes` and `families` are theirs.
pub fn json(collection: &Collection, axes: Vec<Axis>, families: Vec<FamilyData>) -> Result<String> {
    let runs = &collection.runs;
    let ops = ops(runs);
    let mut placements: Vec<Vec<Node>> = Vec::new();
    let runs_data = runs.iter().map(|run| {
        let placement = run.placement.as_ref().map(placement::nodes).filter(|nodes| !nodes.is_empty());
        run_data(run, (&axes, &ops), placement.map(|nodes| index_of(&mut placements, nodes)))
    });
    let runs_data = runs_data.collect();
    let data = Data {
        fields: FIELDS,
        settings: settings(&collection.settings, &ops),
        ops,
        prefer: PREFER,
        weak: WEAK,
        zero: ZERO,
        x: axes::x(runs),
        entails: entails(&axes),
        axes,
        runs: runs_data,
        placements,
        readings: scaling::readings(&collection.scaling),
        scaling: scaling::series(&collection.scaling),
        application: collection.application.iter().map(pooled_data).collect(),
        crossover: duels(&collection.crossover),
        shares: shares(),
        standings: standings(),
        history: collection.history.as_ref().map(history),
        baseline: collection.baseline.as_ref().map(comparison),
        families,
        phases: phases(),
        nodes: nodes(&hosts::of_runs(runs), runs.len()),
    };
    let text = serde_json::to_string(&data).context("cannot encode the plots' data")?;
    // `</script>` and `<!--` in a name would end the element; no other character of JSON has a meaning there
    Ok(text.replace('<', "\\u003c"))
}

/// A store is also varied by its version alone, and its rules hold then too.
fn entails(axes: &[Axis]) -> BTreeMap<&'static str, Vec<&'static str>> {
    let keys = axes.iter().map(|axis| axis.key).chain(["store"]);
    keys.map(|key| (key, params::entails(key))).filter(|(_, all)| !all.is_empty()).collect()
}

fn ops(runs: &[Run]) -> Vec<Op> {
    let mut ops = Vec::new();
    for op in runs.iter().flat_map(Run::sizes).flat_map(|size| &size.ops) {
        index_of(&mut ops, op.op);
    }
    ops
}

fn run_data<'a>(run: &'a Run, (axes, ops): (&[Axis], &[Op]), placement: Option<usize>) -> RunData<'a> {
    RunData {
        name: &run.name,
        state: run.state.as_str(),
        comparable: run.state.is_comparable(),
        ranks: run.measured.as_ref().map(|measured| measured.ranks),
        servers: run.params.get("expected_servers"),
        repeat: run.params.get("repeat"),
        at: axes.iter().map(|axis| axis.index(run)).collect(),
        notes: &run.notes,
        sizes: run.sizes().iter().map(|size| size_data(size, ops)).collect(),
        nodes: run.nodes(),
        shards: run.measured.as_ref().map_or(&[], |measured| &measured.ranks_per_shard),
        hosts: run.measured.as_ref().and_then(|measured| slow(&measured.hosts_standing)),
        slow_ranks: run.measured.as_ref().and_then(|measured| slow(&measured.ranks_standing)),
        placement,
        times: times(&run.timeline),
    }
}

fn slow(standings: &Standings) -> Option<Slow<'_>> {
    let slowest = standings.slowest.iter().take(SLOWEST);
    (standings.total > 0).then(|| Slow {
        total: standings.total,
        limit: standings.limit.map(Figure),
        stragglers: standings.stragglers,
        slowest: slowest.map(|one| (one.name.as_str(), one.ranks, Rough(one.ratio))).collect(),
    })
}

fn size_data(size: &SizeResult, ops: &[Op]) -> SizeData {
    let op = |of: &OpResult| {
        let index = ops.iter().position(|op| *op == of.op).unwrap_or_default();
        OpData(index, op_data(of), of.density.as_ref().map(shape), of.flags())
    };
    SizeData(
        size.payload_bytes,
        size.overlap_gb_per_s.map(Figure),
        size.classic_gb_per_s.map(Figure),
        size.iteration_gb_per_s.map(Figure),
        size.shard_gb_per_s.iter().map(|shard| shard.map(Rough)).collect(),
        size.ops.iter().map(op).collect(),
        size.application.iter().map(application_data).collect(),
    )
}

fn pooled_data(pooled: &Pooled) -> PooledData<'_> {
    PooledData { runs: &pooled.runs, bytes: pooled.payload_bytes, of: application_data(&pooled.of) }
}

fn application_data(of: &Application) -> ApplicationData {
    let with = |figure: Option<f64>, interval: Option<(f64, f64)>| {
        let (low, high) = interval.unzip();
        [figure, low, high].map(|value| value.map(Figure))
    };
    let (slowdown, share) = (with(of.slowdown, of.slowdown_ci99), with(of.share, of.share_ci99));
    ApplicationData { op: of.op, slowdown, share }
}

fn shape(density: &Density) -> ShapeData {
    let most = u64::from(density.counts.iter().copied().max().unwrap_or(0).max(1));
    // a bin that holds anything is seen
    let letter = |count: u32| char::from(ZERO + (u64::from(count) * STEPS).div_ceil(most) as u8);
    let letters = density.counts.iter().map(|count| letter(*count)).collect();
    (Figure(density.low_ns / 1e3), Figure(density.high_ns / 1e3), letters, density.above)
}

fn op_data(op: &OpResult) -> [Option<Cell>; FIELDS.len()] {
    let latency = &op.latency;
    let figure = |value: f64| Some(Cell::Figure(Figure(value)));
    let us = |ns: f64| figure(ns / 1e3);
    let interval = latency.median_ci95;
    [
        Some(Cell::Count(latency.n)),
        us(latency.min as f64),
        latency.p5.and_then(us),
        latency.p25.and_then(us),
        us(latency.median),
        interval.and_then(|(low, _)| us(low as f64)),
        interval.and_then(|(_, high)| us(high as f64)),
        latency.p75.and_then(us),
        latency.p95.and_then(us),
        latency.p99.and_then(us),
        latency.p999.and_then(us),
        us(latency.max as f64),
        op.overlap_gb_per_s.and_then(figure),
        op.median_gb_per_s.and_then(figure),
    ]
}
