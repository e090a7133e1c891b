//! Durations in short.

use serde::{Deserialize, Serialize};

use super::quantile::{median_ci95, quantile, supported};
use super::sort::Nanoseconds;

/// Durations in short; every time in ns. A quantile is absent where too few samples lie beyond it
/// ([`super::quantile::BEYOND`]); the median is always there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub n: usize,
    pub min: u64,
    pub p1: Option<f64>,
    pub p5: Option<f64>,
    pub p10: Option<f64>,
    pub p25: Option<f64>,
    pub median: f64,
    /// 95 % confidence interval of the median; absent for fewer than 6 samples. It takes the samples as independent,
    /// which those of one rank are only in part.
    pub median_ci95: Option<(u64, u64)>,
    pub p75: Option<f64>,
    pub p90: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    pub p999: Option<f64>,
    pub max: u64,
    /// Median absolute deviation from the median, not scaled.
    pub mad: f64,
}

impl Summary {
    /// Reduces ascending durations; `None` where there are none.
    pub fn of_sorted<T: Nanoseconds>(sorted: &[T]) -> Option<Summary> {
        let median = quantile(sorted, 0.5)?;
        Some(Summary {
            n: sorted.len(),
            min: (*sorted.first()?).into(),
            p1: supported(sorted, 0.01),
            p5: supported(sorted, 0.05),
            p10: supported(sorted, 0.10),
            p25: supported(sorted, 0.25),
            median,
            median_ci95: median_ci95(sorted).map(|(low, high)| (low.into(), high.into())),
            p75: supported(sorted, 0.75),
            p90: supported(sorted, 0.90),
            p95: supported(sorted, 0.95),
            p99: supported(sorted, 0.99),
            p999: supported(sorted, 0.999),
            max: (*sorted.last()?).into(),
            mad: mad(sorted, median),
        })
    }

    /// Interquartile range, p75 - p25, in ns.
    pub fn iqr(&self) -> Option<f64> {
        Some(self.p75? - self.p25?)
    }
}

/// Median of |x - median| of ascending values, without a second sort: the deviations below and above the median are two
/// sorted lists already, and the middle of both merged is wanted.
fn mad<T: Nanoseconds>(sorted: &[T], median: f64) -> f64 {
    let ns = |value: T| -> f64 {
        let ns: u64 = value.into();
        ns as f64
    };
    let split = sorted.partition_point(|value| ns(*value) < median);
    let (below, above) = sorted.split_at(split);
    let deviation_below = |i: usize| below.len().checked_sub(i + 1).map(|at| median - ns(below[at]));
    let deviation_above = |i: usize| above.get(i).map(|value| ns(*value) - median);
    // the k-th of both: the smallest number taken from below that leaves nothing smaller behind
    let kth = |k: usize| {
        let (mut low, mut high) = (k.saturating_sub(above.len()), k.min(below.len()));
        while low < high {
            let from_below = usize::midpoint(low, high);
            // is there a smaller one left below than the last that would be taken from above?
            match (deviation_below(from_below), deviation_above(k - from_below - 1)) {
                (Some(next), Some(last)) if next < last => low = from_below + 1,
                _ => high = from_below,
            }
        }
        match (deviation_below(low), deviation_above(k - low)) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b).unwrap_or(0.0),
        }
    };
    let n = sorted.len();
    if n % 2 == 1 { kth(n / 2) } else { f64::midpoint(kth(n / 2 - 1), kth(n / 2)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_few_samples_do_not_support_is_absent() {
        let few = Summary::of_sorted(&[5u32; 100]).unwrap();
        assert_eq!((few.p5, few.p10, few.p90, few.p95), (None, Some(5.0), Some(5.0), None));
        assert_eq!((few.iqr(), few.mad), (Some(0.0), 0.0));
        assert_eq!(Summary::of_sorted::<u64>(&[]), None);
    }

    proptest! {
        #[test]
        fn a_summary_is_ordered_and_its_mad_is_the_naive_one(mut values in prop::collection::vec(0u64..1 << 50, 1..900)) {
            values.sort_unstable();
            let s = Summary::of_sorted(&values).unwrap();
            let quantiles = [Some(s.min as f64), s.p1, s.p5, s.p10, s.p25, Some(s.median), s.p75, s.p90, s.p95, s.p99, s.p999, Some(s.max as f64)];
            prop_assert!(quantiles.iter().flatten().is_sorted());
            if let Some((low, high)) = s.median_ci95 {
                prop_assert!(low as f64 <= s.median && s.median <= high as f64);
            }
            let mut deviations: Vec<f64> = values.iter().map(|v| (*v as f64 - s.median).abs()).collect();
            deviations.sort_by(f64::total_cmp);
            let n = deviations.len();
            prop_assert_eq!(s.mad, f64::midpoint(deviations[(n - 1) / 2], deviations[n / 2]));
        }
    }
}
