//! The comparison with an earlier collection, as the page draws it.

use serde::Serialize;

use super::figure::Figure;
use crate::collect::baseline::{Baseline, Change, Verdict};
use crate::collect::circumstances;

#[derive(Serialize)]
pub struct Comparison<'a> {
    folder: &'a str,
    changes: Vec<ChangeData<'a>>,
    further: Vec<ChangeData<'a>>,
    only_old: &'a [String],
    only_new: &'a [String],
    /// In what else the sides of pairs differ.
    differs: Vec<String>,
    apart: &'a [String],
}

#[derive(Serialize)]
struct ChangeData<'a> {
    run: &'a str,
    /// Where it has another name than the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_run: Option<&'a str>,
    bytes: u64,
    op: &'static str,
    figure: &'static str,
    old: Figure,
    new: Figure,
    ratio: Figure,
    low: Option<Figure>,
    high: Option<Figure>,
    runs: [usize; 2],
    method: &'static str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    differs: String,
}

/// The comparison, where there is one.
pub fn comparison(baseline: &Baseline) -> Comparison<'_> {
    Comparison {
        folder: &baseline.folder,
        changes: baseline.changes.iter().map(change).collect(),
        further: baseline.further.iter().map(change).collect(),
        only_old: &baseline.only_old,
        only_new: &baseline.only_new,
        differs: baseline.differences(),
        apart: &baseline.apart,
    }
}

fn change(change: &Change) -> ChangeData<'_> {
    let (low, high) = change.interval.unzip();
    ChangeData {
        run: &change.run,
        baseline_run: Some(change.baseline_run.as_str()).filter(|name| *name != change.run),
        bytes: change.payload_bytes,
        op: change.op_name(),
        figure: change.metric.as_str(),
        old: Figure(change.metric.in_unit(change.old)),
        new: Figure(change.metric.in_unit(change.new)),
        ratio: Figure(change.ratio),
        low: low.map(Figure),
        high: high.map(Figure),
        runs: [change.old_runs, change.new_runs],
        method: change.method.as_str(),
        verdict: change.verdict.as_str(),
        differs: circumstances::line(&change.differs),
    }
}

/// The comparison in a sentence.
#[derive(Serialize)]
pub struct Summary<'a> {
    folder: &'a str,
    counts: Vec<(&'static str, usize)>,
    only_old: usize,
    only_new: usize,
    differs: Vec<String>,
    /// The first that were not compared.
    apart: Vec<&'a str>,
    apart_in_all: usize,
}

impl<'a> Summary<'a> {
    pub fn of(baseline: &'a Baseline) -> Summary<'a> {
        let count = |verdict: &Verdict| (verdict.as_str(), baseline.count(*verdict));
        Summary {
            folder: &baseline.folder,
            counts: Verdict::ALL.iter().map(count).filter(|(_, count)| *count > 0).collect(),
            only_old: baseline.only_old.len(),
            only_new: baseline.only_new.len(),
            differs: baseline.differences(),
            apart: baseline.apart.iter().take(3).map(String::as_str).collect(),
            apart_in_all: baseline.apart.len(),
        }
    }
}
