//! `sbatch --test-only`: what the Slurm here would refuse, each distinct request of resources asked once.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Slurm, queue};
use crate::scheduler::ask::ask;
use crate::scheduler::directive::options;
use crate::scheduler::finding::{Finding, Rule};
use crate::scheduler::script::Script;

const REFUSED: Rule = Rule {
    name: "sbatch",
    why: "sbatch --test-only says that this Slurm would refuse the job, and all others of the same resources.",
    remedy: "",
};

pub fn try_out(scripts: &[(&Path, Script<'_>)]) -> (Vec<(usize, Finding)>, String) {
    if ask("sinfo", &["--noheader"]).is_err() {
        return (Vec::new(), "sbatch --test-only: not run, no Slurm answers here".into());
    }
    let mut seen = HashSet::new();
    let distinct = scripts.iter().enumerate().filter(|(_, (_, script))| seen.insert(resources(script)));
    let findings = distinct.filter_map(|(index, (path, script))| Some((index, test_only(path, script)?))).collect();
    (findings, format!("sbatch --test-only: {} distinct requests of resources", seen.len()))
}

/// What a script asks for, without what is its own: name, files, dependencies.
fn resources(script: &Script<'_>) -> String {
    const OWN: [&str; 9] = ["--job-name", "-J", "--output", "-o", "--error", "-e", "--dependency", "-d", "--comment"];
    let lines = script.directives(&Slurm);
    let read = lines.iter().filter(|line| line.exact && !line.late);
    let asked = read.flat_map(options).filter(|option| !OWN.contains(&option.name));
    asked.map(|option| format!("{}={}\n", option.name, option.value)).collect()
}

fn test_only(path: &Path, script: &Script<'_>) -> Option<Finding> {
    let mut command = Command::new("sbatch");
    queue::clean(&mut command); // inside a job its variables would be taken for options
    let output = command.arg("--test-only").arg(path).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let what = text.lines().map(|line| line.trim_start_matches("sbatch: error: ")).collect::<Vec<_>>().join("; ");
    let line = script.directives(&Slurm).first().map_or(0, |directive| directive.line);
    (!output.status.success()).then(|| Finding::new(line, &REFUSED, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_alike_where_only_names_and_files_differ() {
        let asked = |nodes: u32, name: &str| {
            let text = format!("#!/bin/bash\n#SBATCH -N {nodes} -J {name} -o /x/{name}\necho {name}\n");
            resources(&Script::parse(&text))
        };
        assert_eq!(asked(2, "a"), asked(2, "b"));
        assert_ne!(asked(2, "a"), asked(3, "a"));
    }
}
