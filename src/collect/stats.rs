//! Statistics of durations: pure functions over sorted nanoseconds, without any idea of runs or files.
//!
//! Medians and quantiles, no means: T. Hoefler and R. Belli, "Scientific Benchmarking of Parallel Computing Systems",
//! SC'15. The quantile is type 7 of R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The American
//! Statistician 50 (1996), which is also the default of numpy.

/// Samples below which a 99th percentile says too little to be shown.
pub const P99_MIN_N: usize = 660;

/// Durations in short; every time in ns.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub n: usize,
    pub min: u64,
    pub p5: f64,
    pub median: f64,
    /// 95 % confidence interval of the median; absent for fewer than 6 samples. It takes the samples as independent,
    /// which those of one rank are only in part.
    pub median_ci95: Option<(u64, u64)>,
    pub p95: f64,
    /// Absent for fewer than [`P99_MIN_N`] samples.
    pub p99: Option<f64>,
    pub max: u64,
}

impl Summary {
    /// Sorts `durations` and reduces them; `None` where there are none.
    pub fn of(durations: &mut [u64]) -> Option<Summary> {
        durations.sort_unstable();
        let sorted = &*durations;
        Some(Summary {
            n: sorted.len(),
            min: *sorted.first()?,
            p5: quantile(sorted, 0.05)?,
            median: quantile(sorted, 0.5)?,
            median_ci95: median_ci95(sorted),
            p95: quantile(sorted, 0.95)?,
            p99: if sorted.len() >= P99_MIN_N { quantile(sorted, 0.99) } else { None },
            max: *sorted.last()?,
        })
    }
}

/// Quantile `p` (0 to 1) of ascending values: with h = (n - 1) p, the value at floor(h) plus the part of the way to the
/// next one that h is beyond it. `None` where there are no values.
pub fn quantile(sorted: &[u64], p: f64) -> Option<f64> {
    let h = (sorted.len().checked_sub(1)? as f64) * p.clamp(0.0, 1.0);
    let below = sorted[h as usize];
    let above = *sorted.get(h as usize + 1).unwrap_or(&below);
    Some(below as f64 + (above - below) as f64 * h.fract())
}

/// 95 % confidence interval of the median of ascending values, by order statistics: no assumption on the distribution.
///
/// J.-Y. Le Boudec, "Performance Evaluation of Computer and Communication Systems", chapter 2: from the j-th value to the
/// j-th last one, j the largest with P(Binomial(n, 1/2) < j) <= 0.025; beyond 1000 values by the normal approximation.
pub fn median_ci95(sorted: &[u64]) -> Option<(u64, u64)> {
    let n = sorted.len();
    let below = if n <= 1000 { binomial_tail_count(n) } else { (n as f64 / 2.0 - 0.98 * (n as f64).sqrt()) as usize };
    let first = below.checked_sub(1)?;
    Some((sorted[first], sorted[n - 1 - first]))
}

/// The largest j with P(Binomial(n, 1/2) <= j - 1) <= 0.025; 0 where there is none. `n` up to 1000: 2^-1000 is still normal.
fn binomial_tail_count(n: usize) -> usize {
    let mut term = 0.5f64.powi(n as i32);
    let mut cumulated = 0.0;
    for k in 0..=n {
        cumulated += term;
        if cumulated > 0.025 {
            return k;
        }
        term *= (n - k) as f64 / (k + 1) as f64;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition in other words: the line through the points (i / (n - 1), x_i), read at p.
    fn naive_quantile(sorted: &[u64], p: f64) -> f64 {
        let n = sorted.len();
        if n == 1 {
            return sorted[0] as f64;
        }
        let i = (0..n - 1).rev().find(|i| *i as f64 / (n - 1) as f64 <= p).unwrap();
        let (left, right) = (i as f64 / (n - 1) as f64, (i + 1) as f64 / (n - 1) as f64);
        let part = (p - left) / (right - left);
        sorted[i] as f64 * (1.0 - part) + sorted[i + 1] as f64 * part
    }

    #[test]
    fn known_values_of_numpy() {
        // numpy.quantile([1, 2, 3, 4], q): 1.75 at 0.25, 2.5 at 0.5, 3.85 at 0.95
        let values = [1, 2, 3, 4];
        assert_eq!(quantile(&values, 0.25), Some(1.75));
        assert_eq!(quantile(&values, 0.5), Some(2.5));
        assert!((quantile(&values, 0.95).unwrap() - 3.85).abs() < 1e-12);
        assert_eq!(quantile(&[7], 0.95), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(Summary::of(&mut []), None);
    }

    #[test]
    fn the_interval_has_the_tabulated_ranks() {
        // critical values of the two-sided sign test at 5 %: 0 for n = 6, 1 for 10, 5 for 20, 17 for 50, 26 for 70
        for (n, low, high) in [(6, 1, 6), (10, 2, 9), (20, 6, 15), (50, 18, 33), (70, 27, 44)] {
            let values: Vec<u64> = (1..=n).collect();
            assert_eq!(median_ci95(&values), Some((low, high)), "n = {n}");
        }
        assert_eq!(median_ci95(&[1, 2, 3, 4, 5]), None);
        assert_eq!(median_ci95(&[]), None);
    }

    #[test]
    fn the_two_ways_to_the_interval_meet() {
        let exact: Vec<u64> = (1..=1000).collect();
        let approximate: Vec<u64> = (1..=1001).collect();
        let (exact, approximate) = (median_ci95(&exact).unwrap(), median_ci95(&approximate).unwrap());
        assert!(
            exact.0.abs_diff(approximate.0) <= 1 && exact.1.abs_diff(approximate.1) <= 2,
            "{exact:?} {approximate:?}"
        );
    }

    #[test]
    fn p99_wants_enough_samples() {
        assert_eq!(Summary::of(&mut vec![5; P99_MIN_N - 1]).unwrap().p99, None);
        assert_eq!(Summary::of(&mut vec![5; P99_MIN_N]).unwrap().p99, Some(5.0));
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_naive_reference(mut values in prop::collection::vec(0u64..1 << 40, 1..200), p in 0.0f64..=1.0) {
            values.sort_unstable();
            let (ours, naive) = (quantile(&values, p).unwrap(), naive_quantile(&values, p));
            prop_assert!((ours - naive).abs() <= 1e-6 * naive.max(1.0), "{ours} {naive}");
        }

        #[test]
        fn a_summary_is_ordered_and_does_not_mind_the_order(values in prop::collection::vec(0u64..1 << 50, 1..900)) {
            let s = Summary::of(&mut values.clone()).unwrap();
            let reversed = Summary::of(&mut values.iter().rev().copied().collect::<Vec<_>>()).unwrap();
            prop_assert_eq!(&s, &reversed);
            prop_assert!(s.min as f64 <= s.p5 && s.p5 <= s.median && s.median <= s.p95 && s.p95 <= s.max as f64);
            if let Some((low, high)) = s.median_ci95 {
                prop_assert!(low as f64 <= s.median && s.median <= high as f64);
            }
        }
    }
}
