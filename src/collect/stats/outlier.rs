//! Who stands apart: the modified z-score of B. Iglewicz and D. C. Hoaglin, "How to Detect and Handle Outliers" (1993),
//! 0.6745 (x - median) / MAD, with their limit of 3.5.

use super::quantile::median_of;

/// Values below which nobody stands apart.
const LEAST: usize = 5;
const LIMIT: f64 = 3.5;
/// A rank that is slower by less is no straggler, however even the others are.
const NOTABLE: f64 = 1.10;

/// The least value (a ratio to the median) that makes a straggler among `ratios`; `None` where there are too few.
pub fn limit(ratios: &[f64]) -> Option<f64> {
    if ratios.len() < LEAST {
        return None;
    }
    let median = median_of(&mut ratios.to_vec(), f64::total_cmp)?;
    let mut deviations: Vec<f64> = ratios.iter().map(|ratio| (ratio - median).abs()).collect();
    let mad = median_of(&mut deviations, f64::total_cmp)?;
    Some((median + LIMIT * mad / 0.6745).max(NOTABLE * median))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_beyond_the_scatter_and_beyond_a_tenth() {
        assert_eq!(limit(&[1.0; 4]), None);
        assert_eq!(limit(&[1.0; 8]), Some(1.1));
        let scattered = [0.8, 0.9, 1.0, 1.1, 1.2];
        assert!((limit(&scattered).unwrap() - (1.0 + 3.5 * 0.1 / 0.6745)).abs() < 1e-9);
    }
}
