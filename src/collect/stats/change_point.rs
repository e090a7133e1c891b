//! Where a series of points changes its level: E-divisive.
//!
//! D. S. Matteson and N. A. James, "A Nonparametric Approach for Multiple Change Point Analysis of Multivariate Data", J. American
//! Statistical Association 109 (2014), with alpha = 1: the split with the largest energy distance between its two sides, whether it
//! is more than chance by permutations, and then the same within both sides. MongoDB watches its performance with it: D. Daly et al.,
//! "The Use of Change Point Detection to Identify Software Performance Regressions in a Continuous Integration System", ICPE'20.
//! Permutations end early where many exceed: J. Besag and P. Clifford, "Sequential Monte Carlo p-values", Biometrika 78 (1991).
//!
//! Knows numbers only.

use super::quantile::median_of;

/// Points below which no split can be told from chance: of 8 in two halves every 35th order looks as good.
pub const LEAST: usize = 8;
/// Points that a side has at least: one that stands apart is no new level.
const LEAST_SIDE: usize = 3;
/// Permutations, and exceedances after which there are enough.
const DRAWS: usize = 4999;
const ENOUGH: usize = 10;
/// Scatter below which a coordinate is not stretched: a thousandth.
const FLOOR: f64 = 1e-3;
/// Any number does; it stands here so that the same input gives the same report.
const SEED: u64 = 0xc4a9_5e11;

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// Index of the first point of the new level.
    pub at: usize,
    /// Part of the orders of the points that have a split at least as clear.
    pub p: f64,
}

/// The clearest split of points that all have the same coordinates, in order; `None` for fewer than [`LEAST`].
pub fn clearest(points: &[Vec<f64>]) -> Option<Split> {
    best_of(&Distances::between(&scaled(points)), 0, points.len())
}

/// All splits whose p is `level` at most, ascending.
pub fn all(points: &[Vec<f64>], level: f64) -> Vec<Split> {
    let distances = Distances::between(&scaled(points));
    let mut found = Vec::new();
    let mut segments = vec![(0, points.len())];
    while let Some((from, to)) = segments.pop() {
        if let Some(split) = best_of(&distances, from, to).filter(|split| split.p <= level) {
            found.push(split);
            segments.extend([(from, split.at), (split.at, to)]);
        }
    }
    found.sort_by_key(|split| split.at);
    found
}

/// Each coordinate by its median deviation from its median, else the noisiest would decide. It is the same for all orders of the
/// points, without which permutations would prove nothing.
fn scaled(points: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let median = |mut values: Vec<f64>| median_of(&mut values, f64::total_cmp).unwrap_or_default();
    let scale = |at: usize| {
        let middle = median(points.iter().map(|point| point[at]).collect());
        median(points.iter().map(|point| (point[at] - middle).abs()).collect()).max(FLOOR)
    };
    let scales: Vec<f64> = (0..points.first().map_or(0, Vec::len)).map(scale).collect();
    points.iter().map(|point| point.iter().zip(&scales).map(|(value, scale)| value / scale).collect()).collect()
}

struct Distances {
    n: usize,
    of: Vec<f64>,
}

impl Distances {
    fn between(points: &[Vec<f64>]) -> Distances {
        let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let of = points.iter().flat_map(|a| points.iter().map(move |b| distance(a, b))).collect();
        Distances { n: points.len(), of }
    }

    fn at(&self, a: usize, b: usize) -> f64 {
        self.of[a * self.n + b]
    }

    /// Sum of the distances of `order[at]` to those of `order` in `others`.
    fn sum(&self, order: &[usize], at: usize, others: std::ops::Range<usize>) -> f64 {
        order[others].iter().map(|other| self.at(order[at], *other)).sum()
    }

    /// The split of `order` with the largest energy statistic, and that.
    fn split(&self, order: &[usize]) -> (usize, f64) {
        let n = order.len();
        // sums of distances within the left side, within the right side, and between them, as points go over one by one
        let (mut left, mut between) = (0.0, 0.0);
        let mut right: f64 = (0..n).map(|at| self.sum(order, at, 0..at)).sum();
        let mut best = (0, f64::NEG_INFINITY);
        for at in 0..n {
            let (to_left, to_right) = (self.sum(order, at, 0..at), self.sum(order, at, at + 1..n));
            left += to_left;
            right -= to_right;
            between += to_right - to_left;
            let (m, k) = ((at + 1) as f64, (n - at - 1) as f64);
            if at + 1 < LEAST_SIDE || n - at - 1 < LEAST_SIDE {
                continue;
            }
            let within = left / (m * (m - 1.0)) + right / (k * (k - 1.0));
            let energy = m * k / (m + k) * 2.0 * (between / (m * k) - within);
            if energy > best.1 {
                best = (at + 1, energy);
            }
        }
        best
    }
}

