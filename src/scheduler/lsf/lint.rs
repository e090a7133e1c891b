//! Rules of LSF, stated in IBM's documentation. It reads `#BSUB` lines behind commands too.

use super::Lsf;
use crate::scheduler::directive::{self, VARIABLE};
use crate::scheduler::finding::{Finding, Rule};
use crate::scheduler::script::Script;

const TIME: Rule =
    Rule { name: "lsf-run-limit", why: "bsub -W reads minutes, or hours and minutes.", remedy: "Write 90 or 1:30." };
const ARGUMENTS: Rule = Rule {
    name: "lsf-arguments",
    why: "bsub reads the script from its standard input, which leaves no arguments for it.",
    remedy: "Pass values as variables, which the job inherits.",
};

pub fn check(script: &Script<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in script.directives(&Lsf) {
        if !line.exact {
            findings.push(Finding::new(line.line, &directive::SPELLING, format!("{} is a comment", line.text)));
            continue;
        }
        if line.text.contains('$') {
            findings.push(Finding::new(line.line, &VARIABLE, format!("{} holds a variable", line.text)));
        }
        let time = line.text.strip_prefix("-W").map(str::trim);
        findings.extend(
            time.filter(|time| !is_time(time)).map(|time| Finding::new(line.line, &TIME, format!("-W {time}"))),
        );
    }
    findings.extend(script.reads_arguments().map(|line| Finding::new(line, &ARGUMENTS, "the script reads arguments")));
    findings
}

/// `[hour:]minute`, perhaps `/HOST`.
fn is_time(value: &str) -> bool {
    let value = value.split('/').next().unwrap_or(value);
    let parts: Vec<&str> = value.split(':').collect();
    parts.len() <= 2 && parts.iter().all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::found;

    #[test]
    fn each_rule_finds_what_breaks_it() {
        let with = |line: &str| found(&format!("#!/bin/bash\n#BSUB -n 2\n{line}\nwait\n"));
        for line in ["#BSUB -W 90", "#BSUB -W 1:30", "echo\n#BSUB -P late", "# a remark on BSUB lines"] {
            assert_eq!(with(line), [], "{line}");
        }
        for (line, rule) in [
            ("# BSUB -W 90", "spelled-as-comment"),
            ("#BSUB -P $USER", "variable-in-directive"),
            ("#BSUB -W 01:30:00", "lsf-run-limit"),
            ("for s in \"$@\"; do :; done", "lsf-arguments"),
        ] {
            assert_eq!(with(line), [(rule, 3)], "{line}");
        }
    }
}
