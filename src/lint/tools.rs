//! Programs that judge scripts: bash, shellcheck where there is one, and sbatch where a Slurm answers.

use std::collections::hash_map::{Entry, HashMap};
use std::process::{Command, Stdio};

use rayon::prelude::*;
use serde::Deserialize;

use super::directive::options;
use super::files::Checked;
use super::slurm::Version;
use super::text::Script;
use super::{Finding, Rule};

const SYNTAX: Rule = Rule { name: "bash", why: "bash -n does not parse the script.", remedy: "" };
const SHELLCHECK: Rule = Rule { name: "shellcheck", why: "", remedy: "" };
const REFUSED: Rule = Rule {
    name: "sbatch",
    why: "sbatch --test-only says that this Slurm would refuse the job, and all others of the same resources.",
    remedy: "",
};

/// Scripts that one shellcheck reads.
const BATCH: usize = 32;

/// Adds what the programs find; returns what was run, for people.
pub fn run(scripts: &mut [Checked]) -> Vec<String> {
    scripts.par_iter_mut().for_each(check_syntax);
    let mut notes = vec![format!("bash -n: {} scripts", scripts.len())];
    notes.push(if answers(Command::new("shellcheck").arg("--version")) {
        let shapes = distinct(scripts, |script| Some(shape(&script.text)));
        shellcheck(scripts, &shapes);
        format!("shellcheck: {} scripts that differ in more than numbers", shapes.len())
    } else {
        "shellcheck: not found; it sees more in bash than these rules do".into()
    });
    if scripts.iter().any(|script| Script::parse(&script.text).is_slurm()) {
        notes.push(if answers(Command::new("sinfo").arg("--noheader")) {
            let shapes = distinct(scripts, |script| resources(&script.text));
            shapes.iter().for_each(|index| test_only(&mut scripts[*index]));
            format!("sbatch --test-only: {} distinct requests of resources", shapes.len())
        } else {
            "sbatch --test-only: not run, no Slurm answers here".into()
        });
    }
    if scripts.iter().any(|script| Script::parse(&script.text).is_pbs()) {
        notes.push("PBS has no dry run: whether a queue admits the jobs, qsub alone can say".into());
    }
    notes
}

/// The version of the Slurm that answers here.
pub fn slurm_version() -> Option<Version> {
    let output = Command::new("scontrol").arg("--version").stdin(Stdio::null()).output().ok()?;
    Version::parse(&String::from_utf8_lossy(&output.stdout))
}

/// The program starts and succeeds.
fn answers(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Index of the first script of each kind.
fn distinct(scripts: &[Checked], kind: impl Fn(&Checked) -> Option<String>) -> Vec<usize> {
    let mut seen = HashMap::new();
    let mut first = Vec::new();
    for (index, script) in scripts.iter().enumerate() {
        if let Some(Entry::Vacant(entry)) = kind(script).map(|kind| seen.entry(kind)) {
            entry.insert(());
            first.push(index);
        }
    }
    first
}

/// The text with all numbers alike: scripts that differ in numbers alone are the same bash.
fn shape(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    let mut number = false;
    for c in text.chars() {
        if !c.is_ascii_digit() {
            shape.push(c);
        } else if !number {
            shape.push('0');
        }
        number = c.is_ascii_digit();
    }
    shape
}

/// What a Slurm script asks for, without what is its own: name, files, dependencies. `None` for other scripts.
fn resources(text: &str) -> Option<String> {
    const OWN: [&str; 9] = ["--job-name", "-J", "--output", "-o", "--error", "-e", "--dependency", "-d", "--comment"];
    let script = Script::parse(text);
    let read = script.slurm.iter().filter(|line| line.exact && !line.late);
    let asked = read.flat_map(options).filter(|option| !OWN.contains(&option.name));
    script.is_slurm().then(|| asked.map(|option| format!("{}={}\n", option.name, option.value)).collect())
}

fn check_syntax(script: &mut Checked) {
    let output = Command::new("bash").arg("-n").arg(&script.path).stdin(Stdio::null()).output();
    let Ok(output) = output else { return };
    // FILE: line N: what
    for message in String::from_utf8_lossy(&output.stderr).lines().filter(|_| !output.status.success()) {
        let (_, rest) = message.split_once(": line ").unwrap_or(("", message));
        let (line, what) = rest.split_once(": ").unwrap_or(("0", rest));
        script.findings.push(Finding::new(line.parse().unwrap_or(0), &SYNTAX, what));
    }
}

#[derive(Deserialize)]
struct Comments {
    comments: Vec<Comment>,
}

#[derive(Deserialize)]
struct Comment {
    file: String,
    line: usize,
    code: u32,
    message: String,
}

fn shellcheck(scripts: &mut [Checked], which: &[usize]) {
    let judge = |batch: &[usize]| -> Vec<(usize, Finding)> {
        let files = batch.iter().map(|index| &scripts[*index].path);
        let mut command = Command::new("shellcheck");
        command.args(["--format=json1", "--severity=warning", "--"]).args(files).stdin(Stdio::null());
        let output = command.output().map(|output| output.stdout).unwrap_or_default();
        let Ok(Comments { comments }) = serde_json::from_slice(&output) else { return Vec::new() };
        let place = |comment: &Comment| {
            batch.iter().copied().find(|index| scripts[*index].path.to_string_lossy() == comment.file)
        };
        let finding = |comment: Comment| {
            let what = format!("SC{}: {}", comment.code, comment.message);
            Some((place(&comment)?, Finding::new(comment.line, &SHELLCHECK, what)))
        };
        comments.into_iter().filter_map(finding).collect()
    };
    let found: Vec<(usize, Finding)> = which.par_chunks(BATCH).flat_map_iter(judge).collect();
    found.into_iter().for_each(|(index, finding)| scripts[index].findings.push(finding));
}

fn test_only(script: &mut Checked) {
    let mut command = Command::new("sbatch");
    command.arg("--test-only").arg(&script.path).stdin(Stdio::null());
    // inside a job its variables would be taken for options
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if (text.starts_with("SLURM_") || text.starts_with("SBATCH_")) && text != "SLURM_CONF" {
            command.env_remove(&name);
        }
    }
    let Ok(output) = command.output() else { return };
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let what = text.lines().map(|line| line.trim_start_matches("sbatch: error: ")).collect::<Vec<_>>().join("; ");
        let line = Script::parse(&script.text).slurm.first().map_or(0, |directive| directive.line);
        script.findings.push(Finding::new(line, &REFUSED, what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_alike_where_only_names_and_files_differ() {
        let script =
            |nodes: u32, name: &str| format!("#!/bin/bash\n#SBATCH -N {nodes} -J {name} -o /x/{name}\necho {name}\n");
        assert_eq!(resources(&script(2, "a")), resources(&script(2, "b")));
        assert_ne!(resources(&script(2, "a")), resources(&script(3, "a")));
        assert_eq!(resources("#!/bin/bash\n#PBS -N a\n"), None);
    }

    #[test]
    fn bash_and_shellcheck_name_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sh");
        let check = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let mut scripts = [Checked { path: path.clone(), text: text.into(), findings: Vec::new() }];
            run(&mut scripts);
            let [script] = scripts;
            script.findings.iter().map(|finding| (finding.rule.name, finding.line)).collect::<Vec<_>>()
        };
        assert_eq!(check("#!/bin/bash\necho a\n"), []);
        assert!(check("#!/bin/bash\nif true; then\n").contains(&("bash", 3)));
        assert_eq!(check("#!/bin/bash\ncd /tmp\n"), [("shellcheck", 2)]);
    }
}
