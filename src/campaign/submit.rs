//! `shardscale submit`: what is not measured yet goes to the queue, once, within the site's limits.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::folder::{Folder, Job};
use super::ledger::{Answer, Ledger};
use super::limits::{self, Before, Rule, Turn};
use super::queue::Queue;
use super::standing::{self, Standing, State};
use crate::record::jobs::Half;
use crate::scheduler::{self, Queued, Scheduler, Smaller, Submission, Taken};
use crate::site::{self, Site};
use crate::study::StudyFile;

/// Held while jobs are submitted.
const LOCK_FILE: &str = ".shardscale-submit.lock";

/// Seconds that a smaller pack keeps for what is not a run: as its script does.
const PACK_RESERVE_S: u32 = 60;

/// What the user asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub out: PathBuf,
    /// Only runs whose last attempt failed.
    pub failed: bool,
    /// Only jobs with a run of such a name.
    pub only: Option<glob::Pattern>,
    /// Also what is measured.
    pub again: bool,
    /// Say what would be submitted.
    pub dry_run: bool,
    /// At most so many jobs run or wait for nodes at a time; the others wait for these to end.
    pub at_once: Option<usize>,
    /// Folder whose `site-configs/` wins.
    pub config: Option<PathBuf>,
}

/// What is to become of a folder's jobs.
pub struct Plan {
    pub folder: Folder,
    /// `None`: scripts run where they are started.
    pub scheduler: Option<&'static dyn Scheduler>,
    /// In the order of submission.
    pub jobs: Vec<Planned>,
    /// How many are left out, by reason.
    pub left: Vec<(String, usize)>,
    pub notes: Vec<String>,
}

/// A job that is to be submitted.
pub struct Planned {
    pub job: Job,
    pub turn: Turn,
    pub smaller: Option<Smaller>,
    /// Runs of it that are to be measured.
    pub runs: usize,
}

/// Keeps a second `submit` out of the folder for as long as it lives.
pub struct Lock(#[allow(dead_code, reason = "it is held, not read")] File);

/// Takes the folder for submission.
///
/// # Errors
/// Another `submit` has it, or files here cannot be locked.
pub fn lock(out: &Path) -> Result<Lock> {
    let path = out.join(LOCK_FILE);
    let file = File::create(&path).with_context(|| format!("cannot write into {}", out.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => {
            bail!("another `shardscale submit` is at work in {}: wait for it", out.display())
        }
        Err(TryLockError::Error(error)) => bail!(
            "{} cannot be locked ({error}), so that two submissions at once could not be told apart: submit from a host or a \
             file system that knows locks, or submit the scripts by hand",
            path.display()
        ),
    }
}

/// Finds out what is to be submitted, and settles submissions whose answers were lost.
///
/// # Errors
/// A folder without runs, a scheduler that is not here or does not answer, or limits that cannot be known.
pub fn plan(request: &Request, ledger: &mut Ledger) -> Result<Plan> {
    let folder = Folder::read(&request.out)?;
    let scheduler = scheduler::of(&folder.scheduler)?;
    ensure!(
        scheduler.is_none_or(|scheduler| scheduler.is_here()),
        "the scripts in {} are for {}, whose programs are not here: run this on a login node of {}",
        request.out.display(),
        folder.scheduler,
        folder.site
    );
    let queued = scheduler.map(|scheduler| scheduler.queue()).transpose();
    let mut queued = queued.context("the queue cannot be read, so that nothing was submitted")?.unwrap_or_default();
    let mut notes = settle(ledger, &queued, request.dry_run)?;
    if let Some(scheduler) = scheduler {
        notes.extend(take_back_halves(scheduler, ledger, &mut queued, request.dry_run)?);
    }
    notes.extend(folder.damaged.iter().map(|what| format!("left alone: {what}")));
    let queue = Queue::ask(&folder, ledger);
    let standings = standing::of_folder(&folder, ledger, &queue);
    let (wanted, left) = choose(request, &folder, &standings, |job| !queue.alive(job, ledger).is_empty());
    let rules = match scheduler {
        None => Vec::new(),
        Some(_) => rules(request, &folder, &queued, &mut notes)?,
    };
    let rows: Vec<_> = wanted.iter().map(|(job, _)| job.rows()).collect();
    let turns = limits::turns(&rows, &rules);
    let jobs = wanted
        .into_iter()
        .zip(turns)
        .map(|((job, runs), turn)| Planned { smaller: smaller(&job, &standings, request.again), runs, turn, job })
        .collect();
    Ok(Plan { folder, scheduler, jobs, left, notes })
}

/// Submissions without an answer: they are in the queue under their token, or were never made.
fn settle(ledger: &mut Ledger, queued: &[Queued], dry_run: bool) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let lost: Vec<_> = ledger.submissions.iter().filter(|one| one.answer == Answer::Lost).cloned().collect();
    for one in lost {
        match queued.iter().find(|job| job.token.as_deref() == Some(&one.token)) {
            Some(job) => {
                notes.push(format!(
                    "{}: its submission was interrupted, and is in the queue as job {}",
                    one.job, job.id
                ));
                if !dry_run {
                    ledger.taken(&one.token, &job.id)?;
                }
            }
            None if !dry_run => ledger.refused(&one.token, "not in the queue")?,
            None => {}
        }
    }
    Ok(notes)
}

/// Databases that are in the queue without the client that was to follow: they would hold their nodes for nothing.
fn take_back_halves(
    scheduler: &dyn Scheduler,
    ledger: &mut Ledger,
    queued: &mut Vec<Queued>,
    dry_run: bool,
) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    for (token, id) in ledger.half_pairs() {
        if dry_run || !queued.iter().any(|job| job.id == id) {
            continue;
        }
        scheduler
            .cancel(&Taken::here(&id))
            .with_context(|| format!("job {id} is a database without its client, and cannot be cancelled"))?;
        ledger.refused(&token, "cancelled: its client was not submitted")?;
        queued.retain(|job| job.id != id);
        notes.push(format!("job {id} was a database whose client was never submitted: it is cancelled"));
    }
    Ok(notes)
}