fn best_of(distances: &Distances, from: usize, to: usize) -> Option<Split> {
    if to - from < LEAST {
        return None;
    }
    let mut order: Vec<usize> = (from..to).collect();
    let (at, energy) = distances.split(&order);
    let mut random = fastrand::Rng::with_seed(SEED);
    let (mut drawn, mut exceeding) = (0, 0);
    // sums in another order have other last digits
    let limit = energy - energy.abs() * 1e-9;
    while drawn < DRAWS && exceeding < ENOUGH {
        random.shuffle(&mut order);
        drawn += 1;
        exceeding += usize::from(distances.split(&order).1 >= limit);
    }
    let p =
        if exceeding == ENOUGH { ENOUGH as f64 / drawn as f64 } else { (exceeding + 1) as f64 / (drawn + 1) as f64 };
    Some(Split { at: from + at, p })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Noise(fastrand::Rng);

    impl Noise {
        fn normal(&mut self) -> f64 {
            (-2.0 * (1.0 - self.0.f64()).ln()).sqrt() * (std::f64::consts::TAU * self.0.f64()).cos()
        }

        /// `n` collections of six figures that scatter by 2 %, half of it together; from each `steps` on all are longer.
        fn series(&mut self, n: usize, steps: &[(usize, f64)]) -> Vec<Vec<f64>> {
            let part = 0.02 * 0.5f64.sqrt();
            let level = |at: usize| steps.iter().filter(|(from, _)| at >= *from).map(|(_, by)| by.ln()).sum::<f64>();
            let point = |at| {
                let own = level(at) + part * self.normal();
                (0..6).map(|_| own + part * self.normal()).collect()
            };
            (0..n).map(point).collect()
        }
    }

    /// Of so many series, those in which something is found at 5 %.
    fn alarms(series: usize, n: usize, steps: &[(usize, f64)]) -> Vec<Vec<Split>> {
        let mut noise = Noise(fastrand::Rng::with_seed(11));
        let all = (0..series).map(|_| all(&noise.series(n, steps), 0.05));
        all.filter(|found| !found.is_empty()).collect()
    }

    #[test]
    fn the_same_level_seldom_changes() {
        let rates = [8, 12, 30].map(|n| (n, alarms(200, n, &[]).len()));
        println!("of 200 series without a change, (length, called): {rates:?}");
        // 5 % of 200 is 10; 21 and more are chance in less than one case of a thousand
        assert!(rates.iter().all(|(_, called)| *called <= 20), "{rates:?}");
        assert!(rates.iter().any(|(_, called)| *called > 0), "a test that never speaks says nothing: {rates:?}");
    }

    #[test]
    fn a_new_level_is_found_where_it_begins() {
        let found = alarms(100, 16, &[(9, 1.1)]);
        let near = found.iter().filter(|splits| splits.iter().any(|split| split.at.abs_diff(9) <= 1)).count();
        println!("of 100 series of 16 with +10 % at the 10th: {} called, {near} there", found.len());
        assert!(found.len() >= 98 && near >= 95, "{} {near}", found.len());
        let two: Vec<_> = all(&Noise(fastrand::Rng::with_seed(3)).series(40, &[(12, 1.2), (28, 0.8)]), 0.01);
        assert_eq!(two.iter().map(|split| split.at).collect::<Vec<_>>(), [12, 28]);
    }

    #[test]
    fn one_that_stands_apart_and_short_series_are_no_change() {
        let mut series = Noise(fastrand::Rng::with_seed(2)).series(20, &[]);
        series[10].iter_mut().for_each(|value| *value += 1.0);
        assert_eq!(all(&series, 0.01), []);
        assert_eq!((clearest(&series[..7]), clearest(&[])), (None, None));
        // what never moves has no change either, and no division by nothing
        assert!(clearest(&vec![vec![1.0]; 12]).unwrap().p > 0.5);
    }
}
