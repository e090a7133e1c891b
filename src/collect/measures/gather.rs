//! Takes in the series of one size, one at a time, and keeps durations, windows and medians: no start time outlives its
//! series.

use std::collections::BTreeMap;

use crate::collect::stats::quantile;
use crate::record::vocabulary::Op;

/// Blocks of iterations for trends.
pub const BLOCKS: usize = 32;
/// Ranks whose samples make the blocks; of more, every so-manieth.
const RANKS_FOR_BLOCKS: usize = 1024;

/// A span on the ranks' common clock, in ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub first_start_ns: i64,
    pub last_end_ns: i64,
}

impl Window {
    /// The window that holds `self` and the sample.
    pub fn with(self, start_ns: i64, duration_ns: u64) -> Window {
        self.and(Window { first_start_ns: start_ns, last_end_ns: start_ns.saturating_add_unsigned(duration_ns) })
    }

    /// The window that holds both.
    pub fn and(self, other: Window) -> Window {
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

/// A window and how many samples lie in it.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub window: Window,
    pub samples: u64,
}

const NOTHING: Part = Part { window: Window::EMPTY, samples: 0 };

/// One rank's loop over a size.
#[derive(Debug, Clone, Copy)]
pub struct Loop {
    /// Timed iterations, each one put_tensor and one unpack_tensor.
    pub iterations: u64,
    /// 0 where it is not known.
    pub loop_ns: u64,
}

/// The timed samples of one op over all ranks at one size.
#[derive(Debug, Clone)]
pub struct Pool {
    pub op: Op,
    pub durations_ns: Vec<u64>,
    pub ranks: u32,
    pub warmup_excluded: u64,
    /// From this op's first start to its last end.
    pub window: Window,
    /// (rank, median in ns).
    pub rank_medians: Vec<(u32, f64)>,
    /// Durations by part of the loop, first to last.
    pub blocks: Vec<Vec<u64>>,
}

/// What is known of a series beside its samples.
#[derive(Debug, Clone, Copy)]
pub struct RankSeries {
    pub rank: u32,
    pub op: Op,
    /// Where the keys lie; absent where nobody recorded it.
    pub shard: Option<u32>,
    /// Samples that were left out.
    pub warmup: u64,
    /// The rank's whole loop, both ops, without warm-up; 0 where it is not known.
    pub loop_ns: u64,
}

/// Everything that was sampled at one size.
#[derive(Debug, Clone)]
pub struct Gather {
    pub payload_bytes: u64,
    pub size_index: u32,
    /// Each rank did all of one op before the other.
    pub phases: bool,
    /// One for each op, in the order of [`Op::ALL`].
    pub pools: Vec<Pool>,
    /// Of all timed samples; empty where the ranks have no common clock.
    pub window: Window,
    /// By iteration, from 0.
    pub iterations: Vec<Part>,
    /// By shard.
    pub shards: Vec<Part>,
    /// By rank.
    pub loops: BTreeMap<u32, Loop>,
    /// Of the ranks every so-manieth makes the blocks.
    stride: usize,
    scratch: Vec<u64>,
}

impl Gather {
    /// Empty; `ranks` are expected.
    pub fn new(payload_bytes: u64, size_index: u32, ranks: usize) -> Gather {
        let pool = |op: &Op| Pool {
            op: *op,
            durations_ns: Vec::new(),
            ranks: 0,
            warmup_excluded: 0,
            window: Window::EMPTY,
            rank_medians: Vec::new(),
            blocks: vec![Vec::new(); BLOCKS],
        };
        Gather {
            payload_bytes,
            size_index,
            phases: false,
            pools: Op::ALL.iter().map(pool).collect(),
            window: Window::EMPTY,
            iterations: Vec::new(),
            shards: Vec::new(),
            loops: BTreeMap::new(),
            stride: ranks.div_ceil(RANKS_FOR_BLOCKS).max(1),
            scratch: Vec::new(),
        }
    }

    /// The i-th samples of both ops belong together.
    pub fn has_iterations(&self) -> bool {
        let mut counts = self.pools.iter().map(|pool| pool.durations_ns.len()).filter(|count| *count > 0);
        let first = counts.next();
        !self.phases && counts.all(|count| Some(count) == first)
    }

    /// Takes the timed samples of a series as (start on the common clock where there is one, duration), in ns.
    pub fn push(&mut self, series: &RankSeries, samples: impl Iterator<Item = (Option<i64>, u64)>) {
        let pool = &mut self.pools[usize::from(series.op.code())];
        let before = pool.durations_ns.len();
        let mut window = Window::EMPTY;
        for (iteration, (start, duration)) in samples.enumerate() {
            pool.durations_ns.push(duration);
            if let Some(start) = start {
                if iteration == self.iterations.len() {
                    self.iterations.push(NOTHING);
                }
                let part = &mut self.iterations[iteration];
                part.window = part.window.with(start, duration);
                part.samples += 1;
                window = window.with(start, duration);
            }
        }
        pool.window = pool.window.and(window);
        self.window = self.window.and(window);
        let n = pool.durations_ns.len() - before;
        if let Some(shard) = series.shard.map(|shard| shard as usize) {
            if shard >= self.shards.len() {
                self.shards.resize(shard + 1, NOTHING);
            }
            self.shards[shard].window = self.shards[shard].window.and(window);
            self.shards[shard].samples += n as u64;
        }
        // both series of a rank carry the time of the one loop that made them; where it takes more samples of one op than of
        // the other, those of the more frequent one are counted
        let entry = self.loops.entry(series.rank).or_insert(Loop { iterations: 0, loop_ns: series.loop_ns });
        entry.iterations = entry.iterations.max(n as u64);
        pool.note_series(series, before, (self.stride, &mut self.scratch));
    }
}

impl Pool {
    fn note_series(&mut self, series: &RankSeries, before: usize, (stride, scratch): (usize, &mut Vec<u64>)) {
        let new = &self.durations_ns[before..];
        scratch.clear();
        scratch.extend_from_slice(new);
        self.rank_medians.extend(quantile::median_ns(scratch).map(|median| (series.rank, median)));
        if (self.ranks as usize).is_multiple_of(stride) {
            // fewer samples than blocks fill some of them only
            for (at, block) in self.blocks.iter_mut().enumerate() {
                block.extend_from_slice(&new[at * new.len() / BLOCKS..(at + 1) * new.len() / BLOCKS]);
            }
        }
        self.ranks += 1;
        self.warmup_excluded += series.warmup;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_without_length_has_none() {
        assert_eq!(Window::EMPTY.length_ns(), None);
        assert_eq!(Window::EMPTY.with(5, 0).length_ns(), None);
        assert_eq!(Window::EMPTY.with(i64::MAX, u64::MAX).with(i64::MIN, 0).length_ns(), Some(u64::MAX));
    }

    #[test]
    fn blocks_hold_every_sample_once_in_order() {
        let mut gather = Gather::new(8, 0, 1);
        let series = RankSeries { rank: 0, op: Op::PutTensor, shard: None, warmup: 0, loop_ns: 0 };
        gather.push(&series, (0..100).map(|i| (None, i)));
        assert_eq!(gather.pools[0].blocks.concat(), (0..100).collect::<Vec<_>>());
        assert_eq!(gather.pools[0].rank_medians, [(0, 49.5)]);
    }
}
