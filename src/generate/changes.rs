//! How a plan stands to the folder: what is new, changed, unchanged, measured or orphaned. Reads, and writes nothing.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::packing::PackFiles;
use super::plan::Plan;
use super::planner::{Files, Planner, script_path};
use crate::record::attempt::{self, Attempt, Outcome};
use crate::record::jobs::DB_SCRIPT;
use crate::record::{files, manifest, pack, samples};

/// What became, or would become, of one permutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    New,
    Changed,
    Unchanged,
    /// Measured with the same parameters: script and manifest stay as they are.
    Measured,
    /// Measured with other parameters: nothing may be written over it.
    Conflict,
    /// In the folder, not in the study, and nothing was measured.
    Orphaned,
    /// The same, and it has results, which stay.
    OrphanedMeasured,
    /// Was orphaned and is gone.
    Removed,
}

impl Change {
    pub fn as_str(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Changed => "changed",
            Change::Unchanged => "unchanged",
            Change::Measured => "measured",
            Change::Conflict => "conflict",
            Change::Orphaned => "orphaned",
            Change::OrphanedMeasured => "orphaned, measured",
            Change::Removed => "removed",
        }
    }
}

/// Each permutation by name, in the plan's order; behind them what the folder has beside them, sorted.
pub type Changes = Vec<(String, Change)>;

/// The folder as it is.
pub struct Folder<'a> {
    out: &'a Path,
    /// Names of run directories.
    runs: HashSet<String>,
}

impl<'a> Folder<'a> {
    /// Lists `out`; an absent folder is empty.
    pub fn list(out: &'a Path) -> Result<Folder<'a>> {
        let mut runs = HashSet::new();
        match fs::read_dir(out) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            entries => {
                for entry in entries.with_context(|| format!("cannot read {}", out.display()))? {
                    let entry = entry.with_context(|| format!("cannot read {}", out.display()))?;
                    if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                        runs.insert(entry.file_name().to_string_lossy().into_owned());
                    }
                }
            }
        }
        Ok(Folder { out, runs })
    }

    /// How a permutation stands to what is there.
    pub fn compare(&self, name: &str, planned: &Files) -> Result<Change> {
        let run_dir = self.out.join(name);
        let is_there = self.runs.contains(name);
        let old_manifest = if is_there { files::read_text(&run_dir.join(manifest::FILE))? } else { None };
        let old_script = files::read_text(&planned.script_path(self.out, name))?;
        let same_manifest = old_manifest.as_deref() == Some(&planned.manifest);
        let old_db_script = if is_there { files::read_text(&run_dir.join(DB_SCRIPT))? } else { None };
        let moved = planned.stale_script_path(self.out, name).exists();
        if same_manifest
            && !moved
            && old_script.as_deref() == Some(&planned.script)
            && old_db_script == planned.db_script
        {
            return Ok(Change::Unchanged);
        }
        if is_there {
            match results(&run_dir)? {
                Results::None => {}
                _ if !same_manifest => return Ok(Change::Conflict),
                Results::Done => return Ok(Change::Measured),
                Results::Some => {}
            }
        }
        Ok(if old_manifest.is_none() && old_script.is_none() { Change::New } else { Change::Changed })
    }

    /// How a pack stands to what is there. A pack holds no results: its script may always be replaced.
    pub fn compare_pack(&self, name: &str, files: &PackFiles) -> Result<Change> {
        let old_script = files::read_text(&script_path(self.out, name))?;
        let old_manifest = files::read_text(&self.out.join(name).join(pack::FILE))?;
        Ok(match (&old_manifest, &old_script) {
            (None, None) => Change::New,
            (Some(manifest), Some(script)) if *manifest == files.manifest && *script == files.script => {
                Change::Unchanged
            }
            _ => Change::Changed,
        })
    }

    /// Whether a run has results of another manifest than `planned`.
    pub fn conflicts(&self, name: &str, planned: impl FnOnce() -> Result<String>) -> Result<bool> {
        if !self.runs.contains(name) {
            return Ok(false);
        }
        let run_dir = self.out.join(name);
        let old = files::read_text(&run_dir.join(manifest::FILE))?;
        Ok(old != Some(planned()?) && !matches!(results(&run_dir)?, Results::None))
    }

    /// Runs of an earlier `gen` that the plan does not have, sorted.
    pub fn orphans(&self, plan: &Plan) -> Result<Changes> {
        let runs = plan.planned.iter().map(|planned| planned.manifest.name.as_str());
        let planned: HashSet<&str> = runs.chain(plan.packs.iter().map(|planned| planned.pack.name.as_str())).collect();
        let mut orphans = Changes::new();
        for name in self.runs.iter().filter(|name| !planned.contains(name.as_str())) {
            let run_dir = self.out.join(name);
            // a folder without a manifest is not ours
            if run_dir.join(manifest::FILE).is_file() {
                let measured = !matches!(results(&run_dir)?, Results::None);
                orphans.push((name.clone(), if measured { Change::OrphanedMeasured } else { Change::Orphaned }));
            } else if run_dir.join(pack::FILE).is_file() {
                orphans.push((name.clone(), Change::Orphaned));
            }
        }
        orphans.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(orphans)
    }
}

enum Results {
    None,
    /// Samples of an attempt that did not end well.
    Some,
    Done,
}

fn results(run_dir: &Path) -> Result<Results> {
    let attempts = attempt::list(run_dir)?;
    if attempts.iter().any(|(number, path)| Attempt::read(*number, path, 0).outcome() == Outcome::Done) {
        return Ok(Results::Done);
    }
    Ok(if attempts.iter().any(|(_, path)| path.join(samples::FILE).exists()) { Results::Some } else { Results::None })
}

/// How the whole plan stands to the folder.
pub fn find(planner: &Planner<'_>, plan: &Plan) -> Result<Changes> {
    let folder = Folder::list(&plan.out)?;
    let mut changes = Changes::new();
    for planned in &plan.planned {
        let name = &planned.manifest.name;
        changes.push((name.clone(), folder.compare(name, &planner.files(plan, &planned.manifest)?)?));
    }
    for planned in &plan.packs {
        let name = &planned.pack.name;
        changes.push((name.clone(), folder.compare_pack(name, &PackFiles::of(planner, planned)?)?));
    }
    changes.extend(folder.orphans(plan)?);
    Ok(changes)
}

/// Refuses to go on where something was measured with other parameters.
pub fn refuse_conflicts(folder: &Folder<'_>, planner: &Planner<'_>, plan: &Plan) -> Result<()> {
    let mut conflicts = Vec::new();
    for planned in &plan.planned {
        let name = planned.manifest.name.as_str();
        if folder.conflicts(name, || planner.manifest_text(&planned.manifest))? {
            conflicts.push(name);
        }
    }
    ensure!(
        conflicts.is_empty(),
        "{} runs in {} were measured with other parameters, and nothing was written; generate into another folder with --out, \
         or move these away:\n  {}",
        conflicts.len(),
        plan.out.display(),
        conflicts.join("\n  ")
    );
    Ok(())
}

/// How many of each, for people: `12 new, 3 unchanged`.
pub fn summary(changes: &Changes) -> String {
    let mut counts: HashMap<Change, usize> = HashMap::new();
    let mut order = Vec::new();
    for (_, change) in changes {
        let count = counts.entry(*change).or_default();
        if *count == 0 {
            order.push(*change);
        }
        *count += 1;
    }
    order.iter().map(|change| format!("{} {}", counts[change], change.as_str())).collect::<Vec<_>>().join(", ")
}
