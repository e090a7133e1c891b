//! The command `shardscale`: parse, dispatch, exit code.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use shardscale::collect::{self, CollectOptions, Collected};
use shardscale::generate::{self, Outcome, Request, WrongUsage};
use shardscale::lint;
use shardscale::progress::Tell;

mod bar;
mod cli;
mod completion;
mod decide;
mod jobs;
mod manual;
mod sites;

use bar::Bar;
use sites::sites;

/// Ten thousand scripts are mostly small texts that come and go: the C library's allocator took a third of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit codes. clap itself ends with 2 on wrong usage.
#[derive(Clone, Copy)]
enum Exit {
    Success = 0,
    /// Nothing was done; the message says why.
    Error = 1,
    /// As clap does where it refuses a flag.
    Usage = 2,
    /// The work is done and found problems: runs that are missing, failed, partial or invalid; scripts that break rules.
    Problems = 3,
    /// The report is written, and `--fail-if` holds: something became too slow. Stronger than [`Exit::Problems`].
    TooSlow = 4,
}

fn main() -> ExitCode {
    completion::answer();
    let cli = cli::Cli::parse();
    cli.colour.write_global();
    let exit = match cli.command {
        cli::Command::Gen(args) => gen_scripts(&args.into_request()),
        cli::Command::Check(args) => check_scripts(&args.paths),
        cli::Command::Submit(args) => jobs::submit(&args.into_request()),
        cli::Command::Rehearse(args) => jobs::rehearse(&args),
        cli::Command::Status(args) => jobs::status(&args),
        cli::Command::Collect(args) => collect_runs(&args.into_options()),
        cli::Command::Size(args) => decide::size(&args),
        cli::Command::Next(args) => decide::next(&args),
        cli::Command::Sites(args) => sites(&args),
        cli::Command::Schema(args) => manual::schema(args.of).map(|()| Exit::Success),
        cli::Command::Version(args) => manual::version(&args).map(|()| Exit::Success),
        cli::Command::Completions(args) => completion::print_script(args.shell).map(|()| Exit::Success),
        cli::Command::Man(args) => manual::man(&args).map(|()| Exit::Success),
    };
    let exit = exit.unwrap_or_else(|error| {
        eprintln!("shardscale: {error:#}");
        if error.is::<WrongUsage>() { Exit::Usage } else { Exit::Error }
    });
    ExitCode::from(exit as u8)
}

fn gen_scripts(request: &Request) -> Result<Exit> {
    let Outcome { plan, changes, arrangements, refused } = shown(|tell| generate::run(request, tell))?;
    let mut stdout = std::io::stdout().lock();
    match &changes {
        None => stdout.write_all(generate::dry_run(&plan, &arrangements, coloured(&stdout)).as_bytes())?,
        Some(changes) => {
            for (name, change) in changes {
                writeln!(stdout, "{:<9} {}", change.as_str(), plan.script_path(&request.out, name).display())?;
            }
            eprintln!("{} in {}", generate::summary(changes), request.out.display());
            plan.reasons().iter().for_each(|reason| eprintln!("refused   {reason}"));
        }
    }
    plan.notes.iter().for_each(|note| eprintln!("note: {note}"));
    let Some(refused) = refused else { return Ok(Exit::Success) };
    // its other lines are the refusals, which were shown
    eprintln!("shardscale: without --dry-run and --diff: {}", refused.to_string().lines().next().unwrap_or_default());
    Ok(Exit::Problems)
}

/// As --color says, NO_COLOR and CLICOLOR_FORCE, or else whether it is a terminal.
fn coloured(stdout: &std::io::StdoutLock<'_>) -> bool {
    anstream::AutoStream::choice(stdout) != anstream::ColorChoice::Never
}

/// Does the work with its progress on the terminal.
fn shown<T>(work: impl FnOnce(Tell<'_>) -> T) -> T {
    let bar = Bar::default();
    work(&|stage, done, all| bar.tell(stage, done, all))
}

fn check_scripts(paths: &[PathBuf]) -> Result<Exit> {
    let report = shown(|tell| lint::run(paths, tell))?;
    let mut stdout = std::io::stdout().lock();
    for (path, findings) in &report.findings {
        findings.iter().try_for_each(|finding| writeln!(stdout, "{}:{finding}", path.display()))?;
    }
    report.notes.iter().for_each(|note| eprintln!("{note}"));
    let found: usize = report.findings.iter().map(|(_, findings)| findings.len()).sum();
    eprintln!("{found} findings in {} of {} scripts", report.findings.len(), report.scripts);
    Ok(if found == 0 { Exit::Success } else { Exit::Problems })
}

fn collect_runs(options: &CollectOptions) -> Result<Exit> {
    let collected = shown(|tell| collect::run(options, tell))?;
    std::io::stdout().lock().write_all(collected.summary.as_bytes())?;
    if std::io::stderr().is_terminal() && collected.known > 0 {
        eprintln!("{} runs have not changed since they were last read; --fresh reads them all", collected.known);
    }
    if let (Some(folder), Some(kept)) = (&options.history, &collected.kept) {
        eprintln!("history {}: {kept}", folder.display());
    }
    eprintln!("report: {}", collected.report.join("report.html").display());
    Ok(match collected {
        Collected { failed_comparison: true, .. } => Exit::TooSlow,
        Collected { all_good: false, .. } => Exit::Problems,
        _ => Exit::Success,
    })
}
