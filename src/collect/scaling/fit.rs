//! The Universal Scalability Law: X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)).
//!
//! N. J. Gunther, "Guerrilla Capacity Planning" (2007), chapter 5. sigma is contention, kappa the cost of keeping coherent;
//! with kappa = 0 it is the throughput form of Amdahl's law. Divided by X the law is linear in 1/lambda, sigma/lambda and
//! kappa/lambda, and is fitted so by least squares of the relative errors; what would be negative is held at zero.

use crate::record::vocabulary::words;

/// Distinct points that a fit of three parameters wants.
const LEAST: usize = 5;
/// Relative error of the worst point above which the law does not describe the points.
const WORST: f64 = 0.25;

words! {
    /// Which terms were needed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum FitKind {
        /// kappa > 0.
        Usl = "USL",
        /// kappa = 0, sigma > 0.
        Amdahl = "Amdahl",
        /// Neither: no loss up to the largest point.
        Linear = "linear",
    }
}

/// A fitted law.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    pub kind: FitKind,
    /// GB/s of the first unit of x.
    pub lambda: f64,
    pub sigma: f64,
    pub kappa: f64,
    /// x of the most bandwidth, sqrt((1 - sigma) / kappa); absent without kappa.
    pub knee: Option<f64>,
    /// The knee lies within the points and is no extrapolation.
    pub knee_is_measured: bool,
    /// 1 - sum of squared residuals / sum of squared distances from the mean.
    pub r_squared: f64,
    /// Relative error of the worst point.
    pub worst_error: f64,
    /// Distinct points.
    pub points: usize,
}

impl Fit {
    /// Fits (x, GB/s) with distinct x.
    ///
    /// # Errors
    /// The reason why no fit is given, in words.
    pub fn of(points: &[(f64, f64)]) -> Result<Fit, String> {
        if points.len() < LEAST {
            return Err(format!("{} distinct points; a fit wants {LEAST}", points.len()));
        }
        if points.iter().any(|(x, y)| *x < 1.0 || !y.is_finite() || *y <= 0.0) {
            return Err("a point without bandwidth".to_owned());
        }
        let candidates = [[true, true, true], [true, true, false], [true, false, true], [true, false, false]];
        // of those without a negative term the closest; the fuller ones come first and win ties
        let best = candidates
            .iter()
            .filter_map(|use_term| solve(points, *use_term))
            .filter(|[a, b, c]| *a > 0.0 && *b >= 0.0 && *c >= 0.0)
            .map(|terms| (squares(points, terms), terms))
            .reduce(|best, next| if next.0 < best.0 * (1.0 - 1e-9) { next } else { best });
        let [a, b, c] = best.ok_or("the points determine no law")?.1;
        let fit = describe(points, [1.0 / a, b / a, c / a]);
        if fit.worst_error > WORST {
            return Err(format!("the law misses a point by {:.0} %", fit.worst_error * 100.0));
        }
        Ok(fit)
    }

    /// Bandwidth at `x` by the law, in GB/s.
    pub fn at(&self, x: f64) -> f64 {
        law([self.lambda, self.sigma, self.kappa], x)
    }
}

fn law([lambda, sigma, kappa]: [f64; 3], x: f64) -> f64 {
    lambda * x / (1.0 + sigma * (x - 1.0) + kappa * x * (x - 1.0))
}

fn describe(points: &[(f64, f64)], parameters: [f64; 3]) -> Fit {
    let [lambda, sigma, kappa] = parameters;
    let kind = match (kappa > 0.0, sigma > 0.0) {
        (true, _) => FitKind::Usl,
        (false, true) => FitKind::Amdahl,
        (false, false) => FitKind::Linear,
    };
    let knee = (kappa > 0.0 && sigma < 1.0).then(|| ((1.0 - sigma) / kappa).sqrt());
    let mean = points.iter().map(|(_, y)| y).sum::<f64>() / points.len() as f64;
    let residuals: f64 = points.iter().map(|(x, y)| (y - law(parameters, *x)).powi(2)).sum();
    let total: f64 = points.iter().map(|(_, y)| (y - mean).powi(2)).sum();
    let last = points.iter().map(|(x, _)| *x).fold(0.0, f64::max);
    Fit {
        kind,
        lambda,
        sigma,
        kappa,
        knee,
        knee_is_measured: knee.is_some_and(|knee| knee <= last),
        r_squared: if total > 0.0 { 1.0 - residuals / total } else { 0.0 },
        worst_error: points.iter().map(|(x, y)| (law(parameters, *x) / y - 1.0).abs()).fold(0.0, f64::max),
        points: points.len(),
    }
}

