//! `shardscale gen`.

use std::io::Write;

use anyhow::Result;
use shardscale::generate::{self, Outcome, Request};

use super::Exit;
use super::bar::shown;

/// Writes the scripts, or shows what would be written.
pub fn generate(request: &Request) -> Result<Exit> {
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
