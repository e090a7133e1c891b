//! Spans on the ranks' common clock.

use serde::{Deserialize, Serialize};

use crate::record::samples::SeriesView;

/// A span on the ranks' common clock, in ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Window {
    pub first_start_ns: i64,
    pub last_end_ns: i64,
}

impl Window {
    /// Holds nothing yet.
    pub const EMPTY: Window = Window { first_start_ns: i64::MAX, last_end_ns: i64::MIN };

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

    /// Its length in ns; `None` for an empty one and for one without length, by which nothing can be divided.
    pub fn length_ns(self) -> Option<u64> {
        u64::try_from(i128::from(self.last_end_ns) - i128::from(self.first_start_ns)).ok().filter(|length| *length > 0)
    }
}

/// A window and how many tensors the samples in it moved.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub window: Window,
    pub tensors: u64,
}

impl Part {
    /// Holds nothing yet.
    pub const NOTHING: Part = Part { window: Window::EMPTY, tensors: 0 };

    /// What both hold.
    pub fn and(self, other: Part) -> Part {
        Part { window: self.window.and(other.window), tensors: self.tensors + other.tensors }
    }
}

/// The windows of the iterations of a loop over all ranks, from 0.
#[derive(Debug, Clone, Default)]
pub struct Iterations {
    windows: Vec<Window>,
    /// Tensors that a sample moves, summed over the series with this many samples: each lies in all iterations before.
    of_length: Vec<u64>,
}

impl Iterations {
    /// Takes the samples of a series as (start, duration) in ns, each of which moves `tensors`; their common window.
    pub fn push(&mut self, samples: impl ExactSizeIterator<Item = (i64, u64)>, tensors: u32) -> Window {
        let n = samples.len();
        self.make_room(n);
        self.of_length[n] += u64::from(tensors);
        let mut all = Window::EMPTY;
        for (window, (start, duration)) in self.windows.iter_mut().zip(samples) {
            *window = window.with(start, duration);
            all = all.with(start, duration);
        }
        all
    }

    /// Takes a series whose steps and durations fit 32 bits, as [`SeriesView::narrow`] gives them; the common window of the
    /// timed samples.
    pub fn push_steps(
        &mut self,
        view: &SeriesView<'_>,
        samples: impl ExactSizeIterator<Item = (u32, u32)>,
        tensors: u32,
    ) -> Window {
        const FAR: i64 = 1 << 62;
        let (n, warmup) = (samples.len(), view.warmup as usize);
        if view.base_ns.abs() > FAR || n > 1 << 28 {
            // a damaged start: as slow and as careful as need be
            return self.push(view.samples().skip(warmup).collect::<Vec<_>>().into_iter(), tensors);
        }
        let timed = n.saturating_sub(warmup);
        self.make_room(timed);
        self.of_length[timed] += u64::from(tensors);
        let mut all = Window::EMPTY;
        // how much of a sample the next step leaves behind: nothing where steps count from starts
        let behind = if view.from_start { 0 } else { i64::MAX };
        let mut before = view.base_ns;
        let mut samples = samples.map(|(step, duration)| {
            let start = before + i64::from(step);
            before = start + (i64::from(duration) & behind);
            (start, start + i64::from(duration))
        });
        samples.by_ref().take(warmup).for_each(drop);
        for (window, (start, end)) in self.windows.iter_mut().zip(samples) {
            let one = Window { first_start_ns: start, last_end_ns: end };
            *window = window.and(one);
            all = all.and(one);
        }
        all
    }

    fn make_room(&mut self, n: usize) {
        if self.windows.len() < n {
            self.windows.resize(n, Window::EMPTY);
        }
        if self.of_length.len() <= n {
            self.of_length.resize(n + 1, 0);
        }
    }

    /// Takes in what another reader found.
    pub fn join(&mut self, other: &Iterations) {
        self.make_room(other.windows.len());
        self.windows.iter_mut().zip(&other.windows).for_each(|(ours, theirs)| *ours = ours.and(*theirs));
        self.of_length.iter_mut().zip(&other.of_length).for_each(|(ours, theirs)| *ours += theirs);
    }

    /// Each iteration with the number of tensors that were moved in it.
    pub fn parts(&self) -> Vec<Part> {
        let mut tensors = 0;
        let mut parts: Vec<Part> = (self.windows.iter().zip(self.of_length.iter().skip(1)).rev())
            .map(|(window, ending)| {
                tensors += ending;
                Part { window: *window, tensors }
            })
            .collect();
        parts.reverse();
        parts
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
    fn iterations_are_the_same_however_the_series_are_shared_out() {
        let series = [&[(0, 5), (10, 5), (20, 9)][..], &[(3, 4)], &[(1, 9), (8, 1)]];
        let mut all = Iterations::default();
        let mut joined = Iterations::default();
        for one in series {
            all.push(one.iter().copied(), 1);
            let mut alone = Iterations::default();
            assert_eq!(alone.push(one.iter().copied(), 1).first_start_ns, one[0].0);
            joined.join(&alone);
        }
        let parts = |of: &Iterations| of.parts().iter().map(|part| (part.tensors, part.window)).collect::<Vec<_>>();
        let window = |first_start_ns, last_end_ns| Window { first_start_ns, last_end_ns };
        assert_eq!(parts(&all), [(3, window(0, 10)), (2, window(8, 15)), (1, window(20, 29))]);
        assert_eq!(parts(&joined), parts(&all));
    }
}
