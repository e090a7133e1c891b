//! Quantiles, and the interval of the median by order statistics.
//!
//! The quantile is type 7 of R. J. Hyndman and Y. Fan, "Sample Quantiles in Statistical Packages", The American
//! Statistician 50 (1996), which is also the default of numpy.

use super::sort::Nanoseconds;

/// Samples that a quantile wants beyond itself, as an expectation: n min(p, 1 - p). With so many the chance that none lies
/// beyond the true quantile is exp(-6.6) = 0.14 %, so that its interval by order statistics ends inside the sample. p99
/// wants 660 samples, p90 66, p99.9 6600.
const BEYOND: f64 = 6.6;

/// Whether `n` samples are enough to show the quantile `p`.
fn is_supported(n: usize, p: f64) -> bool {
    // the tolerance is for 1 - 0.99, which is not quite 0.01
    n as f64 * p.min(1.0 - p) >= BEYOND - 1e-9
}

/// [`quantile`] where [`is_supported`].
pub fn supported<T: Nanoseconds>(sorted: &[T], p: f64) -> Option<f64> {
    if is_supported(sorted.len(), p) { quantile(sorted, p) } else { None }
}

/// Quantile `p` (0 to 1) of ascending values: with h = (n - 1) p, the value at floor(h) plus the part of the way to the
/// next one that h is beyond it. `None` where there are no values.
pub fn quantile<T: Nanoseconds>(sorted: &[T], p: f64) -> Option<f64> {
    let h = (sorted.len().checked_sub(1)? as f64) * p.clamp(0.0, 1.0);
    let below: u64 = sorted[h as usize].into();
    let above = sorted.get(h as usize + 1).map_or(below, |above| (*above).into());
    Some(below as f64 + (above - below) as f64 * h.fract())
}

/// Median of values in any order, which it reorders; `None` where there are none.
pub fn median_of<T: Copy + Into<f64>>(values: &mut [T], compare: impl Fn(&T, &T) -> std::cmp::Ordering) -> Option<f64> {
    let n = values.len();
    let middle = n.checked_sub(1)? / 2;
    let (_, low, above) = values.select_nth_unstable_by(middle, &compare);
    let low = *low;
    if n % 2 == 1 {
        return Some(low.into());
    }
    let high = above.iter().copied().min_by(&compare)?;
    Some(f64::midpoint(low.into(), high.into()))
}

/// Median of durations in any order, which it reorders.
pub fn median_ns<T: Nanoseconds>(values: &mut [T]) -> Option<f64> {
    let n = values.len();
    let (_, low, above) = values.select_nth_unstable(n.checked_sub(1)? / 2);
    let low = *low;
    let high = if n % 2 == 1 { low } else { *above.iter().min()? };
    let (low, high): (u64, u64) = (low.into(), high.into());
    Some(f64::midpoint(low as f64, high as f64))
}

/// 95 % confidence interval of the median of ascending values, by order statistics: no assumption on the distribution.
///
/// J.-Y. Le Boudec, "Performance Evaluation of Computer and Communication Systems", chapter 2: from the j-th value to the
/// j-th last one, j the largest with P(Binomial(n, 1/2) < j) <= 0.025; beyond 1000 values by the normal approximation.
pub fn median_ci95<T: Copy>(sorted: &[T]) -> Option<(T, T)> {
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
        let values = [1u64, 2, 3, 4];
        assert_eq!(quantile(&values, 0.25), Some(1.75));
        assert_eq!(quantile(&values, 0.5), Some(2.5));
        assert!((quantile(&values, 0.95).unwrap() - 3.85).abs() < 1e-12);
        assert_eq!(quantile(&[7u32], 0.95), Some(7.0));
        assert_eq!(quantile::<u64>(&[], 0.5), None);
    }

    #[test]
    fn the_interval_has_the_tabulated_ranks() {
        // critical values of the two-sided sign test at 5 %: 0 for n = 6, 1 for 10, 5 for 20, 17 for 50, 26 for 70
        for (n, low, high) in [(6, 1, 6), (10, 2, 9), (20, 6, 15), (50, 18, 33), (70, 27, 44)] {
            let values: Vec<u64> = (1..=n).collect();
            assert_eq!(median_ci95(&values), Some((low, high)), "n = {n}");
        }
        assert_eq!(median_ci95(&[1, 2, 3, 4, 5]), None);
        assert_eq!(median_ci95::<u64>(&[]), None);
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
    fn a_quantile_wants_enough_samples_beyond_it() {
        for (p, n) in
            [(0.01, 660), (0.05, 132), (0.1, 66), (0.25, 27), (0.5, 14), (0.9, 66), (0.99, 660), (0.999, 6600)]
        {
            assert!(is_supported(n, p) && !is_supported(n - 1, p), "{p}");
        }
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_naive_reference(mut values in prop::collection::vec(0u64..1 << 40, 1..200), p in 0.0f64..=1.0) {
            let selected = median_ns(&mut values.clone()).unwrap();
            values.sort_unstable();
            let (ours, naive) = (quantile(&values, p).unwrap(), naive_quantile(&values, p));
            prop_assert!((ours - naive).abs() <= 1e-6 * naive.max(1.0), "{ours} {naive}");
            prop_assert_eq!(selected, quantile(&values, 0.5).unwrap());
        }
    }
}
