//! The present collection against the last ones, in the form of a comparison with a baseline.
//!
//! Collections are the units: how one differs from the next on an unchanged store (nodes, neighbours, the state of a machine) is in
//! the interval, which no number of repeats within one collection shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Key, Moment, Place, trend};
use crate::collect::baseline::{Baseline, Change, Method, Metric, Verdict, correct, count_differences, margin};
use crate::collect::circumstances;
use crate::collect::stats::interval::{Contrast, LEAST_REPEATS, geometric_mean};

/// Holds each configuration of `present` against the `last` earlier ones of `past`, which lies in `folder`.
pub fn compare(
    folder: &str,
    past: &BTreeMap<Key, Vec<Moment>>,
    present: &BTreeMap<Key, Vec<Moment>>,
    last: usize,
) -> Baseline {
    let mut baseline = Baseline { folder: format!("the last {last} collections in {folder}"), ..Baseline::default() };
    let mut differs = Vec::new();
    for (key, now) in present.iter().filter_map(|(key, now)| Some((key, now.last()?))) {
        let before = past.get(key).map(|all| before(all, now)).unwrap_or_default();
        let before = &before[before.len().saturating_sub(last)..];
        let Some(latest) = before.last() else {
            baseline.only_new.push(now.run.clone());
            continue;
        };
        let told: Arc<[_]> = circumstances::between(&latest.environment, &now.environment).into();
        let with = |one: Change| Change { differs: Arc::clone(&told), ..one };
        baseline.changes.extend(now.figures.keys().filter_map(|place| change(place, before, now)).map(with));
        differs.push(told);
    }
    baseline.pairs = differs.len();
    baseline.differs = count_differences(differs.iter().flat_map(|some| some.iter()));
    baseline.changes.sort_by(|a, b| alphanumeric_sort::compare_str(&a.run, &b.run));
    correct(&mut baseline.changes);
    baseline
}

/// Those of other runs that had begun when `now` had.
fn before<'a>(all: &'a [Moment], now: &Moment) -> Vec<&'a Moment> {
    all.iter().filter(|one| one.utc <= now.utc && one.runs.is_disjoint(&now.runs)).collect()
}

fn change(&(op, payload_bytes): &Place, before: &[&Moment], now: &Moment) -> Option<Change> {
    let place = (op, payload_bytes);
    let levels: Vec<f64> = before.iter().filter_map(|one| trend::level(one, &place)).collect();
    let new = trend::level(now, &place)?;
    let few = levels.len() < LEAST_REPEATS;
    // too few collections to see how they differ: the latest one's repeats say what repeats can
    let latest = before.iter().rev().find_map(|one| one.figures.get(&place))?;
    let contrast = if few { Contrast::welch(latest, &now.figures[&place]) } else { Contrast::next(&levels, new) };
    let method = if few { Method::Repeats } else { Method::Collections };
    let old = if few { latest } else { &levels };
    let interval = contrast.and_then(|contrast| contrast.interval());
    let old_value = geometric_mean(old)?;
    Some(Change {
        run: now.run.clone(),
        baseline_run: before.last()?.run.clone(),
        payload_bytes,
        metric: Metric::Median,
        op: Some(op),
        old_runs: old.len(),
        new_runs: now.figures[&place].len(),
        old: old_value,
        new,
        ratio: new / old_value,
        interval,
        p: contrast.and_then(|contrast| contrast.p(1.0 + margin(method))),
        method,
        verdict: Verdict::of(interval, method),
        differs: Arc::default(),
    })
}
