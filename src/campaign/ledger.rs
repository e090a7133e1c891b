//! `submitted.jsonl`: what was given to the scheduler, a line before and a line after each submission.
//!
//! The line before holds a token that travels with the job, so that a submission whose answer was lost (the login node died,
//! the scheduler timed out) is found again in the queue instead of being made twice. Lines are appended and synced.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Name of the file in the folder of the scripts.
pub const FILE: &str = "submitted.jsonl";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Line {
    /// A job is about to be submitted.
    Submitting { unix_s: u64, job: String, token: String },
    /// The scheduler took it.
    Submitted { unix_s: u64, token: String, id: String },
    /// The scheduler refused it, or never heard of it.
    Refused { unix_s: u64, token: String, reason: String },
}

/// One submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Name of the job's script, without `.sh`.
    pub job: String,
    pub token: String,
    pub unix_s: u64,
    pub answer: Answer,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// None is recorded.
    Lost,
    /// The scheduler's identifier.
    Taken(String),
    Refused,
}

/// The ledger of a folder.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    /// Earliest first.
    pub submissions: Vec<Submission>,
}

impl Ledger {
    /// Reads the ledger of `out`; an absent file is an empty one. Lines that are torn or not ours are passed over: each
    /// submission has two, and a lost answer is asked for again.
    pub fn read(out: &Path) -> Result<Ledger> {
        let path = out.join(FILE);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            other => other.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let mut ledger = Ledger { path, submissions: Vec::new() };
        for line in String::from_utf8_lossy(&bytes).lines() {
            if let Ok(line) = serde_json::from_str(line) {
                ledger.take(line);
            }
        }
        Ok(ledger)
    }

    /// Notes that `job` is about to be submitted, and returns the token for it.
    pub fn begin(&mut self, job: &str) -> Result<String> {
        let token = format!("{:016x}", fastrand::u64(..));
        self.append(Line::Submitting { unix_s: now_s(), job: job.to_owned(), token: token.clone() })?;
        Ok(token)
    }

    /// Notes the scheduler's identifier of the submission with that token.
    pub fn taken(&mut self, token: &str, id: &str) -> Result<()> {
        self.append(Line::Submitted { unix_s: now_s(), token: token.to_owned(), id: id.to_owned() })
    }

    /// Notes that there is no such job.
    pub fn refused(&mut self, token: &str, reason: &str) -> Result<()> {
        self.append(Line::Refused { unix_s: now_s(), token: token.to_owned(), reason: reason.to_owned() })
    }

    /// Identifiers of a job's submissions, latest first.
    pub fn ids<'a>(&'a self, job: &'a str) -> impl Iterator<Item = &'a str> {
        self.submissions.iter().rev().filter(move |one| one.job == job).filter_map(|one| match &one.answer {
            Answer::Taken(id) => Some(id.as_str()),
            _ => None,
        })
    }

    fn append(&mut self, line: Line) -> Result<()> {
        let mut text = serde_json::to_string(&line).context("cannot encode a line of the ledger")?;
        text.push('\n');
        // a line that a crash tore stays alone on its line
        if fs::read(&self.path).is_ok_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n')) {
            text.insert(0, '\n');
        }
        let write = |file: &mut File| file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o644)
            .open(&self.path)
            .and_then(|mut file| write(&mut file))
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.take(line);
        Ok(())
    }

    fn take(&mut self, line: Line) {
        let (token, answer) = match line {
            Line::Submitting { unix_s, job, token } => {
                self.submissions.push(Submission { job, token, unix_s, answer: Answer::Lost });
                return;
            }
            Line::Submitted { token, id, .. } => (token, Answer::Taken(id)),
            Line::Refused { token, .. } => (token, Answer::Refused),
        };
        if let Some(one) = self.submissions.iter_mut().rev().find(|one| one.token == token) {
            one.answer = answer;
        }
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_is_noted_before_and_after_and_survives_a_torn_line() {
        let out = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::read(out.path()).unwrap();
        let (first, second, third) =
            (ledger.begin("a").unwrap(), ledger.begin("b").unwrap(), ledger.begin("a").unwrap());
        ledger.taken(&first, "17").unwrap();
        ledger.refused(&second, "no such partition").unwrap();
        let mut file = OpenOptions::new().append(true).open(out.path().join(FILE)).unwrap();
        file.write_all(b"{\"event\":\"subm").unwrap();
        ledger.taken(&third, "18").unwrap();
        let read = Ledger::read(out.path()).unwrap();
        assert_eq!(read.submissions, ledger.submissions);
        assert_eq!(read.ids("a").collect::<Vec<_>>(), ["18", "17"]);
        assert_eq!(read.submissions[1].answer, Answer::Refused);
    }

    #[test]
    fn an_answer_that_never_came_is_lost_and_not_refused() {
        let out = tempfile::tempdir().unwrap();
        Ledger::read(out.path()).unwrap().begin("a").unwrap();
        assert_eq!(Ledger::read(out.path()).unwrap().submissions[0].answer, Answer::Lost);
    }
}
