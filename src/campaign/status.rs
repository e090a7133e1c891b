//! `shardscale status`: how every run of a folder stands, for people and for programs.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use textwrap::core::display_width;

use super::folder::Folder;
use super::ledger::Ledger;
use super::queue::Queue;
use super::standing::{self, Standing, State};
use crate::record::units;
use crate::terminal::{WIDTH, cut, plain};

const NAME_WIDTH: usize = 46;

/// How the runs of a folder stand: what `shardscale status --format json` prints.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(title = "shardscale status --format json")]
pub struct Status {
    /// Name of this schema: status.
    pub schema: &'static str,
    /// Version of this schema. It grows when a name changes its meaning or goes away; new names may come without.
    pub version: u32,
    pub site: String,
    pub scheduler: String,
    /// Whether the scheduler could be asked.
    pub scheduler_answers: bool,
    pub runs: Vec<Standing>,
    /// Files that cannot be read; each names its file.
    pub damaged: Vec<String>,
}

/// Finds out how everything in `out` stands. Nothing is written.
///
/// # Errors
/// A folder without runs, or a ledger that cannot be read.
pub fn of(out: &Path) -> Result<Status> {
    let folder = Folder::read(out)?;
    let ledger = Ledger::read(out)?;
    let queue = Queue::ask(&folder, &ledger);
    let mut runs = standing::of_folder(&folder, &ledger, &queue);
    runs.sort_by(|a, b| alphanumeric_sort::compare_str(&a.run, &b.run));
    Ok(Status {
        schema: "status",
        version: 2,
        site: folder.site,
        scheduler: folder.scheduler,
        scheduler_answers: queue.jobs.is_some(),
        runs,
        damaged: folder.damaged,
    })
}

impl Status {
    /// Something waits or runs.
    pub fn is_going_on(&self) -> bool {
        self.runs.iter().any(|run| matches!(run.state, State::Queued | State::Running))
    }

    /// Something ended that should not have, or cannot be known: exit code 3.
    pub fn needs_a_look(&self) -> bool {
        let bad = |run: &Standing| matches!(run.state, State::Failed | State::NotRun | State::Unknown);
        !self.damaged.is_empty() || self.runs.iter().any(bad)
    }

    /// As JSON, one object.
    pub fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self).context("cannot encode the status")? + "\n")
    }

    /// As a table; no line is wider than 100 columns.
    pub fn table(&self) -> String {
        let longest = self.runs.iter().map(|run| display_width(&run.run)).max().unwrap_or(0);
        let width = longest.clamp(3, NAME_WIDTH);
        let mut text = line(width, ["RUN", "STATE", "JOB"], "HOW FAR, OR WHY NOT");
        for run in &self.runs {
            let job = run.job.as_deref().unwrap_or("-");
            let job = job.split('.').next().unwrap_or(job);
            let why = match (&run.reason, run.detail.as_str()) {
                (Some(reason), "") => reason.clone(),
                (Some(reason), detail) => format!("{reason}; {detail}"),
                (None, detail) => detail.to_owned(),
            };
            text.push_str(&line(width, [&plain(&run.run), run.state.as_str(), &plain(job)], &plain(&why)));
        }
        text.push_str(&format!("\n{}\n", self.summary()));
        if !self.scheduler_answers && self.scheduler != "none" {
            let what = format!(
                "{} does not answer here: what waits in its queue cannot be told from what was never submitted",
                self.scheduler
            );
            text.push_str(&textwrap::fill(&what, WIDTH));
            text.push('\n');
        }
        self.damaged.iter().for_each(|what| text.push_str(&format!("cannot be read: {}\n", plain(what))));
        text
    }

    /// `16 runs: 12 done, 4 failed`
    pub fn summary(&self) -> String {
        const ORDER: [State; 7] = [
            State::Done,
            State::Running,
            State::Queued,
            State::Failed,
            State::NotRun,
            State::Unknown,
            State::NotSubmitted,
        ];
        let count = |state: &State| self.runs.iter().filter(|run| run.state == *state).count();
        let parts: Vec<String> = ORDER
            .iter()
            .map(|state| (count(state), state))
            .filter(|(count, _)| *count > 0)
            .map(|(count, state)| format!("{count} {}", state.as_str()))
            .collect();
        format!("{}: {}", units::count(self.runs.len(), "run"), parts.join(", "))
    }
}

/// A row; what does not fit goes on below its last column.
fn line(width: usize, cells: [&str; 3], last: &str) -> String {
    let name = cut(cells[0], width);
    let padding = " ".repeat(width.saturating_sub(display_width(&name)));
    let start = format!("{name}{padding}  {:<13}  {:<9}  ", cells[1], cut(cells[2], 9));
    let indent = " ".repeat(display_width(&start));
    let options = textwrap::Options::new(WIDTH).initial_indent(&start).subsequent_indent(&indent);
    if last.is_empty() {
        return format!("{}\n", start.trim_end());
    }
    format!("{}\n", textwrap::fill(last, options))
}
