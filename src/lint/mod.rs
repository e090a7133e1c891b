//! `shardscale check`: what schedulers accept in silence and then do wrong, found before the job is submitted.
//!
//! The rules are functions of a script's text, a file for each scheduler, and hold for any script, not only for ours.
//! [`tools`] alone runs programs (bash, shellcheck, sbatch); nothing here knows sites, studies or templates. The rules were
//! seen on a real OpenPBS 23.06 and a real Slurm 22.05.

mod bash;
mod directive;
mod files;
mod pbs;
mod select;
mod settings;
mod slurm;
mod text;
mod tools;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;

use files::Checked;
pub use settings::{Line, lines, sets};
pub use slurm::Version as SlurmVersion;
use text::Script;

/// What to look for, why it matters, and what to do instead.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    pub name: &'static str,
    pub why: &'static str,
    pub remedy: &'static str,
}

/// A rule that a script breaks.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// Counts from 1; 0 speaks of the file as a whole.
    pub line: usize,
    pub rule: &'static Rule,
    /// What stands there.
    pub what: String,
}

impl Finding {
    fn new(line: usize, rule: &'static Rule, what: impl Into<String>) -> Finding {
        Finding { line, rule, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { line, rule, what } = self;
        write!(f, "{line}: {}: {what}", rule.name)?;
        [rule.why, rule.remedy].iter().filter(|text| !text.is_empty()).try_for_each(|text| write!(f, "\n    {text}"))
    }
}

/// What a check found, each script's findings in the order of its lines.
pub struct Report {
    /// `(file, findings)` of each file that has any.
    pub findings: Vec<(PathBuf, Vec<Finding>)>,
    /// Scripts that were read.
    pub scripts: usize,
    /// What was run beside the rules, and what could not be, for people.
    pub notes: Vec<String>,
}

/// Checks scripts, and the scripts in folders: `*.sh` in them and in their folders.
///
/// # Errors
/// A path that does not exist or cannot be read, or a folder without scripts.
pub fn run(paths: &[PathBuf]) -> Result<Report> {
    let mut scripts = files::read(paths)?;
    // `sbatch FOLDER/*.sh` gets the scripts of one folder
    let mut neighbours: HashMap<Option<PathBuf>, usize> = HashMap::new();
    for script in scripts.iter().filter(|script| Script::parse(&script.text).is_slurm()) {
        *neighbours.entry(script.path.parent().map(Path::to_owned)).or_default() += 1;
    }
    let version = if neighbours.is_empty() { None } else { tools::slurm_version() };
    for Checked { path, text, findings } in &mut scripts {
        let several = neighbours.get(&path.parent().map(Path::to_owned)).is_some_and(|scripts| *scripts > 1);
        findings.extend(check_text(text, several, version));
        findings.extend(files::missing_folders(path, text));
    }
    let notes = tools::run(&mut scripts);
    let read = scripts.len();
    let with_findings = scripts.into_iter().filter(|script| !script.findings.is_empty()).map(|mut script| {
        script.findings.sort_by_key(|finding| finding.line);
        (script.path, script.findings)
    });
    Ok(Report { findings: with_findings.collect(), scripts: read, notes })
}

/// Holds a script's text against the rules. `several`: it is one of several that `sbatch *.sh` would get at once. `version`:
/// that of the Slurm here, if there is one.
pub fn check_text(text: &str, several: bool, version: Option<SlurmVersion>) -> Vec<Finding> {
    let script = Script::parse(text);
    let mut findings = bash::check(&script);
    if script.is_pbs() {
        findings.extend(pbs::check(&script));
    }
    if script.is_slurm() {
        findings.extend(slurm::check(&script, several, version));
    }
    findings.sort_by_key(|finding| finding.line);
    findings
}

#[cfg(test)]
mod testing {
    //! Rules are tested by breaking a clean script at one place.

    /// Names and lines of what is found in `text`.
    pub fn found(text: &str) -> Vec<(&'static str, usize)> {
        super::check_text(text, false, None).iter().map(|finding| (finding.rule.name, finding.line)).collect()
    }
}
