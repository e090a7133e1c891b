//! How a plan stands to the folder: what is new, changed, unchanged, measured or orphaned. Reads, and writes nothing.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, ensure};

use super::packing::PackFiles;
use super::plan::{Plan, Planned, script_path};
use super::planner::{Files, Planner};
use crate::progress::{Counter, Stage, Tell};
use crate::record::attempt::{self, Attempt, Outcome};
use crate::record::jobs::DB_SCRIPT;
use crate::record::manifest::Manifest;
use crate::record::vocabulary::words;
use crate::record::{files, manifest, pack, samples};

words! {
    /// What became, or would become, of one permutation.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Change {
        New = "new",
        Changed = "changed",
        Unchanged = "unchanged",
        /// Measured with the same parameters: script and manifest stay as they are.
        Measured = "measured",
        /// Measured with other parameters: nothing may be written over it.
        Conflict = "conflict",
        /// In the folder, not in the study, and nothing was measured.
        Orphaned = "orphaned",
        /// The same, and it has results, which stay.
        OrphanedMeasured = "orphaned, measured",
        /// Was orphaned and is gone.
        Removed = "removed",
    }
}

/// Each permutation by name, in the plan's order; behind them what the folder has beside them, sorted.
pub type Changes = Vec<(String, Change)>;

/// The folder as it is.
pub struct Folder<'a> {
    out: &'a Path,
    /// Names of run directories.
    runs: HashSet<String>,
    /// Names of what else is in it.
    files: HashSet<OsString>,
}

