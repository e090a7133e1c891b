//! PBS: qselect for the user's jobs, qstat -f for what they are, qsub. A job's token is a variable of the job.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::record::jobs::{DB_JOB_VARIABLE, Half};
use crate::scheduler::ask::{ask, words};
use crate::scheduler::{Ending, Queued, RERUN, Submission};

/// The variable; it stands in the job's `Variable_List`.
const VARIABLE: &str = "SHARDSCALE_TOKEN";

pub fn queue() -> Result<Vec<Queued>> {
    let user =
        std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).context("neither USER nor LOGNAME is set")?;
    let ids: Vec<String> = ask("qselect", &["-u", &user])?.split_whitespace().map(str::to_owned).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // a job may end between the two questions: qstat then fails, and still tells of the others
    let text = ask("qstat", &[vec!["-f".to_owned()], ids].concat())?;
    Ok(jobs(&text).iter().flat_map(queued).collect())
}

pub fn endings(ids: &[&str]) -> HashMap<String, Ending> {
    let text = ask("qstat", &[words(&["-x", "-f"]), words(ids)].concat()).unwrap_or_default();
    jobs(&text).iter().filter_map(|job| Some((job.id.clone(), ending(job)?))).collect()
}

pub fn command(submission: Submission<'_>) -> Vec<String> {
    let mut command = words(&["qsub", "-v"]);
    // PBS hands on only the variables that are named
    let again = if submission.again { format!(",{RERUN}=1") } else { String::new() };
    let database = submission.database.map(|id| format!(",{DB_JOB_VARIABLE}={id}")).unwrap_or_default();
    command.push(format!("{VARIABLE}={}{again}{database}", submission.token));
    let behind = (!submission.behind.is_empty()).then(|| format!("afterany:{}", submission.behind.join(":")));
    let started = submission.database.map(|id| format!("after:{id}"));
    let all: Vec<String> = behind.into_iter().chain(started).collect();
    if !all.is_empty() {
        command.extend(["-W".to_owned(), format!("depend={}", all.join(","))]);
    }
    command.push(submission.script.display().to_string());
    command
}

/// A job as `qstat -f` tells it.
struct Told {
    id: String,
    attributes: HashMap<String, String>,
}

/// `Job Id: X`, then indented `name = value`; long values go on in lines that begin with a tab.
fn jobs(text: &str) -> Vec<Told> {
    let text = text.replace("\n\t", "");
    let mut jobs: Vec<Told> = Vec::new();
    for line in text.lines() {
        if let Some(id) = line.strip_prefix("Job Id: ") {
            jobs.push(Told { id: id.trim().to_owned(), attributes: HashMap::new() });
        } else if let (Some(job), Some((name, value))) = (jobs.last_mut(), line.trim().split_once(" = ")) {
            job.attributes.insert(name.to_owned(), value.to_owned());
        }
    }
    jobs
}

/// As many as count: of an array those of its jobs that have not ended.
fn queued(job: &Told) -> Vec<Queued> {
    let in_array = job.attributes.get("array_state_count").map(|counts| {
        let alive =
            counts.split_whitespace().filter_map(|one| one.split_once(':')).filter(|(state, _)| *state != "Expired");
        alive.filter_map(|(_, count)| count.parse::<usize>().ok()).sum()
    });
    one_queued(job).map_or_else(Vec::new, |one| vec![one; in_array.unwrap_or(1)])
}

