//! Slurm: squeue, sacct where accounting is kept, sbatch. A job's token stands in its comment.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::versions::SEPARATOR;
use crate::record::jobs::Half;
use crate::record::walltime::Walltime;
use crate::scheduler::ask::{output, words};
use crate::scheduler::job::WALLTIME;
use crate::scheduler::{Ending, Queued, Smaller, Submission, TOKEN, Taken};

/// Standard output of a program of Slurm's.
fn ask(program: &str, args: &[String]) -> Result<String> {
    let mut command = Command::new(program);
    clean(&mut command);
    output(command.args(args))
}

/// Takes what is an option from a command's environment.
pub fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_option(name)) {
        command.env_remove(name);
    }
}

/// Whether sbatch would take a variable of the submitting shell for an option of the job, or hand it on to the job's steps: a shell
/// inside another job has dozens, one inside a step also the number of its task. Which cluster, and who pays, stays the user's own choice.
fn is_option(name: &OsStr) -> bool {
    const KEPT: [&str; 6] =
        ["SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT", "SBATCH_CLUSTERS", "SBATCH_ACCOUNT", "SBATCH_RESERVATION"];
    let name = name.to_string_lossy();
    ["SLURM_", "SBATCH_", "SRUN_", "PMI_", "PMIX_"].iter().any(|prefix| name.starts_with(prefix))
        && !KEPT.contains(&&*name)
}

pub fn queue() -> Result<Vec<Queued>> {
    // --array: a line for each task, where else 53_[1,3,..,9] stands for many
    let format = ["%i", "%T", "%r", "%k", "%o"].join(&SEPARATOR.to_string());
    let text = ask("squeue", &words(&["--noheader", "--me", "--array", "--sort=i", &format!("--format={format}")]))?;
    Ok(text.lines().filter_map(parse_queued).collect())
}

fn parse_queued(line: &str) -> Option<Queued> {
    let mut fields = line.trim().splitn(5, SEPARATOR);
    let (id, state, reason, comment) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    // the script's path, and behind it the arguments
    let script = fields.next().and_then(|command| command.split_whitespace().next());
    // a job that is ending still holds its nodes
    let running = matches!(state, "RUNNING" | "COMPLETING" | "SUSPENDED" | "CONFIGURING" | "STOPPED");
    Some(Queued {
        // components of a heterogeneous job are 41+0, 41+1: jobs depend on 41
        id: id.split('+').next().unwrap_or(id).to_owned(),
        of: script.and_then(|script| Half::of_script(Path::new(script))),
        token: comment.strip_prefix(TOKEN).map(str::to_owned),
        running,
        reason: if running || reason == "None" { String::new() } else { reason.to_owned() },
    })
}

pub fn endings(ids: &[&str]) -> HashMap<String, Ending> {
    let jobs = format!("--jobs={}", ids.join(","));
    let asked = ask("sacct", &words(&["--noheader", "--parsable2", "--allocations", "--format=JobID,State", &jobs]));
    // without accounting the controller remembers for some minutes
    let asked = asked.or_else(|_| ask("squeue", &words(&["--noheader", "--states=all", "--format=%i|%T", &jobs])));
    asked.map(|text| text.lines().filter_map(parse_ending).collect()).unwrap_or_default()
}

fn parse_ending(line: &str) -> Option<(String, Ending)> {
    let (id, state) = line.split_once('|')?;
    let ending = match state.split_whitespace().next()? {
        "TIMEOUT" | "DEADLINE" => Ending::TimeLimit,
        "OUT_OF_MEMORY" => Ending::OutOfMemory,
        "NODE_FAIL" | "BOOT_FAIL" => Ending::NodeFailure,
        "CANCELLED" => Ending::Cancelled,
        "PREEMPTED" => Ending::Preempted,
        "COMPLETED" | "FAILED" => Ending::Ended,
        _ => return None,
    };
    Some((id.to_owned(), ending))
}

pub fn command(submission: Submission<'_>) -> Vec<String> {
    let mut command = words(&["sbatch", "--parsable", &format!("--comment={TOKEN}{}", submission.token)]);
    let behind = (!submission.behind.is_empty()).then(|| format!("afterany:{}", submission.behind.join(":")));
    let started = submission.database.map(|id| format!("after:{id}"));
    let all: Vec<String> = behind.into_iter().chain(started).collect();
    if !all.is_empty() {
        command.push(format!("--dependency={}", all.join(",")));
    }
    if let Some(Smaller { nodes, walltime_s }) = submission.smaller {
        let walltime = Walltime { seconds: walltime_s };
        command.extend([format!("--nodes={nodes}"), format!("--time={walltime}")]);
        command.push(format!("--export=ALL,{WALLTIME}={walltime_s}"));
    }
    command.push(submission.script.display().to_string());
    command
}

