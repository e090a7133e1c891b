//! Writing a plan: only what differs, whole files only, and never over a measurement.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::plan::{Plan, Planned};
use crate::record::attempt::{self, Attempt, Outcome};
use crate::record::{files, manifest, samples};

/// What became of one permutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    New,
    Changed,
    Unchanged,
    /// Measured with the same parameters: script and manifest stay as they are.
    Measured,
}

impl Change {
    pub fn as_str(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Changed => "changed",
            Change::Unchanged => "unchanged",
            Change::Measured => "measured",
        }
    }
}

/// What became of each permutation of a plan, in its order.
pub type Written = Vec<(String, Change)>;

/// Held while a folder is written to.
const LOCK_FILE: &str = ".shardscale-gen.lock";

/// Writes a plan.
///
/// # Errors
/// See [`super::run`].
pub fn write(plan: &Plan) -> Result<Written> {
    fs::create_dir_all(&plan.out).with_context(|| format!("cannot create the folder {}", plan.out.display()))?;
    let _lock = lock(&plan.out)?;
    let changes = plan.planned.iter().map(|planned| compare(&plan.out, planned)).collect::<Result<Vec<_>>>()?;
    let conflicts: Vec<&str> = plan
        .planned
        .iter()
        .zip(&changes)
        .filter(|(_, change)| change.is_none())
        .map(|(planned, _)| planned.name.as_str())
        .collect();
    if !conflicts.is_empty() {
        bail!(
            "{} runs in {} were measured with other parameters, and nothing was written; generate into another folder with --out, \
             or move these away:\n  {}",
            conflicts.len(),
            plan.out.display(),
            conflicts.join("\n  ")
        );
    }
    let mut written = Written::new();
    for (planned, change) in plan.planned.iter().zip(changes.into_iter().flatten()) {
        if matches!(change, Change::New | Change::Changed) {
            write_one(&plan.out, planned)?;
        }
        written.push((planned.name.clone(), change));
    }
    Ok(written)
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

/// How a permutation stands to what is in the folder; `None`: measured with other parameters.
fn compare(out: &Path, planned: &Planned) -> Result<Option<Change>> {
    let run_dir = out.join(&planned.name);
    let old_manifest = files::read_text(&run_dir.join(manifest::FILE))?;
    let old_script = files::read_text(&script_path(out, planned))?;
    let same_manifest = old_manifest.as_deref() == Some(&planned.manifest);
    if same_manifest && old_script.as_deref() == Some(&planned.script) {
        return Ok(Some(Change::Unchanged));
    }
    let attempts = if run_dir.is_dir() { attempt::list(&run_dir)? } else { Vec::new() };
    if attempts.iter().any(|(_, path)| path.join(samples::FILE).exists()) && !same_manifest {
        return Ok(None);
    }
    if attempts.iter().any(|(number, path)| Attempt::read(*number, path, 0).outcome() == Outcome::Done) {
        return Ok(Some(Change::Measured));
    }
    Ok(Some(if old_manifest.is_none() && old_script.is_none() { Change::New } else { Change::Changed }))
}

/// The manifest first: a script never lacks its manifest.
fn write_one(out: &Path, planned: &Planned) -> Result<()> {
    let run_dir = out.join(&planned.name);
    fs::create_dir_all(&run_dir).with_context(|| format!("cannot create {}", run_dir.display()))?;
    files::replace(&run_dir.join(manifest::FILE), planned.manifest.as_bytes(), 0o644)?;
    files::replace(&script_path(out, planned), planned.script.as_bytes(), 0o755)
}

fn script_path(out: &Path, planned: &Planned) -> std::path::PathBuf {
    out.join(format!("{}.sh", planned.name))
}
