//! Slurm: sbatch, squeue, sacct, scontrol. The rules were seen on a real 22.05 or are stated in its manual.

mod lint;
mod queue;
mod survey;
mod versions;

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

pub struct Slurm;

const WORDS: Words = &[
    ("wall time", &["--time", "-t"]),
    ("nodes", &["--nodes", "-N"]),
    ("tasks", &["--ntasks", "-n", "--ntasks-per-node", "--tasks-per-node"]),
    ("job name", &["--job-name", "-J"]),
    ("log", &["--output", "-o", "--error", "-e"]),
    ("dependency", &["--dependency", "-d"]),
    ("array", &["--array", "-a"]),
    ("account", &["--account", "-A"]),
    ("partition", &["--partition", "-p"]),
    ("qos", &["--qos", "-q"]),
    ("constraint", &["--constraint", "-C"]),
    ("hosts", &["--nodelist", "-w"]),
    ("sharing", &["--exclusive", "--oversubscribe", "-s", "--share"]),
    ("requeueing", &["--requeue", "--no-requeue"]),
    ("--cpus-per-task", &["--cpus-per-task", "-c"]),
];

impl Scheduler for Slurm {
    fn kind(&self) -> &'static str {
        "slurm"
    }

    fn is_here(&self) -> bool {
        ask("squeue", &["--version"]).is_ok()
    }

    fn queue(&self) -> Result<Vec<Queued>> {
        queue::queue()
    }

    fn endings(&self, ids: &[&str]) -> HashMap<String, Ending> {
        queue::endings(ids)
    }

    fn last_words(&self) -> &'static [(&'static str, &'static str, Ending)] {
        // only what it says of the whole job: steps are cancelled for many reasons
        &[
            ("*** JOB ", "DUE TO TIME LIMIT", Ending::TimeLimit),
            ("*** JOB ", "DUE TO NODE FAILURE", Ending::NodeFailure),
            ("*** JOB ", "DUE TO PREEMPTION", Ending::Preempted),
            ("*** JOB ", "CANCELLED AT", Ending::Cancelled),
        ]
    }

    fn command(&self, submission: Submission<'_>) -> Vec<String> {
        queue::command(submission)
    }

    fn clean(&self, command: &mut Command) {
        queue::clean(command);
    }

    fn cancel(&self, job: &Taken) -> Result<()> {
        queue::cancel(job)
    }

    fn prefix(&self) -> &'static str {
        "#SBATCH"
    }

    fn words(&self) -> (Words, &'static [&'static str]) {
        (WORDS, &[])
    }

    fn check(&self, script: &Script<'_>, several: bool, version: Option<Version>) -> Vec<Finding> {
        lint::check(script, several, version)
    }

    fn version(&self) -> Option<Version> {
        Version::parse(&ask("scontrol", &["--version"]).ok()?)
    }

    fn try_out(&self, scripts: &[(&Path, Script<'_>)]) -> (Vec<(usize, Finding)>, String) {
        const TRIAL: Trial = Trial { name: "sbatch --test-only", rule: &lint::REFUSED, noise: "sbatch: error: " };
        let command = || {
            let mut command = Command::new("sbatch");
            queue::clean(&mut command); // inside a job its variables would be taken for options
            command.arg("--test-only");
            command
        };
        try_each(self, scripts, &TRIAL, ask("sinfo", &["--noheader"]).is_ok(), command)
    }

    fn picks_nodes(&self) -> bool {
        true
    }

    fn job_variable(&self) -> &'static str {
        "SLURM_JOB_ID"
    }

    fn survey(&self, _host: &str) -> Option<Surveyed> {
        survey::ask().map(|slurm| slurm.surveyed())
    }
}
