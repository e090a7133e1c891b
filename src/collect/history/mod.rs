//! `collect --history DIR`: what each collection found, kept in a file each, and how it went over time.
//!
//! The story: [`entry`] reduces the runs of a collection to a level for each configuration, op and size; [`folder`] adds it to the
//! history, where nothing is ever changed, and reads what is there; [`trend`] makes lines and their changes of level; [`against`]
//! holds the present against the last collections. A configuration is what `--baseline` pairs: all parameters but the repeat
//! and how long was measured, and the product and the wire.

pub mod against;
pub mod entry;
pub mod folder;
pub mod trend;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;

use super::baseline::{self, Baseline};
use super::circumstances::Side;
use super::groups;
use super::model::{Problem, Run};
use super::params::Value;
use crate::record::files;
use crate::record::op::Op;
use entry::{Configuration, Entry};
pub use trend::{Shift, Trend, Turn};

/// What a history says, the present collection included.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The folder, as it was given.
    pub folder: String,
    /// Files that could be read.
    pub collections: usize,
    /// Those of configurations of the present collection first.
    pub trends: Vec<Trend>,
}

/// What became of a collection and its history.
pub struct Kept {
    pub history: History,
    /// Against the collections before, where there are any.
    pub against: Option<Baseline>,
    /// Files that could not be read.
    pub problems: Vec<Problem>,
    /// For the user: what was added.
    pub said: String,
}

/// Adds the runs to the history in `folder`, and reads what it says; `last` collections are what the runs are held against.
///
/// # Errors
/// A folder that cannot be made, written or listed. A damaged file is no error.
pub fn keep(folder: &Path, runs: &[Run], last: usize) -> Result<Kept> {
    let entry = Entry::of(runs, jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let shown = folder.display().to_string();
    let said = match entry.configurations.is_empty() {
        true => {
            files::create_folders(folder)?;
            "nothing was measured that could be added".to_owned()
        }
        false => match folder::append(folder, &entry)? {
            (name, true) => format!("added {name}"),
            (name, false) => format!("{name} is there already: the same measurements are kept once"),
        },
    };
    let (entries, problems) = folder::read(folder)?;
    let said = if entries.len() > 1 { said } else { said + "; there is no earlier collection to compare with" };
    let (past, present) = (moments(&entries), moments(std::slice::from_ref(&entry)));
    let against = (entries.len() > 1).then(|| against::compare(&shown, &past, &present, last));
    let trends = trend::of(past.into_iter().collect(), |key| present.contains_key(key));
    Ok(Kept { history: History { folder: shown, collections: entries.len(), trends }, against, problems, said })
}

/// A configuration at one collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// When its last run began; where that is not known, when it was collected.
    pub utc: String,
    /// Name of the first run.
    pub run: String,
    /// Identities of its runs.
    pub runs: BTreeSet<String>,
    pub environment: Side,
    /// Medians of the runs, in ns.
    pub figures: BTreeMap<Place, Vec<f64>>,
}

/// An op at a size.
pub type Place = (Op, u64);

/// All that makes a configuration, for its label as well.
type Key = groups::Key;

fn key(of: &Configuration) -> Key {
    let parameters = baseline::columns().map(|column| (column, of.parameters.get(column).cloned()));
    let found =
        [("store", &of.product), ("wire", &of.wire)].map(|(name, value)| (name, Some(Value::Text(value.clone()))));
    parameters.chain(found).collect()
}

/// By configuration its moments in the order of time. A run counts once: of two moments that share one, the one with more runs
/// stays, or else the one that was collected first.
pub fn moments(entries: &[Entry]) -> BTreeMap<Key, Vec<Moment>> {
    let mut all: BTreeMap<Key, Vec<(&str, Moment)>> = BTreeMap::new();
    for entry in entries {
        for one in &entry.configurations {
            all.entry(key(one)).or_default().push((&entry.collected_utc, moment(entry, one)));
        }
    }
    let once = |mut some: Vec<(&str, Moment)>| {
        some.sort_by(|a, b| (b.1.runs.len(), a.0).cmp(&(a.1.runs.len(), b.0)));
        let mut known: BTreeSet<String> = BTreeSet::new();
        let mut kept: Vec<Moment> = Vec::new();
        for (_, moment) in some {
            if moment.runs.is_disjoint(&known) {
                known.extend(moment.runs.iter().cloned());
                kept.push(moment);
            }
        }
        kept.sort_by(|a, b| (&a.utc, &a.run).cmp(&(&b.utc, &b.run)));
        kept
    };
    all.into_iter().map(|(key, some)| (key, once(some))).collect()
}

fn moment(entry: &Entry, of: &Configuration) -> Moment {
    let figures = of.figures.iter().map(|figure| {
        let medians = figure.run_medians_us.iter().map(|us| us * 1e3).collect();
        ((figure.op, figure.payload_bytes), medians)
    });
    Moment {
        utc: of.measured_utc.clone().unwrap_or_else(|| entry.collected_utc.clone()),
        run: of.run.clone(),
        runs: of.runs.iter().cloned().collect(),
        environment: of.environment.clone(),
        figures: figures.collect(),
    }
}
