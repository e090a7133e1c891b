//! `crossover.csv`: a row for each point of each curve, with the answer of its curve.

use anyhow::Result;

use super::bytes;
use crate::collect::crossover::{Cell, Curve, Duel};
use crate::collect::report::verdicts::{crossings, says};

const HEADER: [&str; 24] = [
    "setting",
    "first",
    "second",
    "configuration",
    "shared_by",
    "figure",
    "along",
    "load_axis",
    "load",
    "payload_bytes",
    "first_runs",
    "second_runs",
    "ratio_second_to_first",
    "ratio_ci99_low",
    "ratio_ci99_high",
    "better",
    "answer",
    "rests_on",
    "crossings",
    "crossing_at",
    "crossing_ci99_low",
    "crossing_ci99_high",
    "better_above",
    "says",
];

pub fn render(duels: &[Duel]) -> Result<Vec<u8>> {
    let mut table = vec![HEADER.map(str::to_owned).to_vec()];
    for duel in duels {
        for curve in &duel.curves {
            table.extend(curve.cells.iter().map(|at| row(duel, curve, &duel.cells[*at])));
        }
    }
    bytes(table)
}

fn row(duel: &Duel, curve: &Curve, cell: &Cell) -> Vec<String> {
    let number = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
    let ratio = cell.of(curve.share);
    let [first, second] = duel.sides.clone();
    let mut cells = vec![duel.setting.to_owned(), first, second, duel.label.clone()];
    cells.extend([curve.share.as_str(), duel.figure, curve.along.as_str(), duel.axis].map(str::to_owned));
    cells.extend([cell.load, cell.payload_bytes].map(|count| count.to_string()));
    cells.extend(cell.runs.map(|count| count.to_string()));
    let (low, high) = ratio.and_then(|ratio| ratio.interval).unzip();
    cells.extend([ratio.map(|ratio| ratio.value), low, high].map(number));
    cells.push(ratio.and_then(|ratio| Some(duel.sides[ratio.better?].clone())).unwrap_or_default());
    cells.extend([curve.answer.as_str(), curve.answer.basis()].map(str::to_owned));
    // the first of several; the sentence has all
    let all = crossings(&curve.answer);
    let first = all.first();
    cells.push(all.len().to_string());
    cells
        .extend([first.map(|one| one.x), first.map(|one| one.interval.0), first.map(|one| one.interval.1)].map(number));
    cells.push(first.map(|one| duel.sides[one.above].clone()).unwrap_or_default());
    cells.push(says(duel, curve));
    cells
}
