//! bjobs for the user's jobs and how they ended, bsub. A job's token is its description.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;

use crate::record::jobs::Half;
use crate::scheduler::ask::{ask, words};
use crate::scheduler::{Ending, Queued, Smaller, Submission, TOKEN, Taken};

const QUEUE: &str = "jobid stat job_description output_file pend_reason delimiter='|'";
const ENDED: &str = "jobid stat exit_reason delimiter='|'";

/// What it says of jobs that it ended: the beginning and a part of the reason.
pub const REASONS: &[(&str, &str, Ending)] = &[
    ("TERM_RUNLIMIT", "", Ending::TimeLimit),
    ("TERM_DEADLINE", "", Ending::TimeLimit),
    ("TERM_WINDOW", "", Ending::TimeLimit),
    ("TERM_MEMLIMIT", "", Ending::OutOfMemory),
    ("TERM_OWNER", "", Ending::Cancelled),
    ("TERM_FORCE_OWNER", "", Ending::Cancelled),
    ("TERM_ADMIN", "", Ending::Cancelled),
    ("TERM_FORCE_ADMIN", "", Ending::Cancelled),
    ("TERM_PREEMPT", "", Ending::Preempted),
];

pub fn queue() -> Result<Vec<Queued>> {
    match ask("bjobs", &["-noheader", "-o", QUEUE]) {
        Ok(text) => Ok(text.lines().filter_map(parse_queued).collect()),
        // it says so on stderr, with an exit code that differs by version
        Err(error) if error.to_string().contains("No unfinished job found") => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn parse_queued(line: &str) -> Option<Queued> {
    let mut fields = line.trim().splitn(5, '|').map(str::trim);
    let (id, state, about, log, reason) =
        (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next().unwrap_or_default());
    let running = match state {
        "RUN" | "USUSP" | "SSUSP" | "UNKWN" => true,
        "PEND" | "PSUSP" | "WAIT" | "PROV" => false,
        _ => return None,
    };
    Some(Queued {
        id: id.to_owned(),
        of: Half::of_log(Path::new(log)),
        token: about.strip_prefix(TOKEN).map(str::to_owned),
        running,
        reason: if running || reason == "-" { String::new() } else { reason.to_owned() },
    })
}

pub fn endings(ids: &[&str]) -> HashMap<String, Ending> {
    let text = ask("bjobs", &[words(&["-a", "-noheader", "-o", ENDED]), words(ids)].concat());
    text.map(|text| text.lines().filter_map(parse_ending).collect()).unwrap_or_default()
}

fn parse_ending(line: &str) -> Option<(String, Ending)> {
    let mut fields = line.trim().splitn(3, '|').map(str::trim);
    let (id, state, reason) = (fields.next()?, fields.next()?, fields.next()?);
    let word = reason.split(':').next().unwrap_or(reason);
    let known = REASONS.iter().find(|(start, ..)| *start == word).map(|(.., ending)| *ending);
    ["DONE", "EXIT"].contains(&state).then(|| (id.to_owned(), known.unwrap_or(Ending::Ended)))
}

/// Without the script, which it reads from its standard input.
pub fn command(submission: Submission<'_>) -> Vec<String> {
    let mut command = words(&["bsub", "-Jd", &format!("{TOKEN}{}", submission.token)]);
    let behind = submission.behind.iter().map(|id| format!("ended({id})"));
    let started = submission.database.iter().map(|id| format!("started({id})"));
    let all: Vec<String> = behind.chain(started).collect();
    if !all.is_empty() {
        command.extend(["-w".to_owned(), all.join(" && ")]);
    }
    if let Some(Smaller { nodes, walltime_s }) = submission.smaller {
        command.extend(["-n".to_owned(), nodes.to_string(), "-W".to_owned(), walltime_s.div_ceil(60).to_string()]);
    }
    command
}

/// `Job <1234> is submitted to default queue <normal>.`
pub fn taken(answer: &str) -> Option<Taken> {
    let line = answer.lines().find(|line| line.contains("is submitted to"))?;
    let id = line.split_once('<')?.1.split_once('>')?.0;
    (!id.is_empty() && id.chars().all(|c| c.is_ascii_digit())).then(|| Taken::here(id))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_queue_in_the_format_of_the_manual() {
        let jobs: Vec<Queued> =
            include_str!("../../../tests/survey/lsf-bjobs.txt").lines().filter_map(parse_queued).collect();
        let told: Vec<_> = jobs.iter().map(|job| (job.id.as_str(), job.running, job.token.as_deref())).collect();
        assert_eq!(told, [("3926", true, Some("00ff")), ("3927", false, Some("00fe")), ("605", true, None)]);
        assert_eq!(jobs[0].of, Some((PathBuf::from("/home/a/out/standard-n4-r1"), Half::Client)));
        assert_eq!((jobs[1].of.as_ref().unwrap().1, jobs[2].of.as_ref()), (Half::Db, None));
        assert_eq!(jobs[1].reason, "Job dependency condition not satisfied");
    }

    #[test]
    fn endings_by_the_reasons_of_the_manual() {
        let ended: HashMap<_, _> =
            include_str!("../../../tests/survey/lsf-ended.txt").lines().filter_map(parse_ending).collect();
        let ending = |id: &str| ended.get(id).copied();
        assert_eq!(
            ["1", "2", "3", "4", "5"].map(ending),
            [
                Some(Ending::TimeLimit),
                Some(Ending::Cancelled),
                Some(Ending::Ended),
                Some(Ending::Ended),
                None // it runs
            ]
        );
    }

    #[test]
    fn answers_waves_and_databases() {
        let id = |answer: &str| taken(answer).map(|taken| taken.id);
        assert_eq!(id("Job <1234> is submitted to default queue <normal>.").as_deref(), Some("1234"));
        assert_eq!((id("Job not submitted."), id("Job <$(id)> is submitted to queue <a>.")), (None, None));
        let submission = Submission {
            script: Path::new("out/a b.sh"),
            token: "1f",
            behind: &["7".to_owned(), "9".to_owned()],
            database: None,
            smaller: Some(Smaller { nodes: 4, walltime_s: 1830 }),
            again: false,
        };
        assert_eq!(
            command(submission),
            ["bsub", "-Jd", "shardscale:1f", "-w", "ended(7) && ended(9)", "-n", "4", "-W", "31"]
        );
        let client = Submission { behind: &[], database: Some("53"), smaller: None, ..submission };
        assert_eq!(command(client)[3..], ["-w", "started(53)"]);
    }
}