impl<'a> Folder<'a> {
    /// Lists `out`; an absent folder is empty.
    pub fn list(out: &'a Path) -> Result<Folder<'a>> {
        let (mut runs, mut files) = (HashSet::new(), HashSet::new());
        match fs::read_dir(out) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            entries => {
                for entry in entries.with_context(|| format!("cannot read {}", out.display()))? {
                    let entry = entry.with_context(|| format!("cannot read {}", out.display()))?;
                    if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                        runs.insert(entry.file_name().to_string_lossy().into_owned());
                    } else {
                        files.insert(entry.file_name());
                    }
                }
            }
        }
        Ok(Folder { out, runs, files })
    }

    /// Whether it had that file of run `name` when it was listed; one in the run's own folder is looked for.
    pub fn has(&self, name: &str, path: &Path) -> bool {
        match path.parent() == Some(self.out) {
            true => path.file_name().is_some_and(|file| self.files.contains(file)),
            false => self.runs.contains(name) && path.exists(),
        }
    }

    /// How a permutation stands to what is there. `same_manifest`: that its manifest is as planned is known already.
    pub fn compare(&self, name: &str, planned: &Files, same_manifest: bool) -> Result<Change> {
        let run_dir = self.out.join(name);
        let is_there = self.runs.contains(name);
        let old = |path: &Path| if self.has(name, path) { files::read_bytes(path) } else { Ok(None) };
        let old_manifest = if same_manifest { None } else { old(&run_dir.join(manifest::FILE))? };
        let same_manifest = same_manifest || agree(old_manifest.as_deref(), &planned.manifest);
        let old_script = old(&planned.script_path(self.out, name))?;
        let old_db_script = old(&run_dir.join(DB_SCRIPT))?;
        let moved = self.has(name, &planned.stale_script_path(self.out, name));
        if same_manifest
            && !moved
            && old_script.as_deref() == Some(planned.script.as_bytes())
            && old_db_script.as_deref() == planned.db_script.as_ref().map(String::as_bytes)
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
        let was_there = same_manifest || old_manifest.is_some() || old_script.is_some();
        Ok(if was_there { Change::Changed } else { Change::New })
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

    /// How the manifest of a run that is there stands to the planned text.
    fn compare_manifest(&self, name: &str, planned: &str) -> Result<Standing> {
        let run_dir = self.out.join(name);
        let old = files::read_bytes(&run_dir.join(manifest::FILE))?;
        Ok(match agree(old.as_deref(), planned) {
            true => Standing::Same,
            false if matches!(results(&run_dir)?, Results::None) => Standing::Other,
            false => Standing::Conflict,
        })
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

/// Whether two manifests say the same. An earlier version wrote fewer keys: those that it lacks have the values that they always had.
fn agree(old: Option<&[u8]>, planned: &str) -> bool {
    let means = |text: &str| Manifest::parse(text, manifest::FILE).ok();
    let old = old.and_then(|bytes| std::str::from_utf8(bytes).ok());
    old == Some(planned) || old.and_then(means).is_some_and(|old| Some(old) == means(planned))
}

/// A manifest beside that of the plan.
enum Standing {
    Same,
    Other,
    /// Another, and there are results of it.
    Conflict,
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
pub fn find(planner: &Planner<'_>, plan: &Plan, progress: Tell<'_>) -> Result<Changes> {
    let folder = Folder::list(&plan.out)?;
    let planned: Vec<&Planned> = plan.planned.iter().collect();
    let compared = Counter::new(Stage::Writing, progress);
    compared.begin(planned.len() as u64);
    let mut changes = each(planner, &planned, |planner, planned| {
        let name = &planned.manifest.name;
        compared.one_more();
        Ok((name.clone(), folder.compare(name, &planner.files(plan, &planned.manifest)?, false)?))
    })?;
    for planned in &plan.packs {
        let name = &planned.pack.name;
        changes.push((name.clone(), folder.compare_pack(name, &PackFiles::of(planner, planned)?)?));
    }
    changes.extend(folder.orphans(plan)?);
    Ok(changes)
}

/// The runs whose manifest is there as planned.
///
/// # Errors
/// Something was measured with other parameters.
pub fn refuse_conflicts<'p>(folder: &Folder<'_>, planner: &Planner<'_>, plan: &'p Plan) -> Result<HashSet<&'p str>> {
    let there: Vec<&Planned> =
        plan.planned.iter().filter(|planned| folder.runs.contains(&planned.manifest.name)).collect();
    let standings = each(planner, &there, |planner, planned| {
        let name = planned.manifest.name.as_str();
        Ok((name, folder.compare_manifest(name, &planner.manifest_text(&planned.manifest)?)?))
    })?;
    let of = |wanted: fn(&Standing) -> bool| {
        standings.iter().filter(move |(_, standing)| wanted(standing)).map(|(name, _)| *name)
    };
    let conflicts: Vec<&str> = of(|standing| matches!(standing, Standing::Conflict)).collect();
    ensure!(
        conflicts.is_empty(),
        "{} runs in {} were measured with other parameters, and nothing was written; generate into another folder with --out, \
         or move these away:\n  {}",
        conflicts.len(),
        plan.out.display(),
        conflicts.join("\n  ")
    );
    Ok(of(|standing| matches!(standing, Standing::Same)).collect())
}

/// Does `work` for each of `planned`, on several threads where there are many. Each thread has a planner of its own, since a planner
/// remembers what it rendered. Results in the order of `planned`.
///
/// # Errors
/// The first in that order.
pub fn each<'p, R: Send>(
    planner: &Planner<'_>,
    planned: &[&'p Planned],
    work: impl Fn(&Planner<'_>, &'p Planned) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    /// Permutations for which another planner, with its templates, pays.
    const SHARE: usize = 500;
    /// A login node has other users.
    const MOST_THREADS: usize = 8;
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let share = planned.len().div_ceil(cores).max(SHARE);
    let Some((here, elsewhere)) = planned.split_at_checked(share.min(planned.len())) else { return Ok(Vec::new()) };
    let request = planner.request;
    let all = |planner: &Planner<'_>, part: &[&'p Planned]| -> Result<Vec<R>> {
        part.iter().map(|planned| work(planner, planned)).collect()
    };
    thread::scope(|scope| {
        let others: Vec<_> =
            elsewhere.chunks(share).map(|part| scope.spawn(move || all(&Planner::new(request)?, part))).collect();
        let mut results = all(planner, here)?;
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(results)
    })
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
