//! Intervals of the ratio of two medians.
//!
//! Two ways, by what there is. Several runs on each side: Welch's interval (B. L. Welch, Biometrika 34, 1947) on the
//! logarithms of the runs' medians; it sees how runs differ from each other. One run: the samples of a rank follow each
//! other and are no independent draws, so that blocks of iterations are drawn, in stretches of neighbours (the circular
//! block bootstrap: D. N. Politis and J. P. Romano, 1992), and what one run cannot show stays unseen.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::quantile::median_of;

/// Confidence of both intervals: many comparisons are made at once, and at 99 % one in a hundred is wrong by chance.
pub const CONFIDENCE: f64 = 0.99;
/// Draws of the bootstrap.
const DRAWS: usize = 1000;
/// Neighbouring blocks that are drawn together.
const STRETCH: usize = 4;
/// Blocks below which nothing is drawn.
const LEAST_BLOCKS: usize = 8;
/// Any number does; it stands here so that the same input gives the same report.
const SEED: u64 = 0x5ca1_ab1e;

/// Interval of exp(mean of logs of `new` - mean of logs of `old`); `None` for fewer than two on a side, or one that is
/// not positive.
pub fn welch_ratio(old: &[f64], new: &[f64]) -> Option<(f64, f64)> {
    let (old, new) = (moments(old)?, moments(new)?);
    let difference = new.mean - old.mean;
    let squared = old.variance_of_mean + new.variance_of_mean;
    if squared <= 0.0 {
        return Some((difference.exp(), difference.exp()));
    }
    let t = StudentsT::new(0.0, 1.0, freedom(&old, &new)).ok()?.inverse_cdf(f64::midpoint(1.0, CONFIDENCE));
    let half = t * squared.sqrt();
    Some(((difference - half).exp(), (difference + half).exp()))
}

/// Two-sided p of Welch's test that the ratio lies within 1 / `margin` to `margin`; `None` where [`welch_ratio`] has none. It is
/// below 1 - [`CONFIDENCE`] just where the whole interval lies beyond the margin.
pub fn welch_p(old: &[f64], new: &[f64], margin: f64) -> Option<f64> {
    let (old, new) = (moments(old)?, moments(new)?);
    let beyond = (new.mean - old.mean).abs() - margin.ln();
    let squared = old.variance_of_mean + new.variance_of_mean;
    if squared <= 0.0 {
        return Some(if beyond > 0.0 { 0.0 } else { 1.0 });
    }
    let t = StudentsT::new(0.0, 1.0, freedom(&old, &new)).ok()?;
    Some((2.0 * t.sf(beyond / squared.sqrt())).min(1.0))
}

/// Geometric mean; `None` where there are no values, or one is not positive.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    let mean = values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64;
    mean.is_finite().then(|| mean.exp())
}

/// Repeats below which there is no interval: that of two reaches 64 times their deviation to each side and says nothing.
const LEAST_REPEATS: usize = 3;

/// Student's interval of the geometric mean of what repeats found; `None` for fewer than three, or one that is not positive.
pub fn of_repeats(values: &[f64]) -> Option<(f64, f64)> {
    let Moments { n, mean, variance_of_mean } = moments(values).filter(|_| values.len() >= LEAST_REPEATS)?;
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok()?.inverse_cdf(f64::midpoint(1.0, CONFIDENCE));
    let half = t * variance_of_mean.sqrt();
    Some(((mean - half).exp(), (mean + half).exp()))
}

/// Of Welch and Satterthwaite.
fn freedom(old: &Moments, new: &Moments) -> f64 {
    let part = |of: &Moments| of.variance_of_mean.powi(2) / (of.n - 1.0);
    (old.variance_of_mean + new.variance_of_mean).powi(2) / (part(old) + part(new))
}

struct Moments {
    n: f64,
    mean: f64,
    variance_of_mean: f64,
}

fn moments(values: &[f64]) -> Option<Moments> {
    if values.len() < 2 || values.iter().any(|value| *value <= 0.0) {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().map(|value| value.ln()).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value.ln() - mean).powi(2)).sum();
    Some(Moments { n, mean, variance_of_mean: squares / (n - 1.0) / n })
}

