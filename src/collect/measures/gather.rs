//! Takes in the series of one size, one at a time, and keeps durations, windows and medians: no start time outlives its
//! series. Several may take in a part each, which are joined afterwards.

use super::between::{BLOCKS, Between};
use super::durations::{Durations, Keep};
use crate::collect::stats::quantile;
use crate::collect::stats::window::{Iterations, Part, Window};
use crate::record::op::Described;
use crate::record::samples::SeriesView;
use crate::record::vocabulary::Side;

/// Ranks whose samples make the blocks; of more, every so-manieth.
const RANKS_FOR_BLOCKS: usize = 1024;

/// One rank's loop over a size.
#[derive(Debug, Clone, Copy)]
pub struct Loop {
    pub rank: u32,
    /// Timed samples of its most frequent op.
    pub iterations: u64,
    /// 0 where it is not known.
    pub loop_ns: u64,
    /// Of its timed samples; empty where starts are not known.
    pub window: Window,
}

/// The timed samples of one op over all ranks at one size.
#[derive(Debug, Clone)]
pub struct Pool {
    pub op: Described,
    pub durations: Durations,
    pub ranks: u32,
    pub warmup_excluded: u64,
    /// From this op's first start to its last end.
    pub window: Window,
    /// (rank, median in ns).
    pub rank_medians: Vec<(u32, f64)>,
    /// Durations by part of the loop, first to last.
    pub blocks: Vec<Durations>,
    /// Ranks that others take in before this part.
    before: u32,
}

/// What is known of a series beside its samples.
#[derive(Debug, Clone, Copy)]
pub struct RankSeries {
    pub rank: u32,
    /// Place in the list of ops.
    pub op: usize,
    /// Where the keys lie; absent where nobody recorded it.
    pub shard: Option<u32>,
    /// Samples that were left out.
    pub warmup: u64,
    /// The rank's whole loop, all ops, without warm-up; 0 where it is not known.
    pub loop_ns: u64,
}

/// Everything that was sampled at one size.
#[derive(Debug, Clone)]
pub struct Gather {
    pub payload_bytes: u64,
    pub size_index: u32,
    /// One for each op.
    pub pools: Vec<Pool>,
    /// Of all timed samples; empty where the ranks have no common clock.
    pub window: Window,
    pub iterations: Iterations,
    /// By shard.
    pub shards: Vec<Part>,
    /// One for each series.
    pub loops: Vec<Loop>,
    /// Where ranks compute between their transfers.
    pub between: Option<Between>,
    /// Of the ranks every so-manieth makes the blocks.
    stride: usize,
    scratch: Vec<u32>,
}

impl Gather {
    /// Empty; `ranks` are expected.
    pub fn new(payload_bytes: u64, size_index: u32, ranks: usize, ops: &[Described]) -> Gather {
        let pool = |op: &Described| Pool {
            op: *op,
            durations: Durations::default(),
            ranks: 0,
            warmup_excluded: 0,
            window: Window::EMPTY,
            rank_medians: Vec::new(),
            blocks: vec![Durations::default(); BLOCKS],
            before: 0,
        };
        Gather {
            payload_bytes,
            size_index,
            pools: ops.iter().map(pool).collect(),
            window: Window::EMPTY,
            iterations: Iterations::default(),
            shards: Vec::new(),
            loops: Vec::new(),
            between: None,
            stride: ranks.div_ceil(RANKS_FOR_BLOCKS).max(1),
            scratch: Vec::new(),
        }
    }

    /// Minds what ranks compute between `iterations` iterations, if the ops say that they do.
    pub fn minding(self, iterations: u32) -> Gather {
        let ops: Vec<Described> = self.pools.iter().map(|pool| pool.op).collect();
        Gather { between: Between::new(&ops, iterations), ..self }
    }

    /// An empty one for a part of the same size; `before`: series of each op that others take in before it.
    pub fn part(&self, before: &[u32]) -> Gather {
        let ops: Vec<Described> = self.pools.iter().map(|pool| pool.op).collect();
        let mut part = Gather::new(self.payload_bytes, self.size_index, 1, &ops);
        part.stride = self.stride;
        part.between = self.between.as_ref().map(Between::part);
        for ((part, whole), before) in part.pools.iter_mut().zip(&self.pools).zip(before) {
            part.before = whole.before + whole.ranks + before;
        }
        part
    }

