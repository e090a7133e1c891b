//! Rules of Slurm, each seen on a real cluster of 22.05 or stated in its manual.

use super::Slurm;
use super::versions::{has_external_launcher, srun_inherits_cpus};
use crate::scheduler::Version;
use crate::scheduler::directive::{self, MINUTES, Opt, WALLTIME};
use crate::scheduler::finding::{Finding, Rule};
use crate::scheduler::pbs::Pbs;
use crate::scheduler::script::{Command, Script};

const TWICE: Rule = Rule {
    name: "slurm-twice",
    why: "Of an option that is given twice the last one counts, without a word.",
    remedy: "Keep one of them.",
};
const MASK: Rule = Rule {
    name: "slurm-mask-not-honoured",
    why: "Explicit masks need all CPUs of the node; -c implies --exact, and then Slurm binds otherwise or refuses the launch.",
    remedy: "Either masks with --overlap and without -c, or --exact -c N with --cpu-bind=cores.",
};
const LEAK: Rule = Rule {
    name: "slurm-cpus-leak",
    why: "Up to Slurm 21.08 and from 23.11 on srun takes --cpus-per-task of the job, which implies --exact: masks are not honoured \
          then.",
    remedy: "Drop --cpus-per-task from the directives of a job that gives masks.",
};
const LOST: Rule = Rule {
    name: "slurm-cpus-lost",
    why: "In Slurm 22.05 to 23.02 srun ignores --cpus-per-task of the job: each task gets one CPU.",
    remedy: "Give srun -c as well, or export SRUN_CPUS_PER_TASK.",
};
const WHOLE: Rule = Rule {
    name: "slurm-step-takes-all",
    why: "A step without --exact, -c or --overlap takes its nodes whole: the next step on the same nodes waits for its end.",
    remedy: "Give both steps --overlap, or both --exact and -c, or nodes of their own with --nodelist.",
};
const DAEMONS: Rule = Rule {
    name: "slurm-mpirun-takes-all",
    why: "Up to Slurm 23.02 mpirun and mpiexec start their daemons in a step that takes its nodes whole: the next launch on the same \
          nodes waits for its end.",
    remedy: "Export SLURM_OVERLAP=1 and SLURM_MEM_PER_NODE=0 before, or start both by srun --overlap --mem=0.",
};
const ARGUMENTS: Rule = Rule {
    name: "slurm-arguments",
    why: "sbatch takes one script: of `sbatch *.sh` it submits the first, and the others are its arguments.",
    remedy: "Submit in a loop, or let the script submit \"$@\".",
};

const MIXED: Rule = Rule {
    name: "two-schedulers",
    why: "sbatch reads #PBS lines as well: select becomes nodes and tasks, its further chunks, place and -v are lost.",
    remedy: "Keep one script for each scheduler.",
};
pub const REFUSED: Rule = Rule {
    name: "sbatch",
    why: "sbatch --test-only says that this Slurm would refuse the job, and all others of the same resources.",
    remedy: "",
};

/// `version`: of the Slurm that will take the script, where it is known; what depends on it is found for every one otherwise.
pub fn check(script: &Script<'_>, several: bool, version: Option<Version>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let own = script.directives(&Slurm);
    if let (Some(slurm), Some(pbs)) = (own.first(), script.directives(&Pbs).first()) {
        let what = format!("#SBATCH in line {} and #PBS in line {}", slurm.line, pbs.line);
        findings.push(Finding::new(slurm.line.max(pbs.line), &MIXED, what));
    }
    let lines = directive::honoured(&own, &mut findings);
    let mut seen: Vec<&str> = Vec::new();
    let mut cpus: Option<usize> = None;
    for line in &lines {
        if line.text == "hetjob" || line.text == "packjob" {
            seen.clear(); // each component has options of its own
        }
        for Opt { line, name, value } in directive::options(line) {
            let name = long_name(name);
            if seen.contains(&name) {
                findings.push(Finding::new(line, &TWICE, format!("{name} was given before")));
            }
            seen.push(name);
            match name {
                "--time" => {
                    let what = format!("--time={value}");
                    findings.extend(check_time(value).map(|rule| Finding::new(line, rule, what)));
                }
                "--cpus-per-task" => cpus = Some(line),
                _ => {}
            }
        }
    }
    let steps: Vec<&Command> = script.commands.iter().filter(|command| is_step(command)).collect();
    check_steps(&steps, cpus, script.text, &mut findings);
    if !version.is_some_and(has_external_launcher) && !script.text.contains("SLURM_OVERLAP") {
        findings.extend(greedy_daemons(script));
    }
    let inherits = version.map(srun_inherits_cpus);
    findings.retain(|finding| match inherits {
        Some(true) => finding.rule.name != LOST.name,
        Some(false) => finding.rule.name != LEAK.name,
        None => true,
    });
    if several && script.reads_arguments().is_none() {
        findings.push(Finding::new(0, &ARGUMENTS, "one of several scripts, and it does not look at its arguments"));
    }
    findings
}

