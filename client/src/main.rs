//! The command `shardscale-client`: reads its arguments, runs a subcommand, says how it ended. The map is in the library.

use std::process::ExitCode;

use shardscale_client::args::{self, Command};
use shardscale_client::{run, store};

fn main() -> ExitCode {
    let outcome = match args::parse() {
        Err(code) => return code,
        Ok(Command::Run(args)) => return run::run(&args),
        Ok(Command::Begin(args)) => store::begin::run(&args),
        Ok(Command::Serve(args)) => store::serve::run(&args),
        Ok(Command::AwaitStore(args)) => store::await_store::run(&args),
        Ok(Command::StopStore(args)) => store::stop_store::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shardscale-client: {error:#}");
            ExitCode::FAILURE
        }
    }
}
