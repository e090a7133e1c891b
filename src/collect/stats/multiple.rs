//! Many tests at once: Y. Benjamini and Y. Hochberg, "Controlling the False Discovery Rate", J. Royal Statistical Society B 57
//! (1995); under positive dependence, as of sizes that one run measured, it holds too (Benjamini and Yekutieli, Annals of
//! Statistics 29, 2001).

/// The largest p that still counts: of all p up to it a part of `rate` is expected to be chance. Where nothing changed at all,
/// anything counts with a probability of `rate` at most, however many tests there are. `None` where nothing counts.
pub fn discovery_limit(p: &[f64], rate: f64) -> Option<f64> {
    let mut sorted = p.to_vec();
    sorted.sort_by(f64::total_cmp);
    let of_all = rate / sorted.len() as f64;
    sorted.iter().enumerate().rfind(|(at, p)| **p <= (at + 1) as f64 * of_all).map(|(_, p)| *p)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_paper() {
        // section 4.2 of Benjamini and Hochberg: 15 p-values, four of them rejected at 5 %; Bonferroni has three
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
            0.7590, 1.0,
        ];
        assert_eq!(discovery_limit(&p, 0.05), Some(0.0095));
        assert_eq!(discovery_limit(&[0.2, 0.06], 0.05), None);
        assert_eq!(discovery_limit(&[0.04, 0.03], 0.05), Some(0.04));
        assert_eq!(discovery_limit(&[], 0.05), None);
    }
}
