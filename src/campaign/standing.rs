//! How a run stands: from its attempts, the ledger, its pack, and the scheduler where one answers.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::folder::{Folder, Job, Run};
use super::ledger::Ledger;
use super::logs;
use super::queue::{Queue, jobs_of};
use crate::record::attempt::{self, Attempt, FailureKind, Outcome};
use crate::record::jobs::{self, Half};
use crate::record::pack::event;
use crate::record::progress::Progress;
use crate::record::vocabulary::words;
use crate::record::{status, units};
use crate::scheduler::{Ending, Queued};

words! {
    /// How a run stands.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    pub enum State {
        NotSubmitted = "not submitted",
        Queued = "queued",
        Running = "running",
        Done = "done",
        Failed = "failed",
        /// Its pack ended before it was its turn.
        NotRun = "not run",
        /// No end is recorded, and nobody can be asked whether the job still runs.
        Unknown = "unknown",
    }
}

/// A run and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Standing {
    pub run: String,
    pub state: State,
    /// Few words for a failure: `time limit`, `store died`; absent otherwise.
    pub reason: Option<String>,
    /// What a person should know; may be empty.
    pub detail: String,
    /// The job that it is a part of, if that is a pack.
    pub pack: Option<String>,
    /// The scheduler's identifier of the last job that is known.
    pub job: Option<String>,
    /// The same of the database's own job, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_job: Option<String>,
    /// The attempt that counts: the last good one, else the last.
    pub attempt: Option<u32>,
    /// Attempts in all.
    pub attempts: usize,
}

/// How all runs of a folder stand.
pub fn of_folder(folder: &Folder, ledger: &Ledger, queue: &Queue) -> Vec<Standing> {
    let mut standings = Vec::new();
    for job in &folder.jobs {
        let mut look = Look { job, ledger, queue, alive: queue.alive(job, ledger), lost: None };
        look.lost = look.find_lost();
        standings.extend(job.runs.iter().map(|run| look.at(run)));
    }
    standings
}

struct Look<'a> {
    job: &'a Job,
    ledger: &'a Ledger,
    queue: &'a Queue,
    alive: Vec<(Half, &'a Queued)>,
    /// A job that ended before its script began an attempt, and after all that are there.
    lost: Option<Lost>,
}

/// A job that left nothing but its log, if that.
struct Lost {
    id: String,
    log: Option<jobs::Log>,
}

