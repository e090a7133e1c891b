//! A study compares hundreds of figures: at 99 % each, a store that did not change would have some of them slower in nearly every
//! collection, and `--fail-if` would fail by chance. A verdict therefore also stands against all others of its kind.

use super::{Change, Verdict};
use crate::collect::stats::multiple::discovery_limit;

/// Part of the slower and faster ones that may be chance, in expectation; where nothing changed, the chance of any.
pub const FALSE_RATE: f64 = 0.05;

/// Takes verdicts back to noise that so many comparisons of one metric bring about by chance.
pub fn correct(changes: &mut [Change]) {
    let p: Vec<f64> = changes.iter().filter_map(|change| change.p).collect();
    let limit = discovery_limit(&p, FALSE_RATE);
    for change in changes.iter_mut().filter(|change| matches!(change.verdict, Verdict::Slower | Verdict::Faster)) {
        if !change.p.zip(limit).is_some_and(|(p, limit)| p <= limit) {
            change.verdict = Verdict::Noise;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::baseline::{Method, Metric, margin};
    use crate::collect::stats::interval;

    /// A comparison of three repeats a side whose medians scatter by 3 %.
    fn change(normal: &mut impl FnMut() -> f64, slowdown: f64) -> Change {
        let mut side = |level: f64| (0..3).map(|_| level * (0.03 * normal()).exp()).collect::<Vec<_>>();
        let (old, new) = (side(1e5), side(1e5 * slowdown));
        let interval = interval::welch_ratio(&old, &new);
        Change {
            run: String::new(),
            baseline_run: String::new(),
            payload_bytes: 1,
            metric: Metric::Median,
            op: None,
            old_runs: 3,
            new_runs: 3,
            old: old[0],
            new: new[0],
            ratio: new[0] / old[0],
            interval,
            p: interval::welch_p(&old, &new, 1.0 + margin(Method::Repeats)),
            method: Method::Repeats,
            verdict: Verdict::of(interval, Method::Repeats),
            differs: std::sync::Arc::default(),
        }
    }

    fn called(changes: &[Change]) -> usize {
        changes.iter().filter(|change| matches!(change.verdict, Verdict::Slower | Verdict::Faster)).count()
    }

    /// Of 200 studies with 352 comparisons those with a verdict, before and after; and the verdicts of all after.
    fn studies(slowdown: f64) -> (usize, usize, usize) {
        let mut random = fastrand::Rng::with_seed(3);
        let mut normal =
            move || (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos();
        let (mut before, mut after, mut verdicts) = (0, 0, 0);
        for _ in 0..200 {
            let mut changes: Vec<Change> = (0..352).map(|_| change(&mut normal, slowdown)).collect();
            for change in &changes {
                // p and the interval are two sides of one test
                let is_certain = change.p.unwrap() < 1.0 - interval::CONFIDENCE;
                assert_eq!(is_certain, change.verdict != Verdict::Noise, "{change:?}");
            }
            before += usize::from(called(&changes) > 0);
            correct(&mut changes);
            after += usize::from(called(&changes) > 0);
            verdicts += called(&changes);
        }
        (before, after, verdicts)
    }

    #[test]
    fn a_study_that_did_not_change_is_seldom_told_to_have() {
        let (before, after, _) = studies(1.0);
        println!("A/A studies with a verdict, of 200: {before} before the correction, {after} after");
        // 5 % of 200 is 10; 21 and more are chance in less than one case of a thousand
        assert!(before > 100 && after <= 20, "{before} {after}");
    }

    #[test]
    fn a_study_that_did_change_is_told_to_have() {
        let (_, after, verdicts) = studies(1.3);
        assert!(after == 200 && verdicts > 200 * 352 * 8 / 10, "{after} {verdicts}");
    }
}
