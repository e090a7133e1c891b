//! Writing a plan: only what differs, whole files only, and never over a measurement.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::changes::{Change, Changes, Folder, each, refuse_conflicts};
use super::packing::PackFiles;
use super::plan::{Plan, Planned, script_path};
use super::planner::{Files, Planner};
use super::study_file;
use crate::progress::{Counter, Stage, Tell};
use crate::record::jobs::DB_SCRIPT;
use crate::record::{files, manifest, pack};

/// Held while a folder is written to.
const LOCK_FILE: &str = ".shardscale-gen.lock";

/// Writes a plan, and removes orphans where told to `prune`. Texts are made one permutation at a time on
/// each thread: ten thousand scripts would not fit in memory well.
///
/// # Errors
/// See [`super::run`].
pub fn write(planner: &Planner<'_>, plan: &Plan, prune: bool, progress: Tell<'_>) -> Result<Changes> {
    files::create_folders(&plan.out)?;
    let _lock = lock(&plan.out)?;
    let folder = Folder::list(&plan.out)?;
    let same = refuse_conflicts(&folder, planner, plan)?;
    let planned: Vec<&Planned> = plan.planned.iter().collect();
    let written = Counter::new(Stage::Writing, progress);
    written.begin(planned.len() as u64);
    let mut changes = each(planner, &planned, |planner, planned| {
        let name = &planned.manifest.name;
        let texts = planner.files(plan, &planned.manifest)?;
        let change = folder.compare(name, &texts, same.contains(name.as_str()))?;
        if matches!(change, Change::New | Change::Changed) {
            write_one(&folder, &plan.out, name, &texts)?;
        }
        written.one_more();
        Ok((name.clone(), change))
    })?;
    for planned in &plan.packs {
        let (name, texts) = (&planned.pack.name, PackFiles::of(planner, planned)?);
        let change = folder.compare_pack(name, &texts)?;
        if change != Change::Unchanged {
            write_pack(&plan.out, name, &texts)?;
        }
        changes.push((name.clone(), change));
    }
    write_study(planner, &plan.out)?;
    for (name, change) in folder.orphans(plan)? {
        let change = match change {
            Change::Orphaned if prune => remove(&plan.out, &name)?,
            // its permutations have other scripts now, and would be measured twice
            Change::Orphaned if plan.out.join(&name).join(pack::FILE).exists() => {
                files::remove(&script_path(&plan.out, &name))?;
                Change::Orphaned
            }
            other => other,
        };
        changes.push((name, change));
    }
    Ok(changes)
}

/// Keeps a second `gen` out of the folder for as long as the file is open.
fn lock(out: &Path) -> Result<File> {
    let path = out.join(LOCK_FILE);
    let file = File::create(&path).with_context(|| format!("cannot write into {}", out.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another `shardscale gen` is writing into {}: wait for it, or choose another --out", out.display())
        }
        // parallel file systems may be mounted without locks: each file is still written whole
        Err(TryLockError::Error(_)) => Ok(file),
    }
}

fn write_pack(out: &Path, name: &str, texts: &PackFiles) -> Result<()> {
    let folder = out.join(name);
    files::create_folders(&folder)?;
    files::replace(&folder.join(pack::FILE), texts.manifest.as_bytes(), 0o644)?;
    files::replace(&script_path(out, name), texts.script.as_bytes(), 0o755)
}

/// The manifest first: a script never lacks its manifest.
fn write_one(folder: &Folder<'_>, out: &Path, name: &str, texts: &Files) -> Result<()> {
    let run_dir = out.join(name);
    files::create_folders(&run_dir)?;
    files::replace(&run_dir.join(manifest::FILE), texts.manifest.as_bytes(), 0o644)?;
    if let Some(script) = &texts.db_script {
        files::replace(&run_dir.join(DB_SCRIPT), script.as_bytes(), 0o755)?;
    }
    let stale = texts.stale_script_path(out, name);
    if folder.has(name, &stale) {
        files::remove(&stale)?;
    }
    files::replace(&texts.script_path(out, name), texts.script.as_bytes(), 0o755)
}

fn write_study(planner: &Planner<'_>, out: &Path) -> Result<()> {
    let (path, text) = (out.join(study_file::FILE), study_file::render(planner)?);
    if files::read_text(&path)?.as_deref() != Some(&text) {
        files::replace(&path, text.as_bytes(), 0o644)?;
    }
    Ok(())
}

/// Removes what `gen` made for a permutation that was never measured: its script, and its folder with all that attempts
/// without samples and the scheduler left there.
fn remove(out: &Path, name: &str) -> Result<Change> {
    let run_dir = out.join(name);
    files::remove(&script_path(out, name))?;
    fs::remove_dir_all(&run_dir).with_context(|| format!("cannot remove {}", run_dir.display()))?;
    Ok(Change::Removed)
}
