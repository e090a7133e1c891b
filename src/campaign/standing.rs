//! How a run stands: from its attempts, the ledger, its pack, and the scheduler where one answers.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::folder::{Folder, Job, Run};
use super::ledger::Ledger;
use super::scheduler::{Ending, Queued, Scheduler};
use crate::record::attempt::{self, Attempt, FailureKind, Outcome};
use crate::record::pack::event;
use crate::record::progress::Progress;
use crate::record::{status, units};

/// What is known of the queue.
#[derive(Debug)]
pub struct Queue {
    /// Absent where no scheduler answers: nothing can be said of jobs that left no end.
    pub jobs: Option<HashMap<String, Queued>>,
    pub endings: HashMap<String, Ending>,
}

impl Queue {
    /// Asks the scheduler, once for all jobs of the folder.
    pub fn ask(folder: &Folder, ledger: &Ledger) -> Queue {
        let scheduler = Scheduler::of(&folder.scheduler).ok().filter(|scheduler| scheduler.is_here());
        let Some((scheduler, jobs)) = scheduler.and_then(|one| Some((one, one.queue().ok()?))) else {
            return Queue { jobs: None, endings: HashMap::new() };
        };
        let jobs: HashMap<String, Queued> = jobs.into_iter().map(|job| (job.id.clone(), job)).collect();
        let mut ids: Vec<String> = folder.jobs.iter().flat_map(|job| ids(job, ledger, &jobs)).collect();
        ids.retain(|id| !jobs.contains_key(id));
        ids.sort();
        ids.dedup();
        let endings = scheduler.endings(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        Queue { jobs: Some(jobs), endings }
    }

    fn job(&self, id: &str) -> Option<&Queued> {
        self.jobs.as_ref()?.get(id)
    }

    /// The job of ours that is in the queue, if one is.
    pub fn alive<'a>(&'a self, job: &Job, ledger: &Ledger) -> Option<&'a Queued> {
        let jobs = self.jobs.as_ref()?;
        ids(job, ledger, jobs).iter().find_map(|id| jobs.get(id))
    }
}

/// Identifiers under which a job may be known: from the ledger, by token, and from what its scripts wrote.
fn ids(job: &Job, ledger: &Ledger, queue: &HashMap<String, Queued>) -> Vec<String> {
    let mut ids: Vec<String> = ledger.ids(&job.name).map(str::to_owned).collect();
    let tokens: HashSet<&str> =
        ledger.submissions.iter().filter(|one| one.job == job.name).map(|one| one.token.as_str()).collect();
    let by_token = queue.values().filter(|one| one.token.as_deref().is_some_and(|token| tokens.contains(token)));
    ids.extend(by_token.map(|one| one.id.clone()));
    let dirs = [&job.dir].into_iter().chain(job.runs.iter().map(|run| &run.dir));
    ids.extend(dirs.filter_map(|dir| last_attempt(dir, 0)).filter_map(|attempt| job_of(&attempt)));
    ids
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    NotSubmitted,
    Queued,
    Running,
    Done,
    Failed,
    /// Its pack ended before it was its turn.
    NotRun,
    /// No end is recorded, and nobody can be asked whether the job still runs.
    Unknown,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::NotSubmitted => "not submitted",
            State::Queued => "queued",
            State::Running => "running",
            State::Done => "done",
            State::Failed => "failed",
            State::NotRun => "not run",
            State::Unknown => "unknown",
        }
    }
}

/// A run and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// The attempt that counts: the last good one, else the last.
    pub attempt: Option<u32>,
    /// Attempts in all.
    pub attempts: usize,
}

/// How all runs of a folder stand.
pub fn of_folder(folder: &Folder, ledger: &Ledger, queue: &Queue) -> Vec<Standing> {
    let mut standings = Vec::new();
    for job in &folder.jobs {
        let look = Look { job, ledger, queue, alive: queue.alive(job, ledger) };
        standings.extend(job.runs.iter().map(|run| look.at(run)));
    }
    standings
}