impl Look<'_> {
    fn at(&self, run: &Run) -> Standing {
        let attempts = attempts(&run.dir, run.servers);
        let last = attempts.last();
        let done = attempts.iter().rev().find(|attempt| attempt.outcome() == Outcome::Done);
        let standing = |state, reason: Option<String>, detail: String| Standing {
            run: run.name.clone(),
            state,
            reason,
            detail,
            pack: self.job.is_pack.then(|| self.job.name.clone()),
            job: self.id(Half::Client, last),
            db_job: self.job.database.as_ref().and_then(|_| self.id(Half::Db, last)),
            attempt: done.or(last).map(|attempt| attempt.number),
            attempts: attempts.len(),
        };
        let unfinished = last.filter(|attempt| attempt.is_unfinished());
        if let Some(attempt) = unfinished.filter(|attempt| self.runs_still(attempt)) {
            return standing(State::Running, None, self.with_waiting(how_far(attempt)));
        }
        if let Some(good) = done {
            let detail = match attempts.len() {
                1 => String::new(),
                all => format!("attempt-{} of {all} counts", good.number),
            };
            return standing(State::Done, None, detail);
        }
        if let Some((_, job)) = self.alive.first() {
            let detail = match (job.running, self.job.is_pack, last) {
                (true, true, _) => "waits for its turn in the pack".to_owned(),
                (true, false, _) => self.with_waiting("the job starts".to_owned()),
                (_, _, Some(attempt)) => format!("{}, again after attempt-{}", self.waiting(), attempt.number),
                _ => self.waiting(),
            };
            return standing(State::Queued, None, detail);
        }
        if let Some(lost) = &self.lost {
            let (reason, detail) = self.why_lost(lost);
            return match self.queue.jobs {
                Some(_) => standing(State::Failed, Some(reason.to_owned()), detail),
                None => standing(State::Unknown, None, detail),
            };
        }
        match last {
            Some(attempt) if unfinished.is_some() && !self.can_tell(attempt) => {
                standing(State::Unknown, None, format!("{}; {}", how_far(attempt), last_sign(attempt)))
            }
            Some(attempt) => {
                let (reason, detail) = self.why(attempt);
                standing(State::Failed, Some(reason), detail)
            }
            None => self.without_attempt(run, standing),
        }
    }

    /// The identifier of the last job that is known.
    fn id(&self, half: Half, last: Option<&Attempt>) -> Option<String> {
        let alive = self.alive.iter().find(|(of, _)| *of == half).map(|(_, job)| job.id.clone());
        let of_attempt = || {
            let jobs = last.map(|attempt| jobs_of(self.job, attempt)).unwrap_or_default();
            jobs.into_iter().find(|(of, _)| *of == half).map(|(_, id)| id)
        };
        let in_ledger =
            || self.ledger.taken_of(&self.job.name).find(|(one, _)| one.half == half).map(|(_, id)| id.to_owned());
        // a job that left no attempt came later than all that did
        match &self.lost {
            Some(lost) if half == Half::Client => Some(lost.id.clone()),
            Some(_) => in_ledger().or_else(of_attempt),
            None => alive.or_else(of_attempt).or_else(in_ledger),
        }
    }

    /// Why the job waits; of a pair why each half does.
    fn waiting(&self) -> String {
        let waiting = self.alive.iter().filter(|(_, job)| !job.running);
        let each = waiting.map(|(half, job)| match half {
            Half::Client if self.job.database.is_some() => format!("client {}: {}", job.id, job.reason),
            Half::Client => job.reason.clone(),
            Half::Db => format!("database {}: {}", job.id, job.reason),
        });
        each.collect::<Vec<_>>().join(", ")
    }

    /// Of a pair one half may run while the other one waits.
    fn with_waiting(&self, text: String) -> String {
        match self.waiting() {
            waiting if waiting.is_empty() || self.job.database.is_none() => text,
            waiting => format!("{text}; {waiting}"),
        }
    }

    fn runs_still(&self, attempt: &Attempt) -> bool {
        attempt.jobs().any(|id| if id.contains(':') { process_runs(id) } else { self.queue.has(id) })
    }

    /// Whether somebody here knows if the job of an attempt still runs.
    fn can_tell(&self, attempt: &Attempt) -> bool {
        match attempt.jobs().next() {
            Some(id) if id.contains(':') => id.rsplit_once(':').is_some_and(|(host, _)| host == own_host()),
            _ => self.queue.jobs.is_some(),
        }
    }

    /// Why an attempt did not end well: the scheduler knows of limits and nodes, the record of servers and ranks.
    fn why(&self, attempt: &Attempt) -> (String, String) {
        let Outcome::Failed { kind, detail } = attempt.outcome() else { return Default::default() };
        // a job that has failed is often cancelled besides; a database's that was cancelled is why its client failed
        let ended_from_outside = matches!(
            kind,
            FailureKind::Terminated | FailureKind::Cancelled | FailureKind::TimeLimit | FailureKind::Unfinished
        );
        let by_job = jobs_of(self.job, attempt).into_iter().find_map(|(half, id)| {
            let counts =
                |reason: &&str| half == Half::Db || ended_from_outside || *reason != Ending::Cancelled.as_str();
            self.told(&id).filter(counts)
        });
        let of_error = attempt.client_error.as_ref().filter(|error| error.op == "verify").map(|_| "verification wrong");
        let own = if kind == FailureKind::Unfinished { "killed" } else { kind.as_str() };
        let reason = of_error.or(by_job).unwrap_or(own);
        (reason.to_owned(), format!("attempt-{}: {detail}", attempt.number))
    }

    /// How a job ended, from the scheduler, else from what it wrote into the job's log.
    fn told(&self, id: &str) -> Option<&'static str> {
        let ending = self.queue.endings.get(id).and_then(|ending| ending.reason());
        ending.or_else(|| logs::reason(&self.job.dir, id))
    }

    /// The latest job that left no attempt, if it came after all attempts: from the ledger, or from a log of a job that was
    /// submitted by hand.
    fn find_lost(&self) -> Option<Lost> {
        if !self.alive.is_empty() {
            return None;
        }
        let attempts = attempts(&self.job.dir, 0);
        let last_sign = attempts.last().and_then(|last| last.events.last()).map_or(0, |event| event.unix_s);
        let began = |number: &str| attempts.iter().flat_map(Attempt::jobs).any(|id| jobs::number(id) == number);
        let dir = &self.job.dir;
        let log = jobs::logs(dir).pop().filter(|log| !began(&log.number) && unix_s(log.modified) >= last_sign);
        let submitted = self.ledger.taken_of(&self.job.name).find(|(one, _)| one.half == Half::Client);
        let submitted = submitted.filter(|(one, id)| !began(jobs::number(id)) && one.unix_s >= last_sign);
        match (submitted, log) {
            (Some((_, id)), _) => Some(Lost { id: id.to_owned(), log: logs::of_job(dir, id) }),
            (None, log) => log.map(|log| Lost { id: log.number.clone(), log: Some(log) }),
        }
    }

    fn why_lost(&self, lost: &Lost) -> (&'static str, String) {
        let db = self.ledger.taken_of(&self.job.name).find(|(one, _)| one.half == Half::Db).map(|(_, id)| id);
        let told = db.into_iter().chain([lost.id.as_str()]).find_map(|id| self.told(id));
        let before = format!("job {} ended before it began an attempt", lost.id);
        let detail = match &lost.log {
            None => format!("{before}, and left no log in {}", self.job.dir.display()),
            Some(log) => {
                let words =
                    logs::last_words(log).map_or_else(|| ": it is empty".to_owned(), |words| format!(": {words}"));
                format!("{before}; see {}{words}", log.path.display())
            }
        };
        (told.unwrap_or("ended at once"), detail)
    }

    fn without_attempt(&self, run: &Run, standing: impl Fn(State, Option<String>, String) -> Standing) -> Standing {
        if self.job.is_pack
            && let Some(attempt) = attempt::last(&self.job.dir)
        {
            let left = attempt.events.iter().rev().find_map(|one| {
                let (name, why) = one.detail.split_once(' ')?;
                (one.word == event::RUN_LEFT && name == run.name).then(|| why.to_owned())
            });
            if left.is_none() && attempt.is_unfinished() && self.runs_still(&attempt) {
                return standing(State::Queued, None, "waits for its turn in the pack".to_owned());
            }
            let detail = left.unwrap_or_else(|| "the pack ended before its turn".to_owned());
            return standing(State::NotRun, None, detail);
        }
        let why = if self.job.script.is_none() { "its script is gone" } else { "" };
        standing(State::NotSubmitted, None, why.to_owned())
    }
}

