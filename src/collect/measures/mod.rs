//! From the samples of all ranks to the figures of one run, op and size: pure, whoever read the samples.
//!
//! Bandwidths are in GB/s, which is bytes / ns. Four are given, since they answer different questions:
//!
//! - **at the median**: size / median duration, what one rank sees;
//! - **overlap**: bytes moved by all ranks / window, where the window reaches from the first start to the last end of the
//!   timed samples at this size, on the ranks' common clock. Ops that alternate in each rank share one window: the figure of
//!   one is what it moved while the others ran too. The figure of the run is all ops together. Where a run does all of one op
//!   before the next (order `phases`), each has the window of its phase;
//! - **classic**: sum over ranks of size x iterations / loop time, as SmartSim-Scaling publishes it. The loop time covers
//!   all ops while the bytes count once, and a rank that starts late is not seen;
//! - **by iteration**: the overlap of each iteration by itself (bytes of all ranks in it / first start to last end in it),
//!   as the median over the iterations: what the slowest rank of each leaves. Ranks that do not wait for each other drift
//!   apart, which widens these windows. Absent where an iteration is not one of each op, one after the other.
//!
//! Where ranks compute between their transfers, or wait for ranks of another role, a window is the time within it in which at least one rank transfers
//! ([`between`]): what else they do is no time of the store. Shards then have no figure of their own.
//!
//! [`gather`] takes in a series at a time and keeps durations and windows only, [`standing`] tells who was slow over the whole run.

pub mod between;
pub mod durations;
pub mod gather;
pub mod standing;

use between::Between;
use durations::Durations;
use rayon::prelude::*;

use super::model::Application;
use super::model::{OpResult, SizeResult};
use super::stats::density::Density;
use super::stats::sort::{self, Nanoseconds};
use super::stats::trend::Trend;
use super::stats::{Summary, dip, quantile};
use crate::record::op::Described;
use crate::record::vocabulary::Side;
pub use gather::{Gather, RankSeries};
use gather::{Loop, Pool};

/// Shards up to which each has its bandwidth in the report.
const MOST_SHARDS: usize = 256;

/// The reduced size, and the median of each rank and op for [`standing`].
pub fn reduce(mut gather: Gather) -> (SizeResult, Vec<Vec<(u32, f64)>>) {
    let has_iterations = gather.has_iterations();
    let described: Vec<Described> = gather.pools.iter().map(|pool| pool.op).collect();
    let length = |gather: &mut Gather, window: u32| match &mut gather.between {
        Some(between) => between.busy_ns(Some(window)),
        None => gather.window_of(window).length_ns(),
    };
    let windows: Vec<_> = described.iter().map(|op| length(&mut gather, op.window)).collect();
    let Gather { payload_bytes, size_index, pools, window, iterations, shards, loops, mut between, .. } = gather;
    let window_ns = between.as_mut().map_or_else(|| window.length_ns(), |between| between.busy_ns(None));
    let reduced: Vec<_> = pools
        .into_par_iter()
        .zip(windows)
        .map(|(mut pool, window_ns)| {
            let medians = std::mem::take(&mut pool.rank_medians);
            // who is slow at the store is not hidden by what all compute
            let medians = if pool.op.side == Side::Store { medians } else { Vec::new() };
            (medians, reduce_op(payload_bytes, window_ns, pool))
        })
        .collect();
    let (by_rank, ops): (Vec<_>, Vec<_>) = reduced.into_iter().unzip();
    let (moved, ops): (Vec<u64>, Vec<OpResult>) = ops.into_iter().flatten().unzip();
    let iterations = if has_iterations { iterations.parts() } else { Vec::new() };
    let mut of_iterations: Vec<f64> =
        iterations.iter().filter_map(|one| overlap(payload_bytes, one.tensors, one.window.length_ns())).collect();
    of_iterations.sort_by(f64::total_cmp);
    let shards = if shards.len() > MOST_SHARDS || between.is_some() { Vec::new() } else { shards };
    let application = between.map(|between| application(&described, &between)).unwrap_or_default();
    let size = SizeResult {
        payload_bytes,
        size_index,
        window_ns,
        overlap_gb_per_s: overlap(payload_bytes, moved.iter().sum(), window_ns),
        classic_gb_per_s: classic(payload_bytes, loops),
        iteration_gb_per_s: quantile::median_of(&mut of_iterations.clone(), f64::total_cmp),
        iteration_gb_per_s_ci95: quantile::median_ci95(&of_iterations),
        shard_gb_per_s: shards.iter().map(|one| overlap(payload_bytes, one.tensors, one.window.length_ns())).collect(),
        ops,
        application,
    };
    (size, by_rank)
}

