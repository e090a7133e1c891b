//! Where the better of two ways changes, as the page draws it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figure::{Figure, Rough, index_of};
use crate::collect::crossover::{Cell, Crossing, Curve, Duel, Ratio, Share};
use crate::collect::groups::title;
use crate::collect::report::verdicts::{crossings, says};

#[derive(Serialize)]
pub struct DuelData<'a> {
    sides: &'a [String; 2],
    label: &'a str,
    axis: String,
    figure: &'static str,
    runs: &'a [usize],
    /// By load, what the ratio for each client node is times to be that of each share; absent where there are no such nodes.
    factors: BTreeMap<u64, [Option<Figure>; 3]>,
    cells: Vec<CellData>,
    /// What is said of curves, each once.
    answers: Vec<String>,
    curves: Vec<CurveData>,
}

/// (load, size, runs of both sides, ratio for each client node, ends of its interval, by share the side that is shown to be better).
type CellData = (u64, u64, [usize; 2], Figure, Option<Figure>, Option<Figure>, [Option<usize>; 3]);

/// (along, size or load that stays, share, index of what it says, crossings as (x, low, high)).
type CurveData = (&'static str, u64, usize, usize, Vec<[Rough; 3]>);

/// Each duel.
pub fn duels(all: &[Duel]) -> Vec<DuelData<'_>> {
    all.iter().map(duel).collect()
}

/// The ways to share bandwidths, as choices: (key, words).
pub fn shares() -> [(&'static str, &'static str); 3] {
    Share::ALL.map(|share| (share.as_str(), share.describe()))
}

fn duel(of: &Duel) -> DuelData<'_> {
    let mut answers = Vec::new();
    let curves = of.curves.iter().map(|one| curve(of, one, &mut answers)).collect();
    DuelData {
        sides: &of.sides,
        label: &of.label,
        axis: title(of.axis).0,
        figure: of.figure,
        runs: &of.runs,
        factors: of.cells.iter().map(|cell| (cell.load, factors(cell))).collect(),
        cells: of.cells.iter().filter_map(cell).collect(),
        answers,
        curves,
    }
}

fn factors(of: &Cell) -> [Option<Figure>; 3] {
    Share::ALL.map(|share| Some(Figure(of.of(share)?.value / of.of(Share::ClientNode)?.value)))
}

fn cell(of: &Cell) -> Option<CellData> {
    let Ratio { value, interval, .. } = of.of(Share::ClientNode)?;
    let (low, high) = interval.unzip();
    let better = of.ratios.map(|ratio| ratio?.better);
    Some((of.load, of.payload_bytes, of.runs, Figure(*value), low.map(Figure), high.map(Figure), better))
}

fn curve(duel: &Duel, of: &Curve, answers: &mut Vec<String>) -> CurveData {
    let crossing = |one: &Crossing| [one.x, one.interval.0, one.interval.1].map(Rough);
    let crossings = crossings(&of.answer).iter().map(crossing).collect();
    (of.along.as_str(), of.at, of.share as usize, index_of(answers, says(duel, of)), crossings)
}
