//! Lines over time, and where their level changes.
//!
//! All ops and sizes of a configuration are one point of many coordinates, so that what they share counts once. One test a
//! configuration, and Benjamini & Hochberg over all of them: an unchanged history of many configurations stays silent.

use rayon::prelude::*;

use super::{Key, Moment, Place};
use crate::collect::baseline::FALSE_RATE;
use crate::collect::circumstances::{self, Difference};
use crate::collect::groups;
use crate::collect::stats::change_point::{self, LEAST};
use crate::collect::stats::interval::{Contrast, geometric_mean};
use crate::collect::stats::multiple::discovery_limit;

/// Moments that are looked at for changes, the last ones: the effort grows with the square.
const LOOKED_AT: usize = 100;

/// A configuration over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    /// What tells it from the others.
    pub label: String,
    /// It is one of the present collection.
    pub is_present: bool,
    pub moments: Vec<Moment>,
    /// Changes of level, in order.
    pub turns: Vec<Turn>,
    /// Why none is looked for.
    pub not_tested: Option<String>,
}

/// A change of level.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// Index of the first moment of the new level.
    pub at: usize,
    pub p: f64,
    /// In what the moments on both sides of it differ.
    pub differs: Vec<Difference>,
    pub shifts: Vec<Shift>,
}

/// By how much an op at a size changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    pub place: Place,
    /// New / old level.
    pub ratio: f64,
    /// 99 %, by Welch, collections as units.
    pub interval: Option<(f64, f64)>,
}

impl Turn {
    /// Geometric mean of the ratios.
    pub fn ratio(&self) -> f64 {
        geometric_mean(&self.shifts.iter().map(|one| one.ratio).collect::<Vec<_>>()).unwrap_or(1.0)
    }
}

/// The lines of all configurations; those for which `is_present` holds come first.
pub fn of(all: Vec<(Key, Vec<Moment>)>, is_present: impl Fn(&Key) -> bool) -> Vec<Trend> {
    let labels = groups::labels(&all.iter().map(|(key, _)| key).collect::<Vec<_>>());
    let points: Vec<Result<Vec<Vec<f64>>, String>> = all.iter().map(|(_, moments)| points(moments)).collect();
    let first: Vec<f64> =
        points.par_iter().filter_map(|points| Some(change_point::clearest(points.as_ref().ok()?)?.p)).collect();
    let limit = discovery_limit(&first, FALSE_RATE);
    let turns: Vec<Vec<Turn>> = (all.par_iter().zip(&points))
        .map(|((_, moments), points)| {
            points.as_ref().ok().zip(limit).map(|(points, limit)| turns(moments, points, limit)).unwrap_or_default()
        })
        .collect();
    let tested = points.into_iter().map(Result::err);
    let mut trends: Vec<Trend> = all
        .into_iter()
        .zip(labels)
        .zip(turns.into_iter().zip(tested))
        .map(|(((key, moments), label), (turns, not_tested))| Trend {
            label,
            is_present: is_present(&key),
            moments,
            turns,
            not_tested,
        })
        .collect();
    trends.sort_by_key(|trend| !trend.is_present);
    trends
}

/// Logarithms of the levels of what all of the last moments have; or why there is nothing to test.
fn points(moments: &[Moment]) -> Result<Vec<Vec<f64>>, String> {
    if moments.len() < LEAST {
        return Err(format!("changes of level are looked for from {LEAST} collections on"));
    }
    let last = looked_at(moments);
    let shared: Vec<Place> = last[0]
        .figures
        .keys()
        .filter(|place| last.iter().all(|one| one.figures.contains_key(place)))
        .copied()
        .collect();
    if shared.is_empty() {
        return Err("no op at any size is in all collections".to_owned());
    }
    Ok(last.iter().map(|one| shared.iter().filter_map(|place| Some(level(one, place)?.ln())).collect()).collect())
}

fn looked_at(moments: &[Moment]) -> &[Moment] {
    &moments[moments.len().saturating_sub(LOOKED_AT)..]
}

/// Geometric mean of the runs' medians.
pub fn level(of: &Moment, place: &Place) -> Option<f64> {
    geometric_mean(of.figures.get(place)?)
}

fn turns(moments: &[Moment], points: &[Vec<f64>], limit: f64) -> Vec<Turn> {
    let skipped = moments.len() - looked_at(moments).len();
    let splits = change_point::all(points, limit);
    let ends: Vec<usize> = splits.iter().map(|split| skipped + split.at).chain([moments.len()]).collect();
    let turn = |(at, split): (usize, &change_point::Split)| {
        let from = if at == 0 { skipped } else { ends[at - 1] };
        let (before, after) = (&moments[from..ends[at]], &moments[ends[at]..ends[at + 1]]);
        let shift = |place: &Place| {
            let levels = |some: &[Moment]| some.iter().filter_map(|one| level(one, place)).collect::<Vec<_>>();
            let contrast = Contrast::welch(&levels(before), &levels(after))?;
            Some(Shift { place: *place, ratio: contrast.difference.exp(), interval: contrast.interval() })
        };
        Turn {
            at: ends[at],
            p: split.p,
            differs: circumstances::between(&before[before.len() - 1].environment, &after[0].environment),
            shifts: after[0].figures.keys().filter_map(shift).collect(),
        }
    };
    splits.iter().enumerate().map(turn).collect()
}
