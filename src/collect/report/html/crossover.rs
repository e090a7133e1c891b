//! Where the better of two ways changes, as the page draws it.

use serde::Serialize;

use super::axes::title;
use super::data::Figure;
use crate::collect::crossover::{Cell, Crossing, Curve, Duel, Ratio, Share};
use crate::collect::report::verdicts::{crossings, says};

#[derive(Serialize)]
pub struct DuelData<'a> {
    sides: &'a [String; 2],
    label: &'a str,
    axis: String,
    figure: &'static str,
    runs: &'a [usize],
    cells: Vec<CellData>,
    curves: Vec<CurveData>,
}

/// (load, size, runs of both sides, by share the ratio with the ends of its interval and the side that is shown to be better).
type CellData = (u64, u64, [usize; 2], [Option<RatioData>; 3]);
type RatioData = (Figure, Option<Figure>, Option<Figure>, Option<usize>);

/// (along, size or load that stays, share, what it says, crossings as (x, low, high)).
type CurveData = (&'static str, u64, usize, String, Vec<[Figure; 3]>);

/// Each duel.
pub fn duels(all: &[Duel]) -> Vec<DuelData<'_>> {
    all.iter().map(duel).collect()
}

/// The ways to share bandwidths, as choices: (key, words).
pub fn shares() -> [(&'static str, &'static str); 3] {
    Share::ALL.map(|share| (share.as_str(), share.describe()))
}

fn duel(of: &Duel) -> DuelData<'_> {
    DuelData {
        sides: &of.sides,
        label: &of.label,
        axis: title(of.axis).0,
        figure: of.figure,
        runs: &of.runs,
        cells: of.cells.iter().map(cell).collect(),
        curves: of.curves.iter().map(|one| curve(of, one)).collect(),
    }
}

fn cell(of: &Cell) -> CellData {
    let ratio = |of: &Option<Ratio>| {
        let Ratio { value, interval, better, .. } = (*of)?;
        let (low, high) = interval.unzip();
        Some((Figure(value), low.map(Figure), high.map(Figure), better))
    };
    (of.load, of.payload_bytes, of.runs, of.ratios.each_ref().map(ratio))
}

fn curve(duel: &Duel, of: &Curve) -> CurveData {
    let crossing = |one: &Crossing| [one.x, one.interval.0, one.interval.1].map(Figure);
    let crossings = crossings(&of.answer).iter().map(crossing).collect();
    (of.along.as_str(), of.at, of.share as usize, says(duel, of), crossings)
}
