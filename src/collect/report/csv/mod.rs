//! `results.csv` and `runs.csv`: everything, for everybody's own tools. Units are in the headers, an absent value is empty.

pub mod application;
pub mod baseline;
pub mod crossover;
pub mod history;
pub mod hosts;
pub mod scaling;
pub mod settings;

use anyhow::{Context, Result};

use super::UNREADABLE;
use crate::collect::collection::Collection;
use crate::collect::model::{Measured, OpResult, Run, SizeResult, Standings};
use crate::collect::number::{gb_per_s, us, us_or_empty};
use crate::collect::params::COLUMNS;
use crate::collect::stats::trend::Trend;

const MEASURED: &[&str] = &["wire", "server", "shards", "ranks_per_shard_min", "ranks_per_shard_max"];

/// Columns of `results.csv` after the run's own. A quantile is empty where fewer than 6.6 samples are expected beyond it.
const FIGURES: &[&str] = &[
    "size_index",
    "payload_bytes",
    "op",
    "ranks",
    "n",
    "warmup_excluded",
    "min_us",
    "p1_us",
    "p5_us",
    "p10_us",
    "p25_us",
    "median_us",
    "median_ci95_low_us",
    "median_ci95_high_us",
    "p75_us",
    "p90_us",
    "p95_us",
    "p99_us",
    "p99.9_us",
    "max_us",
    "mad_us",
    "iqr_us",
    "several_modes",
    "drift_over_loop",
    "drift_p",
    "median_gb_per_s",
    "overlap_gb_per_s",
    "overlap_both_ops_gb_per_s",
    "iteration_both_ops_gb_per_s",
    "classic_gb_per_s",
    "window_us",
    "window_error_us",
    "overlap_both_ops_gb_per_s_per_db_node",
    "overlap_both_ops_gb_per_node_hour",
];

/// A row for each run, size and op; runs that measured nothing have none here, but one in [`runs`].
pub fn results(runs: &[Run]) -> Result<Vec<u8>> {
    let mut table = vec![header(&["run", "path", "state", "attempt", "source"], &[MEASURED, FIGURES])];
    for run in runs {
        let Some(measured) = &run.measured else { continue };
        let mut start = vec![run.name.clone(), run.path.clone(), run.state.as_str().to_owned(), attempt(run)];
        start.push(run.source.as_str().to_owned());
        start.extend(parameters(run));
        start.extend(conditions(measured));
        for size in &measured.sizes {
            table.extend(
                size.ops
                    .iter()
                    .map(|op| [start.clone(), figures(measured, size, op), of_nodes(run, size).into()].concat()),
            );
        }
    }
    bytes(table)
}

/// A row for each run, also for those whose manifest cannot be read.
pub fn runs(collection: &Collection) -> Result<Vec<u8>> {
    const FACTS: &[&str] = &[
        "ranks",
        "hosts",
        "ranks_per_shard",
        "straggling_ranks",
        "straggling_hosts",
        "straggling_shards",
        "slowest_host",
        "slowest_host_ratio",
        "client_version",
        "mpi_library",
        "clock_error_us",
        "started_utc",
    ];
    let start = ["run", "path", "state", "reason", "notes", "attempt", "sizes_done", "sizes_total", "source"];
    const PACK: &[&str] = &["pack", "pack_position", "pack_block", "pack_seed", "store_kept_from"];
    let mut table = vec![header(&start, &[PACK, MEASURED, FACTS])];
    let width = table[0].len();
    for run in &collection.runs {
        let mut row = vec![run.name.clone(), run.path.clone(), run.state.as_str().to_owned(), run.reason.clone()];
        row.extend([run.notes.join("; "), attempt(run)]);
        row.extend([run.sizes().len().to_string(), run.sizes_total.to_string()]);
        row.push(run.source.as_str().to_owned());
        row.extend(parameters(run));
        row.extend(pack(run));
        if let Some(measured) = &run.measured {
            row.extend(conditions(measured));
            row.extend(facts(measured));
        }
        table.push(row);
    }
    for problem in collection.problems.iter().filter(|problem| problem.is_run) {
        table.push(vec![String::new(), problem.path.clone(), UNREADABLE.to_owned(), problem.what.clone()]);
    }
    table.iter_mut().for_each(|row| row.resize(width, String::new()));
    bytes(table)
}

