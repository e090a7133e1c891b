//! The command `shardscale-client`: what runs on compute nodes.
//!
//! Reading order: [`args`] (subcommands), [`run`] (the story of a measurement), [`timed_loop`] and [`wire`] (what is timed),
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
mod survey;
mod timed_loop;
mod wire;

use std::process::ExitCode;

use args::Command;

fn main() -> ExitCode {
    match args::parse() {
        Ok(Command::Run(args)) => run::run(&args),
        Err(code) => code,
    }
}
