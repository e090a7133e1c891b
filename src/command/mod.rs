//! What each subcommand does with what was typed: calls the library, prints what it made, says how it ended.
//!
//! A file for each file of `cli/`, where the flags are. Must not decide what the library can decide.

use shardscale::generate::WrongUsage;

mod bar;
pub mod campaign;
pub mod check;
pub mod collect;
pub mod completion;
pub mod decide;
pub mod generate;
pub mod manual;
pub mod sites;

/// Exit codes. clap itself ends with 2 on wrong usage.
#[derive(Clone, Copy)]
pub enum Exit {
    Success = 0,
    /// Nothing was done; the message says why.
    Error = 1,
    /// As clap does where it refuses a flag.
    Usage = 2,
    /// The work is done and found problems: runs that are missing, failed, partial or invalid; scripts that break rules.
    Problems = 3,
    /// The report is written, and `--fail-if` holds: something became too slow. Stronger than [`Exit::Problems`].
    TooSlow = 4,
    /// Nobody reads what is printed any more, as after `| head`: 128 + SIGPIPE, as other programs end then.
    Unread = 141,
}

impl Exit {
    /// How the program ends after this error. What is written to the end, whoever reads it, has no such error: `submit`.
    pub fn of(error: &anyhow::Error) -> Exit {
        let is_unread = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
        };
        if error.chain().any(is_unread) {
            Exit::Unread
        } else if error.is::<WrongUsage>() {
            Exit::Usage
        } else {
            Exit::Error
        }
    }
}