fn header(start: &[&str], end: &[&[&str]]) -> Vec<String> {
    let parameters = COLUMNS.iter().map(|(column, _)| *column);
    start.iter().copied().chain(parameters).chain(end.concat()).map(str::to_owned).collect()
}

fn attempt(run: &Run) -> String {
    run.attempt.map(|number| number.to_string()).unwrap_or_default()
}

/// Where the run's job was one of several permutations, which job and which place in it.
fn pack(run: &Run) -> [String; 5] {
    let Some(place) = &run.pack else { return Default::default() };
    let from = place.store_from.clone().unwrap_or_default();
    [place.pack.clone(), place.position.to_string(), place.block.to_string(), place.seed.to_string(), from]
}

fn parameters(run: &Run) -> impl Iterator<Item = String> + '_ {
    COLUMNS.iter().map(|(column, _)| run.params.text(column))
}

/// The cells of [`MEASURED`].
fn conditions(measured: &Measured) -> [String; 5] {
    let shards = &measured.ranks_per_shard;
    let text = |count: Option<&u32>| count.map(u32::to_string).unwrap_or_default();
    [
        measured.wire.clone(),
        measured.server.clone(),
        shards.len().to_string(),
        text(shards.iter().min()),
        text(shards.iter().max()),
    ]
}

fn facts(measured: &Measured) -> [String; 12] {
    let fact = |name: &str| measured.facts.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let per_shard: Vec<_> = measured.ranks_per_shard.iter().map(u32::to_string).collect();
    // nobody can be told apart where there is no limit
    let straggling = |of: &Standings| of.limit.map(|_| of.stragglers.to_string()).unwrap_or_default();
    let slowest = measured.hosts_standing.slowest.first();
    [
        measured.ranks.to_string(),
        measured.hosts.to_string(),
        per_shard.join(" "),
        straggling(&measured.ranks_standing),
        straggling(&measured.hosts_standing),
        straggling(&measured.shards_standing),
        slowest.map(|host| host.name.clone()).unwrap_or_default(),
        slowest.map(|host| format!("{:.3}", host.ratio)).unwrap_or_default(),
        fact("client_version"),
        fact("mpi_library"),
        us(measured.window_error_ns as f64 / 2.0),
        fact("started_utc"),
    ]
}

/// The cells of [`FIGURES`].
fn figures(measured: &Measured, size: &SizeResult, op: &OpResult) -> Vec<String> {
    let latency = &op.latency;
    let (low, high) = latency.median_ci95.unzip();
    let trend = |of: fn(&Trend) -> f64| op.trend.as_ref().map(|trend| format!("{:.4}", of(trend))).unwrap_or_default();
    let mut cells = vec![
        size.size_index.to_string(),
        size.payload_bytes.to_string(),
        op.op.to_string(),
        op.ranks.to_string(),
        latency.n.to_string(),
        op.warmup_excluded.to_string(),
        us(latency.min as f64),
    ];
    cells.extend([latency.p1, latency.p5, latency.p10, latency.p25, Some(latency.median)].map(us_or_empty));
    cells.extend([low, high].map(|ns| us_or_empty(ns.map(|ns| ns as f64))));
    cells.extend([latency.p75, latency.p90, latency.p95, latency.p99, latency.p999].map(us_or_empty));
    cells.extend([us(latency.max as f64), us(latency.mad), us_or_empty(latency.iqr())]);
    cells.push(op.multimodal.map(|several| several.to_string()).unwrap_or_default());
    cells.extend([trend(|trend| trend.change), trend(|trend| trend.p)]);
    let both = [size.overlap_gb_per_s, size.iteration_gb_per_s, size.classic_gb_per_s];
    cells.extend([op.median_gb_per_s, op.overlap_gb_per_s].into_iter().chain(both).map(gb_per_s));
    cells.push(us_or_empty(size.window_ns.map(|ns| ns as f64)));
    cells.push(us(measured.window_error_ns as f64));
    cells
}

/// What a node of the store moves, and what an hour of all nodes together buys.
fn of_nodes(run: &Run, size: &SizeResult) -> [String; 2] {
    let (of_store, all) = run.nodes();
    let shared = |nodes: Option<f64>| Some(size.overlap_gb_per_s? / nodes?);
    [gb_per_s(shared(of_store)), gb_per_s(shared(all).map(|each| each * 3600.0))]
}

fn bytes(table: Vec<Vec<String>>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in table {
        writer.write_record(row).context("cannot encode a CSV row")?;
    }
    writer.into_inner().context("cannot encode the CSV")
}
