//! What became slower or faster than in an earlier collection, by how much, and is it more than noise.
//!
//! Runs are paired by their parameters, not by their names: those of one set of parameters are repeats of each other. The
//! figure is the median duration of an op at a size; over repeats the geometric mean of the runs' medians. [`crate::collect::stats::interval`]
//! has the intervals.

mod pair;
mod verdict;

use anyhow::{Context, Result, ensure};

pub use pair::compare;
pub use verdict::Verdict;

use crate::record::vocabulary::Op;

/// A collection against an earlier one.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    /// The earlier folder, as it was given.
    pub folder: String,
    /// By parameters, size and op.
    pub changes: Vec<Change>,
    /// Names of runs with figures whose parameters the other side does not have.
    pub only_old: Vec<String>,
    pub only_new: Vec<String>,
}

impl Baseline {
    /// How many have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.changes.iter().filter(|change| change.verdict == verdict).count()
    }

    /// The changes that `limit` does not allow.
    pub fn failures(&self, limit: FailIf) -> impl Iterator<Item = &Change> {
        let counts = move |verdict| match verdict {
            Verdict::Slower => true,
            Verdict::Unconfirmed => limit.unconfirmed,
            Verdict::Faster | Verdict::Noise | Verdict::TooFew => false,
        };
        let is_too_slow = move |change: &&Change| counts(change.verdict) && change.ratio >= 1.0 + limit.slower;
        self.changes.iter().filter(is_too_slow)
    }
}

/// One op at one size under one set of parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Name of the first new run.
    pub run: String,
    /// Name of the first old run.
    pub baseline_run: String,
    pub payload_bytes: u64,
    pub op: Op,
    pub old_runs: usize,
    pub new_runs: usize,
    /// Median durations in ns; of several runs the geometric mean.
    pub old_ns: f64,
    pub new_ns: f64,
    /// New / old: above 1 is slower.
    pub ratio: f64,
    /// 99 % confidence interval of the ratio; absent where too little was measured for one.
    pub interval: Option<(f64, f64)>,
    /// How the interval was made.
    pub method: Method,
    pub verdict: Verdict,
}

/// What an interval rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Several runs on both sides.
    Repeats,
    /// Blocks of iterations of one run on a side: how runs differ from each other is not in it.
    Blocks,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Repeats => "repeats",
            Method::Blocks => "blocks of iterations",
        }
    }
}

/// `--fail-if`: changes that make `collect` end with an exit code of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FailIf {
    /// Slower by this part or more, and by more than noise.
    pub slower: f64,
    /// Count as well what single runs show and cannot confirm.
    pub unconfirmed: bool,
}

impl std::str::FromStr for FailIf {
    type Err = anyhow::Error;

    /// Reads `slower=5%` or `slower=5%,unconfirmed`.
    fn from_str(text: &str) -> Result<FailIf> {
        let allowed = "give slower=PERCENT%, such as slower=5%, or slower=5%,unconfirmed";
        let (condition, unconfirmed) = match text.strip_suffix(",unconfirmed") {
            Some(condition) => (condition, true),
            None => (text, false),
        };
        let percent = condition.strip_prefix("slower=").and_then(|rest| rest.strip_suffix('%'));
        let percent = percent.with_context(|| format!("{text:?} is no condition: {allowed}"))?;
        let percent: f64 = percent.parse().ok().with_context(|| format!("{percent:?} is no number: {allowed}"))?;
        ensure!(percent.is_finite() && percent >= 0.0, "{percent} % is no slowdown: {allowed}");
        Ok(FailIf { slower: percent / 100.0, unconfirmed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_read_and_a_wrong_one_says_what_is_allowed() {
        let read = |text: &str| text.parse::<FailIf>().unwrap();
        assert_eq!(read("slower=5%"), FailIf { slower: 0.05, unconfirmed: false });
        assert_eq!(read("slower=5%,unconfirmed"), FailIf { slower: 0.05, unconfirmed: true });
        for wrong in ["slower=5", "faster=5%", "slower=x%", "slower=-1%", "slower=inf%", "slower=5%,all", ""] {
            let error = format!("{:#}", wrong.parse::<FailIf>().unwrap_err());
            assert!(error.contains("slower=5%"), "{error}");
        }
    }
}
