//! PBS: qselect for the user's jobs, qstat -f for what they are, qsub. A job's token is a variable of the job.

use std::collections::HashMap;

use anyhow::{Context, Result};

use super::{Ending, Queued, RERUN, Submission, ask, words};

/// The variable; it stands in the job's `Variable_List`.
const VARIABLE: &str = "SHARDSCALE_TOKEN";

pub fn is_here() -> bool {
    ask("qstat", &words(&["--version"])).is_ok()
}

pub fn queue() -> Result<Vec<Queued>> {
    let user =
        std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).context("neither USER nor LOGNAME is set")?;
    let ids: Vec<String> = ask("qselect", &words(&["-u", &user]))?.split_whitespace().map(str::to_owned).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // a job may end between the two questions: qstat then fails, and still tells of the others
    let text = ask("qstat", &[vec!["-f".to_owned()], ids].concat())?;
    Ok(jobs(&text).iter().filter_map(queued).collect())
}

pub fn endings(ids: &[&str]) -> HashMap<String, Ending> {
    let text = ask("qstat", &[words(&["-x", "-f"]), words(ids)].concat()).unwrap_or_default();
    jobs(&text).iter().filter_map(|job| Some((job.id.clone(), ending(job)?))).collect()
}

pub fn command(submission: Submission<'_>) -> Vec<String> {
    let mut command = words(&["qsub", "-v"]);
    // PBS hands on only the variables that are named
    let again = if submission.again { format!(",{RERUN}=1") } else { String::new() };
    command.push(format!("{VARIABLE}={}{again}", submission.token));
    if !submission.behind.is_empty() {
        command.extend(["-W".to_owned(), format!("depend=afterany:{}", submission.behind.join(":"))]);
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

fn queued(job: &Told) -> Option<Queued> {
    let state = job.attributes.get("job_state")?;
    if state == "F" || state == "X" {
        return None;
    }
    let list = job.attributes.get("Variable_List").map(String::as_str).unwrap_or_default();
    let token = list.split(',').find_map(|one| one.strip_prefix(VARIABLE)?.strip_prefix('='));
    Some(Queued {
        id: job.id.clone(),
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
    use super::*;

    const TEXT: &str = "Job Id: 12.pbs01\n    Job_Name = standard-n4\n    job_state = H\n    comment = Not Running: waits\n    \
                        Variable_List = PBS_O_HOME=/home/a,PBS_O_LANG=C,SHARDSCALE_TO\n\tKEN=00ff,PBS_O_PATH=/bin\n\n\
                        Job Id: 13.pbs01\n    job_state = F\n    Exit_status = -29\n";

    #[test]
    fn long_lines_are_joined_and_tokens_found() {
        let jobs = jobs(TEXT);
        let waiting = queued(&jobs[0]).unwrap();
        assert_eq!((waiting.id.as_str(), waiting.token.as_deref(), waiting.running), ("12.pbs01", Some("00ff"), false));
        assert_eq!(queued(&jobs[1]), None);
        assert_eq!((ending(&jobs[0]), ending(&jobs[1])), (None, Some(Ending::TimeLimit)));
    }

    #[test]
    fn answers_that_are_none_say_nothing() {
        assert!(jobs("qstat: Unknown Job Id 7\n = \n x = y").is_empty());
    }
}
