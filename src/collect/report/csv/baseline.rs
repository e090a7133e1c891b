//! `baseline.csv`: a row for each pair, size and op.

use anyhow::Result;

use super::bytes;
use crate::collect::baseline::{Baseline, Change};
use crate::collect::report::number::us;

const HEADER: [&str; 13] = [
    "run",
    "baseline_run",
    "payload_bytes",
    "op",
    "baseline_runs",
    "runs",
    "baseline_median_us",
    "median_us",
    "ratio_new_to_old",
    "ratio_ci99_low",
    "ratio_ci99_high",
    "interval_from",
    "verdict",
];

pub fn render(baseline: &Baseline) -> Result<Vec<u8>> {
    let header = HEADER.map(str::to_owned).to_vec();
    bytes([header].into_iter().chain(baseline.changes.iter().map(row)).collect())
}

fn row(change: &Change) -> Vec<String> {
    let ratio = |value: f64| format!("{value:.6}");
    let (low, high) = change.interval.unzip();
    vec![
        change.run.clone(),
        change.baseline_run.clone(),
        change.payload_bytes.to_string(),
        change.op.to_string(),
        change.old_runs.to_string(),
        change.new_runs.to_string(),
        us(change.old_ns),
        us(change.new_ns),
        ratio(change.ratio),
        low.map(ratio).unwrap_or_default(),
        high.map(ratio).unwrap_or_default(),
        change.interval.map(|_| change.method.as_str().to_owned()).unwrap_or_default(),
        change.verdict.as_str().to_owned(),
    ]
}
