//! `--jsonl`: an object a line for each run, operation and size, for jq, DuckDB, Polars and the like. Names and units are those of
//! `results.csv`; an absent value is null.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use schemars::JsonSchema;
use serde::Serialize;

use super::json::{gb, parameters, us};
use crate::built;
use crate::collect::model::{Measured, OpResult, Run, SizeResult};
use crate::collect::params::Value;

/// Version of the lines: it grows when a name changes its meaning or goes away.
const VERSION: u32 = 1;

/// An operation at a tensor size of a run.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "shardscale collect --jsonl")]
pub struct Line<'a> {
    /// Name of this schema: jsonl.
    schema: &'a str,
    /// Version of this schema. It grows when a name changes its meaning or goes away; new names may come without.
    version: u32,
    /// Version of `shardscale` that collected.
    collected_by: &'a str,
    /// Commit that it was built from.
    commit: &'a str,
    run: &'a str,
    path: &'a str,
    source: &'a str,
    /// done, partial or invalid: figures of an invalid run are none of what its parameters say.
    state: &'a str,
    attempt: Option<u32>,
    /// Those that the run has.
    parameters: BTreeMap<&'a str, &'a Value>,
    wire: &'a str,
    server: &'a str,
    /// When the run began.
    started_utc: Option<&'a str>,
    payload_bytes: u64,
    op: &'a str,
    ranks: u32,
    /// Timed samples of all ranks.
    n: usize,
    warmup_excluded: u64,
    min_us: f64,
    p5_us: Option<f64>,
    median_us: f64,
    /// 95 % confidence interval of the median.
    median_ci95_us: Option<(f64, f64)>,
    p95_us: Option<f64>,
    /// Null below 660 samples.
    p99_us: Option<f64>,
    /// Null below 6600 samples.
    #[serde(rename = "p99.9_us")]
    p999_us: Option<f64>,
    max_us: f64,
    /// More than one mode; null for fewer than 30 samples.
    several_modes: Option<bool>,
    /// Size / median: what one rank sees.
    median_gb_per_s: Option<f64>,
    /// Bytes of this operation over all ranks / window, which it shares with the others.
    overlap_gb_per_s: Option<f64>,
    /// Bytes of all operations over all ranks / window.
    overlap_both_ops_gb_per_s: Option<f64>,
    classic_gb_per_s: Option<f64>,
    /// How far the clocks of the nodes may disagree.
    window_error_us: f64,
}

/// Renders all lines.
pub fn render(runs: &[Run]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    for run in runs {
        let Some(measured) = &run.measured else { continue };
        for (size, op) in measured.sizes.iter().flat_map(|size| size.ops.iter().map(move |op| (size, op))) {
            serde_json::to_writer(&mut text, &line(run, measured, size, op)).context("cannot encode a JSON line")?;
            text.push(b'\n');
        }
    }
    Ok(text)
}

fn line<'a>(run: &'a Run, measured: &'a Measured, size: &SizeResult, op: &'a OpResult) -> Line<'a> {
    let of = &op.latency;
    Line {
        schema: "jsonl",
        version: VERSION,
        collected_by: env!("CARGO_PKG_VERSION"),
        commit: built::COMMIT,
        run: &run.name,
        path: &run.path,
        source: run.source.as_str(),
        state: run.state.as_str(),
        attempt: run.attempt,
        parameters: parameters(run),
        wire: &measured.wire,
        server: &measured.server,
        started_utc: measured.facts.iter().find(|(name, _)| name == "started_utc").map(|(_, utc)| utc.as_str()),
        payload_bytes: size.payload_bytes,
        op: op.op.as_str(),
        ranks: op.ranks,
        n: of.n,
        warmup_excluded: op.warmup_excluded,
        min_us: us(of.min as f64),
        p5_us: of.p5.map(us),
        median_us: us(of.median),
        median_ci95_us: of.median_ci95.map(|(low, high)| (us(low as f64), us(high as f64))),
        p95_us: of.p95.map(us),
        p99_us: of.p99.map(us),
        p999_us: of.p999.map(us),
        max_us: us(of.max as f64),
        several_modes: op.multimodal,
        median_gb_per_s: gb(op.median_gb_per_s),
        overlap_gb_per_s: gb(op.overlap_gb_per_s),
        overlap_both_ops_gb_per_s: gb(size.overlap_gb_per_s),
        classic_gb_per_s: gb(size.classic_gb_per_s),
        window_error_us: us(measured.window_error_ns as f64),
    }
}
