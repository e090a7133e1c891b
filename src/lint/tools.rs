//! Programs that judge scripts: bash, shellcheck where there is one, and those of a scheduler that answers.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use rayon::prelude::*;
use serde::Deserialize;

use super::files::Checked;
use crate::progress::{Counter, Stage, Tell};
use crate::scheduler;
use crate::scheduler::finding::{Finding, Rule};
use crate::scheduler::script::Script;

const SYNTAX: Rule = Rule { name: "bash", why: "bash -n does not parse the script.", remedy: "" };
const SHELLCHECK: Rule = Rule { name: "shellcheck", why: "", remedy: "" };
/// Scripts that one shellcheck reads.
const BATCH: usize = 32;

/// Adds what the programs find; returns what was run, for people.
pub fn run(scripts: &mut [Checked], progress: Tell<'_>) -> Vec<String> {
    let shapes = shapes(scripts);
    let found: Vec<(usize, Vec<Finding>)> =
        shapes.par_iter().map(|shape| (shape[0], check_syntax(&scripts[shape[0]]))).collect();
    for ((_, findings), shape) in found.into_iter().zip(&shapes).filter(|((_, findings), _)| !findings.is_empty()) {
        // each such script is asked itself, so that its findings have its own lines
        scripts[shape[0]].findings.extend(findings);
        for index in &shape[1..] {
            let findings = check_syntax(&scripts[*index]);
            scripts[*index].findings.extend(findings);
        }
    }
    let kinds = format!("{} scripts that differ in more than numbers and comments", shapes.len());
    let mut notes = vec![format!("bash -n: {kinds}")];
    notes.push(if answers(Command::new("shellcheck").arg("--version")) {
        shellcheck(scripts, &shapes, &Counter::new(Stage::TryingOut, progress));
        format!("shellcheck: {kinds}")
    } else {
        "shellcheck: not found; it sees more in bash than these rules do".into()
    });
    for scheduler in scheduler::all() {
        let parsed = scripts.iter().enumerate().map(|(index, script)| (index, Script::parse(&script.text)));
        let (own, theirs): (Vec<usize>, Vec<_>) = parsed
            .filter(|(_, script)| !script.directives(scheduler).is_empty())
            .map(|(index, script)| (index, (scripts[index].path.as_path(), script)))
            .unzip();
        if own.is_empty() {
            continue;
        }
        let (findings, note) = scheduler.try_out(&theirs);
        notes.push(note);
        findings.into_iter().for_each(|(index, finding)| scripts[own[index]].findings.push(finding));
    }
    notes
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

/// Scripts by shape, in the order of the first of each.
fn shapes(scripts: &[Checked]) -> Vec<Vec<usize>> {
    let texts: Vec<String> = scripts.par_iter().map(|script| shape(&script.text)).collect();
    let mut at: HashMap<&str, usize> = HashMap::with_capacity(texts.len());
    let mut shapes: Vec<Vec<usize>> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let shape = *at.entry(text).or_insert(shapes.len());
        if shape == shapes.len() {
            shapes.push(Vec::new());
        }
        shapes[shape].push(index);
    }
    shapes
}

/// The text without what cannot make it another program to bash: all numbers are alike, lists of numbers too, however long (masks,
/// CPUs, sizes), and comments are left out, directives with them.
pub fn shape(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    for line in text.split_inclusive('\n').filter(|line| !is_comment(line)) {
        let mut rest = line;
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            shape.push_str(&rest[..start]);
            shape.push('0');
            rest = after_numbers(&rest[start..]);
        }
        shape.push_str(rest);
    }
    shape
}

/// What stands behind a number, or behind several with `,`, `:` or `-` between them.
fn after_numbers(text: &str) -> &str {
    let after_one = |text: &str| -> usize {
        let hexadecimal =
            text.strip_prefix("0x").map(|digits| digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len()));
        match hexadecimal {
            Some(digits) if digits > 0 => 2 + digits,
            _ => text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()),
        }
    };
    let mut end = after_one(text);
    loop {
        let rest = &text[end..];
        let next = rest.strip_prefix([',', ':', '-']).filter(|next| next.starts_with(|c: char| c.is_ascii_digit()));
        let Some(next) = next else { return rest };
        end += 1 + after_one(next);
    }
}

/// A comment, and one that neither bash nor shellcheck reads as anything else, even in the middle of a text in quotes: no directive, and
/// no sign that could end or begin such a text.
fn is_comment(line: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " #.|,:;=+*/_-\n".contains(c);
    line.starts_with('#') && line.chars().all(plain) && !line.contains("shellcheck")
}

