//! The subcommands. What each one takes stands in its own module.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::doctor;
use crate::launcher;
use crate::run::args::RunArgs;
use crate::store;
use crate::version;

/// Runs and measures an in-memory tensor store inside a job.
#[derive(Debug, Parser)]
#[command(name = "shardscale-client", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes the folder of this execution of a job script
    Begin(store::begin::Args),
    /// Finds the folder that the database's job made, in the client's job of a pair
    Join(store::join::Args),
    /// Runs one store server under supervision
    Serve(Box<store::serve::Args>),
    /// Makes and keeps the folder of a store that is files
    HoldFiles(store::hold_files::Args),
    /// Waits until all store servers serve, and forms the cluster
    AwaitStore(store::await_store::Args),
    /// Ends all store servers in order
    StopStore(store::stop_store::Args),
    /// Writes how the execution of a job script ended, and says why
    End(store::end::Args),
    /// Leaves why a job script cannot go on
    GiveUp(store::give_up::Args),
    /// Removes what a failed run left in a store that others use
    CleanStore(store::clean_store::Args),
    /// Looks at this node and says what will hinder a run, and what to change
    Doctor(Box<doctor::Args>),
    /// Prints the version; with --long also what the program was built from and with, and its MPI
    Version(version::Args),
    /// Measures put_tensor and unpack_tensor; an MPI program, started by the site's launcher
    Run(Box<RunArgs>),
}

/// Reads the command line.
///
/// A mistake in it is the same for every rank of a launch: only the first rank prints it, all of them end with status 2.
pub fn parse() -> Result<Command, ExitCode> {
    Cli::try_parse().and_then(|cli| cli.command.check()).map_err(|error| {
        if launcher::is_first() {
            // clap puts help on stdout and mistakes on stderr; nothing can be done where neither can be written
            let _ = error.print();
        } else {
            launcher::let_the_first_speak();
        }
        ExitCode::from(if error.use_stderr() { 2 } else { 0 })
    })
}

impl Command {
    /// Checks what depends on more than one argument.
    fn check(self) -> Result<Command, clap::Error> {
        let checked = match &self {
            Command::Run(args) => args.check(),
            Command::Doctor(_)
            | Command::Version(_)
            | Command::Begin(_)
            | Command::Join(_)
            | Command::Serve(_)
            | Command::HoldFiles(_)
            | Command::AwaitStore(_)
            | Command::StopStore(_)
            | Command::End(_)
            | Command::GiveUp(_)
            | Command::CleanStore(_) => Ok(()),
        };
        checked.map_err(|mistake| Cli::command().error(ErrorKind::ValueValidation, mistake)).map(|()| self)
    }
}
