//! Flux: flux batch, jobs, job info, resource, queue. The rules were seen on a real 0.88.

mod lint;
mod queue;
mod survey;

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::ask::ask;
use super::directive::Words;
use super::finding::Finding;
use super::script::Script;
use super::surveyed::Surveyed;
use super::trial::{Trial, try_each};
use super::{Ending, Queued, Scheduler, Submission, Taken, Version};

pub struct Flux;

const WORDS: Words = &[
    ("wall time", &["--time-limit", "-t"]),
    ("nodes", &["--nodes", "-N"]),
    ("tasks", &["--nslots", "-n", "--ntasks"]),
    ("job name", &["--job-name"]),
    ("log", &["--output", "--error"]),
    ("dependency", &["--dependency"]),
    ("account", &["--bank", "-B"]),
    ("queue", &["--queue", "-q"]),
    ("constraint", &["--requires"]),
    ("sharing", &["--exclusive", "-x"]),
];

impl Scheduler for Flux {
    fn kind(&self) -> &'static str {
        "flux"
    }

    fn is_here(&self) -> bool {
        ask("flux", &["version"]).is_ok()
    }

    fn queue(&self) -> Result<Vec<Queued>> {
        queue::queue()
    }

    fn endings(&self, ids: &[&str]) -> HashMap<String, Ending> {
        queue::endings(ids)
    }

    fn command(&self, submission: Submission<'_>) -> Vec<String> {
        queue::command(submission)
    }

    fn variables(&self, submission: Submission<'_>) -> Vec<(&'static str, String)> {
        queue::variables(submission)
    }

    fn taken(&self, answer: &str) -> Option<Taken> {
        queue::taken(answer)
    }

    fn cancel(&self, job: &Taken) -> Result<()> {
        ask("flux", &["cancel", &job.id]).map(|_| ())
    }

    fn prefix(&self) -> &'static str {
        "#flux:"
    }

    fn directive<'a>(&self, line: &'a str) -> Option<(&'a str, bool)> {
        lint::directive(line)
    }

    fn words(&self) -> (Words, &'static [&'static str]) {
        (WORDS, lint::REPEATABLE)
    }

    fn check(&self, script: &Script<'_>, several: bool, _version: Option<Version>) -> Vec<Finding> {
        lint::check(script, several)
    }

    fn try_out(&self, scripts: &[(&Path, Script<'_>)]) -> (Vec<(usize, Finding)>, String) {
        const TRIAL: Trial = Trial { name: "flux batch --dry-run", rule: &lint::REFUSED, noise: "flux-batch: ERROR: " };
        let command = || {
            let mut command = Command::new("flux");
            command.args(["batch", "--dry-run"]);
            command
        };
        try_each(self, scripts, &TRIAL, self.is_here(), command)
    }

    fn job_variable(&self) -> &'static str {
        "FLUX_ENCLOSING_ID"
    }

    fn survey(&self, _host: &str) -> Option<Surveyed> {
        survey::ask()
    }
}
