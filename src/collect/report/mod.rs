//! Renderers: pure functions from the [`Collection`] to the bytes of a file. None reads a file or a clock, so the same
//! results give the same bytes.

pub mod application;
pub mod changes;
pub mod csv;
pub mod html;
pub mod json;
pub mod jsonl;
pub mod markdown;
pub mod openmetrics;
pub mod provenance;
pub mod table;
pub mod timeline;
pub mod verdicts;

use anyhow::Result;

use super::collection::Collection;
pub use super::groups;
use super::hosts;
use super::model::{Run, State};

/// Name of the comparison in the report.
const BASELINE: &str = "baseline.csv";

/// Name of what the store costs the application.
const APPLICATION: &str = "application.csv";

/// Name of what is known of each host.
const HOSTS: &str = "hosts.csv";

/// Names of what decides, of crossovers, and of the history.
const SETTINGS: &str = "settings.csv";
const CROSSOVER: &str = "crossover.csv";
const HISTORY: &str = "history.csv";

/// Files that a report has only where there is something to say: those of an earlier collection would pass for its own.
pub const SOMETIMES: [&str; 6] = [BASELINE, APPLICATION, HOSTS, SETTINGS, CROSSOVER, HISTORY];

/// The files of the report as (name, bytes).
pub fn files(collection: &Collection) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut files = vec![
        ("results.csv", csv::results(&collection.runs)?),
        ("runs.csv", csv::runs(collection)?),
        ("summary.md", markdown::render(collection).into_bytes()),
        ("scaling.csv", csv::scaling::render(&collection.scaling)?),
        ("report.html", html::render(collection)?),
    ];
    if !collection.application.is_empty() {
        files.push((APPLICATION, csv::application::render(collection)?));
    }
    let hosts = hosts::of_runs(&collection.runs);
    if !hosts.is_empty() {
        files.push((HOSTS, csv::hosts::render(&hosts, &collection.runs)?));
    }
    if !collection.settings.is_empty() {
        files.push((SETTINGS, csv::settings::render(&collection.settings)?));
    }
    if !collection.crossover.is_empty() {
        files.push((CROSSOVER, csv::crossover::render(&collection.crossover)?));
    }
    if let Some(history) = &collection.history {
        files.push((HISTORY, csv::history::render(history)?));
    }
    if let Some(baseline) = &collection.baseline {
        files.push((BASELINE, csv::baseline::render(baseline)?));
    }
    Ok(files)
}

/// How many runs are in which state: `24 runs: 20 done, 1 partial, 3 failed`.
pub fn headline(collection: &Collection) -> String {
    let mut parts: Vec<String> = State::ALL
        .iter()
        .map(|state| (collection.runs.iter().filter(|run| run.state == *state).count(), state.as_str()))
        .chain([(collection.problems.iter().filter(|problem| problem.is_run).count(), UNREADABLE)])
        .filter(|(count, _)| *count > 0)
        .map(|(count, state)| format!("{count} {state}"))
        .collect();
    let total = collection.runs.len() + collection.problems.iter().filter(|problem| problem.is_run).count();
    parts[0] = format!("{total} {}: {}", if total == 1 { "run" } else { "runs" }, parts[0]);
    parts.join(", ")
}

/// What stands in the place of a state for a run whose manifest cannot be read.
pub const UNREADABLE: &str = "unreadable";

