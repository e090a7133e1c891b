//! Reads a run of our own record, and decides which of its attempts counts.
//!
//! The last attempt counts that says done and whose samples are whole. If there is none, the last attempt with a tensor
//! size measured whole is shown, as partial. The other attempts are named in the notes: nothing is pooled or dropped in
//! silence.

use std::path::Path;

use anyhow::Result;

use super::check;
use super::placement;
use super::relative;
use super::sweep::{self, Reading};
use crate::collect::circumstances;
use crate::collect::model::{Run, Source, State};
use crate::collect::params::Params;
use crate::collect::timeline::{Event, Timeline};
use crate::record::attempt::{self, Attempt, Outcome};
use crate::record::manifest::Manifest;
use crate::record::pack::PackPlace;
use crate::record::samples;

/// More servers than any machine has nodes: a damaged count must not make us look for billions of files.
const MOST_SERVERS: u32 = 1 << 17;

/// Reads the run in `dir`, which lies below `root`.
///
/// # Errors
/// An unreadable or newer manifest, or a folder that cannot be listed. Everything else becomes the run's state.
pub fn read(root: &Path, dir: &Path, tell: &dyn Fn(u64)) -> Result<Run> {
    let manifest = Manifest::read(dir)?;
    let mut run = Run {
        path: relative(root, dir),
        name: manifest.name.clone(),
        source: Source::ShardScale,
        params: Params::of_manifest(&manifest)?,
        placement: manifest.placement.clone(),
        timeline: Timeline::default(),
        state: State::Missing,
        reason: "the script has not run".to_owned(),
        notes: Vec::new(),
        attempt: None,
        pack: None,
        sizes_total: manifest.sweep.tensor_bytes.len(),
        measured: None,
    };
    let servers = manifest.expect.servers.min(MOST_SERVERS);
    let trials: Vec<Trial> = attempt::list(dir)?
        .into_iter()
        .map(|(number, path)| Trial { attempt: Attempt::read(number, &path, servers), reading: None })
        .collect();
    if trials.is_empty() {
        run.reason.push_str(&hint_of_job_logs(dir)?);
        return Ok(run);
    }
    judge(&mut run, trials, &manifest, tell);
    Ok(run)
}

/// An attempt, and its samples once they were looked at.
struct Trial {
    attempt: Attempt,
    reading: Option<Result<Option<Reading>>>,
}

impl Trial {
    fn look(&mut self, manifest: &Manifest, tell: &dyn Fn(u64)) {
        if self.reading.is_none() {
            self.reading = Some(sweep::read(&self.attempt.samples(), manifest, tell));
        }
    }

    fn reading(&self) -> Option<&Reading> {
        self.reading.as_ref()?.as_ref().ok()?.as_ref()
    }

    fn is_done(&self) -> bool {
        self.attempt.outcome() == Outcome::Done
    }

    /// What is wrong with the samples; empty if they are whole.
    fn flaw(&self) -> String {
        let file = samples::FILE;
        match &self.reading {
            None => String::new(),
            Some(Err(error)) => format!("{error:#}"),
            Some(Ok(None)) => format!("there is no {file}"),
            Some(Ok(Some(reading))) => match &reading.torn {
                Some(torn) => format!("{file}: {torn}"),
                None if !reading.ended => format!("{file} ends before the end of the sweep"),
                None => String::new(),
            },
        }
    }

    /// How the attempt ended, in words.
    fn ending(&self) -> String {
        match self.attempt.outcome() {
            Outcome::Done => "done".to_owned(),
            Outcome::Failed { kind, detail } => format!("{}: {detail}", kind.as_str()),
        }
    }
}

