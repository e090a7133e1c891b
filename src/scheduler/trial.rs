//! A scheduler's own judgement of scripts, each distinct request of resources asked once.

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Scheduler;
use super::directive::options;
use super::finding::{Finding, Rule};
use super::script::Script;

/// A command that judges a script without submitting it.
pub struct Trial {
    /// The command, for people.
    pub name: &'static str,
    pub rule: &'static Rule,
    /// What its messages begin with.
    pub noise: &'static str,
}

/// Gives `command` one script of each request; by index what it refuses, and a note for people.
pub fn try_each(
    scheduler: &dyn Scheduler,
    scripts: &[(&Path, Script<'_>)],
    trial: &Trial,
    answers: bool,
    command: impl Fn() -> Command,
) -> (Vec<(usize, Finding)>, String) {
    let Trial { name, rule, noise } = trial;
    if !answers {
        return (Vec::new(), format!("{name}: not run, no {} answers here", scheduler.kind()));
    }
    let mut seen = HashSet::new();
    let distinct = scripts.iter().enumerate().filter(|(_, (_, script))| seen.insert(resources(scheduler, script)));
    let found = distinct.filter_map(|(index, (path, script))| {
        let output = command().arg(path).stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8_lossy(&output.stderr);
        let what = text.lines().map(|line| line.trim_start_matches(noise)).collect::<Vec<_>>().join("; ");
        let line = script.directives(scheduler).first().map_or(0, |directive| directive.line);
        (!output.status.success()).then(|| (index, Finding::new(line, rule, what)))
    });
    let found = found.collect();
    (found, format!("{name}: {} distinct requests of resources", seen.len()))
}

/// What a script asks for, without what is its own: name, files, dependencies.
fn resources(scheduler: &dyn Scheduler, script: &Script<'_>) -> String {
    let (words, _) = scheduler.words();
    let own = words.iter().filter(|(meaning, _)| ["job name", "log", "dependency"].contains(meaning));
    let own: Vec<&str> = own.flat_map(|(_, spellings)| spellings.iter().copied()).collect();
    let lines = script.directives(scheduler);
    let read = lines.iter().filter(|line| line.exact && !line.late);
    let asked = read.flat_map(options).filter(|option| !own.contains(&option.name));
    asked.map(|option| format!("{}={}\n", option.name, option.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::slurm::Slurm;
    use super::*;

    #[test]
    fn requests_are_alike_where_only_names_and_files_differ() {
        let asked = |nodes: u32, name: &str| {
            let text = format!("#!/bin/bash\n#SBATCH -N {nodes} -J {name} -o /x/{name}\necho {name}\n");
            resources(&Slurm, &Script::parse(&text))
        };
        assert_eq!(asked(2, "a"), asked(2, "b"));
        assert_ne!(asked(2, "a"), asked(3, "a"));
    }
}
