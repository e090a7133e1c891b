//! The comparison with a baseline for a terminal: how many of which verdict, then what changed, the worst first.

use crate::collect::baseline::{Baseline, Change, Metric, Verdict, count};
use crate::collect::number::short;
use crate::record::units::show_bytes;
use crate::terminal::{WIDTH, cut, plain};

/// Changes that are listed.
const LISTED: usize = 20;
const NAME_WIDTH: usize = 34;
/// What to do about them, in lines no wider than the table's.
const UNCONFIRMED: &str = "unconfirmed: these differ, but one run on a side does not show how much runs differ by chance:\n\
     repeat both sides (gen --repeats 3) before believing it. Each is in baseline.csv; --fail-if does\n\
     not count them.\n";

/// `24 comparisons: 2 slower, 22 noise`.
pub fn headline(baseline: &Baseline) -> String {
    let counts = counts(&baseline.changes.iter().collect::<Vec<_>>());
    match baseline.changes.len() {
        0 => "no run has the parameters of one in the baseline".to_owned(),
        1 => format!("1 comparison: {counts}"),
        n => format!("{n} comparisons: {counts}"),
    }
}

/// `p99: 2 slower, 22 noise; overlap GB/s: 12 noise`, what decides nothing; absent where no repeats allow to judge it.
pub fn further(baseline: &Baseline) -> Option<String> {
    let said = [(Metric::P99, "p99"), (Metric::Bandwidth, "overlap GB/s")].map(|(metric, name)| {
        let some = baseline.further_of(metric);
        some.iter().any(|change| change.verdict != Verdict::TooFew).then(|| format!("{name}: {}", counts(&some)))
    });
    let said: Vec<_> = said.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// `2 slower, 22 noise`.
fn counts(changes: &[&Change]) -> String {
    let counts = Verdict::ALL.iter().map(|verdict| (count(changes.iter().copied(), *verdict), verdict.as_str()));
    let counts = counts.filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    counts.collect::<Vec<_>>().join(", ")
}

/// The comparison as text, no line wider than the table's.
pub fn text(baseline: &Baseline) -> String {
    let mut text = format!("\nAgainst {}: {}\n", cut(&plain(&baseline.folder), 50), headline(baseline));
    let mut changed: Vec<&Change> =
        baseline.changes.iter().filter(|c| matches!(c.verdict, Verdict::Slower | Verdict::Faster)).collect();
    changed.sort_by(|a, b| b.ratio.ln().abs().total_cmp(&a.ratio.ln().abs()));
    if !changed.is_empty() {
        text.push_str(&row(["RUN", "SIZE", "OP", "OLD us", "NEW us", "NEW/OLD", "99 % INTERVAL"]));
    }
    for change in changed.iter().take(LISTED) {
        let interval = change.interval.map(|(low, high)| format!("{low:.2} .. {high:.2}")).unwrap_or_default();
        text.push_str(&row([
            &cut(&plain(&change.run), NAME_WIDTH),
            &show_bytes(change.payload_bytes),
            change.op_name(),
            &short(change.metric.in_unit(change.old)),
            &short(change.metric.in_unit(change.new)),
            &format!("{:.2}", change.ratio),
            &interval,
        ]));
    }
    if changed.len() > LISTED {
        text.push_str(&format!("and {} more: see baseline.csv\n", changed.len() - LISTED));
    }
    if let Some(further) = further(baseline) {
        text.push_str(&format!("Beside the medians: {further}\n"));
    }
    for difference in baseline.differences() {
        text.push_str(&format!("differs: {}\n", cut(&plain(&difference), WIDTH - 9)));
    }
    for (index, apart) in baseline.apart.iter().enumerate() {
        match index {
            0..3 => text.push_str(&format!("not compared: {}\n", cut(&plain(apart), WIDTH - 14))),
            3 => text.push_str(&format!("and {} more; --across compares them\n", baseline.apart.len() - 3)),
            _ => break,
        }
    }
    if baseline.count(Verdict::Unconfirmed) > 0 {
        text.push_str(UNCONFIRMED);
    }
    for (runs, where_) in [(&baseline.only_old, "the baseline"), (&baseline.only_new, "this folder")] {
        if let Some(first) = runs.first() {
            let others = if runs.len() > 1 { format!(" and {} more", runs.len() - 1) } else { String::new() };
            text.push_str(&format!("only in {where_}: {}{others}\n", cut(&plain(first), NAME_WIDTH)));
        }
    }
    text
}

fn row(cells: [&str; 7]) -> String {
    let [run, size, op, old, new, ratio, interval] = cells;
    let line = format!("{run:<NAME_WIDTH$}  {size:>8}  {op:<13}{old:>8} {new:>8} {ratio:>7}  {interval}");
    format!("{}\n", line.trim_end())
}