fn judge(run: &mut Run, mut trials: Vec<Trial>, manifest: &Manifest, tell: &dyn Fn(u64)) {
    let (state, shown) = choose(&mut trials, manifest, tell);
    let last = trials.len() - 1;
    let chosen = &trials[shown.unwrap_or(last)];
    run.attempt = shown.map(|_| chosen.attempt.number);
    // a damaged one is no reason to doubt the measurement
    run.pack = PackPlace::read(&chosen.attempt.path).unwrap_or_default();
    run.state = state;
    run.reason = reason(state, chosen);
    let reading = shown.and_then(|_| chosen.reading());
    let mut contradictions = reading.map(|reading| reading.contradictions.clone()).unwrap_or_default();
    if let Some(reading) = reading {
        contradictions.extend(placement::contradictions(manifest, &reading.seats, &chosen.attempt.servers));
        contradictions.extend(check::store_contradictions(manifest, &chosen.attempt, &reading.measured.server));
    }
    if !contradictions.is_empty() {
        run.state = State::Invalid;
        let what = format!("not what was asked: {}", contradictions.join("; "));
        run.reason = if run.reason.is_empty() { what } else { format!("{what}; {}", run.reason) };
    }
    run.notes = notes(&trials, shown.unwrap_or(last));
    run.notes.extend(check::condition_notes(manifest, &chosen.attempt));
    run.timeline = reading.map(|reading| reading.timeline.clone()).unwrap_or_default();
    run.timeline.events = chosen.attempt.events.iter().map(Event::of).collect();
    run.measured = reading.map(|reading| reading.measured.clone());
    if let Some(measured) = &mut run.measured {
        measured.facts.extend(circumstances::facts_of_attempt(&chosen.attempt));
    }
}

/// The run's state as far as attempts decide it, and the index of the attempt whose figures are shown.
fn choose(trials: &mut [Trial], manifest: &Manifest, tell: &dyn Fn(u64)) -> (State, Option<usize>) {
    for index in (0..trials.len()).rev().filter(|index| trials[*index].is_done()).collect::<Vec<_>>() {
        trials[index].look(manifest, tell);
        if trials[index].reading().is_some() && trials[index].flaw().is_empty() {
            return (State::Done, Some(index));
        }
    }
    for index in (0..trials.len()).rev() {
        trials[index].look(manifest, tell);
        if trials[index].reading().is_some_and(|reading| !reading.measured.sizes.is_empty()) {
            return (State::Partial, Some(index));
        }
    }
    (State::Failed, None)
}

/// Why the run is not done; empty if it is.
fn reason(state: State, chosen: &Trial) -> String {
    if state == State::Done {
        return String::new();
    }
    let mut parts = vec![match chosen.is_done() {
        true => "its status says done, its samples do not".to_owned(),
        false => chosen.ending(),
    }];
    // the missing samples of an attempt that failed early say nothing new
    if chosen.is_done() || !matches!(chosen.reading, Some(Ok(None))) {
        parts.push(chosen.flaw());
    }
    parts.retain(|part| !part.is_empty());
    format!("attempt-{}: {}", chosen.attempt.number, parts.join("; "))
}

fn notes(trials: &[Trial], shown: usize) -> Vec<String> {
    let mut notes: Vec<String> = trials[shown].reading().map(|reading| reading.notes.clone()).unwrap_or_default();
    notes.extend(
        trials[shown].attempt.damaged.iter().map(|damage| file_name_first(damage, &trials[shown].attempt.path)),
    );
    for (index, trial) in trials.iter().enumerate().filter(|(index, _)| *index != shown) {
        let when = if index > shown { "later" } else { "earlier" };
        let flaw = trial.flaw();
        let flaw = if flaw.is_empty() { flaw } else { format!("; {flaw}") };
        notes.push(format!("{when} attempt-{} is not used: {}{flaw}", trial.attempt.number, trial.ending()));
    }
    notes
}

/// Messages name files by their whole path; a report that is to be the same wherever it is made names them from the run.
fn file_name_first(message: &str, folder: &Path) -> String {
    message.replace(&format!("{}/", folder.display()), "")
}

/// A job that ended before its first act leaves the scheduler's log and nothing else.
fn hint_of_job_logs(dir: &Path) -> Result<String> {
    let mut logs = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("job-") && name.ends_with(".log") {
            logs.push(name);
        }
    }
    logs.sort();
    Ok(match logs.last() {
        Some(log) => format!(" to its first attempt; the scheduler left {log}"),
        None => String::new(),
    })
}
