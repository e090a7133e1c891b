//! `baseline.csv`: a row for each pair, size, op and figure. The medians come first: they decide.

use anyhow::Result;

use super::bytes;
use crate::collect::baseline::{Baseline, Change};
use crate::collect::circumstances;

const HEADER: [&str; 15] = [
    "run",
    "baseline_run",
    "payload_bytes",
    "op",
    "figure",
    "baseline_runs",
    "runs",
    "baseline_value",
    "value",
    "ratio_new_to_old",
    "ratio_ci99_low",
    "ratio_ci99_high",
    "interval_from",
    "verdict",
    "differs",
];

pub fn render(baseline: &Baseline) -> Result<Vec<u8>> {
    let header = HEADER.map(str::to_owned).to_vec();
    bytes([header].into_iter().chain(baseline.changes.iter().chain(&baseline.further).map(row)).collect())
}

fn row(change: &Change) -> Vec<String> {
    let ratio = |value: f64| format!("{value:.6}");
    let value = |value: f64| format!("{:.*}", change.metric.digits(), change.metric.in_unit(value));
    let (low, high) = change.interval.unzip();
    vec![
        change.run.clone(),
        change.baseline_run.clone(),
        change.payload_bytes.to_string(),
        change.op_name().to_owned(),
        change.metric.as_str().to_owned(),
        change.old_runs.to_string(),
        change.new_runs.to_string(),
        value(change.old),
        value(change.new),
        ratio(change.ratio),
        low.map(ratio).unwrap_or_default(),
        high.map(ratio).unwrap_or_default(),
        change.interval.map(|_| change.method.as_str().to_owned()).unwrap_or_default(),
        change.verdict.as_str().to_owned(),
        circumstances::line(&change.differs),
    ]
}