pub fn cancel(job: &Taken) -> Result<()> {
    let cluster = job.cluster.iter().map(|cluster| format!("--clusters={cluster}"));
    let words: Vec<String> = cluster.chain([job.id.clone()]).collect();
    ask("scancel", &words).map(|_| ())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// As squeue says it, with a separator that can be read.
    fn queued(line: &str) -> Option<Queued> {
        parse_queued(&line.replace('|', &SEPARATOR.to_string()))
    }

    #[test]
    fn the_queue_is_read_with_tokens_and_reasons() {
        let one = queued("17|PENDING|Dependency|shardscale:00ff").unwrap();
        assert_eq!((one.id.as_str(), one.token.as_deref(), one.running), ("17", Some("00ff"), false));
        assert_eq!(one.reason, "Dependency");
        let other = queued("18|RUNNING|None|(null)").unwrap();
        assert_eq!((other.token, other.running, other.reason.as_str()), (None, true, ""));
        assert_eq!(queued("slurm_load_jobs error: Unable to contact"), None);
        let others = queued("19|PENDING|None|(null)|/o/standard-r1.sh out/a.sh out/b.sh").unwrap();
        assert_eq!(others.of, Some((PathBuf::from("/o/standard-r1"), Half::Client)));
        let db = queued("20|PENDING|None|(null)|/o/standard-r1/db.sh").unwrap();
        assert_eq!(db.of, Some((PathBuf::from("/o/standard-r1"), Half::Db)));
        assert_eq!(queued("21|RUNNING|None|(null)|/bin/bash").unwrap().of, None);
        let comment = format!("22{0}RUNNING{0}None{0}a|b{0}/o/standard-r1.sh", SEPARATOR);
        assert!(parse_queued(&comment).unwrap().of.is_some(), "a comment of the user's own may have a bar");
    }

    /// What squeue of Slurm 22.05 said of an array of ten, two at a time, and of a heterogeneous job.
    #[test]
    fn arrays_and_heterogeneous_jobs_have_identifiers_that_others_can_depend_on() {
        const SAID: &str = "2_1|RUNNING|None|(null)|/j/a.sh\n2_2|RUNNING|None|(null)|/j/a.sh\n\
                            2_3|PENDING|JobArrayTaskLimit|(null)|/j/a.sh\n2_10|PENDING|JobArrayTaskLimit|(null)|/j/a.sh\n\
                            41+0|PENDING|Resources|(null)|/j/het.sh\n41+1|PENDING|Resources|(null)|/j/het.sh\n";
        let ids: Vec<String> = SAID.lines().filter_map(queued).map(|job| job.id).collect();
        assert_eq!(ids, ["2_1", "2_2", "2_3", "2_10", "41", "41"]);
    }

    #[test]
    fn options_in_the_environment_are_told_from_settings() {
        for option in [
            "SLURM_CPUS_PER_TASK",
            "SLURM_TRES_PER_TASK",
            "SLURM_MEM_PER_NODE",
            "SRUN_CPUS_PER_TASK",
            "SBATCH_TIMELIMIT",
            "PMIX_RANK",
        ] {
            assert!(is_option(OsStr::new(option)), "{option}");
        }
        for other in ["SLURM_CONF", "SBATCH_ACCOUNT", "SSDB", "PATH"] {
            assert!(!is_option(OsStr::new(other)), "{other}");
        }
    }

    #[test]
    fn endings_that_the_record_cannot_know() {
        let ending = |line: &str| parse_ending(line).map(|(_, ending)| ending);
        assert_eq!(ending("17|CANCELLED by 1000"), Some(Ending::Cancelled));
        assert_eq!(ending("17|NODE_FAIL"), Some(Ending::NodeFailure));
        assert_eq!(ending("17|RUNNING"), None);
    }

    #[test]
    fn waves_and_databases_are_dependencies() {
        let submission = Submission {
            script: Path::new("out/a b.sh"),
            token: "1f",
            behind: &["7".to_owned(), "9".to_owned()],
            database: None,
            smaller: Some(Smaller { nodes: 4, walltime_s: 1860 }),
            again: false,
        };
        let due = [
            "sbatch",
            "--parsable",
            "--comment=shardscale:1f",
            "--dependency=afterany:7:9",
            "--nodes=4",
            "--time=00:31:00",
            "--export=ALL,SHARDSCALE_WALLTIME_S=1860",
            "out/a b.sh",
        ];
        assert_eq!(command(submission), due);
        let client = Submission { behind: &[], database: Some("53"), smaller: None, ..submission };
        assert_eq!(command(client)[3..], ["--dependency=after:53", "out/a b.sh"]);
    }
}
