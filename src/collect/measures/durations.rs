//! Durations in as little memory as they need.

use crate::collect::stats::quantile;

/// Durations in ns in any order. Those of 4.29 s and more, which few runs have, stand apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    pub narrow: Vec<u32>,
    pub wide: Vec<u64>,
}

impl Durations {
    pub fn push(&mut self, ns: u64) {
        match u32::try_from(ns) {
            Ok(ns) => self.narrow.push(ns),
            Err(_) => self.wide.push(ns),
        }
    }

    pub fn len(&self) -> usize {
        self.narrow.len() + self.wide.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn clear(&mut self) {
        self.narrow.clear();
        self.wide.clear();
    }

    /// All of them in one width, where they need the larger one.
    pub fn all_wide(&self) -> Vec<u64> {
        self.narrow.iter().map(|ns| u64::from(*ns)).chain(self.wide.iter().copied()).collect()
    }

    /// Their median, for which they are reordered; `None` where there are none.
    pub fn median_ns(&mut self) -> Option<f64> {
        if self.wide.is_empty() { quantile::median_ns(&mut self.narrow) } else { quantile::median_ns(&mut self.all_wide()) }
    }
}
