//! Durations in as little memory as they need.

use crate::collect::stats::quantile;
use crate::collect::stats::sort::Nanoseconds;

/// Durations in ns in any order. Those of 4.29 s and more, which few runs have, stand apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    pub narrow: Vec<u32>,
    pub wide: Vec<u64>,
}

/// A width of durations that can be kept.
pub trait Keep: Nanoseconds {
    /// Appends `values` to `to`.
    fn keep(values: &[Self], to: &mut Durations);
}

impl Keep for u32 {
    fn keep(values: &[u32], to: &mut Durations) {
        to.narrow.extend_from_slice(values);
    }
}

impl Keep for u64 {
    fn keep(values: &[u64], to: &mut Durations) {
        for ns in values {
            match u32::try_from(*ns) {
                Ok(ns) => to.narrow.push(ns),
                Err(_) => to.wide.push(*ns),
            }
        }
    }
}

impl Durations {
    pub fn len(&self) -> usize {
        self.narrow.len() + self.wide.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes those of `other` as well.
    pub fn append(&mut self, other: &Durations) {
        self.narrow.extend_from_slice(&other.narrow);
        self.wide.extend_from_slice(&other.wide);
    }

    /// All of them in one width, for where they need the larger one.
    pub fn all_wide(&self) -> Vec<u64> {
        self.narrow.iter().map(|ns| u64::from(*ns)).chain(self.wide.iter().copied()).collect()
    }

    /// Their median, for which they are reordered; `None` where there are none.
    pub fn median_ns(&mut self) -> Option<f64> {
        match self.wide.is_empty() {
            true => quantile::median_ns(&mut self.narrow),
            false => quantile::median_ns(&mut self.all_wide()),
        }
    }
}
