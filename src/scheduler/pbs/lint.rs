//! Rules of PBS, each seen on a real server.

use std::path::Path;

use super::{Pbs, select};
use crate::scheduler::directive::{self, MINUTES, Opt, WALLTIME};
use crate::scheduler::finding::{Finding, Rule};
use crate::scheduler::script::Script;

const TRAILING: Rule = Rule {
    name: "pbs-comment",
    why: "qsub takes a comment behind a directive for an operand and refuses the script.",
    remedy: "Put comments on lines of their own, above the directives.",
};
const BLANKS: Rule = Rule {
    name: "pbs-operand",
    why: "qsub reads a directive as options with values and refuses other words, such as the rest of `walltime = x`.",
    remedy: "Write NAME=VALUE without blanks.",
};
const UNKNOWN: Rule =
    Rule { name: "pbs-option", why: "qsub refuses options that it does not know.", remedy: "See man qsub." };
const TWICE: Rule = Rule {
    name: "pbs-twice",
    why: "Of a resource that is given twice the first counts, of any other option the last, both without a word.",
    remedy: "Keep one of them.",
};
const NAME: Rule = Rule {
    name: "pbs-name",
    why: "A job's name may hold letters, digits and _ . + -, at most 230.",
    remedy: "Shorten or change it; 15 characters that begin with a letter are accepted everywhere.",
};
const SELECT: Rule = Rule {
    name: "pbs-select",
    why: "select is COUNT:NAME=VALUE:..+COUNT:.. and anything else is refused or asks for other nodes than meant.",
    remedy: "Compare: select=2:ncpus=64:mpiprocs=1+4:ncpus=64:mpiprocs=32.",
};
const BESIDE: Rule = Rule {
    name: "pbs-beside-select",
    why: "qsub refuses ncpus, nodes, mem and mpiprocs beside select, and place without it.",
    remedy: "Put them into the chunks of select.",
};
const STACKED: Rule = Rule {
    name: "pbs-place",
    why: "Without place=scatter PBS stacks chunks on one host as long as they fit.",
    remedy: "Add #PBS -l place=scatter (or scatter:excl).",
};
const COMMA: Rule = Rule {
    name: "pbs-comma",
    why: "A comma ends a resource.",
    remedy: "Join several values of a resource by a colon: filesystems=home:eagle.",
};
const ARRAY: Rule = Rule {
    name: "pbs-array",
    why: "qsub wants -J X-Y[:STEP][%MAX] with X below Y.",
    remedy: "Leave -J out for a single job.",
};
const DEPEND: Rule = Rule {
    name: "pbs-depend",
    why: "A dependency on a job that is not known any more is accepted, and then the job is deleted; so it is when afterok fails.",
    remedy: "Give -W depend= on the command line, with the id of the moment.",
};
const HOME: Rule = Rule {
    name: "pbs-cd",
    why: "A PBS job starts in $HOME and not where it was submitted.",
    remedy: "Begin with: cd \"$PBS_O_WORKDIR\" || exit 1",
};
const ARGUMENTS: Rule = Rule {
    name: "pbs-arguments",
    why: "qsub takes one script and no arguments for it.",
    remedy: "Pass values with qsub -v NAME=VALUE.",
};
const BLANK: Rule =
    Rule { name: "blank-in-name", why: "qsub refuses a script whose file name has a blank.", remedy: "Rename it." };

pub fn check_path(path: &Path) -> Option<Finding> {
    let blank = path.file_name().is_some_and(|name| name.to_string_lossy().contains(' '));
    blank.then(|| Finding::new(0, &BLANK, "the file's name has a blank"))
}

