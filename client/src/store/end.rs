//! `end`: how an attempt ended, as the last line of its status, and on stderr where it did not end well.
//!
//! The samples decide, not how the launch of the ranks ended: an MPI may hang or die in MPI_Finalize, when all is on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use shardscale::record::attempt::{Attempt, Outcome};
use shardscale::record::manifest::Manifest;
use shardscale::record::{samples, status};

use crate::say::say;

/// A disk that does not take so much is called full.
const PROBE_BYTES: usize = 64 << 10;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Attempt folder that `begin` made
    #[arg(long, value_name = "DIR")]
    attempt: PathBuf,
    /// What the script did last: script, store, client; or terminated, cancelled, time-limit where it was told to end
    #[arg(long, value_name = "WORD")]
    stage: String,
    /// Exit status of that
    #[arg(long, value_name = "N")]
    rc: u8,
}

/// Returns the exit status for the script: 0 where the run is done.
///
/// # Errors
/// The status cannot be written.
pub fn run(args: &Args) -> Result<ExitCode> {
    let Args { attempt, stage, rc } = args;
    let how = format!("{stage} rc={rc}");
    let measured = samples::are_whole(&attempt.join(samples::FILE));
    if *rc == 0 || measured {
        if *rc != 0 {
            status::append(attempt, status::MEASURED, &how)?;
        }
        status::append(attempt, status::DONE, "")?;
        return Ok(ExitCode::SUCCESS);
    }
    let full = is_full(attempt);
    if full {
        say(format_args!("no space is left for {}: free some, and submit this script again", attempt.display()));
    }
    status::append(attempt, status::FAILED, &format!("{how}{}", if full { " no space left" } else { "" }))?;
    let servers = attempt.parent().and_then(|run_dir| Manifest::read(run_dir).ok()).map_or(0, |it| it.expect.servers);
    if let Outcome::Failed { kind, detail } = Attempt::read(0, attempt, servers).outcome() {
        say(format_args!("{}: {detail}", kind.as_str()));
    }
    Ok(ExitCode::from(*rc))
}

fn is_full(attempt: &Path) -> bool {
    let probe = attempt.join("space");
    let full = fs::write(&probe, [0; PROBE_BYTES]).is_err();
    let _ = fs::remove_file(&probe);
    full
}
