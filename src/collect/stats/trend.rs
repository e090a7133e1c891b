//! Does a series go somewhere? The test of Mann and Kendall (M. G. Kendall, "Rank Correlation Methods", 1975) for whether,
//! the slope of Theil and Sen (P. K. Sen, J. American Statistical Association 63, 1968) for how much.

use serde::{Deserialize, Serialize};

use statrs::distribution::{ContinuousCDF, Normal};

/// Points below which nothing is said.
const LEAST: usize = 8;
/// Significance that a drift wants; points of one run are correlated, which makes the test too eager at 5 %.
const ALPHA: f64 = 0.01;
/// Change from the first to the last point, as a part of the first, from which on a drift is worth a flag.
const NOTABLE: f64 = 0.05;

/// How a series moved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// Two-sided p of Mann and Kendall's test.
    pub p: f64,
    /// Slope of Theil and Sen of the logarithms over the whole series, as a change: 0.1 is 10 % more at the end than at the
    /// start. In logarithms, since a straight line through durations that fall off steeply ends below zero.
    pub change: f64,
}

impl Trend {
    /// The trend of evenly spaced values; `None` for fewer than 8, or one that is not positive.
    pub fn of(values: &[f64]) -> Option<Trend> {
        let n = values.len();
        if n < LEAST || values.iter().any(|value| *value <= 0.0) {
            return None;
        }
        let pairs = || (0..n).flat_map(move |i| (i + 1..n).map(move |j| (i, j)));
        let s: f64 =
            pairs().map(|(i, j)| (values[j] - values[i]).partial_cmp(&0.0).map_or(0.0, |o| o as i8 as f64)).sum();
        let mut slopes: Vec<f64> = pairs().map(|(i, j)| (values[j] / values[i]).ln() / (j - i) as f64).collect();
        let slope = super::quantile::median_of(&mut slopes, f64::total_cmp)?;
        Some(Trend { p: p_value(s, &mut values.to_vec()), change: (slope * (n - 1) as f64).exp_m1() })
    }

    /// Significant, and large enough to matter.
    pub fn is_drift(&self) -> bool {
        self.p < ALPHA && self.change.abs() >= NOTABLE
    }
}

/// By the normal approximation with the correction for continuity and for ties.
fn p_value(s: f64, values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let spread = |t: f64| t * (t - 1.0) * (2.0 * t + 5.0);
    let ties: f64 = values.chunk_by(|a, b| a == b).map(|same| spread(same.len() as f64)).sum();
    let variance = (spread(values.len() as f64) - ties) / 18.0;
    if variance <= 0.0 {
        return 1.0;
    }
    let z = (s.abs() - 1.0).max(0.0) / variance.sqrt();
    (2.0 * Normal::standard().sf(z)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_found_and_noise_is_not() {
        let rising: Vec<f64> = (0..20).map(|i| 100.0 * 1.01_f64.powi(i)).collect();
        let trend = Trend::of(&rising).unwrap();
        assert!(trend.is_drift() && (trend.change - (1.01_f64.powi(19) - 1.0)).abs() < 1e-12, "{trend:?}");
        let zigzag: Vec<f64> = (0..20).map(|i| if i % 2 == 0 { 100.0 } else { 130.0 }).collect();
        assert!(!Trend::of(&zigzag).unwrap().is_drift());
        assert_eq!(Trend::of(&[5.0; 9]), Some(Trend { p: 1.0, change: 0.0 }));
        assert_eq!(Trend::of(&[5.0; 7]), None);
        assert_eq!(Trend::of(&[0.0; 9]), None);
    }

    #[test]
    fn nothing_falls_by_more_than_all_of_it() {
        // a slow start that wears off: its straight line falls by 1.5 medians
        let falling: Vec<f64> = (0..32).map(|i| 1000.0 * 0.8_f64.powi(i) + 1.0).collect();
        let trend = Trend::of(&falling).unwrap();
        assert!(trend.is_drift() && trend.change > -1.0 && trend.change < -0.9, "{trend:?}");
    }
}