fn check_steps(steps: &[&Command], cpus: Option<usize>, text: &str, findings: &mut Vec<Finding>) {
    for step in steps {
        if masks(step) && (counts(step) || has(step, &["--exact"])) {
            findings.push(Finding::new(step.line, &MASK, "a mask beside -c or --exact"));
        }
    }
    if let Some(line) = cpus {
        if steps.iter().any(|step| masks(step)) {
            findings.push(Finding::new(line, &LEAK, "--cpus-per-task in the directives, masks at srun"));
        } else if let Some(step) =
            steps.iter().find(|step| !counts(step)).filter(|_| !text.contains("SRUN_CPUS_PER_TASK"))
        {
            findings.push(Finding::new(step.line, &LOST, format!("no -c here; --cpus-per-task stands in line {line}")));
        }
    }
    let greedy = |step: &Command| {
        let apart = ["--nodelist", "-w", "--relative", "-r", "--overlap", "--exact", "--exclusive"];
        step.in_background() && !counts(step) && !has(step, &apart)
    };
    // the last step in the background keeps nobody waiting
    let others = steps.iter().rev().skip(1);
    findings.extend(others.filter(|step| greedy(step)).map(|step| {
        Finding::new(
            step.line,
            &WHOLE,
            "a step in the background that takes its nodes whole, and another one behind it",
        )
    }));
}

/// An MPI's own launcher in the background with all nodes of the job, and another one behind it.
fn greedy_daemons(script: &Script<'_>) -> Option<Finding> {
    const LAUNCHERS: [&str; 4] = ["mpirun", "mpiexec", "mpiexec.hydra", "orterun"];
    const HOSTS: [&str; 8] = ["-f", "-H", "-host", "--host", "-hosts", "-hostfile", "--hostfile", "-machinefile"];
    let launches =
        |command: &&Command| command.calls().any(|call| call.first().is_some_and(|it| LAUNCHERS.contains(it)));
    let mut launches = script.commands.iter().filter(launches);
    let greedy = launches.find(|launch| launch.in_background() && !has(launch, &HOSTS))?;
    launches.next()?;
    let what = "a launch in the background whose daemons take their nodes whole, and another one behind it";
    Some(Finding::new(greedy.line, &DAEMONS, what))
}

fn is_step(command: &Command) -> bool {
    command.calls().any(|call| call.first() == Some(&"srun"))
}

/// The step gives explicit CPUs.
fn masks(step: &Command) -> bool {
    ["mask_cpu:", "map_cpu:"].iter().any(|word| step.text.contains(word))
}

fn counts(step: &Command) -> bool {
    has(step, &["--cpus-per-task", "-c"])
}

/// srun has one of the options; those of the program that it starts are taken for srun's only where they look alike.
fn has(step: &Command, options: &[&str]) -> bool {
    step.text.split_whitespace().any(|word| {
        options.iter().any(|option| {
            word.strip_prefix(option).is_some_and(|rest| {
                let short = !option.starts_with("--") && rest.starts_with(|c: char| c.is_ascii_digit());
                rest.is_empty() || rest.starts_with('=') || short
            })
        })
    })
}

/// The rule that a time breaks. Slurm reads minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM and D-HH:MM:SS.
fn check_time(value: &str) -> Option<&'static Rule> {
    if ["infinite", "unlimited"].contains(&value.to_ascii_lowercase().as_str()) {
        return None;
    }
    let (days, time) = value.split_once('-').map_or((None, value), |(days, time)| (Some(days), time));
    let number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let parts = time.split(':').filter(|part| number(part)).count();
    let whole = parts == time.split(':').count() && days.is_none_or(number);
    match parts {
        2 if whole && days.is_none() => Some(&MINUTES),
        1..=3 if whole => None,
        _ => Some(&WALLTIME),
    }
}