/// For each op of the application what of its iterations the transfers take; the slowdown needs what was measured alone.
fn application(ops: &[Described], between: &Between) -> Vec<Application> {
    let of_application = ops.iter().filter(|op| op.side == Side::Application);
    let one = |op: &Described| {
        let share = between.share(ops, op.window);
        Application {
            op: op.name,
            slowdown: None,
            slowdown_ci99: None,
            share: share.map(|share| share.median),
            share_ci99: share.and_then(|share| share.interval),
        }
    };
    of_application.map(one).collect()
}

/// The op with the number of tensors that it moved.
fn reduce_op(payload_bytes: u64, window_ns: Option<u64>, mut pool: Pool) -> Option<(u64, OpResult)> {
    let shape = match pool.durations.wide.is_empty() {
        true => Shape::of(std::mem::take(&mut pool.durations.narrow)),
        false => Shape::of(pool.durations.all_wide()),
    }?;
    let block_medians_ns: Vec<f64> = pool.blocks.iter_mut().filter_map(Durations::median_ns).collect();
    let latency = shape.latency;
    let tensors = u64::from(pool.op.tensors);
    let moved = tensors * latency.n as u64;
    let result = OpResult {
        op: pool.op.name,
        ranks: pool.ranks,
        warmup_excluded: pool.warmup_excluded,
        median_gb_per_s: (moved > 0 && latency.median > 0.0)
            .then(|| tensors as f64 * payload_bytes as f64 / latency.median),
        overlap_gb_per_s: overlap(payload_bytes, moved, window_ns),
        multimodal: shape.multimodal,
        density: shape.density,
        trend: Trend::of(&block_medians_ns),
        block_medians_ns,
        latency,
    };
    // what an op spans has been counted where it was moved
    Some((if pool.op.side == Side::Span { 0 } else { moved }, result))
}

/// What needs durations in order.
struct Shape {
    latency: Summary,
    multimodal: Option<bool>,
    density: Option<Density>,
}

impl Shape {
    fn of<T: Nanoseconds>(mut durations: Vec<T>) -> Option<Shape> {
        sort::sort(&mut durations, &mut Vec::new());
        let sorted = &durations[..];
        Some(Shape {
            latency: Summary::of_sorted(sorted)?,
            multimodal: dip::is_multimodal(sorted),
            density: Density::of_sorted(sorted),
        })
    }
}

fn overlap(payload_bytes: u64, tensors: u64, window_ns: Option<u64>) -> Option<f64> {
    (tensors > 0).then_some(payload_bytes as f64 * tensors as f64 / window_ns? as f64)
}

