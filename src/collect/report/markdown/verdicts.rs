//! The parts of `summary.md` about what decides, crossovers and the history.

use crate::collect::collection::Collection;
use crate::collect::history::History;
use crate::collect::report::timeline;
use crate::collect::report::verdicts::{CROSSOVER, DECIDES, ranked, summaries};

/// Rows that are listed; the CSV files have all.
const LISTED: usize = 10;

/// The sections that there is something to say in, as Markdown that `cell` makes safe.
pub fn verdicts(of: &Collection, cell: impl Fn(&str) -> String + Copy) -> String {
    [
        settings(of, cell),
        crossover(of, cell),
        of.history.as_ref().map(|history| timeline(history, cell)).unwrap_or_default(),
    ]
    .concat()
}

fn settings(of: &Collection, cell: impl Fn(&str) -> String) -> String {
    let rows = ranked(&of.settings).into_iter().map(|one| [one.setting, one.spread, one.shown, one.best]);
    section(
        "Settings and their effect",
        DECIDES,
        ["setting", "slowest / fastest", "shown", "best"],
        &rows.collect::<Vec<_>>(),
        ("settings.csv", cell),
    )
}

fn crossover(of: &Collection, cell: impl Fn(&str) -> String) -> String {
    let rows = summaries(&of.crossover).into_iter().map(|one| [one.pair, one.share.to_owned(), one.along, one.says]);
    section(
        "Crossover",
        CROSSOVER,
        ["pair", "bandwidth", "along", "answer"],
        &rows.collect::<Vec<_>>(),
        ("crossover.csv", cell),
    )
}

fn section(
    title: &str,
    meaning: &str,
    heads: [&str; 4],
    rows: &[[String; 4]],
    (file, cell): (&str, impl Fn(&str) -> String),
) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: &[String; 4]| format!("| {} |\n", cells.each_ref().map(|text| cell(text)).join(" | "));
    let listed: String = rows.iter().take(LISTED).map(line).collect();
    let more = rows.len().saturating_sub(LISTED);
    let rest = if more > 0 { format!("\n{more} more are in {file}.\n") } else { String::new() };
    format!("\n## {title}\n\n{meaning}.\n\n| {} |\n|---|---|---|---|\n{listed}{rest}", heads.join(" | "))
}

fn timeline(history: &History, cell: impl Fn(&str) -> String) -> String {
    let turns: Vec<String> = timeline::turns(history);
    let listed: String = turns.iter().take(LISTED).map(|one| format!("- {}\n", cell(one))).collect();
    let more = turns.len().saturating_sub(LISTED);
    let rest = if more > 0 { format!("\n{more} more are in history.csv.\n") } else { String::new() };
    format!("\n## History\n\n{}.\n\n{listed}{rest}", cell(&timeline::headline(history)))
}
