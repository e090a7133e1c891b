//! What is between the transfers of ranks (they compute, or wait for ranks of another role), and what of an iteration the transfers take.
//!
//! There the time from the first transfer to the last is mostly not the store's. Bandwidths then count the time in
//! which at least one rank transfers ([`Between::busy_ns`]), and starts have to be kept for that; elsewhere nothing is.

use crate::collect::stats::interval;
use crate::collect::stats::quantile::median_of;
use crate::record::op::Described;
use crate::record::vocabulary::Side;

/// Blocks of iterations for trends.
pub const BLOCKS: usize = 32;

/// The time of ranks by whose it is.
#[derive(Debug, Clone)]
pub struct Between {
    iterations: usize,
    /// By op: time in it of all ranks, by block.
    spent_ns: Vec<[u64; BLOCKS]>,
    /// (window, start, end) of the time in which a rank transferred; several ranks' overlap.
    spans: Vec<(u32, i64, i64)>,
}

/// Part of an iteration that goes into transfers: median over blocks of iterations, with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    pub median: f64,
    pub interval: Option<(f64, f64)>,
}

impl Between {
    /// Empty; `None` where `ops` have nothing between the transfers.
    pub fn new(ops: &[Described], iterations: u32) -> Option<Between> {
        let is_there = ops.iter().any(|op| matches!(op.side, Side::Application | Side::Span));
        let iterations = (iterations as usize).max(1);
        is_there.then(|| Between { iterations, spent_ns: vec![[0; BLOCKS]; ops.len()], spans: Vec::new() })
    }

    /// An empty one of the same kind.
    pub fn part(&self) -> Between {
        Between { spent_ns: vec![[0; BLOCKS]; self.spent_ns.len()], spans: Vec::new(), ..*self }
    }

    /// Takes the timed samples of a series of `op`, number `at`, as (start, duration) in ns.
    pub fn push(&mut self, (at, op): (usize, &Described), samples: impl ExactSizeIterator<Item = (i64, u64)>) {
        let n = samples.len().max(1);
        let mut open: Option<(i64, i64)> = None;
        for (number, (start, duration)) in samples.enumerate() {
            let end = start.saturating_add_unsigned(duration);
            // commands in flight, and those that an open loop is late with, share their time
            let new_from = open.map_or(start, |(_, until)| start.max(until));
            // the iteration decides, not the sample: ops of one iteration belong to one block
            let block = number * self.iterations / n * self.blocks() / self.iterations;
            self.spent_ns[at][block] += end.saturating_sub(new_from).max(0).cast_unsigned();
            open = Some(match open {
                Some((from, until)) if start <= until => (from, until.max(end)),
                before => {
                    self.keep(op, before);
                    (start, end)
                }
            });
        }
        self.keep(op, open);
    }

    /// As many as there are iterations, up to [`BLOCKS`].
    fn blocks(&self) -> usize {
        self.iterations.min(BLOCKS)
    }

    fn keep(&mut self, op: &Described, span: Option<(i64, i64)>) {
        if let Some((start, end)) = span.filter(|_| op.side == Side::Store) {
            self.spans.push((op.window, start, end));
        }
    }

    /// Takes in what another one has.
    pub fn join(&mut self, part: Between) {
        for (ours, theirs) in self.spent_ns.iter_mut().zip(part.spent_ns) {
            ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| *ours += theirs);
        }
        self.spans.extend(part.spans);
    }

    /// Time in which at least one rank transferred, in a window or in all; `None` where there is none.
    pub fn busy_ns(&mut self, window: Option<u32>) -> Option<u64> {
        self.spans.sort_unstable_by_key(|(_, start, _)| *start);
        let mut until = i64::MIN;
        let mut busy = 0;
        for (_, start, end) in self.spans.iter().filter(|span| window.is_none_or(|window| window == span.0)) {
            busy += end.saturating_sub((*start).max(until)).max(0).cast_unsigned();
            until = until.max(*end);
        }
        (busy > 0).then_some(busy)
    }

    /// Part of the transfers in the time of both; `ops`: those of one window, by whose they are.
    pub fn share(&self, ops: &[Described], window: u32) -> Option<Share> {
        let spent = |side: Side, block: usize| -> f64 {
            let of_side = self.spent_ns.iter().zip(ops).filter(|(_, op)| op.side == side && op.window == window);
            of_side.map(|(spent, _)| spent[block] as f64).sum()
        };
        let part = |block| {
            let (store, application) = (spent(Side::Store, block), spent(Side::Application, block));
            (store + application > 0.0).then(|| store / (store + application))
        };
        let parts: Vec<f64> = (0..self.blocks()).filter_map(part).collect();
        let median = median_of(&mut parts.clone(), f64::total_cmp)?;
        Some(Share { median, interval: interval::block_median(&parts) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::workload::{PUT, UNPACK, Workload};

    fn ops() -> Vec<Described> {
        Workload { compute: "50ms".parse().unwrap(), ..Workload::default() }.ops()
    }

    fn push(to: &mut Between, at: usize, samples: &[(i64, u64)]) {
        to.push((at, &ops()[at]), samples.iter().copied());
    }

    #[test]
    fn time_in_compute_is_no_transfer_time() {
        let mut between = Between::new(&ops(), 2).unwrap();
        // a rank puts 100 and unpacks 300, computes 600, twice; another does the same 200 later
        for late in [0, 200] {
            let mut part = between.part();
            push(&mut part, PUT, &[0, 1000].map(|start| (start + late, 100)));
            push(&mut part, UNPACK, &[100, 1100].map(|start| (start + late, 300)));
            push(&mut part, 2, &[400, 1400].map(|start| (start + late, 600)));
            between.join(part);
        }
        assert_eq!(
            (between.busy_ns(None), between.busy_ns(Some(0)), between.busy_ns(Some(1))),
            (Some(1200), Some(1200), None)
        );
        assert_eq!(between.share(&ops(), 0), Some(Share { median: 0.4, interval: None }));
        assert!(Between::new(&Workload::default().ops(), 2).is_none());
    }

    #[test]
    fn what_is_in_flight_together_counts_once() {
        let mut between = Between::new(&ops(), 1).unwrap();
        push(&mut between, PUT, &[(0, 100), (0, 150), (10, 100)]);
        push(&mut between, UNPACK, &[(200, 50)]);
        push(&mut between, 2, &[(300, 200)]);
        assert_eq!(between.busy_ns(None), Some(200));
        assert_eq!(between.share(&ops(), 0), Some(Share { median: 0.5, interval: None }));
        assert_eq!(Between::new(&ops(), 9).unwrap().busy_ns(None), None);
    }

    #[test]
    fn ops_of_one_iteration_are_in_one_block_whatever_their_number() {
        let mut between = Between::new(&ops(), 10).unwrap();
        push(&mut between, PUT, &(0..10).map(|i| (i * 1000, 100)).collect::<Vec<_>>());
        push(&mut between, UNPACK, &(0..90).map(|i| (i / 9 * 1000 + 100 + i % 9 * 20, 20)).collect::<Vec<_>>());
        push(&mut between, 2, &(0..10).map(|i| (i * 1000 + 500, 280)).collect::<Vec<_>>());
        assert_eq!(between.share(&ops(), 0), Some(Share { median: 0.5, interval: Some((0.5, 0.5)) }));
    }
}
