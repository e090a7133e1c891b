//! The command `shardscale-client`: reads its arguments, runs a subcommand, says how it ended. The map is in the library.

#![deny(clippy::print_stderr)]

use std::process::ExitCode;

use shardscale_client::args::{self, Command};
use shardscale_client::say::say;
use shardscale_client::{doctor, run, store, version};

fn main() -> ExitCode {
    let done = |()| ExitCode::SUCCESS;
    let outcome = match args::parse() {
        Err(code) => return code,
        Ok(Command::Run(args)) => return run::run(&args),
        Ok(Command::Begin(args)) => store::begin::run(&args).map(done),
        Ok(Command::Join(args)) => store::join::run(&args).map(done),
        Ok(Command::Serve(args)) => store::serve::run(&args).map(done),
        Ok(Command::HoldFiles(args)) => store::hold_files::run(&args).map(done),
        Ok(Command::AwaitStore(args)) => store::await_store::run(&args).map(done),
        Ok(Command::StopStore(args)) => store::stop_store::run(&args).map(done),
        Ok(Command::End(args)) => store::end::run(&args),
        Ok(Command::GiveUp(args)) => store::give_up::run(&args).map(done),
        Ok(Command::CleanStore(args)) => store::clean_store::run(&args).map(done),
        Ok(Command::Doctor(args)) => doctor::run(&args),
        Ok(Command::Version(args)) => version::run(&args).map(done),
    };
    outcome.unwrap_or_else(|error| {
        say(format_args!("{error:#}"));
        ExitCode::FAILURE
    })
}
