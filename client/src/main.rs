//! The command `shardscale-client`: what runs on compute nodes.
//!
//! Reading order: [`args`] (subcommands), [`store`] (servers: begin, serve, await, stop), [`run`] (the story of a measurement), [`timed_loop`] and [`wire`] (what is timed),
//! [`comm`] (everything that is MPI), [`address`], [`keys`] and [`survey`] (which server, which key), [`recorder`] (what
//! is written), [`failure`] (how it ends when it fails). A subcommand has a module with its arguments; this file only
//! dispatches.

mod address;
mod args;
mod buffer;
mod clock;
mod comm;
mod connection;
mod failure;
mod hosts;
mod keys;
mod launcher;
mod pattern;
mod recorder;
mod run;
mod store;
mod survey;
mod timed_loop;
mod wire;

use std::process::ExitCode;

use args::Command;

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