fn one_queued(job: &Told) -> Option<Queued> {
    let state = job.attributes.get("job_state")?;
    if state == "F" || state == "X" {
        return None;
    }
    // our scripts are called after their run, and have its folder for their log: HOST:/path/out/NAME/
    let folder = job.attributes.get("Output_Path").and_then(|path| Some(Path::new(path.split_once(':')?.1)));
    let of = folder.zip(job.attributes.get("Job_Name")).and_then(|(folder, name)| {
        let half = Half::of_job_name(name, folder.file_name()?.to_str()?)?;
        Some((folder.components().collect(), half))
    });
    let list = job.attributes.get("Variable_List").map(String::as_str).unwrap_or_default();
    let token = list.split(',').find_map(|one| one.strip_prefix(VARIABLE)?.strip_prefix('='));
    Some(Queued {
        id: job.id.clone(),
        of,
        token: token.map(str::to_owned),
        running: matches!(state.as_str(), "R" | "E" | "S" | "U" | "B"),
        reason: job.attributes.get("comment").cloned().unwrap_or_default(),
    })
}

/// Exit statuses of a finished job are PBS's own where it ended the job: -29 at the wall time, 271 after qdel (facts/pbs.md).
fn ending(job: &Told) -> Option<Ending> {
    if job.attributes.get("job_state")? != "F" {
        return None;
    }
    Some(match job.attributes.get("Exit_status").map(String::as_str) {
        Some("-29") => Ending::TimeLimit,
        Some("-27") => Ending::OutOfMemory,
        Some("271") => Ending::Cancelled,
        _ => Ending::Ended,
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const TEXT: &str = "Job Id: 12.pbs01\n    Job_Name = standard-n4\n    job_state = H\n    comment = Not Running: waits\n    \
                        Variable_List = PBS_O_HOME=/home/a,PBS_O_LANG=C,SHARDSCALE_TO\n\tKEN=00ff,PBS_O_PATH=/bin\n\n\
                        Job Id: 13.pbs01\n    job_state = F\n    Exit_status = -29\n";

    #[test]
    fn long_lines_are_joined_and_tokens_found() {
        let jobs = jobs(TEXT);
        let waiting = one_queued(&jobs[0]).unwrap();
        assert_eq!((waiting.id.as_str(), waiting.token.as_deref(), waiting.running), ("12.pbs01", Some("00ff"), false));
        assert_eq!((queued(&jobs[1]), waiting.of), (vec![], None));
        assert_eq!((ending(&jobs[0]), ending(&jobs[1])), (None, Some(Ending::TimeLimit)));
    }

    #[test]
    fn a_job_of_ours_is_known_by_name_and_folder() {
        let of = |name: &str| {
            let path = "login1:/home/a/out/standard-n4/";
            let text = format!("Job Id: 12.s\n    Job_Name = {name}\n    job_state = Q\n    Output_Path = {path}\n");
            queued(&jobs(&text)[0]).remove(0).of
        };
        let folder = PathBuf::from("/home/a/out/standard-n4");
        assert_eq!(of("standard-n4"), Some((folder.clone(), Half::Client)));
        assert_eq!(of("standard-n4-db"), Some((folder, Half::Db)));
        assert_eq!(of("standard-n40"), None);
    }

    #[test]
    fn an_array_counts_as_what_is_left_of_it() {
        let text =
            "Job Id: 9[].s\n    job_state = B\n    array_state_count = Queued:3 Running:2 Exiting:0 Expired:5 \n";
        let queued = queued(&jobs(text)[0]);
        assert_eq!((queued.len(), queued[0].id.as_str()), (5, "9[].s"));
    }

    #[test]
    fn a_client_waits_for_the_start_of_its_database() {
        let submission = Submission {
            script: Path::new("out/a.sh"),
            token: "1f",
            behind: &["7.s".to_owned()],
            database: Some("9.s"),
            smaller: None,
            again: true,
        };
        let variables = "SHARDSCALE_TOKEN=1f,SHARDSCALE_RERUN=1,SHARDSCALE_DB_JOB=9.s";
        let due = ["qsub", "-v", variables, "-W", "depend=afterany:7.s,after:9.s", "out/a.sh"];
        assert_eq!(command(submission), due);
    }

    #[test]
    fn answers_that_are_none_say_nothing() {
        assert!(jobs("qstat: Unknown Job Id 7\n = \n x = y").is_empty());
    }
}