/// Sum over ranks of size x iterations / loop time; `None` unless every rank has a loop time.
fn classic(payload_bytes: u64, loops: Vec<Loop>) -> Option<f64> {
    let loops = Gather::loops_of_ranks(loops);
    if loops.is_empty() || loops.iter().any(|one| one.loop_ns == 0) {
        return None;
    }
    Some(loops.iter().map(|one| payload_bytes as f64 * one.iterations as f64 / one.loop_ns as f64).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::stats::window::Window;
    use crate::record::vocabulary::Order;
    use crate::record::workload::{PUT, UNPACK, Workload};

    /// Two ranks, the second 500 ns later; each put takes 100 ns and each unpack 300 ns, back to back, twice.
    fn two_ranks(with_starts: bool) -> Gather {
        two_ranks_of(&Workload::default().ops(), with_starts)
    }

    fn two_ranks_of(ops: &[Described], with_starts: bool) -> Gather {
        let mut gather = Gather::new(1000, 0, 2, ops);
        for (rank, base) in [(0, 1000), (1, 1500)] {
            for (op, offset, duration) in [(PUT, 0, 100u64), (UNPACK, 100, 300)] {
                let series = RankSeries { rank, op, shard: Some(rank), warmup: 3, loop_ns: 800 };
                let samples = [0, 400].map(|later| (base + offset + later, duration));
                let window = match with_starts {
                    true => gather.iterations.push(samples.into_iter(), ops[op].tensors),
                    false => Window::EMPTY,
                };
                gather.push(&series, window, &mut [duration; 2]);
            }
        }
        gather
    }

    #[test]
    fn the_bandwidths_of_a_case_done_by_hand() {
        let (size, by_rank) = reduce(two_ranks(true));
        // first start 1000, last end 1500 + 800
        assert_eq!(size.window_ns, Some(1300));
        assert_eq!(size.ops[0].median_gb_per_s, Some(10.0));
        assert_eq!(size.ops[0].overlap_gb_per_s, Some(4000.0 / 1300.0));
        assert_eq!(size.ops[1].overlap_gb_per_s, size.ops[0].overlap_gb_per_s);
        assert_eq!(size.overlap_gb_per_s, Some(8000.0 / 1300.0));
        // 2 ranks x 1000 bytes x 2 iterations / 800 ns
        assert_eq!(size.classic_gb_per_s, Some(5.0));
        // an iteration: 4 samples from 1000 to 1900
        assert_eq!(size.iteration_gb_per_s, Some(4000.0 / 900.0));
        // a shard has one rank: 4 samples in 800 ns
        assert_eq!(size.shard_gb_per_s, [Some(5.0), Some(5.0)]);
        assert_eq!(by_rank, [[(0, 100.0), (1, 100.0)], [(0, 300.0), (1, 300.0)]]);
        assert_eq!((size.ops[0].warmup_excluded, size.ops[0].ranks), (6, 2));
    }

    #[test]
    fn ops_in_phases_have_windows_of_their_own() {
        let mut gather = two_ranks_of(&Workload { order: Order::Phases, ..Workload::default() }.ops(), true);
        gather.pools[0].window = Window { first_start_ns: 0, last_end_ns: 400 };
        let (size, _) = reduce(gather);
        assert_eq!(size.ops[0].overlap_gb_per_s, Some(10.0));
        // first start 1100, last end 2300
        assert_eq!(size.ops[1].overlap_gb_per_s, Some(4000.0 / 1200.0));
        assert_eq!(size.iteration_gb_per_s, None);
    }

    #[test]
    fn an_op_counts_the_tensors_that_it_moves() {
        let mut ops = Workload::default().ops();
        (ops[PUT].tensors, ops[UNPACK].tensors) = (0, 4);
        let (size, _) = reduce(two_ranks_of(&ops, true));
        assert_eq!((size.ops[0].median_gb_per_s, size.ops[0].overlap_gb_per_s), (None, None));
        assert_eq!(size.ops[1].median_gb_per_s, Some(4000.0 / 300.0));
        assert_eq!(size.overlap_gb_per_s, Some(16000.0 / 1300.0));
        assert_eq!(size.iteration_gb_per_s, Some(8000.0 / 900.0));
    }

    #[test]
    fn what_cannot_be_said_is_absent() {
        let mut gather = two_ranks(false);
        gather.loops.iter_mut().filter(|one| one.rank == 1).for_each(|one| one.loop_ns = 0);
        gather.pools[1].durations = Durations::default();
        let (size, _) = reduce(gather);
        assert_eq!((size.window_ns, size.overlap_gb_per_s, size.classic_gb_per_s), (None, None, None));
        assert_eq!((size.iteration_gb_per_s, size.shard_gb_per_s), (None, vec![None, None]));
        assert_eq!(size.ops.len(), 1);
    }
}