type Chosen = (Vec<(Job, usize)>, Vec<(String, usize)>);

/// The jobs to submit, each with the number of its runs that are to be measured, and how many runs are left out and why.
fn choose(request: &Request, folder: &Folder, standings: &[Standing], is_alive: impl Fn(&Job) -> bool) -> Chosen {
    let by_run: HashMap<&str, &Standing> = standings.iter().map(|one| (one.run.as_str(), one)).collect();
    let mut wanted = Vec::new();
    let mut left: Vec<(String, usize)> = Vec::new();
    let mut leave = |why: &str| match left.iter_mut().find(|(reason, _)| reason == why) {
        Some((_, count)) => *count += 1,
        None => left.push((why.to_owned(), 1)),
    };
    for job in &folder.jobs {
        let (mut runs, is_alive) = (0, is_alive(job));
        for run in &job.runs {
            let Some(standing) = by_run.get(run.name.as_str()) else { continue };
            match standing.state {
                _ if request.only.as_ref().is_some_and(|only| !only.matches(&run.name)) => leave("not asked for"),
                State::Done if !request.again => leave("measured"),
                // one that is measured may be there again
                State::Queued | State::Running => leave("in the queue or running"),
                State::Done if is_alive => leave("in the queue or running"),
                State::Unknown => leave("in a state that nobody here can tell"),
                State::NotSubmitted | State::NotRun if request.failed => leave("not failed"),
                _ if job.script.is_none() => leave("without a script: `shardscale gen` makes it again"),
                _ => runs += 1,
            }
        }
        if runs > 0 {
            wanted.push((job.clone(), runs));
        }
    }
    (wanted, left)
}

/// The site's limits, with what is in the queue already.
fn rules(request: &Request, folder: &Folder, queued: &[Queued], notes: &mut Vec<String>) -> Result<Vec<Rule>> {
    let present: Vec<String> = queued.iter().map(|job| job.id.clone()).collect();
    let limits = match (site_of(request, folder), request.at_once) {
        (Ok(site), _) => site.limits,
        (Err(error), Some(_)) => {
            notes.push(format!("the limits of site {} are not known ({error:#}): only --at-once holds", folder.site));
            Vec::new()
        }
        (Err(error), None) => {
            return Err(error.context(format!(
                "the limits of site {} are not known; give --config with its file, or --at-once with a limit of your own",
                folder.site
            )));
        }
    };
    Ok(limits::rules(&limits, request.at_once, &present))
}

/// The site as the study named it, else as the manifests do.
fn site_of(request: &Request, folder: &Folder) -> Result<Site> {
    let study = request.out.join(crate::generate::STUDY_FILE);
    let named = study.exists().then(|| StudyFile::load(&study.display().to_string())).transpose()?;
    let name = named.and_then(|study| study.site).unwrap_or_else(|| folder.site.clone());
    site::load(&name, request.config.as_deref())
}

/// What a pack needs where some of its runs are measured; `None` where it needs all that its script asks for.
fn smaller(job: &Job, standings: &[Standing], again: bool) -> Option<Smaller> {
    if !job.is_pack || again {
        return None;
    }
    let open = |name: &str| standings.iter().any(|one| one.run == name && one.state != State::Done);
    let left: Vec<_> = job.runs.iter().filter(|run| open(&run.name)).collect();
    if left.len() == job.runs.len() {
        return None;
    }
    let seconds = left.iter().map(|run| run.walltime_s).sum::<Option<u32>>()?;
    Some(Smaller { nodes: left.iter().map(|run| run.nodes).max()?, walltime_s: seconds + PACK_RESERVE_S })
}

