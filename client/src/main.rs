//! The command `shardscale-client`: what job scripts call on compute nodes.

mod store;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the folder of this execution of a job script
    Begin(store::begin::Args),
    /// Run one store server under supervision
    Serve(store::serve::Args),
    /// Wait until all store servers serve, and form the cluster
    AwaitStore(store::await_store::Args),
    /// End all store servers in order
    StopStore(store::stop_store::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Begin(args) => store::begin::run(&args),
        Command::Serve(args) => store::serve::run(&args),
        Command::AwaitStore(args) => store::await_store::run(&args),
        Command::StopStore(args) => store::stop_store::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shardscale-client: {error:#}");
            ExitCode::FAILURE
        }
    }
}
