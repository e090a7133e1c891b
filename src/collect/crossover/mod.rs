//! Where the better of two ways to run a store changes: standard and colocated, one product and another, servers and files.
//!
//! Bandwidths of all ops of all ranks are compared, under the same load, for each client node, each node of the store and each
//! node-hour of the whole job; against the load at a size, and against the size under a load. Knows the model; reads no file and draws
//! nothing. [`duel`] has the ratios, [`curve`] what they say.

mod curve;
mod duel;

pub use duel::of_runs;

use crate::record::vocabulary::words;

words! {
    /// What the bandwidths are shared by before they are compared.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Share {
        ClientNode = "client_node",
        DbNode = "db_node",
        NodeHour = "node_hour",
    }
}

impl Share {
    /// For people.
    pub fn describe(self) -> &'static str {
        match self {
            Share::ClientNode => "for each client node",
            Share::DbNode => "for each node of the store",
            Share::NodeHour => "for each node-hour, DB nodes included",
        }
    }
}

/// Two ways that differ in one setting, over loads and sizes.
#[derive(Debug, Clone, PartialEq)]
pub struct Duel {
    /// The setting: a column.
    pub setting: &'static str,
    /// What the two are called; ratios are the second / the first.
    pub sides: [String; 2],
    /// What tells it from other duels of the two.
    pub label: String,
    /// What counts the load: a column.
    pub axis: &'static str,
    /// Which bandwidth: `overlap` (all ops), or `classic` where a run has no common clock.
    pub figure: &'static str,
    /// By load, then by size.
    pub cells: Vec<Cell>,
    pub curves: Vec<Curve>,
    /// Indices of its runs, ascending.
    pub runs: Vec<usize>,
}

/// Both at one load and size.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    pub load: u64,
    pub payload_bytes: u64,
    /// Runs of each side.
    pub runs: [usize; 2],
    /// By share; absent where a side has no nodes to share by.
    pub ratios: [Option<Ratio>; 3],
}

impl Cell {
    pub fn of(&self, share: Share) -> Option<&Ratio> {
        self.ratios[share as usize].as_ref()
    }
}

/// Bandwidth of the second side / of the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    pub value: f64,
    /// 99 %, by Welch; absent without repeats on both sides.
    pub interval: Option<(f64, f64)>,
    pub p: Option<f64>,
    /// The side that was shown to move more.
    pub better: Option<usize>,
}

words! {
    /// What a curve runs along.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Along {
        Load = "load",
        Size = "size",
    }
}

/// The cells of one size along the load, or of one load along the size.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    pub along: Along,
    /// The size, or the load, that stays.
    pub at: u64,
    pub share: Share,
    /// Indices into the cells, ascending in x.
    pub cells: Vec<usize>,
    pub answer: Answer,
}

/// What a curve says.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// One side is better at every measured point.
    Everywhere(usize),
    /// The better one changes.
    Crossings(Vec<Crossing>),
    /// One side is better at some points, and none is at the others.
    Partly {
        better: usize,
        /// x of the points where it is shown.
        at: Vec<u64>,
        open: Vec<u64>,
    },
    /// No difference was found at any point.
    NotDecided,
    NotRepeated,
}

impl Answer {
    pub fn as_str(&self) -> &'static str {
        match self {
            Answer::Everywhere(_) => "none in the measured range",
            Answer::Crossings(_) => "crossover",
            Answer::Partly { .. } | Answer::NotDecided => "not decided",
            Answer::NotRepeated => "not repeated",
        }
    }

    /// What the answer rests on.
    pub fn basis(&self) -> &'static str {
        match self {
            Answer::Everywhere(_) | Answer::Partly { .. } => "measured",
            Answer::Crossings(_) => "interpolated",
            Answer::NotDecided | Answer::NotRepeated => "",
        }
    }
}

/// Where a side takes over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crossing {
    /// The side that is better above.
    pub above: usize,
    pub x: f64,
    /// Where the interval of the ratio, interpolated between its points, holds 1.
    pub interval: (f64, f64),
    /// The neighbouring points at which the better side is shown.
    pub between: (u64, u64),
}
