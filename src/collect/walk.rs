//! Finding runs: every folder with a manifest below the collected one, whatever its name, and every session of
//! SmartSim-Scaling.
//!
//! Knows the names of files only; reads none.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use walkdir::{DirEntry, WalkDir};

use super::model::{Problem, Source};
use super::read::{relative, smartsim};
use crate::record::{attempt, manifest, pack, rehearsal};

/// What lies below a folder.
#[derive(Debug, Default)]
pub struct Found {
    /// Folders with a manifest and whose they are, in the order in which people count.
    pub runs: Vec<(PathBuf, Source)>,
    /// What could not be looked into, and results whose manifest is gone.
    pub problems: Vec<Problem>,
}

/// Finds all runs below `root`; `report` is not looked into.
///
/// # Errors
/// `root` is no readable folder, or holds no run at all.
pub fn find(root: &Path, report: &Path) -> Result<Found> {
    std::fs::read_dir(root)
        .with_context(|| format!("cannot read {}: give the folder that `shardscale gen` wrote", root.display()))?;
    let mut found = Found::default();
    // links are followed: results often lie on another file system; walkdir reports a circle as an error. In any order:
    // sorting would list even the folders that are skipped
    let mut walk = WalkDir::new(root).follow_links(true).into_iter();
    while let Some(entry) = walk.next() {
        match entry {
            Ok(entry) if entry.path() == report && entry.file_type().is_dir() => walk.skip_current_dir(),
            // a rehearsal measures nothing
            Ok(entry) if entry.depth() > 0 && entry.file_name() == rehearsal::FOLDER => walk.skip_current_dir(),
            Ok(entry) if is_attempt(&entry) => {
                walk.skip_current_dir();
                note_orphan(root, &entry, &mut found.problems);
            }
            Ok(entry) if is_session(&entry) => {
                // thousands of files, which only their reader wants
                walk.skip_current_dir();
                found.runs.push((entry.into_path(), Source::SmartSimScaling));
            }
            Ok(entry) if entry.file_name() == manifest::FILE => found.runs.push((parent(&entry), Source::ShardScale)),
            Ok(_) => {}
            Err(error) => {
                let path = relative(root, error.path().unwrap_or(root));
                found.problems.push(Problem { path, what: format!("cannot be looked into: {error}"), is_run: false });
            }
        }
    }
    // n4 before n16
    found.runs.sort_by(|a, b| alphanumeric_sort::compare_path(&a.0, &b.0));
    found.problems.sort();
    found.problems.dedup();
    if found.runs.is_empty() {
        let problems: Vec<_> = found.problems.iter().map(|p| format!("\n  {}: {}", p.path, p.what)).collect();
        bail!(
            "no {} under {}, nor a {} of SmartSim-Scaling: there is nothing to collect; give the folder that `shardscale gen` wrote (out by default){}",
            manifest::FILE,
            root.display(),
            smartsim::FILE,
            problems.concat()
        );
    }
    Ok(found)
}

fn is_attempt(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_type().is_dir() && attempt::number_of(entry.file_name()).is_some()
}

fn is_session(entry: &DirEntry) -> bool {
    entry.file_type().is_dir()
        && entry.path().join(smartsim::FILE).is_file()
        && !entry.path().join(manifest::FILE).exists()
        && smartsim::has_timings(entry.path())
}

fn note_orphan(root: &Path, attempt: &DirEntry, problems: &mut Vec<Problem>) {
    let folder = parent(attempt);
    // the attempts of a pack hold no results: its permutations have run directories of their own
    if !folder.join(manifest::FILE).exists() && !folder.join(pack::FILE).exists() {
        let what =
            format!("holds results without a {}: `shardscale gen` with the same study makes it again", manifest::FILE);
        problems.push(Problem { path: relative(root, &folder), what, is_run: false });
    }
}

fn parent(entry: &DirEntry) -> PathBuf {
    entry.path().parent().unwrap_or(entry.path()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn touch(root: &Path, path: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    fn runs(root: &Path) -> Vec<String> {
        find(root, &root.join("report")).unwrap().runs.iter().map(|(path, _)| relative(root, path)).collect()
    }

    #[test]
    fn runs_are_found_at_any_depth_and_not_in_reports_or_attempts() {
        let root = tempfile::tempdir().unwrap();
        for path in [
            "b/run.toml",
            "a/x/run.toml",
            "report/run.toml",
            "b/attempt-1/run.toml",
            "b/attempts/run.toml",
            "rehearsal/d/run.toml",
            "c.sh",
        ] {
            touch(root.path(), path);
        }
        assert_eq!(runs(root.path()), ["a/x", "b", "b/attempts"]);
        assert_eq!(runs(&root.path().join("b")), [".", "attempts"]);
    }

    #[test]
    fn runs_stand_in_the_order_of_their_numbers() {
        let root = tempfile::tempdir().unwrap();
        for path in ["n16/run.toml", "n4/run.toml", "n128/run.toml"] {
            touch(root.path(), path);
        }
        assert_eq!(runs(root.path()), ["n4", "n16", "n128"]);
    }

    #[test]
    fn results_without_a_manifest_and_circles_are_listed() {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), "a/run.toml");
        touch(root.path(), "lost/attempt-1/samples.bin");
        touch(root.path(), "lost/attempt-2/samples.bin");
        std::os::unix::fs::symlink(root.path(), root.path().join("circle")).unwrap();
        let problems = find(root.path(), &root.path().join("report")).unwrap().problems;
        let paths: Vec<_> = problems.iter().map(|p| p.path.as_str()).collect();
        assert_eq!(paths, ["circle", "lost"]);
        assert!(problems[1].what.contains("without a run.toml"), "{}", problems[1].what);
    }

    #[test]
    fn nothing_to_collect_is_an_error_with_a_remedy() {
        let root = tempfile::tempdir().unwrap();
        let error = format!("{:#}", find(root.path(), Path::new("report")).unwrap_err());
        assert!(error.starts_with("no run.toml under ") && error.contains("shardscale gen"), "{error}");
        let missing = root.path().join("nowhere");
        let error = format!("{:#}", find(&missing, Path::new("report")).unwrap_err());
        assert!(error.contains("nowhere") && error.contains("No such file"), "{error}");
        fs::write(&missing, "").unwrap();
        let error = format!("{:#}", find(&missing, Path::new("report")).unwrap_err());
        assert!(error.contains("Not a directory"), "{error}");
    }
}
