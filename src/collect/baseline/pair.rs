//! Which runs are compared with which.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::multiple::correct;
use super::verdict::margin;
use super::{Baseline, Change, Method, Metric, Verdict};
use crate::collect::circumstances::{self, Difference};
use crate::collect::model::{Run, SizeResult};
use crate::collect::params::{COLUMNS, FOLLOWS, Params, Value};
use crate::collect::stats::interval::{self, Contrast};
use crate::record::op::Op;

/// Columns in which paired runs may differ: the repeat, how long was measured, and what follows from both or from a site's
/// queues. The store's version is none of the parameters: what an upgrade does is a question for a baseline.
const FREE: &[&str] = &[
    "repeat",
    // which nodes: another set of them is the same measurement
    "db_hosts",
    "db_address",
    "iterations",
    "warmup",
    // what was used counts, see `circumstances::identity`
    "store",
    "wire_asked",
];

/// See [`key`].
pub type Key = Vec<Option<Value>>;
type Runs<'a> = Vec<&'a Run>;
/// Runs of one set of parameters by product and wire.
type Identities<'a> = BTreeMap<Option<(String, String)>, Runs<'a>>;

/// Compares `new` with `old`, which lay in `folder`. Runs of another product or over another wire are compared only with
/// `across`, and then where the other side has none of the same.
pub fn compare(folder: String, old: &[Run], new: &[Run], across: bool) -> Baseline {
    let mut all: BTreeMap<Key, [Identities<'_>; 2]> = BTreeMap::new();
    for (side, runs) in [old, new].into_iter().enumerate() {
        for run in runs.iter().filter(|run| has_figures(run)) {
            let sides = all.entry(key(&run.params)).or_default();
            sides[side].entry(circumstances::identity(run)).or_default().push(run);
        }
    }
    let mut baseline = Baseline { folder, ..Baseline::default() };
    let mut both: Vec<(Runs<'_>, Runs<'_>)> = Vec::new();
    for [mut olds, mut news] in all.into_values() {
        let shared: Vec<_> = olds.keys().filter(|identity| news.contains_key(*identity)).cloned().collect();
        both.extend(shared.iter().filter_map(|identity| Some((olds.remove(identity)?, news.remove(identity)?))));
        match (olds.first_key_value(), news.first_key_value()) {
            (Some(_), Some(_)) if across => {
                both.extend(news.values().flat_map(|new| olds.values().map(|old| (old.clone(), new.clone()))));
            }
            (Some((old, _)), Some((new, runs))) => baseline.apart.push(format!(
                "{}: {} in the baseline, {} here",
                runs[0].name,
                say(old.as_ref()),
                say(new.as_ref())
            )),
            _ => {
                baseline.only_new.extend(news.values().flatten().map(|run| run.name.clone()));
                baseline.only_old.extend(olds.values().flatten().map(|run| run.name.clone()));
            }
        }
    }
    both.sort_by(|a, b| alphanumeric_sort::compare_str(&a.1[0].path, &b.1[0].path));
    let both: Vec<(Arc<[Difference]>, Runs<'_>, Runs<'_>)> =
        both.into_iter().map(|(old, new)| (Arc::from(circumstances::differences(&old, &new)), old, new)).collect();
    baseline.pairs = both.len();
    baseline.differs = count_differences(both.iter().flat_map(|(differs, ..)| differs.iter()));
    let all: Vec<Change> = both.par_iter().flat_map_iter(|(differs, old, new)| changes(differs, old, new)).collect();
    (baseline.changes, baseline.further) = all.into_iter().partition(|change| change.metric == Metric::Median);
    correct(&mut baseline.changes);
    // each metric by itself: how many sizes have a p99 is no reason to doubt the bandwidth
    baseline.further.sort_by_key(|change| change.metric);
    baseline.further.chunk_by_mut(|a, b| a.metric == b.metric).for_each(correct);
    baseline
}

fn say(identity: Option<&(String, String)>) -> String {
    identity.map(|(product, wire)| format!("{product} over the {wire} wire")).unwrap_or_default()
}

/// Each difference once, the most frequent first.
pub fn count_differences<'a>(all: impl Iterator<Item = &'a Difference>) -> Vec<(Difference, usize)> {
    let mut counts: BTreeMap<&Difference, usize> = BTreeMap::new();
    all.for_each(|one| *counts.entry(one).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().map(|(one, count)| (one.clone(), count)).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// Whether there is anything to compare.
pub fn has_figures(run: &Run) -> bool {
    run.state.is_comparable() && !run.sizes().is_empty()
}

/// Columns in which paired runs agree.
pub fn columns() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|(column, _)| *column).filter(|column| !FREE.contains(column) && !FOLLOWS.contains(column))
}

