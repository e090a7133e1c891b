//! `shardscale check`: what schedulers accept in silence and then do wrong, found before the job is submitted.
//!
//! The rules are functions of a script's text and hold for any script, not only for ours. Those that every script has are
//! here, those of a scheduler with [`crate::scheduler`]; [`tools`] alone runs programs. Nothing here knows a scheduler by name,
//! sites, studies or templates.

mod bash;
mod files;
mod settings;
mod tools;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::progress::{Counter, Stage, Tell};
use crate::scheduler::finding::Finding;
use crate::scheduler::script::Script;
use crate::scheduler::{self, Version};
use files::Checked;
pub use settings::{Line, lines, sets};
pub use tools::shape;

/// What a check found, each script's findings in the order of its lines.
pub struct Report {
    /// `(file, findings)` of each file that has any.
    pub findings: Vec<(PathBuf, Vec<Finding>)>,
    /// Scripts that were read.
    pub scripts: usize,
    /// What was run beside the rules, and what could not be, for people.
    pub notes: Vec<String>,
}

/// Checks scripts, and the scripts in folders: `*.sh` in them and in their folders. `progress` hears how many are done.
///
/// # Errors
/// A path that does not exist or cannot be read, or a folder without scripts.
pub fn run(paths: &[PathBuf], progress: Tell<'_>) -> Result<Report> {
    let mut scripts = files::read(paths)?;
    // `sbatch FOLDER/*.sh` gets the scripts of one folder
    type Neighbours = HashMap<(&'static str, Option<PathBuf>), usize>;
    let (mut neighbours, mut versions) = (Neighbours::new(), HashMap::new());
    let place = |kind, path: &Path| (kind, path.parent().map(Path::to_owned));
    for Checked { path, text, .. } in &scripts {
        for scheduler in scheduler::of_script(&Script::parse(text)) {
            *neighbours.entry(place(scheduler.kind(), path)).or_default() += 1;
            versions.entry(scheduler.kind()).or_insert_with(|| scheduler.version());
        }
    }
    let checked = Counter::new(Stage::Checking, progress);
    checked.begin(scripts.len() as u64);
    for Checked { path, text, findings } in &mut scripts {
        let several = |kind| neighbours.get(&place(kind, path)).is_some_and(|scripts| *scripts > 1);
        findings.extend(check_with(text, several, |kind| versions.get(kind).copied().flatten()));
        findings.extend(files::check_paths(path, text));
        checked.one_more();
    }
    let notes = tools::run(&mut scripts, progress);
    let read = scripts.len();
    let with_findings = scripts.into_iter().filter(|script| !script.findings.is_empty()).map(|mut script| {
        script.findings.sort_by_key(|finding| finding.line);
        (script.path, script.findings)
    });
    Ok(Report { findings: with_findings.collect(), scripts: read, notes })
}

/// Holds a script's text against the rules. `several`: it is one of several that `sbatch *.sh` would get at once. `version`:
/// that of the scheduler that will take it, where it is known.
pub fn check_text(text: &str, several: bool, version: Option<Version>) -> Vec<Finding> {
    check_with(text, |_| several, |_| version)
}

fn check_with(
    text: &str,
    several: impl Fn(&'static str) -> bool,
    version: impl Fn(&'static str) -> Option<Version>,
) -> Vec<Finding> {
    let script = Script::parse(text);
    let mut findings = bash::check(&script);
    for scheduler in scheduler::of_script(&script) {
        findings.extend(scheduler.check(&script, several(scheduler.kind()), version(scheduler.kind())));
    }
    findings.sort_by_key(|finding| finding.line);
    findings
}

#[cfg(test)]
pub mod testing {
    //! Rules are tested by breaking a clean script at one place.

    /// Names and lines of what is found in `text`.
    pub fn found(text: &str) -> Vec<(&'static str, usize)> {
        super::check_text(text, false, None).iter().map(|finding| (finding.rule.name, finding.line)).collect()
    }
}
