//! What became slower or faster than in an earlier collection, by how much, and is it more than noise.
//!
//! Runs are paired by their parameters, not by their names: those of one set of parameters are repeats of each other. The
//! figure that decides is the median duration of an op at a size; over repeats the geometric mean of the runs' medians.
//! Beside it stand p99 and the bandwidth of all ranks, in the same way. [`crate::collect::stats::interval`] has the intervals.

mod multiple;
mod pair;
mod verdict;

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};

pub use multiple::{FALSE_RATE, correct};
pub use pair::{Key, columns, compare, count_differences, has_figures, key};
pub use verdict::{Verdict, margin};

use super::circumstances::Difference;
use crate::record::op::Op;
use crate::record::vocabulary::words;

/// A collection against an earlier one.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    /// The earlier folder, as it was given.
    pub folder: String,
    /// Of the medians, by parameters, size and op.
    pub changes: Vec<Change>,
    /// Of what decides nothing, where both sides have it: p99, and bandwidth.
    pub further: Vec<Change>,
    /// Names of runs with figures whose parameters the other side does not have.
    pub only_old: Vec<String>,
    pub only_new: Vec<String>,
    /// Parameters that both sides have, measured with another product or over another wire: not compared, with the reason.
    pub apart: Vec<String>,
    /// Pairs of runs that were compared.
    pub pairs: usize,
    /// In what else the sides of pairs differ, each with the number of pairs.
    pub differs: Vec<(Difference, usize)>,
}

impl Baseline {
    /// How many medians have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        count(&self.changes, verdict)
    }

    /// What decides nothing, of this metric.
    pub fn further_of(&self, metric: Metric) -> Vec<&Change> {
        self.further.iter().filter(|change| change.metric == metric).collect()
    }

    /// Whether `limit` does not allow this comparison.
    pub fn fails(&self, limit: FailIf) -> bool {
        let differs = || !self.apart.is_empty() || self.differs.iter().any(|(difference, _)| difference.may_explain());
        self.failures(limit).next().is_some() || (limit.differs && differs())
    }

    /// `server redis 7.0.15 -> redis 7.2.1 (all 6 pairs)`, each difference once.
    pub fn differences(&self) -> Vec<String> {
        let pairs = |count: usize| match count {
            _ if self.pairs == 1 => String::new(),
            all if all == self.pairs => format!(" (all {all} pairs)"),
            some => format!(" ({some} of {} pairs)", self.pairs),
        };
        self.differs.iter().map(|(difference, count)| format!("{difference}{}", pairs(*count))).collect()
    }

    /// The changes that `limit` does not allow.
    pub fn failures(&self, limit: FailIf) -> impl Iterator<Item = &Change> {
        let counts = move |verdict| match verdict {
            Verdict::Slower => true,
            Verdict::Unconfirmed => limit.unconfirmed,
            Verdict::Faster | Verdict::Noise | Verdict::TooFew => false,
        };
        let is_too_slow = move |change: &&Change| {
            counts(change.verdict) && limit.slower.is_some_and(|slower| change.ratio >= 1.0 + slower)
        };
        self.changes.iter().filter(is_too_slow)
    }
}

/// How many of `changes` have this verdict.
pub fn count<'a>(changes: impl IntoIterator<Item = &'a Change>, verdict: Verdict) -> usize {
    changes.into_iter().filter(|change| change.verdict == verdict).count()
}

words! {
    /// What is compared, and what reports call it with its unit: durations are in us there.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Metric {
        /// Median duration of an op, in ns.
        Median = "median_us",
        /// Its 99th percentile, in ns.
        P99 = "p99_us",
        /// GB/s of all ranks and both ops by overlap.
        Bandwidth = "overlap_gb_per_s",
    }
}

impl Metric {
    /// Decimals of that unit which reports for programs show.
    pub fn digits(self) -> usize {
        if self == Metric::Bandwidth { 6 } else { 3 }
    }

    /// A value in that unit.
    pub fn in_unit(self, value: f64) -> f64 {
        if self == Metric::Bandwidth { value } else { value / 1e3 }
    }
}

