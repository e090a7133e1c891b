//! What this program knows of schedulers: a folder for each, behind one trait.
//!
//! `submit` and `status` ask and tell them through it, `check` holds scripts against their rules, `sites new` surveys their
//! machines. In reading order:
//!
//! - [`job`]: jobs, whoever runs them; [`ask`]: running a scheduler's programs
//! - [`script`], [`directive`], [`finding`]: a script as schedulers read it, and what is wrong with it
//! - [`surveyed`]: what a scheduler says of its machine
//! - [`trial`]: a scheduler's own judgement of scripts
//! - [`slurm`], [`pbs`], [`flux`], [`lsf`]: in each `mod.rs` (who it is), `queue.rs`, `lint.rs`, `survey.rs`
//!
//! What a scheduler's scripts look like is in `templates/scheduler/`. Nothing here knows studies, folders of runs, or which
//! command asks.

pub mod ask;
pub mod directive;
pub mod finding;
mod flux;
pub mod job;
mod lsf;
mod pbs;
pub mod script;
mod slurm;
pub mod surveyed;
mod trial;
mod version;

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use directive::{Directive, Words};
use finding::Finding;
pub use job::{Ending, Queued, RERUN, Smaller, Submission, TOKEN, Taken};
use script::Script;
use surveyed::Surveyed;
pub use version::Version;

/// All that this program can speak with.
const ALL: &[&dyn Scheduler] = &[&slurm::Slurm, &pbs::Pbs, &flux::Flux, &lsf::Lsf];

/// A scheduler.
pub trait Scheduler: Sync {
    /// Name of its template.
    fn kind(&self) -> &'static str;

    // --- its queue

    /// Whether its programs are here.
    fn is_here(&self) -> bool;

    /// The user's jobs that are in the queue, earliest first.
    ///
    /// # Errors
    /// The scheduler does not answer: what it said.
    fn queue(&self) -> Result<Vec<Queued>>;

    /// How jobs ended, as far as the scheduler remembers.
    fn endings(&self, ids: &[&str]) -> HashMap<String, Ending>;

    /// What it writes at the end of a job's log when it ends the job: two parts of one line, and what they mean.
    fn last_words(&self) -> &'static [(&'static str, &'static str, Ending)] {
        &[]
    }

    /// The command that submits a job, as words.
    fn command(&self, submission: Submission<'_>) -> Vec<String>;

    /// That command reads the script from its standard input; else the script is one of its words.
    fn reads_stdin(&self) -> bool {
        false
    }

    /// Variables of that command.
    fn variables(&self, submission: Submission<'_>) -> Vec<(&'static str, String)> {
        job::variables(submission)
    }

    /// The job that an answer of that command names.
    fn taken(&self, answer: &str) -> Option<Taken> {
        Taken::parse(answer)
    }

    /// Takes from a command's environment what the scheduler would take for options.
    fn clean(&self, _command: &mut Command) {}

    /// Takes a job out of the queue, or ends it.
    ///
    /// # Errors
    /// What the scheduler said.
    fn cancel(&self, job: &Taken) -> Result<()>;

    // --- scripts for it

    /// What its directives begin with.
    fn prefix(&self) -> &'static str;

    /// What stands in a line behind [`Scheduler::prefix`], and whether the scheduler reads it; `None` for other comments.
    fn directive<'a>(&self, line: &'a str) -> Option<(&'a str, bool)> {
        directive::behind(line, self.prefix())
    }

    /// Its words for what has a name of ours, and options that may be given several times.
    fn words(&self) -> (Words, &'static [&'static str]);

    /// The options of a directive as they are spelled.
    fn spelled(&self, text: &str) -> Vec<String> {
        let line = Directive { line: 0, text, exact: true, late: false };
        directive::options(&line).into_iter().map(|option| option.name.to_owned()).collect()
    }

    /// Holds a script against its rules. `several`: it is one of several that `sbatch *.sh` would get at once. `version`: of
    /// the scheduler that will take the script, where it is known.
    fn check(&self, script: &Script<'_>, several: bool, version: Option<Version>) -> Vec<Finding>;

    /// Holds a script's path against its rules.
    fn check_path(&self, _path: &Path) -> Option<Finding> {
        None
    }

    /// The version that answers here.
    fn version(&self) -> Option<Version> {
        None
    }

    /// Lets its programs judge scripts without submitting them: by index what they find, and a note for people.
    fn try_out(&self, scripts: &[(&Path, Script<'_>)]) -> (Vec<(usize, Finding)>, String);

    /// A job may ask for nodes of several kinds, and for hosts by name among others.
    fn picks_nodes(&self) -> bool {
        false
    }

    // --- its machine

    /// Variable that every job has.
    fn job_variable(&self) -> &'static str;

    /// What it says of the machine, and of `host`, on which this runs; `None` where it does not answer.
    fn survey(&self, host: &str) -> Option<Surveyed>;
}

/// The scheduler of that template; `None` for that of none, where scripts run where they are started.
///
/// # Errors
/// One that this program cannot speak with: the message says how to submit by hand.
pub fn of(kind: &str) -> Result<Option<&'static dyn Scheduler>> {
    let known = || all().map(|scheduler| scheduler.kind()).collect::<Vec<_>>().join(", ");
    match find(kind) {
        None if kind != "none" => bail!(
            "shardscale does not speak with scheduler {kind:?}; it knows {} and none. Submit the scripts by hand",
            known()
        ),
        found => Ok(found),
    }
}

/// The scheduler of that template, if it is known.
pub fn find(kind: &str) -> Option<&'static dyn Scheduler> {
    all().find(|scheduler| scheduler.kind() == kind)
}

pub fn all() -> impl Iterator<Item = &'static dyn Scheduler> {
    ALL.iter().copied()
}

/// Those for which a script has directives, or what looks like it.
pub fn of_script(script: &Script<'_>) -> impl Iterator<Item = &'static dyn Scheduler> {
    all().filter(|scheduler| !script.directives(*scheduler).is_empty())
}

/// Submits a job.
///
/// # Errors
/// What the scheduler said. The job may be in the queue all the same: ask for its token.
pub fn submit(scheduler: &dyn Scheduler, submission: Submission<'_>) -> Result<Taken> {
    let words = scheduler.command(submission);
    let mut command = Command::new(&words[0]);
    scheduler.clean(&mut command);
    command.args(&words[1..]).envs(scheduler.variables(submission));
    let answer = if scheduler.reads_stdin() {
        let script = File::open(submission.script);
        let script = script.with_context(|| format!("cannot read {}", submission.script.display()))?;
        ask::output_of(&mut command, script.into())?
    } else {
        ask::output(&mut command)?
    };
    scheduler
        .taken(answer.trim())
        .with_context(|| format!("{} answered {:?}, which is no job's identifier", words[0], answer.trim()))
}
