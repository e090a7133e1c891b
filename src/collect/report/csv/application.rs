//! `application.csv`: what the store costs the application, a row for each run, size and op of it, then one for each set of repeats.

use anyhow::Result;

use super::bytes;
use crate::collect::collection::Collection;
use crate::collect::model::Application;
use crate::collect::model::{Measured, SizeResult};
use crate::collect::number::{share, us_or_empty};
use crate::record::op::Op;

const HEADER: [&str; 15] = [
    "of",
    "run",
    "path",
    "state",
    "runs",
    "payload_bytes",
    "op",
    "median_us",
    "alone_median_us",
    "slowdown",
    "slowdown_ci99_low",
    "slowdown_ci99_high",
    "transfer_share",
    "transfer_share_ci99_low",
    "transfer_share_ci99_high",
];

pub fn render(collection: &Collection) -> Result<Vec<u8>> {
    let mut table = vec![HEADER.map(str::to_owned).to_vec()];
    for run in &collection.runs {
        let Some(measured) = &run.measured else { continue };
        for size in &measured.sizes {
            for one in &size.application {
                let start = ["run", &run.name, &run.path, run.state.as_str(), "1"].map(str::to_owned);
                let medians = medians(measured, size, one.op);
                table.push([&start[..], &place(size.payload_bytes, one.op), &medians, &figures(one)].concat());
            }
        }
    }
    for pooled in collection.application.iter().filter(|pooled| pooled.runs.len() > 1) {
        let runs = pooled.runs.len().to_string();
        let start = ["repeats", &pooled.run, "", "", &runs].map(str::to_owned);
        let place = place(pooled.payload_bytes, pooled.of.op);
        table.push([&start[..], &place, &[const { String::new() }; 2], &figures(&pooled.of)].concat());
    }
    bytes(table)
}

fn place(payload_bytes: u64, op: Op) -> [String; 2] {
    [payload_bytes.to_string(), op.to_string()]
}

/// Beside the store and alone.
fn medians(measured: &Measured, size: &SizeResult, op: Op) -> [String; 2] {
    let beside = size.ops.iter().find(|one| one.op == op);
    [beside, measured.alone.as_ref()].map(|one| us_or_empty(one.map(|one| one.latency.median)))
}

fn figures(of: &Application) -> [String; 6] {
    let (low, high) = of.slowdown_ci99.unzip();
    let (share_low, share_high) = of.share_ci99.unzip();
    [of.slowdown, low, high, of.share, share_low, share_high].map(share)
}
