//! IBM Spectrum LSF: bsub, bjobs, bkill, bqueues, lsid. Written after IBM's documentation of 10.1; nothing here has met a real LSF.

mod lint;
mod queue;
mod survey;

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;

use super::ask::ask;
use super::directive::Words;
use super::finding::Finding;
use super::script::Script;
use super::surveyed::Surveyed;
use super::{Ending, Queued, Scheduler, Submission, Taken, Version};

pub struct Lsf;

const WORDS: Words = &[
    ("wall time", &["-W"]),
    ("nodes", &["-n", "-nnodes"]),
    ("job name", &["-J"]),
    ("log", &["-o", "-e", "-oo", "-eo"]),
    ("dependency", &["-w"]),
    ("account", &["-P"]),
    ("queue", &["-q"]),
    ("sharing", &["-x"]),
];

impl Scheduler for Lsf {
    fn kind(&self) -> &'static str {
        "lsf"
    }

    fn is_here(&self) -> bool {
        ask("bsub", &["-V"]).is_ok()
    }

    fn queue(&self) -> Result<Vec<Queued>> {
        queue::queue()
    }

    fn endings(&self, ids: &[&str]) -> HashMap<String, Ending> {
        queue::endings(ids)
    }

    fn last_words(&self) -> &'static [(&'static str, &'static str, Ending)] {
        // what it mails, or writes at the end of the log
        queue::REASONS
    }

    fn command(&self, submission: Submission<'_>) -> Vec<String> {
        queue::command(submission)
    }

    /// `bsub SCRIPT` reads directives only where the administrator says so.
    fn reads_stdin(&self) -> bool {
        true
    }

    fn taken(&self, answer: &str) -> Option<Taken> {
        queue::taken(answer)
    }

    fn cancel(&self, job: &Taken) -> Result<()> {
        ask("bkill", &[&job.id]).map(|_| ())
    }

    fn prefix(&self) -> &'static str {
        "#BSUB"
    }

    fn words(&self) -> (Words, &'static [&'static str]) {
        (WORDS, &["-R"])
    }

    /// Its options are words behind one dash, and a line has one.
    fn spelled(&self, text: &str) -> Vec<String> {
        text.split_whitespace().take(1).map(str::to_owned).collect()
    }

    fn check(&self, script: &Script<'_>, _several: bool, _version: Option<Version>) -> Vec<Finding> {
        lint::check(script)
    }

    fn try_out(&self, _scripts: &[(&Path, Script<'_>)]) -> (Vec<(usize, Finding)>, String) {
        (Vec::new(), "LSF has no dry run: whether a queue admits the jobs, bsub alone can say".into())
    }

    fn job_variable(&self) -> &'static str {
        "LSB_JOBID"
    }

    fn survey(&self, _host: &str) -> Option<Surveyed> {
        survey::ask()
    }
}
