//! `shardscale gen`: plans every permutation, refuses what cannot run, and only then writes.
//!
//! This module turns a request into files. It must not read results, know what a script looks like inside, or talk to a
//! scheduler.

mod answers;
mod plan;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

pub use plan::{Plan, Planned, Refusal};
pub use write::{Change, Written};

use crate::site::Walltime;
use crate::study::Axes;

/// What the user asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Name of a site, or path of a site file.
    pub site: String,
    /// Folder whose `site-configs/` and `templates/` win over those that ship.
    pub config: Option<PathBuf>,
    /// Axes from flags; the site's study fills the rest.
    pub axes: Axes,
    pub out: PathBuf,
    /// Values that the site asks for, by name: `account`.
    pub answers: BTreeMap<String, String>,
    pub queue: Option<String>,
    pub walltime: Option<Walltime>,
    pub directives: Vec<String>,
    /// Path of the client on the compute nodes.
    pub client: PathBuf,
    /// Path of the server program.
    pub server: Option<String>,
    /// Generate the others where some permutations cannot run.
    pub skip_refused: bool,
}

/// Plans and writes.
///
/// # Errors
/// A wrong site or axis, permutations that cannot run (all are listed), runs that were measured with other parameters,
/// another `gen` at work in the folder, or a file that cannot be written. In all but the last case nothing was written.
pub fn run(request: &Request) -> Result<(Plan, Written)> {
    let plan = plan::plan(request)?;
    let written = write::write(&plan)?;
    Ok((plan, written))
}
