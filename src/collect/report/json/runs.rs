//! Runs, their sizes and their operations as JSON.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{ends, gb, ratio, rounded, us};
use crate::collect::application;
use crate::collect::model;
use crate::collect::params::{COLUMNS, Value};
use crate::collect::stats::trend::Trend;
use crate::collect::timeline::Timeline;
use crate::record::pack::PackPlace;

/// A run: what was asked, what became of it, what it measured.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Run<'a> {
    run: &'a str,
    /// Folder relative to the collected one; `.` where they are the same.
    path: &'a str,
    /// Whose results they are: ShardScale or SmartSim-Scaling.
    source: &'a str,
    /// Figures of an invalid run are none of what its parameters say.
    #[schemars(extend("enum" = model::State::ALL.map(model::State::as_str)))]
    state: &'a str,
    /// Why it is not done; empty for a run that is done.
    reason: &'a str,
    notes: &'a [String],
    /// The attempt whose figures these are.
    attempt: Option<u32>,
    /// Its place in a pack, if it ran in one.
    pack: Option<&'a PackPlace>,
    /// Those that the run has.
    parameters: BTreeMap<&'a str, &'a Value>,
    timeline: &'a Timeline,
    /// Tensor sizes that were to be measured.
    sizes_total: usize,
    measured: Option<Measured<'a>>,
}

/// What a run found out by itself.
#[derive(Debug, Serialize, JsonSchema)]
struct Measured<'a> {
    /// Ranks that measured.
    ranks: u32,
    /// Nodes that they ran on.
    hosts: usize,
    wire: &'a str,
    /// Program and version of the store.
    server: &'a str,
    /// Ranks whose key a shard owns, for each shard.
    ranks_per_shard: &'a [u32],
    /// How far the clocks of the nodes may disagree.
    window_error_us: f64,
    /// Versions, settings and conditions.
    facts: BTreeMap<&'a str, &'a str>,
    /// How slow each host was; null for one that measured nothing.
    host_ratios: BTreeMap<&'a str, Option<f64>>,
    standing_of_ranks: Standings<'a>,
    standing_of_hosts: Standings<'a>,
    standing_of_shards: Standings<'a>,
    /// Those that were measured whole, in the order of measurement.
    sizes: Vec<Size<'a>>,
    /// What ranks computed before the store had traffic.
    alone: Option<Op<'a>>,
}

/// Who was slow: ratios of median durations to those of the middle, over all sizes and operations.
#[derive(Debug, Serialize, JsonSchema)]
struct Standings<'a> {
    /// How many there are; the list is cut.
    total: usize,
    /// Ratio above which one is a straggler; null for fewer than 5.
    limit: Option<f64>,
    stragglers: usize,
    slowest: Vec<Standing<'a>>,
}

/// A rank, host or shard.
#[derive(Debug, Serialize, JsonSchema)]
struct Standing<'a> {
    name: &'a str,
    ranks: u32,
    /// 1.5 took half as long again.
    ratio: f64,
}

/// A tensor size of a run.
#[derive(Debug, Serialize, JsonSchema)]
struct Size<'a> {
    payload_bytes: u64,
    /// Place in the sweep, from 0.
    size_index: u32,
    /// From the first start to the last end of the timed samples of all operations over all ranks.
    window_us: Option<f64>,
    /// Bytes of all operations over all ranks / window.
    overlap_both_ops_gb_per_s: Option<f64>,
    overlap_both_ops_gb_per_s_per_db_node: Option<f64>,
    /// GB for an hour of one node of the job.
    overlap_both_ops_gb_per_node_hour: Option<f64>,
    /// The overlap of each iteration by itself, as the median over the iterations.
    iteration_both_ops_gb_per_s: Option<f64>,
    iteration_both_ops_gb_per_s_ci95: Option<[Option<f64>; 2]>,
    /// Sum over ranks of size x iterations / loop time, as SmartSim-Scaling's charts have it.
    classic_gb_per_s: Option<f64>,
    /// For each shard; null for one without ranks.
    shard_gb_per_s: Vec<Option<f64>>,
    ops: Vec<Op<'a>>,
    /// What the store costs the application; empty where ranks do not compute.
    application: Vec<Application<'a>>,
}

