//! The parts of `summary.md` about series and stragglers.

use crate::collect::model::{Measured, Standings};
use crate::collect::number::short;
use crate::collect::scaling::{Fit, Scaling};
use crate::record::units::show_bytes;

/// Series that are listed; scaling.csv has all.
const LISTED: usize = 10;

/// A table with a row for each series, as Markdown that `cell` makes safe; empty without series.
pub fn scaling(all: &[Scaling], cell: impl Fn(&str) -> String) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut text = "\n## Scaling\n\nEfficiency against the smallest point, in per cent, at each x.\n\n\
                    | reading | series | size | GB/s at the ends | efficiency | fit |\n|---|---|--:|--:|---|---|\n"
        .to_owned();
    for series in all.iter().take(LISTED) {
        let [first, last] = [series.points.first(), series.points.last()].map(|point| point.map(|p| short(p.gb_per_s)));
        let ends = format!("{} to {}", first.unwrap_or_default(), last.unwrap_or_default());
        let efficiency: Vec<_> =
            series.points.iter().map(|point| format!("{}: {:.0}", point.x, point.efficiency * 100.0)).collect();
        text.push_str(&format!(
            "| {}: {} | {} | {} | {ends} | {} ({}) | {} |\n",
            series.reading.as_str(),
            series.reading.describe(),
            cell(&series.label),
            show_bytes(series.payload_bytes),
            efficiency.join(", "),
            series.axis.replace('_', " "),
            cell(&fit(&series.fit)),
        ));
    }
    if all.len() > LISTED {
        text.push_str(&format!("\n{} more series are in scaling.csv.\n", all.len() - LISTED));
    }
    text
}

fn fit(fit: &Result<Fit, String>) -> String {
    match fit {
        Err(reason) => format!("none: {reason}"),
        Ok(fit) => {
            let knee = fit.knee.map(|knee| {
                let place = if fit.knee_is_measured { "" } else { ", beyond the points" };
                format!(", knee at {knee:.0}{place}")
            });
            format!("{}, R^2 {:.3}{}", fit.kind.as_str(), fit.r_squared, knee.unwrap_or_default())
        }
    }
}

/// What a run's stragglers are, in words.
pub fn stragglers(measured: &Measured) -> Vec<String> {
    let kinds = [
        ("hosts", &measured.hosts_standing),
        ("shards", &measured.shards_standing),
        ("ranks", &measured.ranks_standing),
    ];
    kinds.iter().filter(|(_, of)| of.stragglers > 0).map(|(what, of)| slowest(what, of)).collect()
}

fn slowest(what: &str, of: &Standings) -> String {
    let listed = of.slowest.iter().take(of.stragglers.min(3)).map(|one| format!("{} ({:.2})", one.name, one.ratio));
    let listed = listed.collect::<Vec<_>>().join(", ");
    format!("{} of {} {what} straggle, as ratio to the run's median: {listed}", of.stragglers, of.total)
}
