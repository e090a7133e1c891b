//! `shardscale check`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use shardscale::lint;

use super::Exit;
use super::bar::shown;

/// Prints what is wrong with scripts.
pub fn check(paths: &[PathBuf]) -> Result<Exit> {
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
