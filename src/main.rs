//! The command `shardscale`: parse ([`cli`]), dispatch ([`command`]), exit code. The map of the rest is in the library.

use std::process::ExitCode;

use clap::Parser;

use cli::Command;
use command::{Exit, campaign, check, collect, completion, decide, generate, manual, sites};

mod cli;
mod command;

/// Ten thousand scripts are mostly small texts that come and go: the C library's allocator took a third of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    completion::answer();
    let cli = cli::Cli::parse();
    cli.colour.write_global();
    let done = |()| Exit::Success;
    let exit = match cli.command {
        Command::Gen(args) => generate::generate(&args.into_request()),
        Command::Check(args) => check::check(&args.paths),
        Command::Submit(args) => campaign::submit(&args.into_request()),
        Command::Rehearse(args) => campaign::rehearse(&args),
        Command::Status(args) => campaign::status(&args),
        Command::Collect(args) => collect::collect(&args.into_options()),
        Command::Size(args) => decide::size(&args),
        Command::Next(args) => decide::next(&args),
        Command::Sites(args) => sites::sites(&args),
        Command::Schema(args) => manual::schema(args.of).map(done),
        Command::Version(args) => manual::version(&args).map(done),
        Command::Completions(args) => completion::print_script(args.shell).map(done),
        Command::Man(args) => manual::man(&args).map(done),
    };
    let exit = exit.unwrap_or_else(|error| {
        let exit = Exit::of(&error);
        if !matches!(exit, Exit::Unread) {
            eprintln!("shardscale: {error:#}");
        }
        exit
    });
    ExitCode::from(exit as u8)
}