fn check_syntax(script: &Checked) -> Vec<Finding> {
    let output = Command::new("bash").arg("-n").arg(&script.path).stdin(Stdio::null()).output();
    let Some(output) = output.ok().filter(|output| !output.status.success()) else { return Vec::new() };
    // FILE: line N: what
    let finding = |message: &str| {
        let (_, rest) = message.split_once(": line ").unwrap_or(("", message));
        let (line, what) = rest.split_once(": ").unwrap_or(("0", rest));
        Finding::new(line.parse().unwrap_or(0), &SYNTAX, what)
    };
    String::from_utf8_lossy(&output.stderr).lines().map(finding).collect()
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

/// Lets shellcheck judge one script of each shape, and those of a shape of which it finds something.
fn shellcheck(scripts: &mut [Checked], shapes: &[Vec<usize>], tried: &Counter<'_>) {
    let first: Vec<usize> = shapes.iter().map(|shape| shape[0]).collect();
    let found = judge(scripts, &first, tried);
    let alike: Vec<usize> = shapes
        .iter()
        .filter(|shape| found.iter().any(|(index, _)| *index == shape[0]))
        .flat_map(|shape| shape[1..].iter().copied())
        .collect();
    let more = judge(scripts, &alike, tried);
    found.into_iter().chain(more).for_each(|(index, finding)| scripts[index].findings.push(finding));
}

fn judge(scripts: &[Checked], which: &[usize], tried: &Counter<'_>) -> Vec<(usize, Finding)> {
    tried.begin(which.len() as u64);
    let judge = |batch: &[usize]| -> Vec<(usize, Finding)> {
        let files = batch.iter().map(|index| &scripts[*index].path);
        let mut command = Command::new("shellcheck");
        command.args(["--format=json1", "--severity=warning", "--"]).args(files).stdin(Stdio::null());
        let output = command.output().map(|output| output.stdout).unwrap_or_default();
        tried.more(batch.len() as u64);
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
    which.par_chunks(BATCH).flat_map_iter(judge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::silent;

    #[test]
    fn shapes_differ_where_bash_could() {
        let same = |one: &str, other: &str| shape(one) == shape(other);
        assert!(same("srun -n 4 --cpu-bind=mask_cpu:0xff,0x100,0x1 x\n", "srun -n 48 --cpu-bind=mask_cpu:0x2 x\n"));
        assert!(same("#   NUMA 0   0-15 | ## DB  1 |\necho 1,2,3\n", "# other words\n# and more\necho 7\n"));
        assert!(!same("echo 1;2\n", "echo 1\n") && !same("echo 0xfg\n", "echo 0xf\n"));
        assert!(!same("# shellcheck disable=SC2086\necho 1\n", "echo 1\n"));
        // in a text over several lines these are no comments, and the quotes end it
        assert!(!same("x='\n# it is'\n", "x='\n# it is\n") && !same("#!/bin/sh\n", "#!/bin/bash\n"));
    }

    #[test]
    fn directives_are_comments_to_bash() {
        assert_eq!(shape("#SBATCH --account=abc\n#PBS -l walltime=00:10:00\necho 1\n"), shape("echo 2\n"));
        assert_ne!(shape("#SBATCH --comment='a b'\necho 1\n"), shape("echo 1\n"));
    }

    #[test]
    fn each_script_of_a_shape_has_its_findings_at_its_own_lines() {
        let folder = tempfile::tempdir().unwrap();
        let texts = [
            "#!/bin/bash\necho 1\ncd /tmp\nif\n",
            "#!/bin/bash\n# words\necho 2\ncd /tmp\nif\n",
            "#!/bin/bash\necho 3\n",
        ];
        let mut scripts: Vec<Checked> = (0..)
            .zip(texts)
            .map(|(number, text)| {
                let path = folder.path().join(format!("{number}.sh"));
                std::fs::write(&path, text).unwrap();
                Checked { path, text: text.into(), findings: Vec::new() }
            })
            .collect();
        run(&mut scripts, &silent);
        let lines = |index: usize, rule: &Rule| -> Vec<usize> {
            scripts[index].findings.iter().filter(|one| one.rule == rule).map(|one| one.line).collect()
        };
        assert_eq!([0, 1, 2].map(|index| lines(index, &SYNTAX).first().copied()), [Some(5), Some(6), None]);
        assert!(!lines(0, &SHELLCHECK).is_empty() && lines(0, &SHELLCHECK).len() == lines(1, &SHELLCHECK).len());
        assert!(lines(2, &SHELLCHECK).is_empty());
    }

    #[test]
    fn bash_and_shellcheck_name_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sh");
        let check = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let mut scripts = [Checked { path: path.clone(), text: text.into(), findings: Vec::new() }];
            run(&mut scripts, &silent);
            let [script] = scripts;
            script.findings.iter().map(|finding| (finding.rule.name, finding.line)).collect::<Vec<_>>()
        };
        assert_eq!(check("#!/bin/bash\necho a\n"), []);
        assert!(check("#!/bin/bash\nif true; then\n").contains(&("bash", 3)));
        assert_eq!(check("#!/bin/bash\ncd /tmp\n"), [("shellcheck", 2)]);
    }
}
