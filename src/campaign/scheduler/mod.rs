//! What is asked of a scheduler, in its own programs' words; nothing goes through a shell.

mod pbs;
mod slurm;

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

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

/// A job that is in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    pub id: String,
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

    /// Submits a job; its identifier.
    ///
    /// # Errors
    /// What the scheduler said. The job may be in the queue all the same: ask for its token.
    pub fn submit(self, submission: Submission<'_>) -> Result<String> {
        let words = self.command(submission);
        let variables: &[_] = if submission.again { &[(RERUN, "1")] } else { &[] };
        let answer = ask_with(variables, &words[0], &words[1..])?;
        // sbatch --parsable says ID or ID;CLUSTER
        let id = answer.trim().split(';').next().unwrap_or_default().to_owned();
        ensure!(is_id(&id), "{} answered {:?}, which is no job's identifier", words[0], answer.trim());
        Ok(id)
    }
}

/// Letters, digits and what PBS and Slurm put between them: it goes into commands and files.
fn is_id(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.len() <= 128
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-[]".contains(c))
}

/// Standard output of a program.
///
/// # Errors
/// There is no such program, or it failed: with what it said.
fn ask(program: &str, args: &[String]) -> Result<String> {
    ask_with(&[], program, args)
}

fn ask_with(variables: &[(&str, &str)], program: &str, args: &[String]) -> Result<String> {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| slurm::is_option(name)) {
        command.env_remove(name);
    }
    let output = command
        .args(args)
        .envs(variables.iter().copied())
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
        for bad in ["", "Submitted batch job 17", "$(id)", "-1", "17\n18", "a;b"] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