pub fn check(script: &Script<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = directive::honoured(&script.directives(&Pbs), &mut findings);
    let options: Vec<Opt<'_>> = lines.iter().flat_map(directive::options).collect();
    let mut resources: Vec<Opt<'_>> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for option in &options {
        let finding = |rule, what: String| Finding::new(option.line, rule, what);
        match (option.name, option.value) {
            ("-l", value) => resources.extend(split(option.line, value, &mut findings)),
            (_, value) if value.contains('$') => {} // found already, and its value is not known
            ("-N", name) => findings.extend(check_name(name).map(|what| finding(&NAME, what))),
            ("-J", range) if !is_range(range) => findings.push(finding(&ARRAY, format!("-J {range}"))),
            ("-W", value) if value.starts_with("depend=") => findings.push(finding(&DEPEND, format!("-W {value}"))),
            (name, _) if name.starts_with('#') => {
                findings.push(finding(&TRAILING, format!("{name} behind a directive")));
            }
            (name, _) if !name.starts_with('-') => findings.push(finding(&BLANKS, format!("the word {name:?}"))),
            (name, _) if !is_known(name) => findings.push(finding(&UNKNOWN, format!("{name} is no option of qsub"))),
            _ => {}
        }
        if option.name != "-l" && option.name != "-W" && option.name.starts_with('-') {
            if seen.contains(&option.name) {
                findings.push(finding(&TWICE, format!("{} was given before", option.name)));
            }
            seen.push(option.name);
        }
        if option.name.starts_with('#') {
            break; // one comment, not a finding for each of its words
        }
    }
    check_resources(&resources, &mut findings);
    check_body(script, &mut findings);
    findings
}

/// `-l a=1,b=2` as options `a` and `b`.
fn split<'a>(line: usize, value: &'a str, findings: &mut Vec<Finding>) -> Vec<Opt<'a>> {
    let mut resources = Vec::new();
    for part in value.split(',') {
        match part.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => resources.push(Opt { line, name, value }),
            Some(_) => findings.push(Finding::new(line, &BLANKS, format!("{part:?} is no NAME=VALUE"))),
            None if value.contains(',') => {
                findings.push(Finding::new(line, &COMMA, format!("{part:?} stands alone behind a comma")));
            }
            None => findings.push(Finding::new(line, &BLANKS, format!("{part:?} is no NAME=VALUE"))),
        }
    }
    resources
}

fn check_resources(resources: &[Opt<'_>], findings: &mut Vec<Finding>) {
    let find = |name: &str| resources.iter().find(|resource| resource.name == name);
    for (index, resource) in resources.iter().enumerate() {
        if resources[..index].iter().any(|earlier| earlier.name == resource.name) {
            findings.push(Finding::new(resource.line, &TWICE, format!("{} was given before", resource.name)));
        }
    }
    if let Some(Opt { line, value, .. }) = find("walltime") {
        findings.extend(check_walltime(value).map(|rule| Finding::new(*line, rule, format!("walltime={value}"))));
    }
    let Some(Opt { line, value, .. }) = find("select") else {
        findings.extend(find("place").map(|place| Finding::new(place.line, &BESIDE, "place stands without select")));
        return;
    };
    for name in ["ncpus", "nodes", "mpiprocs", "mem", "ngpus"] {
        findings
            .extend(find(name).map(|other| Finding::new(other.line, &BESIDE, format!("{name} stands beside select"))));
    }
    let select = select::parse(value);
    let scattered = find("place").is_some_and(|place| place.value.contains("scatter"));
    if select.chunks > 1 && !scattered && select.problems.is_empty() {
        findings.push(Finding::new(*line, &STACKED, format!("{} chunks and no place=scatter", select.chunks)));
    }
    findings.extend(select.problems.into_iter().map(|what| Finding::new(*line, &SELECT, what)));
}

/// The rule that a walltime breaks. PBS reads seconds, MM:SS and HH:MM:SS.
fn check_walltime(value: &str) -> Option<&'static Rule> {
    let parts: Vec<&str> = value.split(':').collect();
    let numbers = parts.iter().all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
    match parts.len() {
        1 | 3 if numbers => None,
        2 if numbers => Some(&MINUTES),
        _ => Some(&WALLTIME),
    }
}

fn check_name(name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
    if let Some(wrong) = name.chars().find(|c| !allowed(*c)) {
        return Some(format!("the name {name:?} has {wrong:?}"));
    }
    (name.is_empty() || name.len() > 230).then(|| format!("the name has {} characters", name.len()))
}

fn is_range(text: &str) -> bool {
    let number = |text: &str| text.parse::<u64>().ok();
    let text = text.split_once('%').map_or(text, |(range, _)| range);
    let range = text.split_once(':').map_or(text, |(range, _)| range);
    let ends = range.split_once('-').and_then(|(first, last)| Some((number(first)?, number(last)?)));
    ends.is_some_and(|(first, last)| first < last)
}

