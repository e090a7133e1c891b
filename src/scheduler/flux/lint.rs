//! Rules of Flux, each seen on a real 0.88. Flux itself refuses most wrong directives when a script is submitted.

use super::Flux;
use crate::scheduler::directive::{self, Directive, VARIABLE};
use crate::scheduler::finding::{Finding, Rule};
use crate::scheduler::script::{Command, Script};

const APART: Rule = Rule {
    name: "flux-late-directive",
    why: "flux batch refuses a script with a directive behind its first line that is no comment.",
    remedy: "Move it above the first command.",
};
const SENTINEL: Rule = Rule {
    name: "flux-sentinel",
    why: "All directives of a script must begin alike, `#flux:` or `# flux:` or another comment: flux batch refuses the others.",
    remedy: "Begin all with #flux:; to switch one off, write `#flux: # --option`.",
};
const TWICE: Rule = Rule {
    name: "flux-twice",
    why: "Of an option that is given twice the last one counts, without a word.",
    remedy: "Keep one of them.",
};
const TIME: Rule = Rule {
    name: "flux-time-limit",
    why: "Flux reads minutes without a unit, or a number with one of s, m, h, d.",
    remedy: "Write 90m, 1.5h or 5400s.",
};
const KINDS: Rule = Rule {
    name: "flux-two-kinds-of-request",
    why: "Tasks a node or core ask for whole resources, --ntasks and --cores-per-task for a share of them: both together are refused, \
          when the job runs.",
    remedy: "Give --nodes, --ntasks (of all nodes) and --cores-per-task.",
};
const ARGUMENTS: Rule = Rule {
    name: "flux-arguments",
    why: "flux batch takes one script: of `flux batch *.sh` it submits the first, and the others are its arguments.",
    remedy: "Submit in a loop, or let the script submit \"$@\" with flux --parent batch.",
};
pub const REFUSED: Rule = Rule {
    name: "flux-batch",
    why: "flux batch --dry-run says that this Flux would refuse the script, and all others of the same resources.",
    remedy: "",
};

/// RFC 36: what is no letter, digit or _, then `flux:` or `FLUX:`.
pub fn directive(line: &str) -> Option<(&str, bool)> {
    let rest = line.trim_start_matches(|c: char| !(c.is_alphanumeric() || c == '_'));
    let text = rest.strip_prefix("flux:").or_else(|| rest.strip_prefix("FLUX:"))?;
    // a remark on flux: prose has no option behind it
    let meant = text.trim_start().starts_with(['-', '#']) || text.trim().is_empty();
    meant.then(|| (text.trim(), true))
}

pub fn check(script: &Script<'_>, several: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = script.directives(&Flux);
    let sentinel = |line: &Directive<'_>| {
        let raw = script.text.lines().nth(line.line - 1).unwrap_or_default();
        raw.find(':').map(|end| raw[..end].to_owned())
    };
    let mut seen: Vec<&str> = Vec::new();
    for line in &lines {
        let mut find = |rule, what: &str| findings.push(Finding::new(line.line, rule, format!("{} {what}", line.text)));
        if line.late {
            find(&APART, "stands behind the first command");
        }
        if sentinel(line) != sentinel(&lines[0]) {
            find(&SENTINEL, "begins otherwise than the first one");
        }
        if line.text.contains('$') {
            find(&VARIABLE, "holds a variable");
        }
        for option in directive::options(line).iter().take_while(|option| !option.name.starts_with('#')) {
            let name = long_name(option.name);
            if REPEATABLE.contains(&name) {
                continue;
            }
            if seen.contains(&name) {
                findings.push(Finding::new(line.line, &TWICE, format!("{name} was given before")));
            }
            seen.push(name);
            if name == "--time-limit" && !is_time(option.value) {
                findings.push(Finding::new(line.line, &TIME, format!("--time-limit={}", option.value)));
            }
        }
    }
    findings.extend(
        script.commands.iter().filter(|command| mixes(command)).map(|command| {
            Finding::new(command.line, &KINDS, "tasks a node or core beside --ntasks or --cores-per-task")
        }),
    );
    if several && script.reads_arguments().is_none() {
        findings.push(Finding::new(0, &ARGUMENTS, "one of several scripts, and it does not look at its arguments"));
    }
    findings
}

/// Options that may be given several times.
pub const REPEATABLE: &[&str] =
    &["--setopt", "-o", "--setattr", "-S", "--env", "--env-remove", "--env-file", "--rlimit", "--dependency"];

/// The command launches with options of both kinds.
fn mixes(command: &Command) -> bool {
    let launches = |call: &Vec<&str>| {
        call.first() == Some(&"flux") && call.get(1).is_some_and(|word| ["run", "submit"].contains(word))
    };
    let has = |options: &[&str]| {
        let is = |word: &str, option: &str| {
            word.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        command.text.split_whitespace().any(|word| options.iter().any(|option| is(word, option)))
    };
    command.calls().any(|call| launches(&call))
        && has(&["--tasks-per-node", "--tasks-per-core"])
        && has(&["--cores-per-task", "-c", "--ntasks", "-n"])
}

/// A Flux Standard Duration, or minutes.
fn is_time(value: &str) -> bool {
    let number = value.trim_end_matches("ms").trim_end_matches(['s', 'm', 'h', 'd']);
    number.starts_with(|c: char| c.is_ascii_digit()) && number.parse::<f64>().is_ok()
}

fn long_name(name: &str) -> &str {
    match name {
        "-t" => "--time-limit",
        "-N" => "--nodes",
        "-n" => "--nslots",
        "-q" => "--queue",
        "-B" => "--bank",
        "-x" => "--exclusive",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::check_text;
    use crate::lint::testing::found;

    fn with(line: &str) -> Vec<(&'static str, usize)> {
        found(&format!("#!/bin/bash\n#flux: --nodes=2\n{line}\nwait\n"))
    }

    #[test]
    fn clean_lines_pass() {
        for line in [
            "#flux: -t 90m --exclusive --output='/a b/{{id}}.log'",
            "#flux: --time-limit=5400s -o a=1 -o b=2 # a remark",
            "# a remark on flux: nothing is meant",
            "flux run --nodes=2 --ntasks=4 --cores-per-task=2 a",
            "flux run -N 2 --tasks-per-node=2 a",
        ] {
            assert_eq!(with(line), [], "{line}");
        }
    }

    #[test]
    fn each_rule_finds_what_breaks_it() {
        for (line, rule) in [
            ("# flux: -q pbatch", "flux-sentinel"),
            ("#FLUX: -q pbatch", "flux-sentinel"),
            ("#flux: -N 4", "flux-twice"),
            ("#flux: --bank=$BANK", "variable-in-directive"),
            ("#flux: -t 01:30:00", "flux-time-limit"),
            ("flux run -N 2 --tasks-per-node=2 --cores-per-task=4 a", "flux-two-kinds-of-request"),
        ] {
            let found: Vec<_> =
                with(line).into_iter().filter(|(name, _)| *name != "flux-twice" || line.contains("-N 4")).collect();
            assert_eq!(found, [(rule, 3)], "{line}");
        }
        assert_eq!(with("echo\n#flux: -q pbatch"), [("flux-late-directive", 4)]);
        let several = check_text("#!/bin/bash\n#flux: -N 1\n", true, None);
        assert_eq!(several.iter().map(|finding| finding.rule.name).collect::<Vec<_>>(), ["flux-arguments"]);
    }
}
