//! Room for the samples of one rank and size, made before the loop that fills it.

use shardscale::record::vocabulary::Role;
use shardscale::record::workload::Workload;

/// Samples of all ops, warm-up first; in ns on the host's clock.
pub struct Samples {
    /// In the order of [`Workload::ops`].
    pub columns: Vec<Column>,
    /// Nanoseconds from the first timed iteration to the end of the last, without what is not measured.
    pub loop_ns: u64,
}

/// The samples of one op, in the order of their start.
pub struct Column {
    starts_ns: Vec<i64>,
    durations_ns: Vec<u64>,
    taken: usize,
}

impl Samples {
    /// Room for what a rank with that role samples in `iterations` iterations, warm-up included.
    pub fn new(workload: &Workload, actor: (u32, Role), iterations: u32) -> Samples {
        let column = |op| Column::new(workload.samples(op, actor, iterations) as usize);
        Samples { columns: (0..workload.ops().len()).map(column).collect(), loop_ns: 0 }
    }

    /// Forgets all samples.
    pub fn clear(&mut self) {
        self.columns.iter_mut().for_each(Column::clear);
        self.loop_ns = 0;
    }
}

impl Column {
    /// Room for so many samples.
    pub fn new(samples: usize) -> Column {
        // ones, because zeroed memory would be touched for the first time inside the loop
        Column { starts_ns: vec![1; samples], durations_ns: vec![1; samples], taken: 0 }
    }

    /// Samples begun so far.
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// Forgets all samples.
    pub fn clear(&mut self) {
        self.taken = 0;
    }

    pub fn is_full(&self) -> bool {
        self.taken == self.starts_ns.len()
    }

    /// Begins the next sample.
    #[inline]
    pub fn begin(&mut self, start_ns: i64) {
        self.starts_ns[self.taken] = start_ns;
        self.taken += 1;
    }

    /// Ends sample number `at`.
    #[inline]
    pub fn end(&mut self, at: usize, end_ns: i64) {
        self.durations_ns[at] = (end_ns - self.starts_ns[at]).max(0).cast_unsigned();
    }

    /// Adds `offset_ns` to all starts.
    pub fn move_starts(&mut self, offset_ns: i64) {
        self.starts_ns[..self.taken].iter_mut().for_each(|start| *start += offset_ns);
    }

    pub fn starts_ns(&self) -> &[i64] {
        &self.starts_ns[..self.taken]
    }

    pub fn durations_ns(&self) -> &[u64] {
        &self.durations_ns[..self.taken]
    }

    /// Median of the durations; of an even number the upper one of the two in the middle.
    pub fn median_ns(&self) -> Option<u64> {
        let mut sorted = self.durations_ns().to_vec();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }

    /// First start and last end of all samples.
    pub fn span_ns(&self) -> (i64, i64) {
        let pairs = self.starts_ns().iter().zip(self.durations_ns());
        pairs.fold((i64::MAX, i64::MIN), |(first, last), (start, duration)| {
            (first.min(*start), last.max(start.saturating_add_unsigned(*duration)))
        })
    }
}
