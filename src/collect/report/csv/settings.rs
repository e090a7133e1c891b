//! `settings.csv`: for each setting in which runs differ a row for each value at each load, size and op.

use anyhow::Result;

use super::bytes;
use crate::collect::number::us;
use crate::collect::settings::{Choice, Place, Setting};

const HEADER: [&str; 17] = [
    "rank",
    "setting",
    "slowest_to_fastest",
    "slowest_to_fastest_ci99_low",
    "slowest_to_fastest_ci99_high",
    "configuration",
    "payload_bytes",
    "op",
    "value",
    "runs",
    "median_us",
    "ratio_to_fastest",
    "ratio_ci99_low",
    "ratio_ci99_high",
    "would_have_seen_ratio",
    "standing",
    "answer",
];

pub fn render(settings: &[Setting]) -> Result<Vec<u8>> {
    let mut table = vec![HEADER.map(str::to_owned).to_vec()];
    for (at, setting) in settings.iter().enumerate() {
        for place in &setting.places {
            table.extend(place.options.iter().map(|one| row((at + 1, setting), place, one)));
        }
    }
    bytes(table)
}

fn row((rank, setting): (usize, &Setting), place: &Place, one: &Choice) -> Vec<String> {
    let ratio = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
    let (low, high) = setting.interval.unzip();
    let mut cells = vec![rank.to_string(), setting.name.to_owned()];
    cells.extend([Some(setting.spread), low, high].map(ratio));
    cells.extend([place.label.clone(), place.payload_bytes.to_string(), place.op.to_string(), one.label.clone()]);
    cells.extend([one.runs.to_string(), us(one.median_ns)]);
    let (low, high) = one.interval.unzip();
    cells.extend([Some(one.ratio), low, high, one.detectable].map(ratio));
    cells.extend([one.standing.as_str().to_owned(), place.says()]);
    cells
}
