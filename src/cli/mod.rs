//! What the user typed. No logic: flags, their help, and their translation into requests; a file for each subcommand.

mod collect;
mod generate;

use clap::{Parser, Subcommand};

pub use collect::CollectArgs;
pub use generate::GenArgs;

/// Measure how an in-memory tensor store scales on a supercomputer.
///
/// `shardscale gen --site frontier` writes job scripts, `sbatch out/*.sh` runs them, `shardscale collect out/` reports.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write one job script and one run directory for each permutation of the axes.
    Gen(Box<GenArgs>),
    /// Read all runs below a folder and write the report: CSV files, an HTML page, a Markdown summary.
    ///
    /// Ends with exit code 0 when every run was measured as asked, 3 when some are missing, failed, partial or invalid.
    Collect(CollectArgs),
}
