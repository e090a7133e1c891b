//! From the samples of all ranks to the figures of one run, op and size: pure, whoever read the samples.
//!
//! Bandwidths are in GB/s, which is bytes / ns. Three are given, since they answer different questions:
//!
//! - **at the median**: size / median duration, what one rank sees;
//! - **overlap**: bytes moved by all ranks / window, where the window reaches from the first start to the last end of the
//!   timed samples at this size, on the ranks' common clock. put_tensor and unpack_tensor alternate in each rank, so both
//!   share one window: the figure of one op is what it moved while the other ran too, and the figure of the run is both
//!   together. Where a run puts everything before it unpacks (order `phases`), each op has the window of its phase;
//! - **classic**: sum over ranks of size x iterations / loop time, as SmartSim-Scaling publishes it. The loop time covers
//!   both ops while the bytes count once, and a rank that starts late is not seen.

use crate::record::vocabulary::Op;

use super::model::{OpResult, SizeResult};
use super::stats::Summary;

/// The timed samples of one op over all ranks at one size, as a reader delivers them.
#[derive(Debug, Clone)]
pub struct Pool {
    pub op: Op,
    pub durations_ns: Vec<u64>,
    pub ranks: u32,
    pub warmup_excluded: u64,
    /// From this op's first start to its last end, where it does not share the window with the other op.
    pub window: Option<Window>,
}

/// A span on the ranks' common clock, in ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub first_start_ns: i64,
    pub last_end_ns: i64,
}

impl Window {
    /// The window that holds `self` and the sample.
    pub fn with(self, start_ns: i64, duration_ns: u64) -> Window {
        Window {
            first_start_ns: self.first_start_ns.min(start_ns),
            last_end_ns: self.last_end_ns.max(start_ns.saturating_add_unsigned(duration_ns)),
        }
    }

    /// The window that holds both.
    pub fn with_all(self, other: Window) -> Window {
        Window {
            first_start_ns: self.first_start_ns.min(other.first_start_ns),
            last_end_ns: self.last_end_ns.max(other.last_end_ns),
        }
    }

    /// Holds nothing yet.
    pub const EMPTY: Window = Window { first_start_ns: i64::MAX, last_end_ns: i64::MIN };

    /// Its length in ns; `None` for an empty one and for one without length, by which nothing can be divided.
    pub fn length_ns(self) -> Option<u64> {
        u64::try_from(i128::from(self.last_end_ns) - i128::from(self.first_start_ns)).ok().filter(|length| *length > 0)
    }
}

/// One rank's loop over a size.
#[derive(Debug, Clone, Copy)]
pub struct Loop {
    /// Timed iterations, each one put_tensor and one unpack_tensor.
    pub iterations: u64,
    pub loop_ns: u64,
}

/// Everything that was sampled at one size.
#[derive(Debug, Clone)]
pub struct Samples {
    pub payload_bytes: u64,
    pub size_index: u32,
    pub pools: Vec<Pool>,
    /// Absent where the reader has no start times on a common clock.
    pub window: Option<Window>,
    /// One for each rank.
    pub loops: Vec<Loop>,
}

/// Reduces one size; ops without a timed sample are left out.
pub fn reduce(samples: Samples) -> SizeResult {
    let Samples { payload_bytes, size_index, pools, window, loops } = samples;
    let window_ns = window.and_then(Window::length_ns);
    let ops: Vec<_> = pools
        .into_iter()
        .filter_map(|pool| {
            let own = pool.window.and_then(Window::length_ns);
            reduce_op(payload_bytes, own.or(window_ns), pool)
        })
        .collect();
    let n = ops.iter().map(|op| op.latency.n).sum();
    SizeResult {
        payload_bytes,
        size_index,
        window_ns,
        overlap_gb_per_s: overlap(payload_bytes, n, window_ns),
        classic_gb_per_s: classic(payload_bytes, &loops),
        ops,
    }
}

