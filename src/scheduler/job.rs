//! Jobs as this program hands them to a scheduler and hears of them, whichever it is.

use std::path::{Path, PathBuf};

use crate::record::jobs::{DB_JOB_VARIABLE, Half};
use crate::record::vocabulary::words;

/// What a job's token begins with where a scheduler has only one text for comments.
pub const TOKEN: &str = "shardscale:";

/// Variable by which a script knows that it is to measure again what is measured.
pub const RERUN: &str = "SHARDSCALE_RERUN";

/// Variable that tells a pack's script that it has another wall time than it asks for.
pub const WALLTIME: &str = "SHARDSCALE_WALLTIME_S";

/// What a script reads from its environment.
pub fn variables(submission: Submission<'_>) -> Vec<(&'static str, String)> {
    let again = submission.again.then(|| (RERUN, "1".to_owned()));
    let database = submission.database.map(|id| (DB_JOB_VARIABLE, id.to_owned()));
    again.into_iter().chain(database).collect()
}

/// A job that is in the queue. An array is as many of them as it has tasks there, a heterogeneous job as it has components:
/// so limits count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// What others may depend on; the same for all components of a heterogeneous job.
    pub id: String,
    /// Run directory, absolute, and half of the job script, if it is one of ours by its name.
    pub of: Option<(PathBuf, Half)>,
    /// What it was submitted with, if by us.
    pub token: Option<String>,
    pub running: bool,
    /// Why it waits, in the scheduler's word; empty where it says nothing.
    pub reason: String,
}

words! {
    /// How the scheduler says that a job ended.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Ending {
        TimeLimit = "time limit",
        OutOfMemory = "out of memory",
        NodeFailure = "node failure",
        Cancelled = "cancelled",
        Preempted = "preempted",
        /// It asked for what the machine does not have.
        NeverFits = "asks for more than there is",
        /// By itself, well or not: its own record knows more.
        Ended = "ended",
    }
}

impl Ending {
    /// The same; `None` where the scheduler knows nothing that the record does not.
    pub fn reason(self) -> Option<&'static str> {
        (self != Ending::Ended).then(|| self.as_str())
    }
}

/// A job to submit.
#[derive(Debug, Clone, Copy)]
pub struct Submission<'a> {
    pub script: &'a Path,
    pub token: &'a str,
    /// Identifiers of jobs that must have ended before.
    pub behind: &'a [String],
    /// Of a pair's client: identifier of its database's job, which must have started before.
    pub database: Option<&'a str>,
    pub smaller: Option<Smaller>,
    /// Measure what is measured already.
    pub again: bool,
}

/// Less than what the script asks for, since little is left to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Smaller {
    pub nodes: u32,
    pub walltime_s: u32,
}

/// A job as the scheduler answered when it took it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub id: String,
    /// Slurm's word for the cluster, where there are several.
    pub cluster: Option<String>,
}

impl Taken {
    /// A job of this cluster.
    pub fn here(id: &str) -> Taken {
        Taken { id: id.to_owned(), cluster: None }
    }

    /// `ID`, or `ID;CLUSTER` as sbatch --parsable says it.
    pub(super) fn parse(answer: &str) -> Option<Taken> {
        let (id, cluster) = answer.split_once(';').map_or((answer, None), |(id, cluster)| (id, Some(cluster)));
        (is_id(id) && cluster.is_none_or(is_plain))
            .then(|| Taken { cluster: cluster.map(str::to_owned), ..Taken::here(id) })
    }
}

/// Letters, digits and what PBS and Slurm put between them: it goes into commands and files.
fn is_id(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && is_plain(text)
}

fn is_plain(text: &str) -> bool {
    !text.starts_with('-')
        && (1..=128).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-[]".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_plain() {
        for good in ["17", "4711.polaris-pbs-01.hsn.cm", "12_3", "9[].server"] {
            assert!(is_id(good), "{good}");
        }
        let answer = |text: &str| Taken::parse(text).map(|taken| (taken.id, taken.cluster));
        assert_eq!(answer("17"), Some(("17".to_owned(), None)));
        assert_eq!(answer("17;dawn"), Some(("17".to_owned(), Some("dawn".to_owned()))));
        assert_eq!((answer("17;-x"), answer("17;"), answer("dawn;17"), answer("17;a;b")), (None, None, None, None));
        for bad in ["", "Submitted batch job 17", "$(id)", "-1", "17\n18", "a;b"] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
