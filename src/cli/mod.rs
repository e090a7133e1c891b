//! What the user typed. No logic: flags, their help, and their translation into requests; a file for each subcommand.

mod campaign;
mod check;
mod collect;
mod decide;
mod generate;
mod manual;
mod schema;
mod sites;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use campaign::{RehearseArgs, StatusArgs, StatusFormat, SubmitArgs};
pub use check::CheckArgs;
pub use collect::CollectArgs;
pub use decide::{AnswerFormat, NextArgs, QuestionArgs, SizeArgs};
pub use generate::GenArgs;
pub use manual::{CompletionsArgs, ManArgs, VersionArgs};
pub use schema::{SchemaArgs, SchemaOf};
pub use sites::{SitesArgs, SitesCommand};

/// Measure how an in-memory tensor store scales on a supercomputer.
///
/// `shardscale gen --site frontier` writes job scripts, `sbatch out/*.sh` runs them, `shardscale collect out/` reports.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten, next_help_heading = "Output")]
    pub colour: colorchoice_clap::Color,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write one job script and one run directory for each permutation of the axes.
    Gen(Box<GenArgs>),
    /// Check job scripts for mistakes that schedulers accept without an error.
    ///
    /// Also runs `bash -n`, shellcheck where there is one, and, where a Slurm answers, `sbatch --test-only` once for each
    /// distinct request of resources. Nothing is submitted. Ends with exit code 0 when nothing was found, 3 otherwise.
    Check(CheckArgs),
    /// Submit the runs that are not measured yet, each job once, within the site's limits; without a scheduler, run them.
    ///
    /// It may be repeated at any time: runs that are queued, running or measured are left alone. No process stays behind. Ends with
    /// exit code 0 when everything was submitted, 3 when a limit keeps jobs for later or a run failed here.
    Submit(SubmitArgs),
    /// Run the smallest job of each deployment for a few minutes, and say what would fail, at this size and at full size.
    ///
    /// It goes to the queue like every other job, into the folder `rehearsal`, which no report reads; give the same command again when
    /// it has ended. Ends with exit code 0 when nothing was found, 3 when something was or the job has not ended yet.
    Rehearse(RehearseArgs),
    /// Say how each run stands: not submitted, queued, running and how far, done, failed and why.
    ///
    /// It asks the scheduler where one is, and works on a copied folder without. Ends with exit code 0, or 3 when a run failed or
    /// its state cannot be known.
    Status(StatusArgs),
    /// Read all runs below a folder and write the report: CSV files, an HTML page, a Markdown summary.
    ///
    /// Ends with exit code 0 when every run was measured as asked, 3 when some are missing, failed, partial or invalid.
    Collect(CollectArgs),
    /// Say how many DB nodes and servers an application needs to keep a time or a bandwidth, from what was measured.
    ///
    /// Every answer has an interval, and says whether it was measured, lies between measured points or beyond them. Ends with exit
    /// code 0 when some store meets all that is asked, 3 when none does or what was measured does not tell.
    Size(Box<SizeArgs>),
    /// Say which further runs would settle what `size` leaves open, at the least cost.
    ///
    /// Each is one that the study's site admits. Ends with exit code 0 when nothing is open or runs are proposed, 3 when no run within
    /// the budget would tell more.
    Next(Box<NextArgs>),
    /// List the machines that this program knows; show one, check or start a site file of your own.
    Sites(SitesArgs),
    /// Print the JSON Schema of a file or output of this program, for editors and for programs that read it.
    Schema(SchemaArgs),
    /// Print the version; with --long also what the program was built from and with.
    Version(VersionArgs),
    /// Print the script that makes a shell complete commands, flags and values, such as `source <(shardscale completions bash)`.
    ///
    /// The script asks the program for sites, studies, runs, and the interfaces and queues of the site on the line. Make it anew with
    /// each version of the program.
    Completions(CompletionsArgs),
    /// Write man pages, one for the program and one for each of its commands.
    Man(ManArgs),
}

/// A folder for `--config`: what it does not have would be missed without a word.
fn parse_config(text: &str) -> Result<PathBuf, String> {
    let folder = PathBuf::from(text);
    if !folder.is_dir() {
        return Err("there is no such folder; name one that has site-configs/ or templates/".into());
    }
    match ["site-configs", "templates"].iter().any(|part| folder.join(part).is_dir()) {
        true => Ok(folder),
        false => Err("it has neither site-configs/ nor templates/, so that nothing in it would be read".into()),
    }
}
