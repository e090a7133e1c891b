//! Which runs are compared with which.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{Baseline, Change, Method, Verdict};
use crate::collect::model::{OpResult, Run};
use crate::collect::params::{COLUMNS, FOLLOWS, Value};
use crate::collect::stats::interval;
use crate::record::vocabulary::Op;

/// Columns in which paired runs may differ: the repeat, how long was measured, and what follows from both or from a site's
/// queues. The store's version is none of the parameters: what an upgrade does is a question for a baseline.
const FREE: &[&str] = &[
    "repeat",
    // which nodes: another set of them is the same measurement
    "db_hosts",
    "db_address",
    "iterations",
    "warmup",
];

type Key = Vec<Option<Value>>;
type Sides<'a> = (Vec<&'a Run>, Vec<&'a Run>);

/// Compares `new` with `old`, which lay in `folder`.
pub fn compare(folder: String, old: &[Run], new: &[Run]) -> Baseline {
    let mut pairs: BTreeMap<Key, Sides<'_>> = BTreeMap::new();
    for run in old.iter().filter(|run| has_figures(run)) {
        pairs.entry(key(run)).or_default().0.push(run);
    }
    for run in new.iter().filter(|run| has_figures(run)) {
        pairs.entry(key(run)).or_default().1.push(run);
    }
    let mut baseline = Baseline { folder, ..Baseline::default() };
    let mut both = Vec::new();
    for (old, new) in pairs.into_values() {
        match (old.is_empty(), new.is_empty()) {
            (false, false) => both.push((old, new)),
            (true, _) => baseline.only_new.extend(new.iter().map(|run| run.name.clone())),
            (_, true) => baseline.only_old.extend(old.iter().map(|run| run.name.clone())),
        }
    }
    both.sort_by(|a, b| alphanumeric_sort::compare_str(&a.1[0].path, &b.1[0].path));
    baseline.changes = both.par_iter().flat_map_iter(|(old, new)| changes(old, new)).collect();
    baseline
}

fn has_figures(run: &Run) -> bool {
    run.state.is_comparable() && !run.sizes().is_empty()
}

fn key(run: &Run) -> Key {
    let columns =
        COLUMNS.iter().map(|(column, _)| *column).filter(|column| !FREE.contains(column) && !FOLLOWS.contains(column));
    columns.map(|column| run.params.get(column).cloned()).collect()
}

fn changes(old: &[&Run], new: &[&Run]) -> Vec<Change> {
    let mut places: Vec<(u64, Op)> = Vec::new();
    for size in new.iter().flat_map(|run| run.sizes()) {
        places.extend(size.ops.iter().map(|op| (size.payload_bytes, op.op)));
    }
    places.sort_unstable();
    places.dedup();
    let change = |(payload_bytes, op)| {
        let (mut olds, mut news) = (results(old, payload_bytes, op), results(new, payload_bytes, op));
        let method = if olds.len() > 1 && news.len() > 1 { Method::Repeats } else { Method::Blocks };
        if method == Method::Blocks {
            // blocks of different runs are no one series: of several runs on one side the first stands for them
            olds.truncate(1);
            news.truncate(1);
        }
        let (old_ns, new_ns) = (middle(&olds)?, middle(&news)?);
        let interval = match method {
            Method::Repeats => interval::welch_ratio(&medians(&olds), &medians(&news)),
            Method::Blocks => interval::block_ratio(&olds[0].block_medians_ns, &news[0].block_medians_ns),
        };
        Some(Change {
            run: new[0].name.clone(),
            baseline_run: old[0].name.clone(),
            payload_bytes,
            op,
            old_runs: olds.len(),
            new_runs: news.len(),
            old_ns,
            new_ns,
            ratio: new_ns / old_ns,
            interval,
            method,
            verdict: Verdict::of(interval, method),
        })
    };
    places.into_iter().filter_map(change).collect()
}

fn results<'a>(runs: &[&'a Run], payload_bytes: u64, op: Op) -> Vec<&'a OpResult> {
    let sizes = runs.iter().filter_map(|run| run.sizes().iter().find(|size| size.payload_bytes == payload_bytes));
    sizes.filter_map(|size| size.ops.iter().find(|one| one.op == op)).collect()
}

fn medians(results: &[&OpResult]) -> Vec<f64> {
    results.iter().map(|one| one.latency.median).collect()
}

/// Geometric mean of the medians, which is what Welch's interval stands around; `None` where there are none, or one is 0.
fn middle(results: &[&OpResult]) -> Option<f64> {
    let medians = medians(results);
    let mean = medians.iter().map(|median| median.ln()).sum::<f64>() / medians.len() as f64;
    mean.is_finite().then(|| mean.exp())
}