/// The definitions that every report gives beside its figures, as (term, definition).
pub const DEFINITIONS: &[(&str, &str)] = &[
    (
        "samples",
        "Every timed operation of every rank; n counts them over all ranks. Warm-up iterations are \
         excluded and counted apart. Sizes, operations and runs are never pooled.",
    ),
    (
        "quantiles",
        "Type 7 of Hyndman and Fan, as numpy computes them by default. One is left empty unless 6.6 samples are expected \
         beyond it: p90 wants 66, p95 132, p99 660, p99.9 6600. The 95 % confidence interval of the median comes from order statistics and takes the samples as independent.",
    ),
    (
        "overlap GB/s",
        "Bytes moved by all ranks / window. The window reaches from the first start to the last end of the timed \
         samples at a size, over all ranks on their common clock. Operations that alternate in each rank share the \
         window: the figure of one is what it moved while the others ran too. \"both\" is the sum of all operations.",
    ),
    (
        "iteration GB/s",
        "The overlap of each iteration by itself, all operations, as the median over the iterations. Where ranks do not \
         wait for each other they drift apart, which widens these windows. Absent where operations do not alternate.",
    ),
    (
        "flags",
        "several modes: Hartigan's dip of log(duration), significant at 1 %. drift: the medians of up to 32 blocks of \
         iterations rise or fall (Mann-Kendall, p < 1 %) by 5 % or more over the loop (Theil-Sen).",
    ),
    (
        "stragglers",
        "A rank's ratio is its median duration / that of all ranks, as geometric mean over sizes and operations; hosts \
         and shards have the median of their ranks. Straggling is what exceeds 3.5 robust standard deviations (modified \
         z-score) and a tenth.",
    ),
    (
        "classic GB/s",
        "Sum over ranks of size x iterations / loop time, for comparison with figures of SmartSim-Scaling. The loop \
         time covers all operations while the bytes count once.",
    ),
    (
        "scaling",
        "Speed-up is bandwidth / that of the smallest point of a series, efficiency is speed-up / growth. load: more \
         clients on the same store; strong: more DB nodes under the same load; weak: both grow together. A fit of the \
         Universal Scalability Law (Gunther) is given from 5 distinct points on, if it meets each within 25 %.",
    ),
    (
        "application",
        "Where ranks compute between their transfers. Slowdown: median time to compute / median time of the same before the store \
         had traffic, all ranks at once both times; with a 99 % interval from blocks of iterations, over repeats the geometric mean \
         with Student's. In transfers: part of the time of transfers and computation that transfers take, as the median over \
         blocks of iterations; waiting for others or for a schedule is neither. Bandwidths then count the time in which \
         at least one rank transfers.",
    ),
    (
        "baseline",
        "Runs are paired by parameters. The ratio is new / old median duration with a 99 % interval: Welch's on the \
         logarithms of the runs' medians where both sides have repeats (more than 1 % must be certain, and remain so among all \
         comparisons: Benjamini and Hochberg, 5 %), else drawn from \
         blocks of iterations. unconfirmed: a side has but one run, and they differ by more than 5 % and than what happens within \
         them; one run does not show how much the next one differs by chance, so that this is no verdict. p99 and the bandwidth of \
         all ranks are compared in the same way where both sides have repeats, and decide nothing.",
    ),
    (
        "what decides",
        "A setting is what a user chooses of the store and its surroundings. Its values are compared where all else is the same, by the \
         median duration of each operation at each size (over repeats the geometric mean; Welch's interval). Slower is what is \
         so by more than 1 % for certain at 99 %, and remains so among all comparisons of all settings (Benjamini and Hochberg, 5 %). \
         Would have seen: the least difference that such a comparison finds in about three of four cases, by the scatter of \
         these repeats. One run a side decides nothing.",
    ),
    (
        "crossover",
        "The ratio of two bandwidths under the same load, shared by client nodes, by nodes of the store, or by node-hours of the whole \
         job. A crossover is told where one side is shown to be better before it and the other after it; its place is interpolated on \
         logarithmic axes, and its interval is where the ratio's 99 % interval, interpolated in the same way, holds 1.",
    ),
    (
        "history",
        "A configuration is one set of parameters over several collections; its level at a collection is the geometric mean of its \
         runs' medians. Changes of level: E-divisive (Matteson and James) on the logarithms of the levels of all operations and \
         sizes together, one test a configuration by permutations, corrected over all configurations (Benjamini and Hochberg, 5 %). \
         Against the last collections: Student's prediction interval from three collections on.",
    ),
    ("GB/s at the median", "Tensor size / median duration: what one rank sees. 1 GB is 10^9 bytes."),
    (
        "states",
        "done: measured as asked. partial: some sizes are complete, only these are shown. failed: nothing usable. \
         invalid: measured something else than the manifest asks; listed, not plotted. missing: the script has not run.",
    ),
];

/// Why a run needs a look, or `None`.
fn complaint(run: &Run) -> Option<String> {
    (run.state != State::Done).then(|| format!("{}: {}", run.state.as_str(), run.reason))
}
