//! `shardscale collect`.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use shardscale::collect::{self, CollectOptions, Collected};

use super::Exit;
use super::bar::shown;

/// Writes the report, and prints its summary.
pub fn collect(options: &CollectOptions) -> Result<Exit> {
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
