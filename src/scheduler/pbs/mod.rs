//! PBS Pro and OpenPBS: qsub, qselect, qstat, pbsnodes. The rules were seen on a real OpenPBS 23.06.

mod lint;
mod queue;
mod select;
mod survey;

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;

use super::ask::ask;
use super::directive::{self, Directive, Words};
use super::finding::Finding;
use super::script::Script;
use super::surveyed::Surveyed;
use super::{Ending, Queued, Scheduler, Submission, Taken, Version};

pub struct Pbs;

const WORDS: Words = &[
    ("wall time", &["-l walltime"]),
    ("nodes", &["-l select", "-l nodes", "-l nodect", "-l ncpus", "-l mpiprocs"]),
    ("job name", &["-N"]),
    ("log", &["-o", "-e", "-j"]),
    ("dependency", &["-W depend"]),
    ("array", &["-J"]),
    ("account", &["-A"]),
    ("queue", &["-q"]),
];

impl Scheduler for Pbs {
    fn kind(&self) -> &'static str {
        "pbs"
    }

    fn is_here(&self) -> bool {
        ask("qstat", &["--version"]).is_ok()
    }

    fn queue(&self) -> Result<Vec<Queued>> {
        queue::queue()
    }

    fn endings(&self, ids: &[&str]) -> HashMap<String, Ending> {
        queue::endings(ids)
    }

    fn last_words(&self) -> &'static [(&'static str, &'static str, Ending)] {
        &[("PBS: ", "job killed: walltime", Ending::TimeLimit), ("PBS: ", "job killed: mem", Ending::OutOfMemory)]
    }

    fn command(&self, submission: Submission<'_>) -> Vec<String> {
        queue::command(submission)
    }

    fn variables(&self, _submission: Submission<'_>) -> Vec<(&'static str, String)> {
        Vec::new() // it hands on only what its command names
    }

    fn cancel(&self, job: &Taken) -> Result<()> {
        ask("qdel", &[&job.id]).map(|_| ())
    }

    fn prefix(&self) -> &'static str {
        "#PBS"
    }

    fn words(&self) -> (Words, &'static [&'static str]) {
        (WORDS, &[])
    }

    /// Those of `-l` and `-W` with the resource that they set.
    fn spelled(&self, text: &str) -> Vec<String> {
        let line = Directive { line: 0, text, exact: true, late: false };
        let names = directive::options(&line).into_iter().flat_map(|option| match option.name {
            name @ ("-l" | "-W") => {
                let resources = option.value.split(',').filter_map(|part| part.split_once('='));
                resources.map(|(resource, _)| format!("{name} {resource}")).collect()
            }
            name => vec![name.to_owned()],
        });
        names.collect()
    }

    fn check(&self, script: &Script<'_>, _several: bool, _version: Option<Version>) -> Vec<Finding> {
        lint::check(script)
    }

    fn check_path(&self, path: &Path) -> Option<Finding> {
        lint::check_path(path)
    }

    fn try_out(&self, _scripts: &[(&Path, Script<'_>)]) -> (Vec<(usize, Finding)>, String) {
        (Vec::new(), "PBS has no dry run: whether a queue admits the jobs, qsub alone can say".into())
    }

    fn picks_nodes(&self) -> bool {
        true
    }

    fn job_variable(&self) -> &'static str {
        "PBS_JOBID"
    }

    fn survey(&self, host: &str) -> Option<Surveyed> {
        survey::ask(host).map(|pbs| pbs.surveyed())
    }
}
