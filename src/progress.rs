//! How far long work is, told as it goes on.
//!
//! Whoever works counts; whoever called decides what becomes of it. Knows neither terminals nor rates.

use std::sync::{Mutex, PoisonError};

/// What takes long, and what of it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Permutations are held against what their folder has, and written.
    Writing,
    /// Scripts are held against the rules.
    Checking,
    /// Scripts are given to shellcheck: one of each shape, then those that are like one with findings.
    TryingOut,
    /// Bytes of samples are read.
    Reading,
    /// Runs are exported.
    Exporting,
}

/// Hears (stage, done, in all); `done` only grows, unless the count of a stage begins anew.
pub type Tell<'a> = &'a (dyn Fn(Stage, u64, u64) + Sync);

/// Where nobody listens.
pub fn silent(_: Stage, _: u64, _: u64) {}

/// Counts what is done, whichever thread did it.
pub struct Counter<'a> {
    stage: Stage,
    tell: Tell<'a>,
    /// (done, in all).
    count: Mutex<(u64, u64)>,
}

impl<'a> Counter<'a> {
    pub fn new(stage: Stage, tell: Tell<'a>) -> Counter<'a> {
        Counter { stage, tell, count: Mutex::new((0, 0)) }
    }

    /// Nothing of `all` is done.
    pub fn begin(&self, all: u64) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) = (0, all);
    }

    pub fn one_more(&self) {
        self.more(1);
    }

    /// `done` are done that were not before.
    pub fn more(&self, done: u64) {
        // held while it is told, so that the count only grows
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        count.0 = (count.0 + done).min(count.1);
        (self.tell)(self.stage, count.0, count.1);
    }
}
