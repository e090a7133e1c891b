//! `shardscale gen`: plans every permutation, refuses what cannot run, and only then writes.
//!
//! This module turns a request into files, or into the text of a dry run. It must not read results, know what a script
//! looks like inside, or talk to a scheduler.

mod answers;
mod changes;
mod directives;
mod fit;
mod notes;
mod packing;
mod plan;
mod planner;
mod request;
mod show;
mod study_file;
mod usage;
mod write;

use std::collections::HashSet;

use anyhow::Result;

pub use changes::{Change, Changes, summary};
pub use notes::packing_note;
pub use plan::{Plan, Planned, PlannedPack, Refusal};
pub use request::{Mode, Request};
pub use show::{Arrangement, dry_run};
pub use study_file::FILE as STUDY_FILE;
pub use usage::{WrongUsage, usage};

use crate::progress::Tell;
use crate::record::manifest::Manifest;
use crate::site::Queue;
use planner::Planner;

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
    let planner = Planner::new(request)?;
    let mut plan = plan(&planner)?;
    if !request.only.is_empty() {
        plan.planned.retain(|planned| request.only.contains(&planned.manifest.name));
    }
    let refused = match (plan.refuse(request), request.mode) {
        (Err(error), Mode::Write { .. }) => return Err(error),
        (refused, _) => refused.err(),
    };
    try_scripts(&planner, &plan)?;
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

/// Plans every permutation; reads nothing, writes nothing.
fn plan(planner: &Planner<'_>) -> Result<Plan> {
    let mut plan = Plan {
        out: planner.out.clone(),
        planned: Vec::new(),
        packs: Vec::new(),
        packed: HashSet::new(),
        refused: Vec::new(),
        notes: Vec::new(),
        charge_unit: planner.site.charge.as_ref().map(|charge| charge.unit.clone()),
    };
    // a store that runs already has as many shards as it has: permutations of `db_nodes` are one
    let mut names = HashSet::new();
    let points = planner.study.points(&planner.rules)?;
    fit::products(&planner.site, &planner.settings, points.iter().map(|point| &point.job))?;
    for point in points {
        match planner.planned(&point) {
            Ok(planned) if !names.insert(planned.manifest.name.clone()) => {}
            Ok(planned) => plan.planned.push(planned),
            Err(reason) => plan.refused.push(Refusal { name: point.name, reason: format!("{reason:#}") }),
        }
    }
    packing::pack(planner, &mut plan)?;
    plan.notes = notes::notes(planner, &plan);
    Ok(plan)
}

/// Renders one script of each deployment, binding and queue row, so that what is wrong with a template or a directive is
/// found before the first file is written.
fn try_scripts(planner: &Planner<'_>, plan: &Plan) -> Result<()> {
    let mut tried = HashSet::new();
    for Planned { manifest, .. } in &plan.planned {
        let Manifest { job, expect, .. } = manifest;
        if tried.insert((job.deployment, &job.cpu_bind, &expect.queue)) {
            let files = planner.files(plan, manifest)?;
            check_directives(planner, &files.script, planner.row(&expect.queue))?;
            if let Some(script) = &files.db_script {
                check_directives(planner, script, planner.db_queue(job)?)?;
            }
        }
    }
    match plan.packs.first() {
        Some(planned) => {
            check_directives(planner, &packing::script(planner, planned)?, planner.row(&planned.pack.queue))
        }
        None => Ok(()),
    }
}

fn check_directives(planner: &Planner<'_>, script: &str, queue: Option<&Queue>) -> Result<()> {
    directives::check_in(script, &planner.directives_with(queue), &planner.settings.directives, &planner.site)
}