/// A job that was submitted.
pub struct Submitted {
    pub name: String,
    pub id: String,
    /// Jobs that it waits for.
    pub behind: Vec<String>,
}

/// Submits the plan's jobs to a scheduler; `tell` hears of each as soon as its identifier is on disk. How many they are.
///
/// # Errors
/// The first job that the scheduler refuses: those before it are submitted and recorded. Of a pair whose client is refused
/// the database is cancelled.
pub fn submit(
    request: &Request,
    plan: &Plan,
    scheduler: &'static dyn Scheduler,
    ledger: &mut Ledger,
    tell: impl FnMut(&Submitted),
) -> Result<usize> {
    let mut ids: Vec<Vec<String>> = vec![Vec::new(); plan.jobs.len()];
    let mut clerk = Clerk { scheduler, ledger, tell, count: 0 };
    for (index, planned) in plan.jobs.iter().enumerate() {
        let (Turn::Submit(behind), Some(script)) = (&planned.turn, &planned.job.script) else { continue };
        let behind: Vec<String> = behind.iter().flat_map(|before| resolve(before, &ids)).collect();
        let smaller = planned.smaller;
        let one = Submission { script, token: "", behind: &behind, database: None, smaller, again: request.again };
        ids[index] = match &planned.job.database {
            None => vec![clerk.submit(&planned.job, Half::Client, one)?.id],
            Some(db_script) => clerk.submit_pair(&planned.job, db_script, one)?,
        };
        clerk.count += ids[index].len();
    }
    Ok(clerk.count)
}

fn resolve(before: &Before, ids: &[Vec<String>]) -> Vec<String> {
    match before {
        Before::Present(id) => vec![id.clone()],
        Before::New(index) => ids[*index].clone(),
    }
}

/// Submits, keeps the ledger, and tells.
struct Clerk<'a, T> {
    scheduler: &'static dyn Scheduler,
    ledger: &'a mut Ledger,
    tell: T,
    /// Jobs that were submitted.
    count: usize,
}

impl<T: FnMut(&Submitted)> Clerk<'_, T> {
    fn submit(&mut self, job: &Job, half: Half, submission: Submission<'_>) -> Result<Taken> {
        let name = half.job_name(&job.name);
        let token = self.ledger.begin(&job.name, half)?;
        let answer = scheduler::submit(self.scheduler, Submission { token: &token, ..submission });
        let taken = match answer {
            Ok(taken) => taken,
            Err(error) => match find_again(self.scheduler, &token) {
                Some(id) => Taken::here(&id),
                None => {
                    self.ledger.refused(&token, &format!("{error:#}"))?;
                    let count = self.count;
                    return Err(error.context(format!(
                        "{name} was not submitted; {count} jobs before it were: the same command goes on there"
                    )));
                }
            },
        };
        self.ledger.taken(&token, &taken.id)?;
        let behind = submission.behind.to_vec();
        (self.tell)(&Submitted { name, id: taken.id.clone(), behind });
        Ok(taken)
    }

    /// The database's job, and the client's, which waits for its start; their identifiers.
    fn submit_pair(&mut self, job: &Job, db_script: &Path, client: Submission<'_>) -> Result<Vec<String>> {
        let db = self.submit(job, Half::Db, Submission { script: db_script, ..client })?;
        let client = Submission { behind: &[], database: Some(&db.id), ..client };
        let error = match self.submit(job, Half::Client, client) {
            Ok(taken) => return Ok(vec![db.id, taken.id]),
            Err(error) => error,
        };
        // it would hold its nodes for nothing; where it cannot be cancelled now, the next `submit` tries again
        let Err(why) = self.scheduler.cancel(&db) else {
            let token = self.ledger.half_pairs().into_iter().find(|(_, id)| *id == db.id).map(|(token, _)| token);
            token.map_or(Ok(()), |token| self.ledger.refused(&token, "cancelled: its client was refused"))?;
            return Err(error.context(format!("{}: its database, job {}, is cancelled", job.name, db.id)));
        };
        Err(error.context(format!("cancel job {}, a database without its client; that failed here: {why:#}", db.id)))
    }
}

/// A job that the scheduler took although its program failed: sbatch may time out after the job is in.
fn find_again(scheduler: &dyn Scheduler, token: &str) -> Option<String> {
    let queue = scheduler.queue().ok()?;
    queue.into_iter().find(|job| job.token.as_deref() == Some(token)).map(|job| job.id)
}
