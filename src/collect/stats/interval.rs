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

/// Two sides on the logarithmic scale: how far apart they are, and how sure that is. Everything that is said of them comes from here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contrast {
    /// Logarithm of new / old.
    pub difference: f64,
    /// Standard error of that.
    pub error: f64,
    /// Degrees of freedom of the error.
    freedom: f64,
}

impl Contrast {
    /// Welch's of several values on both sides; `None` for fewer than two on a side, or one that is not positive.
    pub fn welch(old: &[f64], new: &[f64]) -> Option<Contrast> {
        let (old, new) = (moments(old)?, moments(new)?);
        let error = (old.variance_of_mean + new.variance_of_mean).sqrt();
        Some(Contrast { difference: new.mean - old.mean, error, freedom: freedom(&old, &new) })
    }

    /// Of one more value against [`LEAST_REPEATS`] and more of its kind: Student's prediction interval, whose error is that of a
    /// single one and of their mean together.
    pub fn next(old: &[f64], new: f64) -> Option<Contrast> {
        let Moments { n, mean, variance_of_mean } = moments(old).filter(|_| old.len() >= LEAST_REPEATS && new > 0.0)?;
        let error = (variance_of_mean * (n + 1.0)).sqrt();
        Some(Contrast { difference: new.ln() - mean, error, freedom: n - 1.0 })
    }

    /// Of the ratio, at [`CONFIDENCE`].
    pub fn interval(&self) -> Option<(f64, f64)> {
        let half = match self.error > 0.0 {
            true => self.students()?.inverse_cdf(f64::midpoint(1.0, CONFIDENCE)) * self.error,
            false => 0.0,
        };
        Some(((self.difference - half).exp(), (self.difference + half).exp()))
    }

    /// Two-sided p of the test that the ratio lies within 1 / `margin` to `margin`. It is below 1 - [`CONFIDENCE`] just where the
    /// whole interval lies beyond the margin.
    pub fn p(&self, margin: f64) -> Option<f64> {
        let beyond = self.difference.abs() - margin.ln();
        if self.error <= 0.0 {
            return Some(if beyond > 0.0 { 0.0 } else { 1.0 });
        }
        Some((2.0 * self.students()?.sf(beyond / self.error)).min(1.0))
    }

    /// The ratio that the test of [`Contrast::p`] at `level` finds in about three of four such comparisons, by how these repeats scatter: that
    /// of the non-central t distribution, in the approximation 26.7.10 of M. Abramowitz and I. A. Stegun, "Handbook of Mathematical
    /// Functions" (1964).
    pub fn detectable(&self, margin: f64, level: f64) -> Option<f64> {
        let t = self.students()?.inverse_cdf(1.0 - level / 2.0);
        let spread = (1.0 + t * t / (2.0 * self.freedom)).sqrt();
        let reach = t * (1.0 - 1.0 / (4.0 * self.freedom)) + QUANTILE_OF_POWER * spread;
        Some(if self.error > 0.0 { margin * (reach * self.error).exp() } else { margin })
    }

    /// The same where both sides are seen through a factor: new is `factor` times as much.
    pub fn times(self, factor: f64) -> Contrast {
        Contrast { difference: self.difference + factor.ln(), ..self }
    }

    fn students(&self) -> Option<StudentsT> {
        // equal values on both sides have no freedom, and no error that wants one
        StudentsT::new(0.0, 1.0, if self.freedom > 0.0 { self.freedom } else { 1.0 }).ok()
    }
}

/// Quantile of the standard normal distribution at 0.8, the power that is aimed at: small samples reach 0.7 and more.
const QUANTILE_OF_POWER: f64 = 0.841_621_233_6;

/// Interval of exp(mean of logs of `new` - mean of logs of `old`), by [`Contrast::welch`].
pub fn welch_ratio(old: &[f64], new: &[f64]) -> Option<(f64, f64)> {
    Contrast::welch(old, new)?.interval()
}

/// p of that, see [`Contrast::p`].
pub fn welch_p(old: &[f64], new: &[f64], margin: f64) -> Option<f64> {
    Contrast::welch(old, new)?.p(margin)
}

/// Geometric mean; `None` where there are no values, or one is not positive.
pub fn geometric_mean(values: &[f64]) -> Option<f64> {
    let mean = values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64;
    mean.is_finite().then(|| mean.exp())
}

/// Repeats below which there is no interval: that of two reaches 64 times their deviation to each side and says nothing.
pub const LEAST_REPEATS: usize = 3;

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

    fn normal(random: &mut fastrand::Rng) -> f64 {
        (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
    }

    /// Of 4000 comparisons with `n` repeats a side and a true ratio: the part that is found, and the median of what is said to be
    /// detectable.
    fn found(n: usize, ratio: f64, level: f64) -> (f64, f64) {
        let mut random = fastrand::Rng::with_seed(5);
        let (mut found, mut detectable) = (0, Vec::new());
        for _ in 0..4000 {
            let mut side = |level: f64| (0..n).map(|_| level * (0.03 * normal(&mut random)).exp()).collect::<Vec<_>>();
            let (old, new) = (side(1e5), side(1e5 * ratio));
            let contrast = Contrast::welch(&old, &new).unwrap();
            found += usize::from(contrast.p(1.01).unwrap() < level);
            detectable.push(contrast.detectable(1.01, level).unwrap());
        }
        (found as f64 / 4000.0, median_of(&mut detectable, f64::total_cmp).unwrap())
    }

    #[test]
    fn what_is_said_to_be_detectable_is_detected() {
        for (n, level) in [(3, 0.01), (5, 0.01), (5, 0.001)] {
            let (alarms, detectable) = found(n, 1.0, level);
            let (power, _) = found(n, detectable, level);
            println!("{n} repeats at {level}: {detectable:.3} is found in {power:.3}; alarms {alarms:.4}");
            assert!(alarms < level && (0.7..0.92).contains(&power), "{n} {level}: {detectable} {power} {alarms}");
        }
    }

    #[test]
    fn one_more_of_the_same_is_seldom_beyond_the_prediction() {
        let mut random = fastrand::Rng::with_seed(6);
        let mut beyond = [0, 0];
        for _ in 0..4000 {
            let old: Vec<f64> = (0..5).map(|_| 1e5 * (0.02 * normal(&mut random)).exp()).collect();
            let next = 1e5 * (0.02 * normal(&mut random)).exp();
            for (count, ratio) in beyond.iter_mut().zip([1.0, 1.2]) {
                let (low, high) = Contrast::next(&old, next * ratio).unwrap().interval().unwrap();
                *count += usize::from(low > 1.0 || high < 1.0);
            }
        }
        // 1 % of 4000 is 40; 60 is beyond it by chance in less than one case of a thousand
        assert!(beyond[0] <= 60 && beyond[1] > 3000, "{beyond:?}");
        assert_eq!(Contrast::next(&[1.0, 1.0], 1.0), None);
    }

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
