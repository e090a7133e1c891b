//! `summary.md`: the report in short, to paste into an issue or a mail.

mod series;

use std::fmt::Write;

use super::changes::{further, headline as headline_of};
use super::number::short;
use super::{DEFINITIONS, complaint, headline};
use crate::collect::baseline::{Baseline, Metric, Verdict};
use crate::collect::model::{Collection, OpResult, Run};
use crate::record::units::show_bytes;

/// Renders the summary.
pub fn render(collection: &Collection) -> String {
    let mut text = format!("# ShardScale report\n\n{}.\n", headline(collection));
    runs(&mut text, &collection.runs);
    problems(&mut text, collection);
    if let Some(baseline) = &collection.baseline {
        changes(&mut text, baseline);
    }
    text.push_str(&series::scaling(&collection.scaling, cell));
    figures(&mut text, &collection.runs);
    text.push_str("\n## Definitions\n\n");
    for (term, definition) in DEFINITIONS {
        line(&mut text, format_args!("- **{term}**: {definition}"));
    }
    text
}

fn runs(text: &mut String, runs: &[Run]) {
    text.push_str(
        "\n## Runs\n\n| run | state | ranks | sizes | best GB/s, both ops | at size |\n|---|---|--:|--:|--:|--:|\n",
    );
    for run in runs {
        let ranks = run.measured.as_ref().map(|measured| measured.ranks.to_string()).unwrap_or_default();
        let (best, at) = run.best().map(|best| best.shown(short)).unwrap_or_default();
        let (name, state) = (cell(&run.name), run.state.as_str());
        line(
            text,
            format_args!("| {name} | {state} | {ranks} | {}/{} | {best} | {at} |", run.sizes().len(), run.sizes_total),
        );
    }
}

fn problems(text: &mut String, collection: &Collection) {
    let mut lines = Vec::new();
    for run in &collection.runs {
        let place = format!("**{}** (`{}`)", cell(&run.name), cell(&run.path));
        lines.extend(complaint(run).map(|what| format!("- {place}: {}", cell(&what))));
        let stragglers = run.measured.as_ref().map(series::stragglers).unwrap_or_default();
        lines.extend(stragglers.iter().map(|what| format!("- {place}: {}", cell(what))));
        lines.extend(run.notes.iter().map(|note| format!("- {place}: note: {}", cell(note))));
    }
    lines.extend(collection.problems.iter().map(|p| format!("- `{}`: {}", cell(&p.path), cell(&p.what))));
    if !lines.is_empty() {
        line(text, format_args!("\n## Needs a look\n\n{}", lines.join("\n")));
    }
}

fn changes(text: &mut String, baseline: &Baseline) {
    let heading = format!("Against {}", cell(&baseline.folder));
    line(text, format_args!("\n## {heading}\n\n{}.\n", headline_of(baseline)));
    if let Some(further) = further(baseline) {
        line(text, format_args!("Beside the medians: {further}.\n"));
    }
    text.push_str("| run | size | operation | figure | old | new | new / old | 99 % interval | verdict |\n|---|--:|---|---|--:|--:|--:|--:|---|\n");
    // what decides nothing only where it changed: the rest is in baseline.csv
    let changed = baseline.further.iter().filter(|change| matches!(change.verdict, Verdict::Slower | Verdict::Faster));
    for change in baseline.changes.iter().chain(changed) {
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
}

fn figures(text: &mut String, runs: &[Run]) {
    let measuring: Vec<_> = runs.iter().filter(|run| !run.sizes().is_empty()).collect();
    if measuring.is_empty() {
        return;
    }
    text.push_str("\n## Figures\n\nLatency in us as median (p5 to p95 where n supports them); GB/s of both ops by overlap and by iteration; classic GB/s.\n");
    for run in measuring {
        let state = if run.state.is_comparable() { String::new() } else { format!(" ({})", run.state.as_str()) };
        line(text, format_args!("\n### {}{state}\n", cell(&run.name)));
        text.push_str("| size | n per op | put_tensor us | unpack_tensor us | overlap GB/s | iteration GB/s | classic GB/s | flags |\n|--:|--:|--:|--:|--:|--:|--:|---|\n");
        for size in run.sizes() {
            let op = |at: usize| size.ops.get(at);
            let n = op(0).map(|op| op.latency.n.to_string()).unwrap_or_default();
            let gb = |value: Option<f64>| value.map(short).unwrap_or_default();
            let (put, unpack) = (latency(op(0)), latency(op(1)));
            let [overlap, iteration, classic] =
                [size.overlap_gb_per_s, size.iteration_gb_per_s, size.classic_gb_per_s].map(gb);
            let flags = flags(&size.ops);
            let bytes = show_bytes(size.payload_bytes);
            line(
                text,
                format_args!("| {bytes} | {n} | {put} | {unpack} | {overlap} | {iteration} | {classic} | {flags} |"),
            );
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
    for c in text.chars() {
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
