//! `give-up`: the job's script says why it cannot go on, on stderr and in the attempt.

use std::path::PathBuf;

use anyhow::{Result, anyhow};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Attempt folder that `begin` made
    #[arg(long, value_name = "DIR")]
    attempt: PathBuf,
    /// What hinders it
    why: String,
}

/// # Errors
/// Always: what the script says.
pub fn run(args: &Args) -> Result<()> {
    super::leaving_cause(&args.attempt, "the job's script", || Err(anyhow!(args.why.clone())))
}
