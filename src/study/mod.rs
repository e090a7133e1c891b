//! A study: the axes, where their values come from, and the permutations that they make.
//!
//! This module knows axes, study files and names. It must not know sites, schedulers or scripts, and it writes no file.

mod axes;
mod condition;
mod expand;
mod file;
mod given;
mod idle;
mod name;
mod programs;
mod rules;
mod settings;
mod sizes;

pub use axes::{Axes, Study};
pub use condition::Condition;
pub use expand::{MAX_PERMUTATIONS, Point};
pub use file::StudyFile;
pub use idle::Said;
pub use name::name;
pub use programs::Programs;
pub use rules::{Rules, When};
pub use settings::Settings;
