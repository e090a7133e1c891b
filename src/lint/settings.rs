//! What the directives of a script set, under one name for all spellings: `-t 5`, `--time=5` and `--tim 5` set the wall time.
//!
//! Settings that every scheduler has get a name of ours; others keep the scheduler's.

use super::directive;
use super::text::Directive;

/// A directive of a script, and what it sets.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counts from 1.
    pub number: usize,
    /// Without the scheduler's prefix.
    pub text: &'a str,
    pub sets: Vec<String>,
}

/// The scheduler's words for what has a name of ours.
type Words = &'static [(&'static str, &'static [&'static str])];

const SLURM: Words = &[
    ("wall time", &["--time", "-t"]),
    ("nodes", &["--nodes", "-N"]),
    ("tasks", &["--ntasks", "-n", "--ntasks-per-node", "--tasks-per-node"]),
    ("job name", &["--job-name", "-J"]),
    ("log", &["--output", "-o", "--error", "-e"]),
    ("dependency", &["--dependency", "-d"]),
    ("array", &["--array", "-a"]),
    ("account", &["--account", "-A"]),
    ("partition", &["--partition", "-p"]),
    ("qos", &["--qos", "-q"]),
    ("constraint", &["--constraint", "-C"]),
    ("hosts", &["--nodelist", "-w"]),
    ("sharing", &["--exclusive", "--oversubscribe", "-s", "--share"]),
    ("requeueing", &["--requeue", "--no-requeue"]),
    ("--cpus-per-task", &["--cpus-per-task", "-c"]),
];
const PBS: Words = &[
    ("wall time", &["-l walltime"]),
    ("nodes", &["-l select", "-l nodes", "-l nodect", "-l ncpus", "-l mpiprocs"]),
    ("job name", &["-N"]),
    ("log", &["-o", "-e", "-j"]),
    ("dependency", &["-W depend"]),
    ("array", &["-J"]),
    ("account", &["-A"]),
    ("queue", &["-q"]),
];
const FLUX: Words = &[
    ("wall time", &["--time-limit", "-t"]),
    ("nodes", &["--nodes", "-N"]),
    ("tasks", &["--nslots", "--ntasks", "-n"]),
    ("job name", &["--job-name"]),
    ("log", &["--output", "--error"]),
    ("dependency", &["--dependency"]),
    ("account", &["--bank", "-B"]),
    ("queue", &["--queue", "-q"]),
    ("constraint", &["--requires"]),
];
const LSF: Words = &[
    ("wall time", &["-W"]),
    ("nodes", &["-n", "-nnodes"]),
    ("job name", &["-J"]),
    ("log", &["-o", "-e", "-oo", "-eo"]),
    ("dependency", &["-w"]),
    ("account", &["-P"]),
    ("queue", &["-q"]),
    ("sharing", &["-x"]),
];

/// The directives of a script, those that a scheduler of that kind would read; none for a kind that nobody knows.
pub fn lines<'a>(scheduler: &str, script: &'a str) -> Vec<Line<'a>> {
    let prefix = match scheduler {
        "slurm" => "#SBATCH ",
        "pbs" => "#PBS ",
        "flux" => "#flux: ",
        "lsf" => "#BSUB ",
        _ => return Vec::new(),
    };
    let numbered = (1..).zip(script.lines());
    let texts = numbered.filter_map(|(number, line)| Some((number, line.strip_prefix(prefix)?.trim())));
    texts.map(|(number, text)| Line { number, text, sets: sets(scheduler, text) }).collect()
}

/// What one directive sets, without the scheduler's prefix.
pub fn sets(scheduler: &str, text: &str) -> Vec<String> {
    let (words, again): (Words, &[&str]) = match scheduler {
        "slurm" => (SLURM, &[]),
        "pbs" => (PBS, &[]),
        // options that may be given several times
        "flux" => (FLUX, &["--setopt", "-o", "--setattr", "-S", "--env", "--env-remove"]),
        "lsf" => (LSF, &["-R"]),
        _ => return Vec::new(),
    };
    let names = spelled(scheduler, text).into_iter().filter(|name| !again.contains(&name.as_str()));
    names.map(|name| ours(words, &name).map_or(name, str::to_owned)).collect()
}

/// The options of a directive as they are spelled; those of PBS' `-l` and `-W` with the resource that they set.
fn spelled(scheduler: &str, text: &str) -> Vec<String> {
    if scheduler == "lsf" {
        // its options are words behind one dash, and a line has one
        return text.split_whitespace().take(1).map(str::to_owned).collect();
    }
    let line = Directive { line: 0, text, exact: true, late: false };
    let mut names = Vec::new();
    for option in directive::options(&line) {
        match (scheduler, option.name) {
            ("pbs", "-l" | "-W") => {
                let resources = option.value.split(',').filter_map(|part| part.split_once('='));
                names.extend(resources.map(|(resource, _)| format!("{} {resource}", option.name)));
            }
            (_, name) => names.push(name.to_owned()),
        }
    }
    names
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
