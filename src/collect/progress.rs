//! How far a collection is, told as it goes on.

use std::sync::{Mutex, PoisonError};

/// What takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Reading,
    Exporting,
}

/// Counts the runs that are done, whichever thread did them.
pub struct Counter<'a> {
    stage: Stage,
    /// Hears (runs done, runs in all).
    tell: &'a (dyn Fn(Stage, usize, usize) + Sync),
    /// (done, in all).
    runs: Mutex<(usize, usize)>,
}

impl<'a> Counter<'a> {
    pub fn new(stage: Stage, tell: &'a (dyn Fn(Stage, usize, usize) + Sync)) -> Counter<'a> {
        Counter { stage, tell, runs: Mutex::new((0, 0)) }
    }

    /// None of `runs` is done.
    pub fn begin(&self, runs: usize) {
        *self.runs.lock().unwrap_or_else(PoisonError::into_inner) = (0, runs);
    }

    pub fn one_more(&self) {
        // held while it is told, so that the count only grows
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.0 += 1;
        (self.tell)(self.stage, runs.0, runs.1);
    }
}
