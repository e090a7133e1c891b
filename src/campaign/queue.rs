//! What the scheduler says of a folder's jobs, and which of the jobs in its queue are theirs.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::folder::{Folder, Job};
use super::ledger::Ledger;
use crate::record::attempt::{self, Attempt};
use crate::record::jobs::Half;
use crate::scheduler::{self, Ending, Queued};

/// What is known of the queue.
#[derive(Debug)]
pub struct Queue {
    /// Absent where no scheduler answers: nothing can be said of jobs that left no end.
    pub jobs: Option<HashMap<String, Queued>>,
    pub endings: HashMap<String, Ending>,
    /// Identifiers of jobs in the queue by the run directory of their scripts: however they were submitted.
    by_folder: HashMap<PathBuf, Vec<(Half, String)>>,
}

impl Queue {
    /// Asks the scheduler, once for all jobs of the folder.
    pub fn ask(folder: &Folder, ledger: &Ledger) -> Queue {
        let scheduler = scheduler::find(&folder.scheduler).filter(|scheduler| scheduler.is_here());
        let answer = scheduler.and_then(|scheduler| Some((scheduler, scheduler.queue().ok()?)));
        let mut queue = Queue { jobs: None, endings: HashMap::new(), by_folder: HashMap::new() };
        let Some((scheduler, jobs)) = answer else { return queue };
        for job in &jobs {
            if let Some((dir, half)) = &job.of {
                queue.by_folder.entry(true_path(dir)).or_default().push((*half, job.id.clone()));
            }
        }
        queue.jobs = Some(jobs.into_iter().map(|job| (job.id.clone(), job)).collect());
        let mut ids: Vec<String> =
            folder.jobs.iter().flat_map(|job| queue.ids(job, ledger)).map(|(_, id)| id).collect();
        ids.retain(|id| !queue.has(id));
        ids.sort();
        ids.dedup();
        if !ids.is_empty() {
            queue.endings = scheduler.endings(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        }
        queue
    }

    /// Whether a job of that identifier is in the queue.
    pub fn has(&self, id: &str) -> bool {
        self.jobs.as_ref().is_some_and(|jobs| jobs.contains_key(id))
    }

    /// The jobs of ours that are in the queue: of a pair two.
    pub fn alive<'a>(&'a self, job: &Job, ledger: &Ledger) -> Vec<(Half, &'a Queued)> {
        let Some(jobs) = &self.jobs else { return Vec::new() };
        let mut alive: Vec<(Half, &Queued)> =
            self.ids(job, ledger).into_iter().filter_map(|(half, id)| Some((half, jobs.get(&id)?))).collect();
        alive.sort_by(|(a, one), (b, other)| (a, &one.id).cmp(&(b, &other.id)));
        alive.dedup_by(|(_, one), (_, other)| one.id == other.id);
        alive
    }

    /// Identifiers under which a job may be known: by folder and by token from the queue, from the ledger, and from what its
    /// scripts wrote.
    fn ids(&self, job: &Job, ledger: &Ledger) -> Vec<(Half, String)> {
        let mut ids = self.by_folder.get(&true_path(&job.dir)).cloned().unwrap_or_default();
        let own = ledger.submissions.iter().filter(|one| one.job == job.name);
        let tokens: HashMap<&str, Half> = own.map(|one| (one.token.as_str(), one.half)).collect();
        let queued = self.jobs.iter().flat_map(HashMap::values);
        ids.extend(queued.filter_map(|one| Some((*tokens.get(one.token.as_deref()?)?, one.id.clone()))));
        ids.extend(ledger.taken_of(&job.name).map(|(one, id)| (one.half, id.to_owned())));
        let dirs = [&job.dir].into_iter().chain(job.runs.iter().map(|run| &run.dir));
        ids.extend(dirs.filter_map(|dir| attempt::last(dir)).flat_map(|attempt| jobs_of(job, &attempt)));
        ids
    }
}

/// The jobs of an attempt: of a pair the database's made it, the client's joined it.
pub fn jobs_of(job: &Job, attempt: &Attempt) -> Vec<(Half, String)> {
    let pair = [Half::Db, Half::Client];
    let halves = if job.database.is_some() { &pair[..] } else { &pair[1..] };
    halves.iter().copied().zip(attempt.jobs().map(str::to_owned)).collect()
}

/// A folder as all know it, whatever symbolic links lead to it.
fn true_path(dir: &Path) -> PathBuf {
    fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned())
}