/// One figure at one size under one set of parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Name of the first new run.
    pub run: String,
    /// Name of the first old run.
    pub baseline_run: String,
    pub payload_bytes: u64,
    pub metric: Metric,
    /// Absent for what both ops have in common.
    pub op: Option<Op>,
    pub old_runs: usize,
    pub new_runs: usize,
    /// In ns or GB/s; of several runs the geometric mean.
    pub old: f64,
    pub new: f64,
    /// New / old: above 1 is slower for durations and faster for bandwidth.
    pub ratio: f64,
    /// 99 % confidence interval of the ratio; absent where too little was measured for one.
    pub interval: Option<(f64, f64)>,
    /// Of the test that it changed by no more than the margin; where there are repeats.
    pub p: Option<f64>,
    /// How the interval was made.
    pub method: Method,
    pub verdict: Verdict,
    /// In what else the two sides differ.
    pub differs: Arc<[Difference]>,
}

impl Change {
    /// For reports.
    pub fn op_name(&self) -> &'static str {
        self.op.map_or("both", Op::as_str)
    }
}

words! {
    /// What an interval rests on.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Method {
        /// Several runs on both sides.
        Repeats = "repeats",
        /// Several earlier collections: how they differ from each other is in it.
        Collections = "collections",
        /// Blocks of iterations of one run on a side: how runs differ from each other is not in it.
        Blocks = "blocks of iterations",
    }
}

/// `--fail-if`: changes that make `collect` end with an exit code of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FailIf {
    /// Slower by this part or more, and by more than noise.
    pub slower: Option<f64>,
    /// Count as well what single runs show and cannot confirm.
    pub unconfirmed: bool,
    /// Something else than time differs between the sides of a pair.
    pub differs: bool,
}

impl std::str::FromStr for FailIf {
    type Err = anyhow::Error;

    /// Reads conditions with commas: `slower=5%`, `slower=5%,unconfirmed`, `differs`, `slower=5%,differs`.
    fn from_str(text: &str) -> Result<FailIf> {
        let allowed = "give slower=PERCENT%, such as slower=5%, or differs, or several with commas: slower=5%,unconfirmed,differs";
        let mut limit = FailIf { slower: None, unconfirmed: false, differs: false };
        for condition in text.split(',') {
            match condition.strip_prefix("slower=") {
                Some(percent) if limit.slower.is_none() => limit.slower = Some(part(percent, allowed)?),
                None if condition == "unconfirmed" => limit.unconfirmed = true,
                None if condition == "differs" => limit.differs = true,
                _ => bail!("{condition:?} is no condition, or is given twice: {allowed}"),
            }
        }
        ensure!(
            limit.slower.is_some() || !limit.unconfirmed,
            "unconfirmed says what slower=PERCENT% counts, and there is none: {allowed}"
        );
        Ok(limit)
    }
}

/// `5%` as 0.05.
fn part(percent: &str, allowed: &str) -> Result<f64> {
    let number = percent.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    let number = number.filter(|number| number.is_finite() && *number >= 0.0);
    number.map(|number| number / 100.0).with_context(|| format!("{percent:?} is no slowdown: {allowed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_read_and_a_wrong_one_says_what_is_allowed() {
        let read = |text: &str| text.parse::<FailIf>().unwrap();
        let slower = FailIf { slower: Some(0.05), unconfirmed: false, differs: false };
        assert_eq!(read("slower=5%"), slower);
        assert_eq!(read("slower=5%,unconfirmed"), FailIf { unconfirmed: true, ..slower });
        assert_eq!(read("differs,slower=5%"), FailIf { differs: true, ..slower });
        assert_eq!(read("differs"), FailIf { slower: None, differs: true, ..slower });
        for wrong in [
            "slower=5",
            "faster=5%",
            "slower=x%",
            "slower=-1%",
            "slower=inf%",
            "slower=5%,all",
            "",
            "unconfirmed",
            "slower=5%,slower=6%",
        ] {
            let error = format!("{:#}", wrong.parse::<FailIf>().unwrap_err());
            assert!(error.contains("slower=5%"), "{error}");
        }
    }
}