fn unix_s(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn attempts(dir: &Path, servers: u32) -> Vec<Attempt> {
    let list = attempt::list(dir).unwrap_or_default();
    list.into_iter().map(|(number, path)| Attempt::read(number, &path, servers)).collect()
}

fn own_host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Whether a script that no scheduler started runs on this host.
fn process_runs(id: &str) -> bool {
    let Some((host, pid)) = id.rsplit_once(':') else { return false };
    let is_number = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    host == own_host()
        && is_number
        && fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "bash")
}

/// Where a running attempt is, in words.
pub fn how_far(attempt: &Attempt) -> String {
    match &attempt.progress {
        Some(progress) => describe(progress),
        None => attempt.events.last().map(|last| last.word.clone()).unwrap_or_default(),
    }
}

/// `size 3 of 11: 64 KiB, put_tensor 40 of 110, 1.2 GB/s a rank`
fn describe(progress: &Progress) -> String {
    let Some(bytes) = progress.payload_bytes else { return format!("all {} sizes are measured", progress.sizes_total) };
    let size = format!("size {} of {}: {}", progress.sizes_done + 1, progress.sizes_total, units::show_bytes(bytes));
    match &progress.running {
        None => size,
        Some(running) => format!("{size}, {} {} of {}", running.op, running.iteration, running.iterations),
    }
}

fn last_sign(attempt: &Attempt) -> String {
    let names = [status::FILE, crate::record::progress::FILE, crate::record::samples::FILE];
    let written = names.iter().filter_map(|name| fs::metadata(attempt.path.join(name)).ok()?.modified().ok()).max();
    let age = written
        .and_then(|time| SystemTime::now().duration_since(time).ok())
        .map(|age| Duration::from_secs(age.as_secs()));
    let age = age.map_or_else(String::new, |age| format!("last sign {} s ago, ", age.as_secs()));
    format!("{age}no scheduler here to ask whether it runs")
}

/// Whether an attempt of the run ended well.
pub fn is_measured(run: &Run) -> bool {
    attempts(&run.dir, 0).iter().any(|attempt| attempt.outcome() == Outcome::Done)
}
