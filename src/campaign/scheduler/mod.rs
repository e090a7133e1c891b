//! What is asked of a scheduler, in its own programs' words; nothing goes through a shell.

mod pbs;
mod slurm;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::record::jobs::{DB_JOB_VARIABLE, Half};

/// What a job's token begins with where a scheduler has only one text for comments.
pub const TOKEN: &str = "shardscale:";

/// Variable by which a script knows that it is to measure again what is measured.
pub const RERUN: &str = "SHARDSCALE_RERUN";

/// Who runs the jobs of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    Slurm,
    Pbs,
    /// None: scripts run where they are started.
    Local,
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

/// How the scheduler says that a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    TimeLimit,
    OutOfMemory,
    NodeFailure,
    Cancelled,
    Preempted,
    /// By itself, well or not: its own record knows more.
    Ended,
}

impl Ending {
    /// In a few words.
    pub fn as_str(self) -> &'static str {
        match self {
            Ending::TimeLimit => "time limit",
            Ending::OutOfMemory => "out of memory",
            Ending::NodeFailure => "node failure",
            Ending::Cancelled => "cancelled",
            Ending::Preempted => "preempted",
            Ending::Ended => "ended",
        }
    }

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

impl Scheduler {
    /// The scheduler of that template.
    ///
    /// # Errors
    /// One that this program cannot speak with: the message says how to submit by hand.
    pub fn of(kind: &str) -> Result<Scheduler> {
        match kind {
            "slurm" => Ok(Scheduler::Slurm),
            "pbs" => Ok(Scheduler::Pbs),
            "none" => Ok(Scheduler::Local),
            other => bail!(
                "shardscale does not speak with scheduler {other:?}; it knows slurm, pbs and none. Submit the scripts by hand"
            ),
        }
    }

    /// Whether its programs are here.
    pub fn is_here(self) -> bool {
        match self {
            Scheduler::Slurm => slurm::is_here(),
            Scheduler::Pbs => pbs::is_here(),
            Scheduler::Local => false,
        }
    }

    /// The user's jobs that are in the queue, earliest first.
    ///
    /// # Errors
    /// The scheduler does not answer: what it said.
    pub fn queue(self) -> Result<Vec<Queued>> {
        match self {
            Scheduler::Slurm => slurm::queue(),
            Scheduler::Pbs => pbs::queue(),
            Scheduler::Local => Ok(Vec::new()),
        }
    }

    /// How jobs ended, as far as the scheduler remembers.
    pub fn endings(self, ids: &[&str]) -> HashMap<String, Ending> {
        match self {
            _ if ids.is_empty() => HashMap::new(),
            Scheduler::Slurm => slurm::endings(ids),
            Scheduler::Pbs => pbs::endings(ids),
            Scheduler::Local => HashMap::new(),
        }
    }

    /// The command that submits a job, as words.
    pub fn command(self, submission: Submission<'_>) -> Vec<String> {
        match self {
            Scheduler::Slurm => slurm::command(submission),
            Scheduler::Pbs => pbs::command(submission),
            Scheduler::Local => vec!["bash".to_owned(), submission.script.display().to_string()],
        }
    }

    /// Variables of that command.
    pub fn variables(self, submission: Submission<'_>) -> Vec<(&'static str, String)> {
        let again = submission.again.then(|| (RERUN, "1".to_owned()));
        let database = submission.database.map(|id| (DB_JOB_VARIABLE, id.to_owned()));
        match self {
            Scheduler::Pbs => Vec::new(), // it hands on only what its command names
            Scheduler::Slurm | Scheduler::Local => again.into_iter().chain(database).collect(),
        }
    }

    /// Submits a job.
    ///
    /// # Errors
    /// What the scheduler said. The job may be in the queue all the same: ask for its token.
    pub fn submit(self, submission: Submission<'_>) -> Result<Taken> {
        let words = self.command(submission);
        let answer = ask_with(&self.variables(submission), &words[0], &words[1..])?;
        Taken::parse(answer.trim())
            .with_context(|| format!("{} answered {:?}, which is no job's identifier", words[0], answer.trim()))
    }

    /// Takes a job out of the queue, or ends it.
    ///
    /// # Errors
    /// What the scheduler said.
    pub fn cancel(self, job: &Taken) -> Result<()> {
        match self {
            Scheduler::Slurm => slurm::cancel(job),
            Scheduler::Pbs => ask("qdel", &words(&[&job.id])).map(|_| ()),
            Scheduler::Local => Ok(()),
        }
    }
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
    fn parse(answer: &str) -> Option<Taken> {
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

/// Standard output of a program.
///
/// # Errors
/// There is no such program, or it failed: with what it said.
fn ask(program: &str, args: &[String]) -> Result<String> {
    ask_with(&[], program, args)
}

fn ask_with(variables: &[(&str, String)], program: &str, args: &[String]) -> Result<String> {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| slurm::is_option(name)) {
        command.env_remove(name);
    }
    let output = command
        .args(args)
        .envs(variables.iter().map(|(name, value)| (*name, value.as_str())))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {program}: is this a login node of the machine?"))?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(output.status.success(), "{program} ended with {}: {said}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn words(text: &[&str]) -> Vec<String> {
    text.iter().map(|word| (*word).to_owned()).collect()
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
