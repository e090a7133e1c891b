//! Slurm: squeue, sacct where accounting is kept, sbatch. A job's token stands in its comment.

use std::collections::HashMap;
use std::ffi::OsStr;

use anyhow::Result;

use super::{Ending, Queued, Smaller, Submission, TOKEN, ask, words};
use crate::record::walltime::Walltime;

pub fn is_here() -> bool {
    ask("squeue", &words(&["--version"])).is_ok()
}

/// Whether sbatch would take a variable of the submitting shell for an option of the job, or hand it on to the job's steps: a shell
/// inside another job has dozens, one inside a step also the number of its task. Which cluster, and who pays, stays the user's own choice.
pub fn is_option(name: &OsStr) -> bool {
    const KEPT: [&str; 6] =
        ["SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT", "SBATCH_CLUSTERS", "SBATCH_ACCOUNT", "SBATCH_RESERVATION"];
    let name = name.to_string_lossy();
    ["SLURM_", "SBATCH_", "SRUN_", "PMI_", "PMIX_"].iter().any(|prefix| name.starts_with(prefix))
        && !KEPT.contains(&&*name)
}

pub fn queue() -> Result<Vec<Queued>> {
    let text = ask("squeue", &words(&["--noheader", "--me", "--sort=i", "--format=%i|%T|%r|%k"]))?;
    Ok(text.lines().filter_map(parse_queued).collect())
}

fn parse_queued(line: &str) -> Option<Queued> {
    let mut fields = line.trim().splitn(4, '|');
    let (id, state, reason, comment) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    // a job that is ending still holds its nodes
    let running = matches!(state, "RUNNING" | "COMPLETING" | "SUSPENDED" | "CONFIGURING" | "STOPPED");
    Some(Queued {
        id: id.to_owned(),
        token: comment.strip_prefix(TOKEN).map(str::to_owned),
        running,
        reason: if running || reason == "None" { String::new() } else { reason.to_owned() },
    })
}

pub fn endings(ids: &[&str]) -> HashMap<String, Ending> {
    let jobs = format!("--jobs={}", ids.join(","));
    let asked = ask("sacct", &words(&["--noheader", "--parsable2", "--allocations", "--format=JobID,State", &jobs]));
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
    if !submission.behind.is_empty() {
        // the command line replaces the script's own, which keeps two of one script apart
        command.push(format!("--dependency=singleton,afterany:{}", submission.behind.join(":")));
    }
    if let Some(Smaller { nodes, walltime_s }) = submission.smaller {
        let walltime = Walltime { seconds: walltime_s };
        command.extend([format!("--nodes={nodes}"), format!("--time={walltime}")]);
        command.push(format!("--export=ALL,SHARDSCALE_WALLTIME_S={walltime_s}"));
    }
    command.push(submission.script.display().to_string());
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_queue_is_read_with_tokens_and_reasons() {
        let one = parse_queued("17|PENDING|Dependency|shardscale:00ff").unwrap();
        assert_eq!((one.id.as_str(), one.token.as_deref(), one.running), ("17", Some("00ff"), false));
        assert_eq!(one.reason, "Dependency");
        let other = parse_queued("18|RUNNING|None|(null)").unwrap();
        assert_eq!((other.token, other.running, other.reason.as_str()), (None, true, ""));
        assert_eq!(parse_queued("slurm_load_jobs error: Unable to contact"), None);
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
    fn a_wave_keeps_the_scripts_own_dependency() {
        let submission = Submission {
            script: Path::new("out/a b.sh"),
            token: "1f",
            behind: &["7".to_owned(), "9".to_owned()],
            smaller: Some(Smaller { nodes: 4, walltime_s: 1860 }),
            again: false,
        };
        let due = [
            "sbatch",
            "--parsable",
            "--comment=shardscale:1f",
            "--dependency=singleton,afterany:7:9",
            "--nodes=4",
            "--time=00:31:00",
            "--export=ALL,SHARDSCALE_WALLTIME_S=1860",
            "out/a b.sh",
        ];
        assert_eq!(command(submission), due);
    }
}