/// What the store costs the application.
#[derive(Debug, Serialize, JsonSchema)]
struct Application<'a> {
    op: &'a str,
    /// Median duration beside the store / median duration alone.
    slowdown: Option<f64>,
    slowdown_ci99: Option<[f64; 2]>,
    /// Part of the time of transfers and computation that the transfers take.
    transfer_share: Option<f64>,
    transfer_share_ci99: Option<[f64; 2]>,
}

/// The same over all repeats.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pooled<'a> {
    /// The first of them.
    run: &'a str,
    runs: usize,
    payload_bytes: u64,
    figures: Application<'a>,
}

/// An operation at a tensor size: its timed samples over all ranks.
#[derive(Debug, Serialize, JsonSchema)]
struct Op<'a> {
    op: &'a str,
    ranks: u32,
    /// Timed samples of all ranks.
    n: usize,
    warmup_excluded: u64,
    min_us: f64,
    /// Null, as every quantile, where fewer than 6.6 samples are expected beyond it.
    p1_us: Option<f64>,
    p5_us: Option<f64>,
    p10_us: Option<f64>,
    p25_us: Option<f64>,
    median_us: f64,
    median_ci95_us: Option<[f64; 2]>,
    p75_us: Option<f64>,
    p90_us: Option<f64>,
    p95_us: Option<f64>,
    p99_us: Option<f64>,
    #[serde(rename = "p99.9_us")]
    p999_us: Option<f64>,
    max_us: f64,
    /// Median absolute deviation from the median.
    mad_us: f64,
    /// From p25 to p75.
    iqr_us: Option<f64>,
    /// Null for fewer than 30 samples.
    several_modes: Option<bool>,
    drift: Option<Drift>,
    /// Size / median: what one rank sees.
    median_gb_per_s: Option<f64>,
    /// Bytes of this operation over all ranks / window, which it shares with the others.
    overlap_gb_per_s: Option<f64>,
    density_log_bins: Option<Density<'a>>,
}

/// Whether durations rise or fall over the loop.
#[derive(Debug, Serialize, JsonSchema)]
struct Drift {
    p: f64,
    /// From begin to end: 0.1 is 10 % more.
    change: f64,
    flagged: bool,
}

/// Samples in bins that are equally wide in log(duration).
#[derive(Debug, Serialize, JsonSchema)]
struct Density<'a> {
    low_us: f64,
    high_us: f64,
    counts: &'a [u32],
    /// Samples beyond `high_us`.
    above: u64,
}

pub fn run(run: &model::Run) -> Run<'_> {
    Run {
        run: &run.name,
        path: &run.path,
        source: run.source.as_str(),
        state: run.state.as_str(),
        reason: &run.reason,
        notes: &run.notes,
        attempt: run.attempt,
        pack: run.pack.as_ref(),
        parameters: parameters(run),
        timeline: &run.timeline,
        sizes_total: run.sizes_total,
        measured: run.measured.as_ref().map(|it| measured(run, it)),
    }
}

/// Those that the run has, by the names of the columns in the CSV files.
pub fn parameters(run: &model::Run) -> BTreeMap<&str, &Value> {
    COLUMNS.iter().filter_map(|(column, _)| Some((*column, run.params.get(column)?))).collect()
}

fn measured<'a>(run: &model::Run, of: &'a model::Measured) -> Measured<'a> {
    let ratios = of.host_names.iter().zip(&of.host_ratios);
    Measured {
        ranks: of.ranks,
        hosts: of.hosts,
        wire: &of.wire,
        server: &of.server,
        ranks_per_shard: &of.ranks_per_shard,
        window_error_us: us(of.window_error_ns as f64),
        facts: of.facts.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        host_ratios: ratios.map(|(host, ratio)| (host.as_str(), ratio.map(|ratio| rounded(ratio, 4)))).collect(),
        standing_of_ranks: standings(&of.ranks_standing),
        standing_of_hosts: standings(&of.hosts_standing),
        standing_of_shards: standings(&of.shards_standing),
        sizes: of.sizes.iter().map(|it| size(run, it)).collect(),
        alone: of.alone.as_ref().map(op),
    }
}

