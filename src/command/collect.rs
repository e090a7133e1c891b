//! `shardscale collect`.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use shardscale::collect::progress::Stage;
use shardscale::collect::{self, CollectOptions, Collected};

use super::Exit;

/// Writes the report, and prints its summary.
pub fn collect(options: &CollectOptions) -> Result<Exit> {
    let terminal = std::io::stderr().is_terminal();
    let collected = collect::run(options, |stage, done, all| {
        if terminal {
            let what = match stage {
                Stage::Reading => "read",
                Stage::Exporting => "exported",
            };
            let end = if done == all { "\n" } else { "" };
            eprint!("\rshardscale: {done} of {all} runs {what}{end}");
        }
    })?;
    std::io::stdout().lock().write_all(collected.summary.as_bytes())?;
    if terminal && collected.known > 0 {
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