    /// The i-th samples of all ops belong together: they alternate, and there are as many of each.
    pub fn has_iterations(&self) -> bool {
        let of_store = |pool: &&Pool| pool.op.side == Side::Store && !pool.durations.is_empty();
        let sampled = self.pools.iter().filter(of_store);
        let mut kinds = sampled.map(|pool| (pool.durations.len(), pool.op.window));
        let first = kinds.next();
        kinds.all(|kind| Some(kind) == first)
    }

    /// From the first start to the last end of the ops that share window number `window`.
    pub fn window_of(&self, window: u32) -> Window {
        let sharing = self.pools.iter().filter(|pool| pool.op.window == window);
        sharing.fold(Window::EMPTY, |all, pool| all.and(pool.window))
    }

    /// Takes the timed samples of a series as it lies in a file.
    pub fn push_view(&mut self, view: &SeriesView<'_>) {
        let (rank, op, loop_ns, warmup) = (view.rank, view.op, view.loop_ns, view.warmup as usize);
        let series = RankSeries { rank, op, shard: Some(view.shard), warmup: u64::from(view.warmup), loop_ns };
        let described = self.pools[op].op;
        let tensors = described.tensors;
        if self.between.is_some() && described.side != Side::Store {
            return self.push_computed(&series, view);
        }
        if let Some(between) = &mut self.between {
            let timed: Vec<(i64, u64)> = view.samples().skip(warmup).collect();
            between.push((op, &described), timed.into_iter());
        }
        if let Some(samples) = view.narrow() {
            let mut durations = std::mem::take(&mut self.scratch);
            durations.clear();
            durations.extend(view.narrow().into_iter().flatten().skip(warmup).map(|(_, ns)| ns));
            let window = self.iterations.push_steps(view, samples, tensors);
            self.push(&series, window, &mut durations);
            self.scratch = durations;
        } else {
            let timed: Vec<(i64, u64)> = view.samples().skip(warmup).collect();
            let window = self.iterations.push(timed.iter().copied(), tensors);
            self.push(&series, window, &mut timed.iter().map(|(_, ns)| *ns).collect::<Vec<_>>());
        }
    }

    /// Takes what a rank computed: it is no time of the store, so that it has neither window nor loop.
    fn push_computed(&mut self, series: &RankSeries, view: &SeriesView<'_>) {
        let timed: Vec<(i64, u64)> = view.samples().skip(view.warmup as usize).collect();
        let pool = &mut self.pools[series.op];
        if let Some(between) = &mut self.between {
            between.push((series.op, &pool.op), timed.iter().copied());
        }
        pool.take(series, &mut timed.iter().map(|(_, ns)| *ns).collect::<Vec<_>>(), self.stride);
    }

    /// Takes the timed durations of a series, which it reorders, and their window, empty where starts are not known.
    pub fn push<T: Keep>(&mut self, series: &RankSeries, window: Window, durations: &mut [T]) {
        let pool = &mut self.pools[series.op];
        let samples = durations.len() as u64;
        let tensors = samples * u64::from(pool.op.tensors);
        pool.window = pool.window.and(window);
        pool.take(series, durations, self.stride);
        self.window = self.window.and(window);
        if let Some(shard) = series.shard.map(|shard| shard as usize) {
            if shard >= self.shards.len() {
                self.shards.resize(shard + 1, Part::NOTHING);
            }
            self.shards[shard] = self.shards[shard].and(Part { window, tensors });
        }
        self.loops.push(Loop { rank: series.rank, iterations: samples, loop_ns: series.loop_ns, window });
    }

