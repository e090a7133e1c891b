//! Which scripts are checked, and what their directives say of files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use walkdir::WalkDir;

use crate::scheduler;
use crate::scheduler::directive::{Opt, options};
use crate::scheduler::finding::{Finding, Rule};
use crate::scheduler::script::Script;

const FOLDER: Rule = Rule {
    name: "output-folder",
    why: "The scheduler does not make it: Slurm fails the job, PBS delays it, holds it or loses its output.",
    remedy: "Make the folder before you submit.",
};
/// A script, and what is found in it.
pub struct Checked {
    pub path: PathBuf,
    pub text: String,
    pub findings: Vec<Finding>,
}

/// The scripts among `paths`, and those in folders among them, two levels deep.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Checked>> {
    let mut scripts = Vec::new();
    for path in paths {
        let about = fs::metadata(path).with_context(|| format!("cannot check {}", path.display()))?;
        if !about.is_dir() {
            scripts.push(read_script(path)?);
            continue;
        }
        let before = scripts.len();
        for entry in WalkDir::new(path).max_depth(2).sort_by_file_name() {
            let entry = entry.with_context(|| format!("cannot read {}", path.display()))?;
            if entry.file_type().is_file() && entry.path().extension().is_some_and(|end| end == "sh") {
                scripts.push(read_script(entry.path())?);
            }
        }
        ensure!(
            scripts.len() > before,
            "there is no script *.sh in {}: `shardscale gen` writes some, or name other files",
            path.display()
        );
    }
    if scripts.is_empty() {
        bail!("no script was given: name files or folders");
    }
    Ok(scripts)
}

fn read_script(path: &Path) -> Result<Checked> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Checked { path: path.to_owned(), text: String::from_utf8_lossy(&bytes).into_owned(), findings: Vec::new() })
}

/// Folders of output that do not exist, and names of files that schedulers refuse. Relative paths depend on where the user
/// submits and are left alone.
pub fn check_paths(path: &Path, text: &str) -> Vec<Finding> {
    let script = Script::parse(text);
    let schedulers: Vec<_> = scheduler::of_script(&script).collect();
    let mut findings: Vec<Finding> = schedulers.iter().filter_map(|scheduler| scheduler.check_path(path)).collect();
    let directives = schedulers.iter().flat_map(|scheduler| script.directives(*scheduler));
    for directive in directives.filter(|directive| directive.exact && !directive.late) {
        for Opt { line, name, value } in options(&directive) {
            let value = value.split_once(':').map_or(value, |(_, path)| path); // PBS: [host:]path
            if !["-o", "-e", "--output", "--error"].contains(&name) || !value.starts_with('/') {
                continue;
            }
            let folder = Path::new(value.rsplit_once('/').map_or("/", |(folder, _)| folder));
            // %j and the like may stand for a part of the folder, which only the scheduler knows
            if !folder.to_string_lossy().contains(['%', '^']) && !folder.as_os_str().is_empty() && !folder.is_dir() {
                findings.push(Finding::new(line, &FOLDER, format!("there is no folder {}", folder.display())));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_must_exist_before_the_job() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().display();
        let text = format!(
            "#!/bin/bash\n#SBATCH -o {there}/%j.log\n#SBATCH --error={there}/no/%j\n#PBS -o {there}/\n#PBS -e h:{there}/gone/\n"
        );
        let found: Vec<_> =
            check_paths(Path::new("a b.sh"), &text).iter().map(|finding| (finding.rule.name, finding.line)).collect();
        assert_eq!(found, [("blank-in-name", 0), ("output-folder", 3), ("output-folder", 5)]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = |path: PathBuf| format!("{:#}", read(&[path]).err().unwrap());
        assert!(error(folder.path().to_owned()).contains("no script *.sh in"));
        assert!(error(folder.path().join("gone")).contains("gone"));
    }
}
