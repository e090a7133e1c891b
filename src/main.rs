//! The command `shardscale`: parse, dispatch, exit code.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use shardscale::generate::{self, Request};

mod cli;

/// Exit codes. clap itself ends with 2 on wrong usage.
#[derive(Clone, Copy)]
enum Exit {
    Success = 0,
    /// Nothing was done; the message says why.
    Error = 1,
}

fn main() -> ExitCode {
    let exit = match cli::Cli::parse().command {
        cli::Command::Gen(args) => gen_scripts(&args.into_request()),
    };
    let exit = exit.unwrap_or_else(|error| {
        eprintln!("shardscale: {error:#}");
        Exit::Error
    });
    ExitCode::from(exit as u8)
}

fn gen_scripts(request: &Request) -> Result<Exit> {
    let (plan, written) = generate::run(request)?;
    let mut stdout = std::io::stdout().lock();
    for (name, change) in &written {
        writeln!(stdout, "{:<9} {}", change.as_str(), request.out.join(format!("{name}.sh")).display())?;
    }
    for refusal in &plan.refused {
        eprintln!("refused   {}: {}", refusal.name, refusal.reason);
    }
    for note in &plan.notes {
        eprintln!("note: {note}");
    }
    Ok(Exit::Success)
}