fn standings(of: &model::Standings) -> Standings<'_> {
    let slowest = of.slowest.iter();
    Standings {
        total: of.total,
        limit: of.limit.map(|limit| rounded(limit, 4)),
        stragglers: of.stragglers,
        slowest: slowest
            .map(|one| Standing { name: &one.name, ranks: one.ranks, ratio: rounded(one.ratio, 4) })
            .collect(),
    }
}

fn size<'a>(run: &model::Run, of: &'a model::SizeResult) -> Size<'a> {
    let (of_store, all) = run.nodes();
    let by = |nodes: Option<f64>| of.overlap_gb_per_s.zip(nodes).map(|(gb, nodes)| gb / nodes);
    Size {
        payload_bytes: of.payload_bytes,
        size_index: of.size_index,
        window_us: of.window_ns.map(|ns| us(ns as f64)),
        overlap_both_ops_gb_per_s: gb(of.overlap_gb_per_s),
        overlap_both_ops_gb_per_s_per_db_node: gb(by(of_store)),
        overlap_both_ops_gb_per_node_hour: gb(by(all).map(|gb_per_s| gb_per_s * 3600.0)),
        iteration_both_ops_gb_per_s: gb(of.iteration_gb_per_s),
        iteration_both_ops_gb_per_s_ci95: of.iteration_gb_per_s_ci95.map(|(low, high)| [gb(Some(low)), gb(Some(high))]),
        classic_gb_per_s: gb(of.classic_gb_per_s),
        shard_gb_per_s: of.shard_gb_per_s.iter().map(|one| gb(*one)).collect(),
        ops: of.ops.iter().map(op).collect(),
        application: of.application.iter().map(application).collect(),
    }
}

fn application(of: &model::Application) -> Application<'_> {
    Application {
        op: of.op.as_str(),
        slowdown: of.slowdown.map(ratio),
        slowdown_ci99: ends(of.slowdown_ci99),
        transfer_share: of.share.map(ratio),
        transfer_share_ci99: ends(of.share_ci99),
    }
}

pub fn pooled(of: &application::Pooled) -> Pooled<'_> {
    Pooled { run: &of.run, runs: of.runs.len(), payload_bytes: of.payload_bytes, figures: application(&of.of) }
}

fn op(op: &model::OpResult) -> Op<'_> {
    let of = &op.latency;
    let density = op.density.as_ref().map(|density| Density {
        low_us: us(density.low_ns),
        high_us: us(density.high_ns),
        counts: &density.counts,
        above: density.above,
    });
    let drift = |it: Trend| Drift { p: rounded(it.p, 6), change: rounded(it.change, 4), flagged: it.is_drift() };
    Op {
        op: op.op.as_str(),
        ranks: op.ranks,
        n: of.n,
        warmup_excluded: op.warmup_excluded,
        min_us: us(of.min as f64),
        p1_us: of.p1.map(us),
        p5_us: of.p5.map(us),
        p10_us: of.p10.map(us),
        p25_us: of.p25.map(us),
        median_us: us(of.median),
        median_ci95_us: of.median_ci95.map(|(low, high)| [us(low as f64), us(high as f64)]),
        p75_us: of.p75.map(us),
        p90_us: of.p90.map(us),
        p95_us: of.p95.map(us),
        p99_us: of.p99.map(us),
        p999_us: of.p999.map(us),
        max_us: us(of.max as f64),
        mad_us: us(of.mad),
        iqr_us: of.iqr().map(us),
        several_modes: op.multimodal,
        drift: op.trend.map(drift),
        median_gb_per_s: gb(op.median_gb_per_s),
        overlap_gb_per_s: gb(op.overlap_gb_per_s),
        density_log_bins: density,
    }
}
