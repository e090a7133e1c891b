//! What the directives of a script set, under one name for all spellings: `-t 5`, `--time=5` and `--tim 5` set the wall time.
//!
//! Settings that every scheduler has get a name of ours; others keep the scheduler's.

use crate::scheduler;
use crate::scheduler::directive::Words;

/// A directive of a script, and what it sets.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counts from 1.
    pub number: usize,
    /// Without the scheduler's prefix.
    pub text: &'a str,
    pub sets: Vec<String>,
}

/// The directives of a script, those that a scheduler of that kind would read; none for a kind that nobody knows.
pub fn lines<'a>(kind: &str, script: &'a str) -> Vec<Line<'a>> {
    let Some(scheduler) = scheduler::find(kind) else { return Vec::new() };
    let numbered = (1..).zip(script.lines());
    let behind = |line: &'a str| Some(line.strip_prefix(scheduler.prefix())?.strip_prefix(' ')?.trim());
    let texts = numbered.filter_map(|(number, line)| Some((number, behind(line)?)));
    texts.map(|(number, text)| Line { number, text, sets: sets(kind, text) }).collect()
}

/// What one directive sets, without the scheduler's prefix.
pub fn sets(kind: &str, text: &str) -> Vec<String> {
    let Some(scheduler) = scheduler::find(kind) else { return Vec::new() };
    let (words, again) = scheduler.words();
    let names = scheduler.spelled(text).into_iter().filter(|name| !again.contains(&name.as_str()));
    names.map(|name| ours(words, &name).map_or(name, str::to_owned)).collect()
}

/// Our name for an option. Schedulers take the beginning of a long option for the whole where only one begins so.
fn ours(words: Words, spelled: &str) -> Option<&'static str> {
    let exact = words.iter().find(|(_, all)| all.contains(&spelled));
    let begins = |word: &&str| spelled.len() > 3 && spelled.starts_with("--") && word.starts_with(spelled);
    let mut shortened = words.iter().filter(|(_, all)| all.iter().any(&begins));
    let only = match (shortened.next(), shortened.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    };
    exact.or(only).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_setting_have_one_name() {
        for text in ["--time=5", "--time 5", "-t 5", "-t5", "--tim=5"] {
            assert_eq!(sets("slurm", text), ["wall time"], "{text}");
        }
        assert_eq!(sets("slurm", "-N4 --ntasks-per-node=2 --mem=0"), ["nodes", "tasks", "--mem"]);
        assert_eq!(sets("slurm", "--ntasks=4"), ["tasks"]);
        assert_eq!(sets("slurm", "--node=4"), ["--node"], "several begin so: sbatch refuses it");
        assert_eq!(sets("pbs", "-l walltime=1:00:00,select=4:ncpus=2 -qprod"), ["wall time", "nodes", "queue"]);
        assert_eq!(sets("pbs", "-W depend=afterok:7"), ["dependency"]);
        assert_eq!(sets("pbs", "-l place=scatter"), ["-l place"]);
        assert_eq!(sets("flux", "-t 5m -o cpu-affinity=off"), ["wall time"]);
        assert_eq!(sets("lsf", "-nnodes 4"), ["nodes"]);
        assert_eq!(sets("none", "--time=5"), [] as [&str; 0]);
    }

    #[test]
    fn directives_of_a_script_are_numbered() {
        let found = lines("slurm", "#!/bin/bash\n#SBATCH --nodes=2\n# SBATCH -t 5\n#SBATCH -A x\n");
        let found: Vec<_> = found.iter().map(|line| (line.number, line.text)).collect();
        assert_eq!(found, [(2, "--nodes=2"), (4, "-A x")]);
    }
}
