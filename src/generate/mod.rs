//! `shardscale gen`: plans every permutation, refuses what cannot run, and only then writes.
//!
//! This module turns a request into files, or into the text of a dry run. It must not read results, know what a script
//! looks like inside, or talk to a scheduler.

mod answers;
mod changes;
mod directives;
mod fit;
mod packing;
mod plan;
mod planner;
mod show;
mod study_file;
mod usage;
mod write;

use std::path::PathBuf;

use anyhow::Result;

pub use changes::{Change, Changes, summary};
pub use plan::{Plan, Planned, PlannedPack, Refusal};
pub use show::{Arrangement, dry_run};
pub use study_file::FILE as STUDY_FILE;
pub use usage::{WrongUsage, usage};

use crate::progress::Tell;
use crate::study::{Axes, Settings};

/// What the user asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Name of a site, or path of a site file; absent: the study file's.
    pub site: Option<String>,
    /// Name of a study, or path of a study file.
    pub study: Option<String>,
    /// Folder whose `site-configs/` and `templates/` win over those that ship.
    pub config: Option<PathBuf>,
    /// Axes from flags; the study file and the site's study fill the rest.
    pub axes: Axes,
    /// Settings from flags; those of the study file fill the rest.
    pub settings: Settings,
    /// Values that the site asks for, by name: `account`. Each once.
    pub answers: Vec<(String, String)>,
    pub out: PathBuf,
    /// Path of the client on the compute nodes.
    pub client: PathBuf,
    pub mode: Mode,
    /// Most that all jobs together may cost, in the site's charge unit.
    pub budget: Option<f64>,
    /// Generate the others where some permutations cannot run.
    pub skip_refused: bool,
    /// Of all permutations only those with these names; empty: all.
    pub only: Vec<String>,
}

/// What is to be done with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Write {
        /// Remove what is in the folder, not in the study and not measured.
        prune: bool,
    },
    /// Show the plan.
    DryRun,
    /// Show how the plan differs from the folder.
    Diff,
}

impl Default for Mode {
    fn default() -> Self {
        Mode::Write { prune: false }
    }
}

/// What was planned and what became of it.
pub struct Outcome {
    pub plan: Plan,
    /// How the plan stands to the folder; absent for a dry run.
    pub changes: Option<Changes>,
    /// Who sits where, for a dry run: each arrangement once.
    pub arrangements: Vec<Arrangement>,
    /// Why nothing would be written, where nothing was to be written.
    pub refused: Option<anyhow::Error>,
}

/// Plans, and writes unless the mode says otherwise; `progress` hears how many permutations are done.
///
/// # Errors
/// A wrong site, study or axis, permutations that cannot run (all are listed), a budget exceeded, runs that were measured
/// with other parameters, another `gen` at work in the folder, or a file that cannot be written. In all but the last case
/// nothing was written.
pub fn run(request: &Request, progress: Tell<'_>) -> Result<Outcome> {
    let planner = planner::Planner::new(request)?;
    let mut plan = planner.plan()?;
    if !request.only.is_empty() {
        plan.planned.retain(|planned| request.only.contains(&planned.manifest.name));
    }
    let refused = match (plan.refuse(request), request.mode) {
        (Err(error), Mode::Write { .. }) => return Err(error),
        (refused, _) => refused.err(),
    };
    planner.try_scripts(&plan)?;
    let mut arrangements = Vec::new();
    let changes = match request.mode {
        Mode::DryRun => {
            arrangements = show::arrangements(&planner, &plan)?;
            None
        }
        Mode::Diff => Some(changes::find(&planner, &plan, progress)?),
        Mode::Write { prune } => Some(write::write(&planner, &plan, prune, progress)?),
    };
    Ok(Outcome { plan, changes, arrangements, refused })
}
