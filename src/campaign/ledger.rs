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

use crate::record::jobs::Half;

/// Name of the file in the folder of the scripts.
pub const FILE: &str = "submitted.jsonl";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Line {
    /// A job is about to be submitted.
    Submitting {
        unix_s: u64,
        job: String,
        token: String,
        /// Absent for a run's only job, and in files of earlier versions.
        #[serde(default)]
        half: Half,
    },
    /// The scheduler took it.
    Submitted { unix_s: u64, token: String, id: String },
    /// The scheduler refused it, or never heard of it, or it was taken back.
    Refused { unix_s: u64, token: String, reason: String },
}

/// One submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Name of the job's script, without `.sh`.
    pub job: String,
    pub half: Half,
    pub token: String,
    pub unix_s: u64,
    pub answer: Answer,
}

impl Submission {
    /// The scheduler's identifier, if it took the job.
    pub fn id(&self) -> Option<&str> {
        match &self.answer {
            Answer::Taken(id) => Some(id),
            _ => None,
        }
    }
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

    /// Notes that `half` of `job` is about to be submitted, and returns the token for it.
    pub fn begin(&mut self, job: &str, half: Half) -> Result<String> {
        let token = format!("{:016x}", fastrand::u64(..));
        self.append(Line::Submitting { unix_s: now_s(), job: job.to_owned(), token: token.clone(), half })?;
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

    /// A job's submissions that the scheduler took, with its identifiers, latest first.
    pub fn taken_of<'a>(&'a self, job: &'a str) -> impl Iterator<Item = (&'a Submission, &'a str)> {
        self.submissions.iter().rev().filter(move |one| one.job == job).filter_map(|one| Some((one, one.id()?)))
    }

    /// Jobs of databases that were taken and whose client's never was: tokens and identifiers.
    pub fn half_pairs(&self) -> Vec<(String, String)> {
        let halves = self.submissions.iter().enumerate().filter(|(_, one)| one.half == Half::Db);
        let alone = halves.filter(|(at, db)| {
            let client = self.submissions[at + 1..].iter().find(|one| one.job == db.job);
            client.is_none_or(|client| client.answer == Answer::Refused || client.half == Half::Db)
        });
        alone.filter_map(|(_, db)| Some((db.token.clone(), db.id()?.to_owned()))).collect()
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
            Line::Submitting { unix_s, job, token, half } => {
                self.submissions.push(Submission { job, half, token, unix_s, answer: Answer::Lost });
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
        let [first, second, third] = ["a", "b", "a"].map(|job| ledger.begin(job, Half::Client).unwrap());
        ledger.taken(&first, "17").unwrap();
        ledger.refused(&second, "no such partition").unwrap();
        let mut file = OpenOptions::new().append(true).open(out.path().join(FILE)).unwrap();
        file.write_all(b"{\"event\":\"subm").unwrap();
        ledger.taken(&third, "18").unwrap();
        let read = Ledger::read(out.path()).unwrap();
        assert_eq!(read.submissions, ledger.submissions);
        assert_eq!(read.taken_of("a").map(|(_, id)| id).collect::<Vec<_>>(), ["18", "17"]);
        assert_eq!(read.submissions[1].answer, Answer::Refused);
    }

    #[test]
    fn a_database_without_its_client_is_half_a_pair() {
        let out = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::read(out.path()).unwrap();
        let mut submit = |job: &str, half, id: &str| {
            let token = ledger.begin(job, half).unwrap();
            match id {
                "lost" => {}
                "no" => ledger.refused(&token, "limit").unwrap(),
                id => ledger.taken(&token, id).unwrap(),
            }
        };
        submit("whole", Half::Db, "1");
        submit("whole", Half::Client, "2");
        submit("refused", Half::Db, "3");
        submit("refused", Half::Client, "no");
        submit("single", Half::Client, "4");
        submit("undecided", Half::Db, "5");
        submit("undecided", Half::Client, "lost");
        submit("interrupted", Half::Db, "6");
        let ids = |ledger: &Ledger| ledger.half_pairs().into_iter().map(|(_, id)| id).collect::<Vec<_>>();
        assert_eq!(ids(&Ledger::read(out.path()).unwrap()), ["3", "6"]);
        // what was taken back is none any more
        let (token, _) = ledger.half_pairs().remove(0);
        ledger.refused(&token, "cancelled").unwrap();
        assert_eq!(ids(&Ledger::read(out.path()).unwrap()), ["6"]);
    }

    #[test]
    fn an_answer_that_never_came_is_lost_and_not_refused() {
        let out = tempfile::tempdir().unwrap();
        Ledger::read(out.path()).unwrap().begin("a", Half::Client).unwrap();
        assert_eq!(Ledger::read(out.path()).unwrap().submissions[0].answer, Answer::Lost);
    }
}
