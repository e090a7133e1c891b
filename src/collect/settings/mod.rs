//! What decides: for each setting in which runs differ, the best value where all else is the same, and how much it matters.
//!
//! A setting is what a user chooses of the store and its surroundings; what the application asks (nodes, ranks, sizes) is none. The
//! figure is the median duration of an op at a size, over repeats the geometric mean of the runs' medians, as against a baseline.
//! Knows the model; reads no file and draws nothing. [`sides`] finds what may be compared, [`best`] compares.

mod best;
pub mod sides;

pub use best::of_runs;

use crate::record::op::Op;
use crate::record::vocabulary::words;

/// What is said where nothing can be decided for want of repeats.
pub const NOT_REPEATED: &str = "not repeated: cannot be decided; run --repeats 3";

/// A setting in which runs differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The column.
    pub name: &'static str,
    /// By what is the same, then size and op.
    pub places: Vec<Place>,
    /// Geometric mean over the places of slowest / best, among repeated places where there are any.
    pub spread: f64,
    /// Geometric means of the ends of the places' 99 % intervals: wide enough however places depend on each other. Absent without
    /// repeats.
    pub interval: Option<(f64, f64)>,
}

impl Setting {
    /// Places with this answer.
    pub fn count(&self, is_it: impl Fn(&Verdict) -> bool) -> usize {
        self.places.iter().filter(|place| is_it(&place.verdict)).count()
    }

    /// Places where something was shown to be slower than the best.
    pub fn decided(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Best | Verdict::Several))
    }

    /// Options by the number of places where they are the best that was shown, the most frequent first.
    pub fn winners(&self) -> Vec<(&str, usize)> {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for place in self.places.iter().filter(|place| place.verdict == Verdict::Best) {
            let label = place.options[0].label.as_str();
            match counts.iter_mut().find(|(known, _)| *known == label) {
                Some((_, count)) => *count += 1,
                None => counts.push((label, 1)),
            }
        }
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        counts
    }
}

/// The values of a setting at one size and op, all else the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// What tells it from the other places of the setting.
    pub label: String,
    pub payload_bytes: u64,
    pub op: Op,
    /// The fastest first.
    pub options: Vec<Choice>,
    pub verdict: Verdict,
    /// Indices of all its runs.
    pub runs: Vec<usize>,
}

impl Place {
    /// What may be best, or why that cannot be said.
    pub fn says(&self) -> String {
        let best = &self.options[0].label;
        let like = |standing: Standing| {
            let some = self.options.iter().filter(|one| one.standing == standing).map(|one| one.label.as_str());
            some.collect::<Vec<_>>().join(", ")
        };
        match self.verdict {
            Verdict::Best => format!("{best} is best"),
            Verdict::Several => {
                let (equal, open) = (like(Standing::NotTold), like(Standing::NotRepeated));
                let not_told = (!equal.is_empty()).then(|| format!("; not told from it: {equal}"));
                let not_repeated = (!open.is_empty()).then(|| format!("; not repeated: {open}"));
                format!(
                    "{best}, faster than {}{}{}",
                    like(Standing::Slower),
                    not_told.unwrap_or_default(),
                    not_repeated.unwrap_or_default()
                )
            }
            Verdict::NoDifference { seen } => format!("no difference found (would have seen {})", self::seen(seen)),
            Verdict::NotRepeated => NOT_REPEATED.to_owned(),
        }
    }
}

/// A ratio as `12 %`, or as a factor where it is large.
fn seen(ratio: f64) -> String {
    match (ratio - 1.0) * 100.0 {
        percent if percent < 10.0 => format!("{percent:.1} %"),
        percent if percent < 100.0 => format!("{percent:.0} %"),
        _ if ratio < 1000.0 => format!("a factor of {ratio:.1}"),
        _ => "nothing below a factor of 1000".to_owned(),
    }
}

/// A value of a setting at a place.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub label: String,
    pub runs: usize,
    /// Geometric mean of the runs' medians.
    pub median_ns: f64,
    /// Against the best one: 1 or more.
    pub ratio: f64,
    /// 99 % interval of that, by Welch; absent for the best one, without repeats, and where more than the setting differs.
    pub interval: Option<(f64, f64)>,
    pub p: Option<f64>,
    /// The least ratio to the best one that would have been called at this scatter.
    pub detectable: Option<f64>,
    pub standing: Standing,
}

words! {
    /// How an option stands to the fastest of its place.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Standing {
        /// It is the fastest.
        Fastest = "fastest",
        /// By more than noise.
        Slower = "slower",
        NotTold = "not told from the fastest",
        /// There is one run on a side.
        NotRepeated = "not repeated",
        /// More than the setting differs: another setting's place compares them.
        Apart = "not compared",
    }
}

/// The answer at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// The fastest is faster than each other one.
    Best,
    /// Some are slower than the fastest, others are not told from it.
    Several,
    /// None is told from the fastest.
    NoDifference {
        /// The least ratio that would have been called for every one.
        seen: f64,
    },
    NotRepeated,
}

impl Verdict {
    pub fn as_str(&self) -> &'static str {
        match self {
            Verdict::Best => "best",
            Verdict::Several => "best of some",
            Verdict::NoDifference { .. } => "no difference found",
            Verdict::NotRepeated => "not repeated",
        }
    }
}
