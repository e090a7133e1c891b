//! How bandwidth grows: series of runs that differ in one way only, their speed-up, efficiency and fit.
//!
//! Every rank does the same number of iterations however many there are, so that more clients are more work. Four
//! readings follow, and a series says which it is:
//!
//! - **load**: more clients on a store that stays the same; efficiency is the part of the ideal that each client keeps;
//! - **strong**: more DB nodes under a load that stays the same;
//! - **dense**: more servers on the same nodes under a load that stays the same;
//! - **weak**: clients and store grow together, in one proportion (colocated runs always do).
//!
//! Knows the model; reads no file and draws nothing.

mod fit;
mod series;

pub use fit::{Fit, FitKind};
pub use series::of_runs;

use crate::record::vocabulary::words;

words! {
    /// What a series holds fixed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Reading {
        Load = "load",
        Strong = "strong",
        Dense = "dense",
        Weak = "weak",
    }
}

impl Reading {
    /// For people.
    pub fn describe(self) -> &'static str {
        match self {
            Reading::Load => "more clients on the same store",
            Reading::Strong => "more DB nodes under the same load",
            Reading::Dense => "more servers on the same nodes under the same load",
            Reading::Weak => "clients and store grow together",
        }
    }
}

/// A series at one tensor size.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    pub reading: Reading,
    /// What x counts: a column of the parameters.
    pub axis: &'static str,
    /// What tells the series from the others.
    pub label: String,
    pub payload_bytes: u64,
    /// Which bandwidth: `overlap` (all ops), or `classic` where a run has no common clock.
    pub figure: &'static str,
    /// Indices of its runs, ascending.
    pub runs: Vec<usize>,
    /// Ascending in x, at least two.
    /// In what its runs differ beside the axis and the repeat: versions, kernels, modules.
    pub differs: Vec<String>,
    pub points: Vec<Point>,
    /// Or why there is none.
    pub fit: Result<Fit, String>,
}

/// The runs at one x.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub x: u64,
    pub runs: usize,
    /// Median over the runs, in GB/s.
    pub gb_per_s: f64,
    /// Least and most of the runs.
    pub low: f64,
    pub high: f64,
    /// Bandwidth / that of the smallest x.
    pub speed_up: f64,
    /// Speed-up / (x / the smallest x).
    pub efficiency: f64,
}
