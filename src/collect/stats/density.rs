//! The shape of a distribution in few numbers, for violins.

use serde::{Deserialize, Serialize};

use super::sort::Nanoseconds;

/// Bins of a [`Density`].
const BINS: usize = 48;

/// Part of the samples above which a long tail is counted and not drawn: its few samples would take most of the bins.
const TAIL: f64 = 0.999;

/// Counts in [`BINS`] bins of equal width in log(duration).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Density {
    /// Lower edge of the first bin, in ns; at least 1.
    pub low_ns: f64,
    /// Upper edge of the last bin, in ns: the largest of the samples up to p99.9.
    pub high_ns: f64,
    pub counts: Vec<u32>,
    /// Samples beyond `high_ns`.
    pub above: u64,
}

impl Density {
    /// Bins ascending durations; `None` where they do not differ.
    pub fn of_sorted<T: Nanoseconds>(sorted: &[T]) -> Option<Density> {
        let ns = |value: T| -> u64 { value.into() };
        let low = ns(*sorted.first()?).max(1) as f64;
        let high = ns(sorted[((sorted.len() - 1) as f64 * TAIL) as usize]) as f64;
        if high <= low {
            return None;
        }
        let edge = |bin: usize| low * (high / low).powf(bin as f64 / BINS as f64);
        let up_to = |bin: usize| match bin {
            0 => 0,
            BINS => sorted.partition_point(|value| ns(*value) as f64 <= high),
            bin => sorted.partition_point(|value| (ns(*value) as f64) < edge(bin)),
        };
        let ends: Vec<usize> = (0..=BINS).map(up_to).collect();
        let counts = ends.windows(2).map(|pair| u32::try_from(pair[1] - pair[0]).unwrap_or(u32::MAX)).collect();
        Some(Density { low_ns: low, high_ns: high, counts, above: (sorted.len() - ends[BINS]) as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bins_are_even_in_the_logarithm() {
        // 1, 2, 4, .. 2^48: each bin of one octave holds its lower edge, the last also its upper one
        let sorted: Vec<u64> = (0..=48).map(|bit| 1 << bit).collect();
        let density = Density::of_sorted(&[&sorted[..], &[1 << 48; 2000]].concat()).unwrap();
        assert_eq!((density.low_ns, density.high_ns, density.above), (1.0, (1u64 << 48) as f64, 0));
        assert_eq!((density.counts[0], density.counts[1], density.counts[47]), (1, 1, 2002));
        assert_eq!(Density::of_sorted(&[7u32, 7, 7]), None);
        assert_eq!(Density::of_sorted::<u64>(&[]), None);
    }

    proptest! {
        #[test]
        fn every_sample_is_counted_once(mut values in prop::collection::vec(0u64..1 << 40, 1..3000)) {
            values.sort_unstable();
            if let Some(density) = Density::of_sorted(&values) {
                let counted: u64 = density.counts.iter().map(|count| u64::from(*count)).sum();
                prop_assert_eq!(counted + density.above, values.len() as u64);
                prop_assert_eq!(density.counts.len(), BINS);
            }
        }
    }
}