fn is_known(name: &str) -> bool {
    name.strip_prefix('-').is_some_and(|letter| letter.len() == 1 && "aAcCefGhIjJklmMNopPqrRSuvVWXz".contains(letter))
}

fn check_body(script: &Script<'_>, findings: &mut Vec<Finding>) {
    let moves = script.commands.iter().any(|command| {
        command.text.contains("PBS_O_WORKDIR") || command.calls().any(|call| call.first() == Some(&"cd"))
    });
    if !moves {
        let line = script.commands.first().map_or(0, |command| command.line);
        findings.push(Finding::new(line, &HOME, "the script never changes its working directory"));
    }
    if let Some(line) = script.reads_arguments() {
        findings.push(Finding::new(line, &ARGUMENTS, "the script reads arguments"));
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::found;

    /// A clean script whose third line is `line`, behind the select.
    fn with(line: &str) -> Vec<(&'static str, usize)> {
        found(&format!("#!/bin/bash\n#PBS -l select=2:ncpus=64 -l place=scatter\n{line}\ncd \"$PBS_O_WORKDIR\"\n"))
    }

    #[test]
    fn a_clean_script_passes() {
        assert_eq!(with("#PBS -l walltime=01:00:00,filesystems=home:eagle -N a.b+c -j oe"), []);
        assert_eq!(with("#PBS -J 0-9:2%4"), []);
        assert_eq!(with("# a comment"), []);
    }

    #[test]
    fn each_rule_finds_what_breaks_it() {
        for (line, rule) in [
            ("# PBS -q prod", "spelled-as-comment"),
            ("##PBS -q prod", "spelled-as-comment"),
            ("#pbs -q prod", "spelled-as-comment"),
            ("#PBS -N $USER", "variable-in-directive"),
            ("#PBS -q prod # the big one", "pbs-comment"),
            ("#PBS -l walltime = 1", "pbs-operand"),
            ("#PBS -Q prod", "pbs-option"),
            ("#PBS --time=1", "pbs-option"),
            ("#PBS -l place=pack", "pbs-twice"),
            ("#PBS -N a -N b", "pbs-twice"),
            ("#PBS -N a/b", "pbs-name"),
            ("#PBS -l walltime=24:00", "minutes-not-hours"),
            ("#PBS -l walltime=1h", "walltime"),
            ("#PBS -l walltime=1-00:00:00", "walltime"),
            ("#PBS -l ncpus=4", "pbs-beside-select"),
            ("#PBS -l filesystems=home,eagle", "pbs-comma"),
            ("#PBS -J 1-1", "pbs-array"),
            ("#PBS -W depend=afterok:12", "pbs-depend"),
        ] {
            let found = with(line);
            assert!(found.contains(&(rule, 3)), "{line}: {found:?}");
            assert!(
                found.iter().all(|(name, _)| *name == rule || *name == "variable-in-directive"),
                "{line}: {found:?}"
            );
        }
    }

    #[test]
    fn select_place_and_the_body() {
        let head = "#!/bin/bash\n#PBS -l select=2:ncpus=64\n";
        assert_eq!(found(&format!("{head}cd /x\n")), [("pbs-place", 2)]);
        assert_eq!(found("#!/bin/bash\n#PBS -l place=scatter\ncd /x\n"), [("pbs-beside-select", 2)]);
        assert_eq!(found("#!/bin/bash\n#PBS -l select=two\ncd /x\n"), [("pbs-select", 2)]);
        assert_eq!(found("#!/bin/bash\n#PBS -N a\nmodule load x\n"), [("pbs-cd", 3)]);
        assert_eq!(found("#!/bin/bash\n#PBS -N a\ncd /x\n#PBS -q late\n"), [("late-directive", 4)]);
        assert_eq!(found("#!/bin/bash\n#PBS -N a\ncd /x\nfor a in \"$@\"; do :; done\n"), [("pbs-arguments", 4)]);
        let long = format!("#!/bin/bash\n#PBS -N {}\ncd /x\n", "a".repeat(231));
        assert_eq!(found(&long), [("pbs-name", 2)]);
    }
}
