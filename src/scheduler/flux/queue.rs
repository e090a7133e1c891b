//! flux jobs for the user's jobs and how they ended, flux job info for what they were submitted with, flux batch. A job's token
//! is an attribute of the job.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::record::jobs::Half;
use crate::scheduler::ask::{ask, words};
use crate::scheduler::{Ending, Queued, Smaller, Submission, Taken, job};

/// The attribute: `attributes.user.shardscale` of the job's specification.
const ATTRIBUTE: &str = "shardscale";

/// Identifiers with an f: a terminal that knows UTF-8 is shown another letter.
const QUEUE: &str = "{id.dec}|{id.f58plain}|{state}|{contextual_info}";
const ENDED: &str = "{id.f58plain}|{result}|{exception.type}";

pub fn queue() -> Result<Vec<Queued>> {
    let text = ask("flux", &["jobs", "--no-header", &format!("--format={QUEUE}")])?;
    // identifiers grow with time
    let mut jobs: Vec<(u64, Queued)> = text.lines().filter_map(parse_queued).collect();
    jobs.sort_by_key(|(number, _)| *number);
    let known = jobs.into_iter().map(|(_, job)| {
        // it may have ended since, and nobody may see the specification of a job but its owner
        let spec = ask("flux", &["job", "info", &job.id, "jobspec"]).unwrap_or_default();
        with_spec(job, &spec)
    });
    Ok(known.collect())
}

fn parse_queued(line: &str) -> Option<(u64, Queued)> {
    let mut fields = line.trim().splitn(4, '|');
    let (number, id, state, about) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    // a job that is ending still holds its nodes; of one that runs it says on which ones
    let running = matches!(state, "RUN" | "CLEANUP");
    let reason = if running { String::new() } else { about.to_owned() };
    Some((number.parse().ok()?, Queued { id: id.to_owned(), of: None, token: None, running, reason }))
}

/// The job with what its specification says: the token, and by the log that our scripts ask for whose it is.
fn with_spec(job: Queued, spec: &str) -> Queued {
    let spec: Value = serde_json::from_str(spec).unwrap_or_default();
    let text = |path: &str| spec.pointer(path).and_then(Value::as_str);
    let log = text("/attributes/system/shell/options/output/stdout/path");
    let of = log.and_then(|log| Half::of_log(Path::new(log)));
    Queued { of, token: text(&format!("/attributes/user/{ATTRIBUTE}")).map(str::to_owned), ..job }
}

pub fn endings(ids: &[&str]) -> HashMap<String, Ending> {
    let text = ask("flux", &[words(&["jobs", "--no-header", &format!("--format={ENDED}")]), words(ids)].concat());
    text.map(|text| text.lines().filter_map(parse_ending).collect()).unwrap_or_default()
}

fn parse_ending(line: &str) -> Option<(String, Ending)> {
    let mut fields = line.trim().split('|');
    let (id, result, exception) = (fields.next()?, fields.next()?, fields.next()?);
    let ending = match (result, exception) {
        ("TIMEOUT", _) => Ending::TimeLimit,
        ("CANCELED", _) => Ending::Cancelled,
        (_, "node-failure" | "lost-shell") => Ending::NodeFailure,
        (_, "alloc") => Ending::NeverFits,
        ("COMPLETED" | "FAILED", _) => Ending::Ended,
        _ => return None,
    };
    Some((id.to_owned(), ending))
}

pub fn command(submission: Submission<'_>) -> Vec<String> {
    let mut command = words(&["flux", "batch", &format!("--setattr=user.{ATTRIBUTE}={}", submission.token)]);
    command.extend(submission.behind.iter().map(|id| format!("--dependency=afterany:{id}")));
    command.extend(submission.database.map(|id| format!("--dependency=after:{id}")));
    if let Some(Smaller { nodes, walltime_s }) = submission.smaller {
        command.extend([format!("--nodes={nodes}"), format!("--time-limit={walltime_s}s")]);
    }
    command.push(submission.script.display().to_string());
    command
}

/// It hands on all variables of its own.
pub fn variables(submission: Submission<'_>) -> Vec<(&'static str, String)> {
    let walltime = submission.smaller.map(|smaller| (job::WALLTIME, smaller.walltime_s.to_string()));
    job::variables(submission).into_iter().chain(walltime).collect()
}

/// `f2TSgZ1b`, a number in base 58; `ƒ2TSgZ1b` where its locale knows UTF-8.
pub fn taken(answer: &str) -> Option<Taken> {
    let number = answer.strip_prefix(['f', 'ƒ'])?;
    let good = (1..=16).contains(&number.len()) && number.chars().all(|c| c.is_ascii_alphanumeric());
    good.then(|| Taken::here(&format!("f{number}")))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_answers_of_a_real_flux() {
        let read = |name: &str| std::fs::read_to_string(Path::new("tests/survey").join(name)).unwrap();
        let jobs: Vec<Queued> = read("flux-jobs.txt").lines().filter_map(parse_queued).map(|(_, job)| job).collect();
        let told: Vec<_> = jobs.iter().map(|job| (job.id.as_str(), job.running, job.reason.as_str())).collect();
        assert_eq!(
            told,
            [
                ("fhJyUQo", false, "eta:9.964m"),
                ("fui1U63", false, ""),
                ("fZyV2Xq", false, "depends:after-finish=fURmiP1"),
                ("fURmiP1", true, ""),
            ]
        );
        let job = with_spec(jobs[0].clone(), &read("flux-jobspec.json"));
        assert_eq!(job.token.as_deref(), Some("00fe"));
        assert_eq!(job.of, Some((PathBuf::from("/home/a/out/standard-n4-r1"), Half::Client)));
        assert_eq!(with_spec(job, "").of, None);
        let ended: HashMap<_, _> = read("flux-ended.txt").lines().filter_map(parse_ending).collect();
        let ending = |id: &str| ended.get(id).copied();
        assert_eq!(
            ["fURmiP1", "fhJyUQo", "fui1U63", "fNocSP9", "fZyV2Xq"].map(ending),
            [
                Some(Ending::Ended),
                Some(Ending::Cancelled),
                Some(Ending::NeverFits),
                Some(Ending::TimeLimit),
                None // it runs
            ]
        );
    }

    #[test]
    fn identifiers_are_written_with_a_plain_f() {
        let id = |answer: &str| taken(answer).map(|taken| taken.id);
        assert_eq!((id("ƒURmiP1"), id("fURmiP1")), (Some("fURmiP1".to_owned()), Some("fURmiP1".to_owned())));
        for bad in ["", "f", "17", "f$(id)", "flux-batch: ERROR", "f1 f2"] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }

    #[test]
    fn waves_and_databases_are_dependencies() {
        let submission = Submission {
            script: Path::new("out/a b.sh"),
            token: "1f",
            behind: &["f7".to_owned(), "f9".to_owned()],
            database: None,
            smaller: Some(Smaller { nodes: 4, walltime_s: 1860 }),
            again: true,
        };
        let due = [
            "flux",
            "batch",
            "--setattr=user.shardscale=1f",
            "--dependency=afterany:f7",
            "--dependency=afterany:f9",
            "--nodes=4",
            "--time-limit=1860s",
            "out/a b.sh",
        ];
        assert_eq!(command(submission), due);
        let variables: Vec<_> =
            variables(submission).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(variables, ["SHARDSCALE_RERUN=1", "SHARDSCALE_WALLTIME_S=1860"]);
        let client = Submission { behind: &[], database: Some("f53"), smaller: None, ..submission };
        assert_eq!(command(client)[3..], ["--dependency=after:f53", "out/a b.sh"]);
    }
}
