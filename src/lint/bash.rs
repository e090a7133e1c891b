//! Rules for every script that a scheduler runs.

use crate::scheduler;
use crate::scheduler::finding::{Finding, Rule};
use crate::scheduler::script::Script;

const SHEBANG: Rule = Rule {
    name: "shebang",
    why: "sbatch refuses such a script; PBS runs it with the login shell, whatever that is.",
    remedy: "Begin the file with #!/bin/bash.",
};
const BOM: Rule = Rule {
    name: "bom",
    why: "PBS ignores every directive of a file that begins with a byte order mark, and the kernel does not see #!.",
    remedy: "Save the file as UTF-8 without a byte order mark.",
};
pub const CRLF: Rule = Rule {
    name: "crlf",
    why: "Schedulers refuse the file or take the carriage return for a part of the last value; bash for a part of the last word.",
    remedy: "Convert it: sed -i 's/\\r$//' FILE.",
};
const SURVIVES: Rule = Rule {
    name: "outlives-the-job",
    why: "What runs in a session of its own, as a daemon or over ssh is no part of the job: it stays on the node when the job ends.",
    remedy: "Run it in the foreground of the launcher, with & behind the launcher.",
};
const SPOOLED: Rule = Rule {
    name: "own-path",
    why: "Schedulers run a copy of the script from their spool folder, so its own path leads there.",
    remedy: "Use absolute paths, $PBS_O_WORKDIR or $SLURM_SUBMIT_DIR.",
};
const NO_WAIT: Rule = Rule {
    name: "no-wait",
    why: "The job ends with the script, and what still runs in the background is killed.",
    remedy: "End the script with wait.",
};

pub fn check(script: &Script<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let text = script.text;
    if text.starts_with('\u{feff}') {
        findings.push(Finding::new(1, &BOM, "the file begins with a byte order mark"));
    } else if !text.starts_with("#!") {
        findings.push(Finding::new(1, &SHEBANG, "the first line names no interpreter"));
    }
    if let Some(line) = text.split('\n').position(|line| line.ends_with('\r')) {
        findings.push(Finding::new(line + 1, &CRLF, "the line ends with a carriage return"));
    }
    if scheduler::of_script(script).next().is_none() {
        return findings;
    }
    for command in &script.commands {
        for call in command.calls() {
            if let Some(program) = call.first().filter(|program| ["setsid", "ssh", "rsh"].contains(program)) {
                findings.push(Finding::new(command.line, &SURVIVES, format!("{program} starts a process")));
            }
        }
        if ["daemonize yes", "daemonize=yes", "daemonize \"yes\""].iter().any(|word| command.text.contains(word)) {
            findings.push(Finding::new(command.line, &SURVIVES, "a server is told to daemonize"));
        }
        let own = ["dirname \"$0\"", "dirname $0", "dirname -- \"$0\"", "${0%/*}", "dirname \"${BASH_SOURCE"];
        if let Some(own) = own.iter().find(|word| command.text.contains(**word)) {
            findings.push(Finding::new(command.line, &SPOOLED, format!("{own} is asked for the script's folder")));
        }
    }
    let waits = script.commands.iter().any(|command| command.calls().any(|call| call.first() == Some(&"wait")));
    if let Some(last) = script.commands.iter().rfind(|command| command.in_background()).filter(|_| !waits) {
        findings.push(Finding::new(last.line, &NO_WAIT, "a command runs in the background and nothing waits for it"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use crate::lint::testing::found;

    #[test]
    fn what_only_bytes_tell() {
        assert_eq!(found("\u{feff}#!/bin/bash\n"), [("bom", 1)]);
        assert_eq!(found("#!/bin/bash\necho a\r\n"), [("crlf", 2)]);
        assert_eq!(found("echo a\n"), [("shebang", 1)]);
    }

    #[test]
    fn what_outlives_a_job() {
        let head = "#!/bin/bash\n#SBATCH -N 1\n";
        for line in ["setsid x", "ssh node x", "redis-server --daemonize yes", "for n in a; do ssh \"$n\" x; done"] {
            assert_eq!(found(&format!("{head}{line}\n")), [("outlives-the-job", 3)], "{line}");
        }
        assert_eq!(found(&format!("{head}echo ssh setsid\n")), []);
        assert_eq!(found("#!/bin/bash\nssh login1 uptime\n"), [], "no job's script");
    }

    #[test]
    fn paths_waits_and_mixtures() {
        let head = "#!/bin/bash\n#SBATCH -N 1\n";
        assert_eq!(found(&format!("{head}cd \"$(dirname \"$0\")\"\n")), [("own-path", 3)]);
        assert_eq!(found(&format!("{head}srun a &\n")), [("no-wait", 3)]);
        assert_eq!(found(&format!("{head}srun a &\nwait $!\n")), []);
        let mixed = found("#!/bin/bash\n#SBATCH -N 1\n#PBS -N x\ncd /tmp\n");
        assert_eq!(mixed, [("two-schedulers", 3)]);
    }
}
