//! Slower, faster, or noise; and what one run on a side cannot tell.
//!
//! Jobs that are run again differ, by the nodes they get, their neighbours on the network and the state of memory, often by more
//! than what happens within one (T. Hoefler and R. Belli, SC'15, rules 5 and 6; A. Maricq et al., "Taming Performance
//! Variability", OSDI'18). An interval from within two single runs has none of that, so that however narrow it is it
//! cannot tell a change from chance: such a pair is called unconfirmed and never slower or faster.

use super::Method;
use crate::record::vocabulary::words;

words! {
    /// What an interval says of a ratio.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Verdict {
        Slower = "slower",
        Faster = "faster",
        /// The two runs differ by more than what happens within each, and one run on a side does not show how much runs differ.
        Unconfirmed = "unconfirmed",
        /// The interval holds the ratios that mean nothing.
        Noise = "noise",
        /// There is no interval.
        TooFew = "too few",
    }
}

impl Verdict {
    /// The whole interval must lie beyond the margin.
    pub fn of(interval: Option<(f64, f64)>, method: Method) -> Verdict {
        let margin = 1.0 + margin(method);
        let Some((low, high)) = interval else { return Verdict::TooFew };
        match method {
            _ if low <= margin && high >= 1.0 / margin => Verdict::Noise,
            Method::Blocks => Verdict::Unconfirmed,
            Method::Repeats | Method::Collections if low > margin => Verdict::Slower,
            Method::Repeats | Method::Collections => Verdict::Faster,
        }
    }
}

/// Change that counts as none. Medians of the same job, run again, commonly lie some percent apart: what single runs show
/// below that is not worth a line.
pub fn margin(method: Method) -> f64 {
    match method {
        Method::Repeats | Method::Collections => 0.01,
        Method::Blocks => 0.05,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::stats::interval;

    #[test]
    fn the_whole_interval_decides() {
        for (interval, repeats, blocks) in [
            ((1.02, 1.2), Verdict::Slower, Verdict::Noise),
            ((1.06, 1.2), Verdict::Slower, Verdict::Unconfirmed),
            ((0.9, 1.2), Verdict::Noise, Verdict::Noise),
            ((0.7, 0.97), Verdict::Faster, Verdict::Noise),
            ((0.7, 0.9), Verdict::Faster, Verdict::Unconfirmed),
        ] {
            assert_eq!(Verdict::of(Some(interval), Method::Repeats), repeats);
            assert_eq!(Verdict::of(Some(interval), Method::Blocks), blocks);
        }
        assert_eq!(Verdict::of(None, Method::Blocks), Verdict::TooFew);
    }

    /// Of so many comparisons of an A/A pair, those called (slower or faster, unconfirmed): medians of runs scatter by a tenth from
    /// run to run, blocks within a run by a hundredth around the run's own level.
    fn false_verdicts((repeats, comparisons): (usize, usize)) -> (usize, usize) {
        let mut random = fastrand::Rng::with_seed(7);
        let mut normal =
            move || (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos();
        let mut verdicts = Vec::new();
        for _ in 0..comparisons {
            let mut levels = || (0..repeats).map(|_| 1e5 * (0.1 * normal()).exp()).collect::<Vec<f64>>();
            let (old, new) = (levels(), levels());
            verdicts.push(match repeats {
                1 => {
                    let mut blocks =
                        |level: f64| (0..32).map(|_| level * (0.01 * normal()).exp()).collect::<Vec<f64>>();
                    Verdict::of(interval::block_ratio(&blocks(old[0]), &blocks(new[0])), Method::Blocks)
                }
                _ => Verdict::of(interval::welch_ratio(&old, &new), Method::Repeats),
            });
        }
        let count = |wanted: &[Verdict]| verdicts.iter().filter(|verdict| wanted.contains(verdict)).count();
        (count(&[Verdict::Slower, Verdict::Faster]), count(&[Verdict::Unconfirmed]))
    }

    #[test]
    fn equal_stores_are_seldom_told_apart() {
        let rates = [(1, 200), (2, 2000), (3, 2000), (5, 2000)].map(|of| (of, false_verdicts(of)));
        println!("A/A ((repeats, comparisons), (slower or faster, unconfirmed)): {rates:?}");
        let [(_, single), several @ ..] = rates;
        // what the interval of single runs would have called a change
        assert!(single.0 == 0 && single.1 > 100, "{rates:?}");
        // 1 % of 2000 is 20; 36 is beyond it by chance in less than one case of a thousand
        assert!(several.iter().all(|(_, (wrong, unconfirmed))| *wrong <= 36 && *unconfirmed == 0), "{rates:?}");
    }
}