/// The values of [`columns`].
pub fn key(params: &Params) -> Key {
    columns().map(|column| params.get(column).cloned()).collect()
}

/// What is compared of a pair: (size, metric, op).
type Place = (u64, Metric, Option<Op>);

fn changes(differs: &Arc<[Difference]>, old: &[&Run], new: &[&Run]) -> Vec<Change> {
    let mut places: Vec<Place> = Vec::new();
    for size in new.iter().flat_map(|run| run.sizes()) {
        let bytes = size.payload_bytes;
        places.push((bytes, Metric::Bandwidth, None));
        places.extend(size.ops.iter().flat_map(|op| [Metric::Median, Metric::P99].map(|of| (bytes, of, Some(op.op)))));
    }
    places.sort_unstable();
    places.dedup();
    let with = |change: Change| Change { differs: Arc::clone(differs), ..change };
    places.into_iter().filter_map(|place| change(place, old, new).map(with)).collect()
}

/// `None` where a side does not have the figure.
fn change(place: Place, old: &[&Run], new: &[&Run]) -> Option<Change> {
    let (mut olds, mut news) = (found(old, place), found(new, place));
    let method = if olds.len() > 1 && news.len() > 1 { Method::Repeats } else { Method::Blocks };
    if method == Method::Blocks {
        // blocks of different runs are no one series: of several runs on one side the first stands for them
        olds.truncate(1);
        news.truncate(1);
    }
    let values = |found: &[Found<'_>]| found.iter().map(|one| one.value).collect::<Vec<_>>();
    // the geometric mean, which is what Welch's interval stands around
    let middle = interval::geometric_mean;
    let (old_value, new_value) = (middle(&values(&olds))?, middle(&values(&news))?);
    let is_repeated = method == Method::Repeats;
    let contrast = is_repeated.then(|| Contrast::welch(&values(&olds), &values(&news))).flatten();
    let interval = match is_repeated {
        true => contrast.and_then(|contrast| contrast.interval()),
        false => interval::block_ratio(olds[0].blocks, news[0].blocks),
    };
    let p = contrast.and_then(|contrast| contrast.p(1.0 + margin(method)));
    let (payload_bytes, metric, op) = place;
    // less bandwidth is more time
    let of_time = match metric {
        Metric::Bandwidth => interval.map(|(low, high)| (high.recip(), low.recip())),
        Metric::Median | Metric::P99 => interval,
    };
    Some(Change {
        run: new[0].name.clone(),
        baseline_run: old[0].name.clone(),
        payload_bytes,
        metric,
        op,
        old_runs: olds.len(),
        new_runs: news.len(),
        old: old_value,
        new: new_value,
        ratio: new_value / old_value,
        interval,
        p,
        method,
        verdict: Verdict::of(of_time, method),
        differs: Arc::default(),
    })
}

/// A figure of a run.
struct Found<'a> {
    value: f64,
    /// The same in blocks of iterations; empty where only the whole run has it.
    blocks: &'a [f64],
}

fn found<'a>(runs: &[&'a Run], (payload_bytes, metric, op): Place) -> Vec<Found<'a>> {
    let sizes = runs.iter().filter_map(|run| run.sizes().iter().find(|size| size.payload_bytes == payload_bytes));
    let of_size = |size: &'a SizeResult| {
        let Some(op) = op else { return Some(Found { value: size.overlap_gb_per_s?, blocks: &[] }) };
        let result = size.ops.iter().find(|one| one.op == op)?;
        Some(match metric {
            Metric::P99 => Found { value: result.latency.p99?, blocks: &[] },
            _ => Found { value: result.latency.median, blocks: &result.block_medians_ns },
        })
    };
    sizes.filter_map(of_size).collect()
}
