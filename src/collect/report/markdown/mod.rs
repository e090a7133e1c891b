//! `summary.md`: the report in short, to paste into an issue or a mail.

mod application;
mod series;
mod verdicts;

use std::collections::BTreeMap;
use std::fmt::Write;

use super::changes::{further, headline as headline_of};
use super::headline;
use super::html::overview;
use crate::collect::baseline::{Baseline, Change, Metric, Verdict};
use crate::collect::collection::Collection;
use crate::collect::model::{OpResult, Run};
use crate::collect::number::short;
use crate::record::op::Op;
use crate::record::units::show_bytes;

/// Runs of which each is listed, with its figures; of more the best.
const FEW_RUNS: usize = 4;
/// Lines of a list, and rows of a table: the files beside this one have all.
const LISTED: usize = 10;
/// Characters of a name or a reason.
const WIDEST: usize = 160;
/// A comment on a pull request takes no more (65,536 characters).
const LONGEST: usize = 60_000;

/// Renders the summary: what a reader decides from, whatever the number of runs.
pub fn render(collection: &Collection) -> String {
    let mut text = format!("# ShardScale report\n\n{}.\n", headline(collection));
    if let Some(baseline) = &collection.baseline {
        changes(&mut text, baseline);
    }
    problems(&mut text, collection);
    runs(&mut text, &collection.runs);
    text.push_str(&verdicts::verdicts(collection, cell));
    text.push_str(&series::scaling(&collection.scaling, cell));
    text.push_str(&application::application(&collection.application, cell));
    if collection.runs.len() <= FEW_RUNS {
        figures(&mut text, &collection.runs);
    }
    text.push_str(
        "\nGB/s are bytes of all operations of all ranks / time from first start to last end, unless it says classic. All \
         figures are in results.csv, all runs with their notes in runs.csv; report.html has the plots and the definitions.\n",
    );
    let end = (0..=LONGEST.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    text
}

fn runs(text: &mut String, runs: &[Run]) {
    let mut best: Vec<(&Run, Option<f64>)> =
        runs.iter().map(|run| (run, run.best().map(|best| best.gb_per_s))).collect();
    if best.len() > LISTED {
        // sorting is stable: equal ones, and those without a figure, stay in order
        best.sort_by(|a, b| b.1.unwrap_or(-1.0).total_cmp(&a.1.unwrap_or(-1.0)));
        best.truncate(LISTED);
    }
    let more = runs.len() - best.len();
    let heading =
        if more == 0 { "Runs".to_owned() } else { format!("Runs that moved most, and {more} more in runs.csv") };
    line(text, format_args!("\n## {heading}\n"));
    text.push_str("| run | state | ranks | sizes | best GB/s | at size |\n|---|---|--:|--:|--:|--:|\n");
    for (run, _) in best {
        let ranks = run.measured.as_ref().map(|measured| measured.ranks.to_string()).unwrap_or_default();
        let (best, at) = run.best().map(|best| best.shown(short)).unwrap_or_default();
        let (name, state) = (cell(&run.name), run.state.as_str());
        line(
            text,
            format_args!("| {name} | {state} | {ranks} | {}/{} | {best} | {at} |", run.sizes().len(), run.sizes_total),
        );
    }
}

/// What needs a look, each kind once: texts that differ in numbers alone are one kind.
fn problems(text: &mut String, collection: &Collection) {
    let stragglers = collection.runs.iter().flat_map(|run| {
        let told = run.measured.as_ref().map(series::stragglers).unwrap_or_default();
        told.into_iter().map(|what| (run.name.as_str(), what))
    });
    let all = overview::complaints(collection);
    let mut kinds: Vec<(String, String, Vec<String>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (place, what) in all.into_iter().chain(stragglers.map(|(place, what)| (place.to_owned(), what))) {
        let kind: String = what.chars().filter(|c| !c.is_ascii_digit()).collect();
        let at = *places.entry(kind.clone()).or_insert_with(|| {
            kinds.push((kind, what, Vec::new()));
            kinds.len() - 1
        });
        kinds[at].2.push(place);
    }
    if kinds.is_empty() {
        return;
    }
    text.push_str("\n## Needs a look\n\n");
    for (_, what, places) in kinds.iter().take(LISTED) {
        let (first, count) = (cell(&places[0]), places.len());
        match count {
            1 => line(text, format_args!("- **{first}**: {}", cell(what))),
            _ => line(text, format_args!("- **{count} times**, such as in {first}: {}", cell(what))),
        }
    }
    if kinds.len() > LISTED {
        line(text, format_args!("- and {} more kinds: see runs.csv", kinds.len() - LISTED));
    }
}

fn changes(text: &mut String, baseline: &Baseline) {
    let heading = format!("Against {}", cell(&baseline.folder));
    line(text, format_args!("\n## {heading}\n\n{}.\n", headline_of(baseline)));
    if let Some(further) = further(baseline) {
        line(text, format_args!("Beside the medians: {further}.\n"));
    }
    let differs = baseline.differences();
    let apart = baseline.apart.iter().map(|apart| format!("not compared: {apart}"));
    for told in differs.iter().map(|one| format!("differs: {one}")).chain(apart.take(LISTED)) {
        line(text, format_args!("- {}", cell(&told)));
    }
    text.push('\n');
    let changed = |change: &&Change| matches!(change.verdict, Verdict::Slower | Verdict::Faster | Verdict::Unconfirmed);
    // what decides nothing only where it changed: the rest is in baseline.csv
    let mut listed: Vec<&Change> = baseline.changes.iter().chain(&baseline.further).filter(changed).collect();
    listed.sort_by(|a, b| b.ratio.ln().abs().total_cmp(&a.ratio.ln().abs()));
    listed.sort_by_key(|change| change.verdict == Verdict::Unconfirmed);
    if listed.is_empty() {
        return;
    }
    text.push_str("| run | size | operation | figure | old | new | new / old | 99 % interval | verdict |\n|---|--:|---|---|--:|--:|--:|--:|---|\n");
    for change in listed.iter().take(LISTED) {
        let interval = change.interval.map(|(low, high)| format!("{low:.3} to {high:.3}")).unwrap_or_default();
        let (name, size) = (cell(&change.run), show_bytes(change.payload_bytes));
        let [old, new] = [change.old, change.new].map(|value| short(change.metric.in_unit(value)));
        let (op, verdict, ratio) = (change.op_name(), change.verdict.as_str(), change.ratio);
        let figure = match change.metric {
            Metric::Median => "median us",
            Metric::P99 => "p99 us",
            Metric::Bandwidth => "overlap GB/s",
        };
        line(
            text,
            format_args!("| {name} | {size} | {op} | {figure} | {old} | {new} | {ratio:.3} | {interval} | {verdict} |"),
        );
    }
    if listed.len() > LISTED {
        line(text, format_args!("\nand {} more: see baseline.csv", listed.len() - LISTED));
    }
}

/// Samples of each op: of ranks with roles some have more than others.
fn samples(ops: &[OpResult]) -> String {
    let counts = || ops.iter().map(|op| op.latency.n);
    match (counts().min(), counts().max()) {
        (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
        (least, _) => least.map(|n| n.to_string()).unwrap_or_default(),
    }
}

fn figures(text: &mut String, runs: &[Run]) {
    let measuring: Vec<_> = runs.iter().filter(|run| !run.sizes().is_empty()).collect();
    if measuring.is_empty() {
        return;
    }
    text.push_str("\n## Figures\n\nLatency in us as median (p5 to p95 where n supports them); GB/s of all operations by overlap and by iteration; classic GB/s.\n");
    for run in measuring {
        let state = if run.state.is_comparable() { String::new() } else { format!(" ({})", run.state.as_str()) };
        line(text, format_args!("\n### {}{state}\n", cell(&run.name)));
        let ops: Vec<Op> =
            run.sizes().first().map(|size| size.ops.iter().map(|op| op.op).collect()).unwrap_or_default();
        let heads: String = ops.iter().map(|op| format!(" {op} us |")).collect();
        line(text, format_args!("| size | n per op |{heads} overlap GB/s | iteration GB/s | classic GB/s | flags |"));
        line(text, format_args!("|--:|--:|{}--:|--:|--:|---|", "--:|".repeat(ops.len())));
        for size in run.sizes() {
            let of = |op: &Op| size.ops.iter().find(|one| one.op == *op);
            let n = samples(&size.ops);
            let gb = |value: Option<f64>| value.map(short).unwrap_or_default();
            let latencies: String = ops.iter().map(|op| format!(" {} |", latency(of(op)))).collect();
            let [overlap, iteration, classic] =
                [size.overlap_gb_per_s, size.iteration_gb_per_s, size.classic_gb_per_s].map(gb);
            let (flags, bytes) = (flags(&size.ops), show_bytes(size.payload_bytes));
            line(text, format_args!("| {bytes} | {n} |{latencies} {overlap} | {iteration} | {classic} | {flags} |"));
        }
    }
}

fn latency(op: Option<&OpResult>) -> String {
    op.map_or(String::new(), |op| {
        let latency = &op.latency;
        let range = latency.p5.zip(latency.p95);
        let range = range.map(|(p5, p95)| format!(" ({} to {})", short(p5 / 1e3), short(p95 / 1e3)));
        short(latency.median / 1e3) + &range.unwrap_or_default()
    })
}

fn flags(ops: &[OpResult]) -> String {
    let all = ops.iter().flat_map(|op| op.flags().into_iter().map(move |flag| format!("{}: {flag}", op.op)));
    all.collect::<Vec<_>>().join("; ")
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // writing to a String cannot fail
    let _ = writeln!(text, "{arguments}");
}

/// A user's text in one line that Markdown does not read as markup.
fn cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        if at == WIDEST {
            safe.push_str("..");
            break;
        }
        match c {
            c if c.is_control() => safe.push(' '),
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '[' | ']' => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_cell() {
        assert_eq!(cell("a|b\n<script>`x`"), "a\\|b &lt;script>\\`x\\`");
    }
}