fn reduce_op(payload_bytes: u64, window_ns: Option<u64>, mut pool: Pool) -> Option<OpResult> {
    let latency = Summary::of(&mut pool.durations_ns)?;
    Some(OpResult {
        op: pool.op,
        ranks: pool.ranks,
        warmup_excluded: pool.warmup_excluded,
        median_gb_per_s: (latency.median > 0.0).then(|| payload_bytes as f64 / latency.median),
        overlap_gb_per_s: overlap(payload_bytes, latency.n, window_ns),
        latency,
    })
}

fn overlap(payload_bytes: u64, n: usize, window_ns: Option<u64>) -> Option<f64> {
    (n > 0).then_some(payload_bytes as f64 * n as f64 / window_ns? as f64)
}

/// Sum over ranks of size x iterations / loop time; `None` unless every rank has a loop time.
fn classic(payload_bytes: u64, loops: &[Loop]) -> Option<f64> {
    if loops.is_empty() || loops.iter().any(|one| one.loop_ns == 0) {
        return None;
    }
    Some(loops.iter().map(|one| payload_bytes as f64 * one.iterations as f64 / one.loop_ns as f64).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two ranks, the second 500 ns later; each put takes 100 ns and each unpack 300 ns, back to back, twice.
    fn two_ranks() -> Samples {
        let mut window = Window::EMPTY;
        for base in [1000, 1500] {
            for (offset, duration) in [(0, 100), (100, 300), (400, 100), (500, 300)] {
                window = window.with(base + offset, duration);
            }
        }
        let pool = |op, ns| Pool { op, durations_ns: vec![ns; 4], ranks: 2, warmup_excluded: 6, window: None };
        Samples {
            payload_bytes: 1000,
            size_index: 0,
            pools: vec![pool(Op::PutTensor, 100), pool(Op::UnpackTensor, 300)],
            window: Some(window),
            loops: vec![Loop { iterations: 2, loop_ns: 800 }; 2],
        }
    }

    #[test]
    fn the_three_bandwidths_of_a_case_done_by_hand() {
        let size = reduce(two_ranks());
        // first start 1000, last end 1500 + 800
        assert_eq!(size.window_ns, Some(1300));
        assert_eq!(size.ops[0].median_gb_per_s, Some(10.0));
        assert_eq!(size.ops[0].overlap_gb_per_s, Some(4000.0 / 1300.0));
        assert_eq!(size.ops[1].overlap_gb_per_s, size.ops[0].overlap_gb_per_s);
        assert_eq!(size.overlap_gb_per_s, Some(8000.0 / 1300.0));
        // 2 ranks x 1000 bytes x 2 iterations / 800 ns
        assert_eq!(size.classic_gb_per_s, Some(5.0));
    }

    #[test]
    fn ops_in_phases_have_windows_of_their_own() {
        let mut samples = two_ranks();
        samples.pools[0].window = Some(Window { first_start_ns: 0, last_end_ns: 400 });
        let size = reduce(samples);
        assert_eq!(size.ops[0].overlap_gb_per_s, Some(10.0));
        assert_eq!(size.ops[1].overlap_gb_per_s, Some(4000.0 / 1300.0));
    }

    #[test]
    fn what_cannot_be_said_is_absent() {
        let mut samples = two_ranks();
        samples.window = None;
        samples.loops[1].loop_ns = 0;
        samples.pools[1].durations_ns.clear();
        let size = reduce(samples);
        assert_eq!((size.window_ns, size.overlap_gb_per_s, size.classic_gb_per_s), (None, None, None));
        assert_eq!(size.ops.len(), 1);
        assert_eq!(Window::EMPTY.length_ns(), None);
        assert_eq!(Window::EMPTY.with(5, 0).length_ns(), None);
        assert_eq!(Window::EMPTY.with(i64::MAX, u64::MAX).with(i64::MIN, 0).length_ns(), Some(u64::MAX));
    }
}
