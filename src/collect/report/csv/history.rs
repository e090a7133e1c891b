//! `history.csv`: a row for each configuration, op and size at each collection.

use anyhow::Result;

use super::bytes;
use crate::collect::circumstances;
use crate::collect::history::{History, Place, Trend, trend};
use crate::collect::number::{us, us_or_empty};
use crate::collect::stats::interval;

const HEADER: [&str; 17] = [
    "configuration",
    "present",
    "run",
    "measured_utc",
    "payload_bytes",
    "op",
    "runs",
    "median_us",
    "median_ci99_low_us",
    "median_ci99_high_us",
    "level",
    "begins_level",
    "p",
    "ratio_to_level_before",
    "ratio_ci99_low",
    "ratio_ci99_high",
    "differs",
];

pub fn render(history: &History) -> Result<Vec<u8>> {
    let mut table = vec![HEADER.map(str::to_owned).to_vec()];
    for of in &history.trends {
        for at in 0..of.moments.len() {
            table.extend(of.moments[at].figures.keys().filter_map(|place| row(of, at, place)));
        }
    }
    bytes(table)
}

fn row(of: &Trend, at: usize, place: &Place) -> Option<Vec<String>> {
    let moment = &of.moments[at];
    let medians = moment.figures.get(place)?;
    let turn = of.turns.iter().find(|turn| turn.at == at);
    let (low, high) = interval::of_repeats(medians).unzip();
    let mut cells = vec![of.label.clone(), of.is_present.to_string(), moment.run.clone(), moment.utc.clone()];
    cells.extend([
        place.1.to_string(),
        place.0.to_string(),
        medians.len().to_string(),
        us(trend::level(moment, place)?),
    ]);
    cells.extend([low, high].map(us_or_empty));
    cells.push((1 + of.turns.iter().filter(|turn| turn.at <= at).count()).to_string());
    cells.push(turn.is_some().to_string());
    cells.push(turn.map(|turn| format!("{:.4}", turn.p)).unwrap_or_default());
    let shift = turn.and_then(|turn| turn.shifts.iter().find(|one| one.place == *place));
    let (low, high) = shift.and_then(|one| one.interval).unzip();
    let ratio = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
    cells.extend([shift.map(|one| one.ratio), low, high].map(ratio));
    cells.push(turn.map(|turn| circumstances::line(&turn.differs)).unwrap_or_default());
    Some(cells)
}
