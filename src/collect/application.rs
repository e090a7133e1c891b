//! What the store costs the application: how much longer its computation takes beside the store than alone, and what of an
//! iteration the transfers take.
//!
//! By run and size, and pooled over the repeats of one set of parameters, which is the only way to see how runs differ. Knows the
//! model; reads no file and draws nothing.

use std::collections::BTreeMap;

use super::groups;
use super::model::{Application, OpResult, Run};
use super::stats::interval;
use crate::record::op::Op;

/// Slowdown below which what was measured alone is worth a note.
const NOTABLY_FASTER: f64 = 0.95;

impl Application {
    /// Holds `op` against the same before the store had traffic.
    pub fn against(self, op: &OpResult, alone: &OpResult) -> Application {
        let slowdown = (alone.latency.median > 0.0).then(|| op.latency.median / alone.latency.median);
        let of_blocks = interval::block_ratio(&alone.block_medians_ns, &op.block_medians_ns);
        // medians of blocks stand elsewhere than those of all where a loop has several modes: the interval holds both
        let slowdown_ci99 = of_blocks.zip(slowdown).map(|((low, high), ratio)| (low.min(ratio), high.max(ratio)));
        Application { slowdown, slowdown_ci99, ..self }
    }

    /// It was certainly slower alone, which no store does: the reference was disturbed.
    pub fn is_faster_beside(&self) -> bool {
        self.slowdown_ci99.is_some_and(|(_, high)| high < NOTABLY_FASTER)
    }
}

/// An op of the application at one size over all repeats.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    /// Name of the first run.
    pub run: String,
    /// Indices of the runs, ascending.
    pub runs: Vec<usize>,
    pub payload_bytes: u64,
    /// Over several runs the geometric mean of theirs, from three on with an interval from how they differ; of one run its own.
    pub of: Application,
}

/// Every set of parameters, size and op, in the order of the first runs; invalid and failed runs are left out.
pub fn pooled(runs: &[Run]) -> Vec<Pooled> {
    let mut groups: BTreeMap<groups::Key, Vec<usize>> = BTreeMap::new();
    for (index, run) in runs.iter().enumerate() {
        if let Some(key) = groups::key(run, &[]) {
            groups.entry(key).or_default().push(index);
        }
    }
    let mut all: Vec<Vec<usize>> = groups.into_values().collect();
    all.sort();
    all.iter().flat_map(|group| pool(runs, group)).collect()
}

fn pool(runs: &[Run], group: &[usize]) -> Vec<Pooled> {
    let mut places: BTreeMap<(u64, Op), Vec<(usize, Application)>> = BTreeMap::new();
    for index in group {
        for size in runs[*index].sizes() {
            for one in &size.application {
                places.entry((size.payload_bytes, one.op)).or_default().push((*index, *one));
            }
        }
    }
    let pooled = |((payload_bytes, _), found): (_, Vec<(usize, Application)>)| {
        let (runs_of, figures): (Vec<usize>, Vec<Application>) = found.into_iter().unzip();
        Pooled { run: runs[runs_of[0]].name.clone(), runs: runs_of, payload_bytes, of: of_repeats(&figures) }
    };
    places.into_iter().map(pooled).collect()
}

fn of_repeats(figures: &[Application]) -> Application {
    if figures.len() == 1 {
        return figures[0];
    }
    let over = |of: fn(&Application) -> Option<f64>| {
        let values: Vec<f64> = figures.iter().filter_map(of).collect();
        (interval::geometric_mean(&values), interval::of_repeats(&values))
    };
    let (slowdown, slowdown_ci99) = over(|one| one.slowdown);
    // as transfers to computation, which like a ratio has no upper bound: so that no interval leaves 0 to 1
    let (odds, odds_ci99) = over(|one| one.share.map(|share| share / (1.0 - share)));
    let part = |odds: f64| odds / (1.0 + odds);
    let (share, share_ci99) = (odds.map(part), odds_ci99.map(|(low, high)| (part(low), part(high))));
    Application { op: figures[0].op, slowdown, slowdown_ci99, share, share_ci99 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(slowdown: f64, share: f64) -> Application {
        let op = "compute".parse().unwrap();
        Application {
            op,
            slowdown: Some(slowdown),
            slowdown_ci99: Some((1.0, 9.0)),
            share: Some(share),
            share_ci99: None,
        }
    }

    #[test]
    fn repeats_say_how_runs_differ() {
        assert_eq!(of_repeats(&[figures(1.5, 0.2)]), figures(1.5, 0.2));
        let pooled = of_repeats(&[figures(1.0, 0.5), figures(4.0, 0.5)]);
        assert_eq!((pooled.slowdown_ci99, pooled.share_ci99), (None, None));
        assert!((pooled.slowdown.unwrap() - 2.0).abs() < 1e-12);
        let pooled = of_repeats(&[figures(1.0, 0.5), figures(4.0, 0.2), figures(2.0, 0.8)]);
        let (low, high) = pooled.slowdown_ci99.unwrap();
        assert!(low < 1.0 && high > 4.0, "runs that differ so much tell little: {low} {high}");
        let (low, high) = pooled.share_ci99.unwrap();
        assert!((pooled.share.unwrap() - 0.5).abs() < 1e-12);
        assert!(0.0 < low && low < 0.2 && 0.8 < high && high < 1.0, "{low} {high}");
        let faster = Application { slowdown_ci99: Some((0.4, 0.6)), ..figures(0.5, 0.5) };
        assert!(faster.is_faster_beside() && !figures(0.5, 0.5).is_faster_beside());
        let without = Application { slowdown: None, ..figures(1.0, 0.1) };
        assert_eq!(of_repeats(&[without, without]).slowdown, None);
    }
}