/// The terms of a point, times X / N, which makes the right side 1 and the error a relative one.
fn row((x, y): (f64, f64)) -> [f64; 3] {
    [1.0, x - 1.0, x * (x - 1.0)].map(|term| term * y / x)
}

fn squares(points: &[(f64, f64)], terms: [f64; 3]) -> f64 {
    let error = |point: &(f64, f64)| row(*point).iter().zip(terms).map(|(a, b)| a * b).sum::<f64>() - 1.0;
    points.iter().map(|point| error(point).powi(2)).sum()
}

/// Least squares over the terms in use; `None` where they are not independent.
fn solve(points: &[(f64, f64)], use_term: [bool; 3]) -> Option<[f64; 3]> {
    let used: Vec<usize> = (0..3).filter(|term| use_term[*term]).collect();
    let n = used.len();
    // scaled columns keep the normal equations well conditioned though x runs to thousands
    let scale: Vec<f64> = used.iter().map(|t| points.iter().map(|p| row(*p)[*t].powi(2)).sum::<f64>().sqrt()).collect();
    if scale.iter().any(|scale| *scale <= 0.0) {
        return None;
    }
    let column = |point: &(f64, f64), i: usize| row(*point)[used[i]] / scale[i];
    let mut matrix: Vec<Vec<f64>> = (0..n)
        .map(|i| {
            let mut line: Vec<f64> = (0..n).map(|j| points.iter().map(|p| column(p, i) * column(p, j)).sum()).collect();
            line.push(points.iter().map(|p| column(p, i)).sum());
            line
        })
        .collect();
    let solution = eliminate(&mut matrix)?;
    let mut terms = [0.0; 3];
    for (i, term) in used.iter().enumerate() {
        terms[*term] = solution[i] / scale[i];
    }
    Some(terms)
}

/// Gauss-Jordan with pivots; each line ends with its right side.
fn eliminate(matrix: &mut [Vec<f64>]) -> Option<Vec<f64>> {
    let n = matrix.len();
    for i in 0..n {
        let pivot = (i..n).max_by(|a, b| matrix[*a][i].abs().total_cmp(&matrix[*b][i].abs()))?;
        matrix.swap(i, pivot);
        if matrix[i][i].abs() < 1e-12 {
            return None;
        }
        let pivot = matrix[i].clone();
        for (_, line) in matrix.iter_mut().enumerate().filter(|(other, _)| *other != i) {
            let factor = line[i] / pivot[i];
            line.iter_mut().zip(&pivot).skip(i).for_each(|(value, pivot)| *value -= factor * pivot);
        }
    }
    Some((0..n).map(|i| matrix[i][n] / matrix[i][i]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(parameters: [f64; 3]) -> Vec<(f64, f64)> {
        [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0].map(|x| (x, law(parameters, x))).to_vec()
    }

    #[test]
    fn few_points_and_points_of_no_law_are_refused() {
        assert_eq!(Fit::of(&points([1.0, 0.1, 0.01])[..4]).unwrap_err(), "4 distinct points; a fit wants 5");
        let zigzag: Vec<_> = (1..8).map(|x| (f64::from(x), if x % 2 == 0 { 9.0 } else { 1.0 })).collect();
        assert!(Fit::of(&zigzag).unwrap_err().starts_with("the law misses a point by"));
        assert!(Fit::of(&[(1.0, 0.0); 6]).is_err());
    }

    #[test]
    fn the_simpler_laws_are_recognised() {
        let amdahl = Fit::of(&points([2.0, 0.05, 0.0])).unwrap();
        assert!((amdahl.sigma - 0.05).abs() < 1e-6 && amdahl.kappa < 1e-8, "{amdahl:?}");
        let linear = Fit::of(&points([2.0, 0.0, 0.0])).unwrap();
        assert!((linear.lambda - 2.0).abs() < 1e-9 && linear.worst_error < 1e-9, "{linear:?}");
    }

    proptest! {
        #[test]
        fn the_parameters_come_back(lambda in 0.01f64..100.0, sigma in 0.001f64..0.5, kappa in 1e-5f64..1e-2) {
            let fit = Fit::of(&points([lambda, sigma, kappa])).unwrap();
            prop_assert_eq!(fit.kind, FitKind::Usl);
            for (ours, theirs) in [(fit.lambda, lambda), (fit.sigma, sigma), (fit.kappa, kappa)] {
                prop_assert!((ours / theirs - 1.0).abs() < 1e-4, "{:?}", fit);
            }
            prop_assert!((fit.knee.unwrap() / ((1.0 - sigma) / kappa).sqrt() - 1.0).abs() < 1e-4);
            prop_assert!(fit.r_squared > 0.999_999);
        }
    }
}