/// Interval of median(new) / median(old) from the medians of consecutive blocks of iterations; `None` for fewer than 8
/// blocks on a side.
pub fn block_ratio(old: &[f64], new: &[f64]) -> Option<(f64, f64)> {
    if old.len().min(new.len()) < LEAST_BLOCKS || old.iter().chain(new).any(|value| *value <= 0.0) {
        return None;
    }
    drawn(|random, drawn| Some(draw(new, random, drawn)? / draw(old, random, drawn)?))
}

/// Interval of the median of what consecutive blocks of iterations have; `None` for fewer than 8 blocks.
pub fn block_median(values: &[f64]) -> Option<(f64, f64)> {
    if values.len() < LEAST_BLOCKS {
        return None;
    }
    drawn(|random, drawn| draw(values, random, drawn))
}

/// The middle part of many draws.
fn drawn(mut one: impl FnMut(&mut fastrand::Rng, &mut Vec<f64>) -> Option<f64>) -> Option<(f64, f64)> {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut scratch = Vec::new();
    let mut all: Vec<f64> = (0..DRAWS).filter_map(|_| one(&mut random, &mut scratch)).collect();
    all.sort_by(f64::total_cmp);
    let beyond = (all.len() as f64 * (1.0 - CONFIDENCE) / 2.0) as usize;
    Some((*all.get(beyond)?, *all.get(all.len() - 1 - beyond)?))
}

/// Median of as many values as there are, drawn in stretches that go on at the start after the end.
fn draw(values: &[f64], random: &mut fastrand::Rng, drawn: &mut Vec<f64>) -> Option<f64> {
    drawn.clear();
    while drawn.len() < values.len() {
        let from = random.usize(..values.len());
        drawn.extend((from..from + STRETCH).map(|at| values[at % values.len()]));
    }
    drawn.truncate(values.len());
    median_of(drawn, f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn welch_is_that_of_scipy() {
        // scipy.stats.ttest_ind(log(new), log(old), equal_var=False).confidence_interval(0.99), exponentiated
        let (low, high) = welch_ratio(&[100.0, 104.0, 98.0, 101.0], &[120.0, 131.0, 118.0]).unwrap();
        assert!((low - WELCH.0).abs() < 1e-6 && (high - WELCH.1).abs() < 1e-6, "{low} {high}");
        assert_eq!(welch_ratio(&[1.0], &[1.0, 2.0]), None);
        let (low, high) = welch_ratio(&[2.0, 2.0], &[3.0, 3.0]).unwrap();
        assert!((low - 1.5).abs() < 1e-12 && (high - 1.5).abs() < 1e-12, "{low} {high}");
    }

    const WELCH: (f64, f64) = (0.961447787, 1.547653024);

    #[test]
    fn repeats_have_students_interval() {
        // t(0.995, 2 degrees of freedom) = 9.924843; logs 0, 1, 2: mean 1, deviation of the mean 1 / sqrt 3
        let (low, high) = of_repeats(&[1.0, 1.0f64.exp(), 2.0f64.exp()]).unwrap();
        let half = 9.924843 / 3.0f64.sqrt();
        assert!((low.ln() - 1.0 + half).abs() < 1e-5 && (high.ln() - 1.0 - half).abs() < 1e-5, "{low} {high}");
        assert_eq!((of_repeats(&[1.0, 2.0]), of_repeats(&[1.0, 2.0, 0.0])), (None, None));
        assert_eq!((geometric_mean(&[]), geometric_mean(&[0.0])), (None, None));
    }

    #[test]
    fn the_median_of_blocks_lies_in_its_interval() {
        let parts: Vec<f64> = (0..32).map(|i| 0.1 + 0.01 * f64::from(i % 7)).collect();
        let (low, high) = block_median(&parts).unwrap();
        assert!((0.1..=0.13).contains(&low) && (0.13..=0.16).contains(&high), "{low} {high}");
        assert_eq!(block_median(&parts[..7]), None);
    }

    #[test]
    fn blocks_that_scatter_widen_the_interval_around_the_ratio() {
        let scattered = |scale: f64| (0..32).map(|i| scale * (1.0 + 0.02 * f64::from(i % 5))).collect::<Vec<_>>();
        let (low, high) = block_ratio(&scattered(100.0), &scattered(150.0)).unwrap();
        assert!(1.35 < low && low < 1.5 && 1.5 < high && high < 1.65, "{low} {high}");
        assert_eq!(block_ratio(&scattered(1.0), &scattered(2.0)), block_ratio(&scattered(1.0), &scattered(2.0)));
        assert_eq!(block_ratio(&[1.0; 7], &[1.0; 32]), None);
    }
}
