//! What `gen` is asked.

use std::path::PathBuf;

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