/// Long names of the options that matter here.
fn long_name(name: &str) -> &str {
    match name {
        "-t" => "--time",
        "-c" => "--cpus-per-task",
        "-N" => "--nodes",
        "-n" => "--ntasks",
        "-J" => "--job-name",
        "-p" => "--partition",
        "-q" => "--qos",
        "-A" => "--account",
        "-C" => "--constraint",
        "-o" => "--output",
        "-e" => "--error",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::check_text;
    use crate::lint::testing::found;
    use crate::scheduler::Version;

    const HEAD: &str = "#!/bin/bash\n#SBATCH --nodes=2\n";

    fn with(line: &str) -> Vec<(&'static str, usize)> {
        found(&format!("{HEAD}{line}\nwait\n"))
    }

    #[test]
    fn clean_lines_pass() {
        for line in [
            "#SBATCH -t 1-00:00:00 --exclusive -C \"[A*2&B*4]\"",
            "#SBATCH --time=30",
            "srun --overlap --cpu-bind=mask_cpu:0xff a &",
            "srun --exact -c 8 --cpu-bind=cores a &\nsrun --exact -c 1 b",
            "srun --nodelist=a a &\nsrun --nodelist=b b",
            "srun a",
            "mpirun a &\nwait",
            "mpirun a\nmpirun b",
            "mpiexec -f store a &\nmpiexec -f clients b",
            "export SLURM_OVERLAP=1\nmpirun a &\nmpirun b",
        ] {
            assert_eq!(with(line), [], "{line}");
        }
        let het = "#!/bin/bash\n#SBATCH -N 1\n#SBATCH hetjob\n#SBATCH -N 2\n";
        assert_eq!(found(het), []);
    }

    #[test]
    fn each_rule_finds_what_breaks_it() {
        for (line, rule) in [
            ("# SBATCH -p x", "spelled-as-comment"),
            ("##SBATCH -p x", "spelled-as-comment"),
            ("#SBATCH -o $HOME/x", "variable-in-directive"),
            ("#SBATCH -N 4", "slurm-twice"),
            ("#SBATCH -t 24:00", "minutes-not-hours"),
            ("#SBATCH --time=2h", "walltime"),
            ("srun -c 8 --cpu-bind=mask_cpu:0xff a", "slurm-mask-not-honoured"),
            ("srun --exact --cpu-bind=map_cpu:1 a", "slurm-mask-not-honoured"),
            ("srun a &\nsrun b", "slurm-step-takes-all"),
            ("mpirun -n 2 a &\nmpirun -n 4 b", "slurm-mpirun-takes-all"),
        ] {
            assert_eq!(with(line), [(rule, 3)], "{line}");
        }
        assert_eq!(with("echo\n#SBATCH -p x"), [("late-directive", 4)]);
        let cpus = |step: &str| with(&format!("#SBATCH --cpus-per-task=8\n{step}"));
        assert_eq!(cpus("srun a"), [("slurm-cpus-lost", 4)]);
        assert_eq!(cpus("srun --overlap --cpu-bind=mask_cpu:0xff a"), [("slurm-cpus-leak", 3)]);
        assert_eq!(cpus("srun -c8 a"), []);
        assert_eq!(cpus("export SRUN_CPUS_PER_TASK=8\nsrun a"), []);
    }

    #[test]
    fn one_of_several_scripts_must_submit_the_others() {
        let names =
            |text: &str| check_text(text, true, None).iter().map(|finding| finding.rule.name).collect::<Vec<_>>();
        assert_eq!(names(HEAD), ["slurm-arguments"]);
        assert_eq!(names(&format!("{HEAD}for s in \"$@\"; do sbatch \"$s\"; done\n")), [] as [&str; 0]);
        let function = format!("{HEAD}mark() {{ echo \"$1\"; }}\n");
        assert_eq!(names(&function), ["slurm-arguments"], "arguments of a function are no script's");
    }

    #[test]
    fn rules_know_the_version() {
        let names = |said: &str, step: &str| {
            let text = format!("#!/bin/bash\n#SBATCH --nodes=1\n#SBATCH --cpus-per-task=8\n{step}\n");
            let found = check_text(&text, false, Version::parse(said));
            found.iter().map(|finding| finding.rule.name).collect::<Vec<_>>()
        };
        let (plain, masked) = ("srun a", "srun --overlap --cpu-bind=mask_cpu:0xff a");
        for (said, lost, leak) in [
            ("slurm 21.08.8", false, true),
            ("slurm-wlm 22.05.8", true, false),
            ("slurm 23.02.7", true, false),
            ("slurm 23.11.1", false, true),
            ("slurm 25.11.4", false, true),
            ("what?", true, true),
        ] {
            assert_eq!(names(said, plain).contains(&"slurm-cpus-lost"), lost, "{said}");
            assert_eq!(names(said, masked).contains(&"slurm-cpus-leak"), leak, "{said}");
            let daemons = names(said, "mpirun a &\nmpirun b").contains(&"slurm-mpirun-takes-all");
            assert_eq!(daemons, !["slurm 23.11.1", "slurm 25.11.4"].contains(&said), "{said}");
        }
    }
}
