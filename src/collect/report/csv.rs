//! `results.csv` and `runs.csv`: everything, for everybody's own tools. Units are in the headers, an absent value is empty.

use anyhow::{Context, Result};

use super::UNREADABLE;
use super::number::{gb_per_s, us, us_or_empty};
use crate::collect::model::{Collection, Measured, OpResult, Run, SizeResult};
use crate::collect::params::COLUMNS;

const MEASURED: &[&str] = &["wire", "server", "shards", "ranks_per_shard_min", "ranks_per_shard_max"];

/// Columns of `results.csv` after the run's own.
const FIGURES: &[&str] = &[
    "size_index",
    "payload_bytes",
    "op",
    "ranks",
    "n",
    "warmup_excluded",
    "min_us",
    "p5_us",
    "median_us",
    "median_ci95_low_us",
    "median_ci95_high_us",
    "p95_us",
    "p99_us_from_660_samples",
    "max_us",
    "median_gb_per_s",
    "overlap_gb_per_s",
    "overlap_both_ops_gb_per_s",
    "classic_gb_per_s",
    "window_us",
    "window_error_us",
];

/// A row for each run, size and op; runs that measured nothing have none here, but one in [`runs`].
pub fn results(runs: &[Run]) -> Result<Vec<u8>> {
    let mut table = vec![header(&["run", "path", "state", "attempt"], &[MEASURED, FIGURES])];
    for run in runs {
        let Some(measured) = &run.measured else { continue };
        let mut start = vec![run.name.clone(), run.path.clone(), run.state.as_str().to_owned(), attempt(run)];
        start.extend(parameters(run));
        start.extend(conditions(measured));
        for size in &measured.sizes {
            table.extend(size.ops.iter().map(|op| [start.clone(), figures(measured, size, op)].concat()));
        }
    }
    bytes(table)
}

/// A row for each run, also for those whose manifest cannot be read.
pub fn runs(collection: &Collection) -> Result<Vec<u8>> {
    const FACTS: &[&str] =
        &["ranks", "hosts", "ranks_per_shard", "client_version", "mpi_library", "clock_error_us", "started_utc"];
    let start = ["run", "path", "state", "reason", "notes", "attempt", "sizes_done", "sizes_total"];
    let mut table = vec![header(&start, &[MEASURED, FACTS])];
    let width = table[0].len();
    for run in &collection.runs {
        let mut row = vec![run.name.clone(), run.path.clone(), run.state.as_str().to_owned(), run.reason.clone()];
        row.extend([run.notes.join("; "), attempt(run)]);
        row.extend([run.sizes().len().to_string(), run.sizes_total.to_string()]);
        row.extend(parameters(run));
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

fn facts(measured: &Measured) -> [String; 7] {
    let fact = |name: &str| measured.facts.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let per_shard: Vec<_> = measured.ranks_per_shard.iter().map(u32::to_string).collect();
    [
        measured.ranks.to_string(),
        measured.hosts.to_string(),
        per_shard.join(" "),
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
    vec![
        size.size_index.to_string(),
        size.payload_bytes.to_string(),
        op.op.to_string(),
        op.ranks.to_string(),
        latency.n.to_string(),
        op.warmup_excluded.to_string(),
        us(latency.min as f64),
        us(latency.p5),
        us(latency.median),
        us_or_empty(low.map(|ns| ns as f64)),
        us_or_empty(high.map(|ns| ns as f64)),
        us(latency.p95),
        us_or_empty(latency.p99),
        us(latency.max as f64),
        gb_per_s(op.median_gb_per_s),
        gb_per_s(op.overlap_gb_per_s),
        gb_per_s(size.overlap_gb_per_s),
        gb_per_s(size.classic_gb_per_s),
        us_or_empty(size.window_ns.map(|ns| ns as f64)),
        us(measured.window_error_ns as f64),
    ]
}

fn bytes(table: Vec<Vec<String>>) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in table {
        writer.write_record(row).context("cannot encode a CSV row")?;
    }
    writer.into_inner().context("cannot encode the CSV")
}
