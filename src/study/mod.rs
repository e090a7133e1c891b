//! A study: the axes, where their values come from, and the permutations that they make.
//!
//! This module knows axes and names. It must not know sites, schedulers or scripts, and it neither reads nor writes files.

mod axes;
mod expand;
mod name;

pub use axes::{Axes, Study};
pub use expand::{MAX_PERMUTATIONS, Point};
pub use name::name;