    /// Takes in what [`Gather::part`] gathered.
    pub fn join(&mut self, part: Gather) {
        for (pool, part) in self.pools.iter_mut().zip(part.pools) {
            pool.join(part);
        }
        self.window = self.window.and(part.window);
        self.iterations.join(&part.iterations);
        if self.shards.len() < part.shards.len() {
            self.shards.resize(part.shards.len(), Part::NOTHING);
        }
        self.shards.iter_mut().zip(part.shards).for_each(|(ours, theirs)| *ours = ours.and(theirs));
        self.loops.extend(part.loops);
        if let (Some(between), Some(part)) = (&mut self.between, part.between) {
            between.join(part);
        }
    }

    /// When each rank was at this size, ascending.
    pub fn rank_windows(&self) -> Vec<(u32, Window)> {
        Gather::loops_of_ranks(self.loops.clone()).into_iter().map(|one| (one.rank, one.window)).collect()
    }

    /// One loop for each rank, ascending. All series of a rank carry the time of the one loop that made them; where it
    /// takes more samples of one op than of another, those of the most frequent one are counted; its window holds all of them.
    pub fn loops_of_ranks(mut loops: Vec<Loop>) -> Vec<Loop> {
        loops.sort_by_key(|one| one.rank);
        loops.dedup_by(|later, kept| {
            let same = later.rank == kept.rank;
            if same {
                kept.iterations = kept.iterations.max(later.iterations);
                kept.window = kept.window.and(later.window);
            }
            same
        });
        loops
    }
}

impl Pool {
    fn take<T: Keep>(&mut self, series: &RankSeries, new: &mut [T], stride: usize) {
        T::keep(new, &mut self.durations);
        if ((self.before + self.ranks) as usize).is_multiple_of(stride) {
            // fewer samples than blocks fill some of them only
            for (at, block) in self.blocks.iter_mut().enumerate() {
                T::keep(&new[at * new.len() / BLOCKS..(at + 1) * new.len() / BLOCKS], block);
            }
        }
        // last, since it reorders
        self.rank_medians.extend(quantile::median_ns(new).map(|median| (series.rank, median)));
        self.ranks += 1;
        self.warmup_excluded += series.warmup;
    }

    fn join(&mut self, part: Pool) {
        self.durations.append(&part.durations);
        self.ranks += part.ranks;
        self.warmup_excluded += part.warmup_excluded;
        self.window = self.window.and(part.window);
        self.rank_medians.extend(part.rank_medians);
        self.blocks.iter_mut().zip(&part.blocks).for_each(|(ours, theirs)| ours.append(theirs));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::workload::Workload;

    const SERIES: RankSeries = RankSeries { rank: 0, op: 0, shard: None, warmup: 0, loop_ns: 0 };

    #[test]
    fn blocks_hold_every_sample_once_in_order() {
        let mut gather = Gather::new(8, 0, 1, &Workload::default().ops());
        gather.push(&SERIES, Window::EMPTY, &mut (0..100u32).collect::<Vec<_>>());
        let blocks = gather.pools[0].blocks.iter().flat_map(|block| block.narrow.iter().copied());
        assert_eq!(blocks.collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
        assert_eq!(gather.pools[0].rank_medians, [(0, 49.5)]);
    }

    #[test]
    fn parts_make_the_whole_with_the_same_ranks_in_blocks() {
        let push = |to: &mut Gather, rank: u32| {
            let mut durations = vec![u64::from(rank), u64::from(rank) + (u64::from(rank % 2) << 33)];
            to.push(&RankSeries { rank, ..SERIES }, Window::EMPTY, &mut durations);
        };
        let empty = || Gather::new(8, 0, 3000, &Workload::default().ops());
        let (mut whole, mut joined) = (empty(), empty());
        (0..1003).for_each(|rank| push(&mut whole, rank));
        (0..10).for_each(|rank| push(&mut joined, rank));
        let mut parts = Vec::new();
        for ranks in [10..1000, 1000..1001, 1001..1003] {
            let mut part = joined.part(&[ranks.start - 10, 0]);
            ranks.for_each(|rank| push(&mut part, rank));
            parts.push(part);
        }
        parts.into_iter().for_each(|part| joined.join(part));
        let seen = |of: &Gather| {
            let pool = of.pools[0].clone();
            (pool.durations, pool.blocks, pool.rank_medians, pool.ranks, of.loops.len())
        };
        assert_eq!(seen(&joined), seen(&whole));
    }
}