struct Look<'a> {
    job: &'a Job,
    ledger: &'a Ledger,
    queue: &'a Queue,
    alive: Option<&'a Queued>,
}

impl Look<'_> {
    fn at(&self, run: &Run) -> Standing {
        let attempts = attempts(&run.dir, run.servers);
        let last = attempts.last();
        let done = attempts.iter().rev().find(|attempt| attempt.outcome() == Outcome::Done);
        let known = last.and_then(job_of).or_else(|| self.ledger.ids(&self.job.name).next().map(str::to_owned));
        let standing = |state, reason: Option<String>, detail: String| Standing {
            run: run.name.clone(),
            state,
            reason,
            detail,
            pack: self.job.is_pack.then(|| self.job.name.clone()),
            job: self.alive.map(|job| job.id.clone()).or_else(|| known.clone()),
            attempt: done.or(last).map(|attempt| attempt.number),
            attempts: attempts.len(),
        };
        let unfinished = last.filter(|attempt| is_unfinished(attempt));
        if let Some(attempt) = unfinished.filter(|attempt| self.runs_still(attempt)) {
            return standing(State::Running, None, how_far(attempt));
        }
        if let Some(good) = done {
            let detail = match attempts.len() {
                1 => String::new(),
                all => format!("attempt-{} of {all} counts", good.number),
            };
            return standing(State::Done, None, detail);
        }
        if let Some(job) = self.alive {
            let detail = match (job.running, self.job.is_pack, last) {
                (true, true, _) => "waits for its turn in the pack".to_owned(),
                (true, false, _) => "the job starts".to_owned(),
                (_, _, Some(attempt)) => format!("{}, again after attempt-{}", job.reason, attempt.number),
                _ => job.reason.clone(),
            };
            return standing(State::Queued, None, detail);
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

    fn runs_still(&self, attempt: &Attempt) -> bool {
        match job_of(attempt) {
            Some(id) if id.contains(':') => process_runs(&id),
            Some(id) => self.queue.job(&id).is_some(),
            None => false,
        }
    }

    /// Whether somebody here knows if the job of an attempt still runs.
    fn can_tell(&self, attempt: &Attempt) -> bool {
        match job_of(attempt) {
            Some(id) if id.contains(':') => id.rsplit_once(':').is_some_and(|(host, _)| host == own_host()),
            _ => self.queue.jobs.is_some(),
        }
    }

    /// Why an attempt did not end well: the scheduler knows of limits and nodes, the record of servers and ranks.
    fn why(&self, attempt: &Attempt) -> (String, String) {
        let Outcome::Failed { kind, detail } = attempt.outcome() else { return Default::default() };
        let id = job_of(attempt);
        let told = id.as_deref().and_then(|id| self.queue.endings.get(id)).and_then(|ending| ending.reason());
        let by_job = told.or_else(|| id.as_deref().and_then(|id| reason_in_log(&self.job.dir, id)));
        // a job that has failed is often cancelled besides
        let ended_from_outside = matches!(kind, FailureKind::Terminated | FailureKind::Unfinished);
        let by_job = by_job.filter(|reason| ended_from_outside || *reason != Ending::Cancelled.as_str());
        let of_error = attempt.client_error.as_ref().filter(|error| error.op == "verify").map(|_| "verification wrong");
        let own = if kind == FailureKind::Unfinished { "killed" } else { kind.as_str() };
        let reason = of_error.or(by_job).unwrap_or(own);
        (reason.to_owned(), format!("attempt-{}: {detail}", attempt.number))
    }

    fn without_attempt(&self, run: &Run, standing: impl Fn(State, Option<String>, String) -> Standing) -> Standing {
        if self.job.is_pack
            && let Some(attempt) = last_attempt(&self.job.dir, 0)
        {
            let left = attempt.events.iter().rev().find_map(|one| {
                let (name, why) = one.detail.split_once(' ')?;
                (one.word == event::RUN_LEFT && name == run.name).then(|| why.to_owned())
            });
            if left.is_none() && is_unfinished(&attempt) && self.runs_still(&attempt) {
                return standing(State::Queued, None, "waits for its turn in the pack".to_owned());
            }
            let detail = left.unwrap_or_else(|| "the pack ended before its turn".to_owned());
            return standing(State::NotRun, None, detail);
        }
        match self.ledger.ids(&self.job.name).next() {
            Some(id) if self.queue.jobs.is_some() => {
                let told = self.queue.endings.get(id).and_then(|ending| ending.reason());
                let reason = told.or_else(|| reason_in_log(&self.job.dir, id)).unwrap_or("ended at once");
                let detail = format!("job {id} left no attempt: see its log in {}", self.job.dir.display());
                standing(State::Failed, Some(reason.to_owned()), detail)
            }
            Some(id) => standing(State::Unknown, None, format!("submitted as job {id}, which left nothing yet")),
            None if self.job.script.is_none() => standing(State::NotSubmitted, None, "its script is gone".to_owned()),
            None => standing(State::NotSubmitted, None, String::new()),
        }
    }
}

fn is_unfinished(attempt: &Attempt) -> bool {
    matches!(attempt.outcome(), Outcome::Failed { kind: FailureKind::Unfinished, .. })
}

fn attempts(dir: &Path, servers: u32) -> Vec<Attempt> {
    let list = attempt::list(dir).unwrap_or_default();
    list.into_iter().map(|(number, path)| Attempt::read(number, &path, servers)).collect()
}

fn last_attempt(dir: &Path, servers: u32) -> Option<Attempt> {
    let (number, path) = attempt::list(dir).ok()?.pop()?;
    Some(Attempt::read(number, &path, servers))
}

/// The scheduler's identifier in `started job=ID host=H`; `HOST:PID` where there is no scheduler.
fn job_of(attempt: &Attempt) -> Option<String> {
    let started = attempt.events.iter().find(|one| one.word == status::STARTED)?;
    started.detail.split_whitespace().find_map(|word| word.strip_prefix("job=")).map(str::to_owned)
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

/// What schedulers write at the end of a job's log when they end it.
fn reason_in_log(dir: &Path, id: &str) -> Option<&'static str> {
    // of Slurm only what it says of the whole job: steps are cancelled for many reasons
    const SIGNS: [(&str, &str, Ending); 9] = [
        ("*** JOB ", "DUE TO TIME LIMIT", Ending::TimeLimit),
        ("*** JOB ", "DUE TO NODE FAILURE", Ending::NodeFailure),
        ("*** JOB ", "DUE TO PREEMPTION", Ending::Preempted),
        ("*** JOB ", "CANCELLED AT", Ending::Cancelled),
        ("", "oom_kill", Ending::OutOfMemory),
        ("", "oom-kill", Ending::OutOfMemory),
        ("", "Out Of Memory", Ending::OutOfMemory),
        ("PBS: ", "job killed: walltime", Ending::TimeLimit),
        ("PBS: ", "job killed: mem", Ending::OutOfMemory),
    ];
    let number = id.split(['.', '_']).next().unwrap_or(id);
    let names = [format!("job-{number}.log"), format!("{id}.OU")];
    let text = names.iter().find_map(|name| tail(&dir.join(name)))?;
    let said =
        |(start, sign, _): &&(&str, &str, Ending)| text.lines().any(|line| line.contains(start) && line.contains(sign));
    SIGNS.iter().find(said).map(|(.., ending)| ending.as_str())
}

fn tail(path: &Path) -> Option<String> {
    const MOST: u64 = 64 << 10;
    let mut file = fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MOST))).ok()?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether an attempt of the run ended well.
pub fn is_measured(run: &Run) -> bool {
    attempts(&run.dir, 0).iter().any(|attempt| attempt.outcome() == Outcome::Done)
}
