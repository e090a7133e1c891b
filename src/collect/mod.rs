//! `collect`: from the runs' folders to the report.
//!
//! The story: [`walk`] finds the runs, [`read`] turns each into the neutral [`model`] with the help of [`measures`] and
//! [`stats`], [`report`] renders the whole as files and a table, and [`run`] writes them: the only place that writes.
//! Nothing here knows how scripts are made, nor MPI, nor a scheduler.

pub mod application;
pub mod baseline;
pub mod cache;
pub mod circumstances;
pub mod collection;
pub mod crossover;
pub mod export;
pub mod groups;
pub mod history;
pub mod hosts;
pub mod measures;
pub mod model;
pub mod number;
pub mod params;
pub mod read;
pub mod report;
pub mod scaling;
pub mod settings;
pub mod sizing;
pub mod stats;
pub mod timeline;
pub mod walk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use rayon::prelude::*;

use crate::progress::{Counter, Stage, Tell, silent};
use crate::record::{attempt, files, samples};
use baseline::FailIf;
use cache::{Cache, Entry, Export, Recalled};
use collection::Collection;
use model::{Problem, Run, Source, State};

/// Name of the report's folder in the collected one.
pub const REPORT: &str = "report";

/// Runs whose samples may be in memory together: 16,384 ranks x 100 iterations x 11 sizes are 290 MB on disk.
const RUNS_AT_ONCE: usize = 4;

/// Collections of a history that the present one is held against, where nothing else is asked.
pub const LAST: usize = 5;

/// What goes to stdout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A line a run, at most 100 columns wide.
    #[default]
    Table,
    /// Everything, as one JSON object.
    Json,
}

/// What `collect` is asked.
#[derive(Debug, Clone, Default)]
pub struct CollectOptions {
    /// The folder that `gen` wrote.
    pub dir: PathBuf,
    /// Where the report goes; absent: `report` in `dir`.
    pub out: Option<PathBuf>,
    /// An earlier folder to compare with.
    pub baseline: Option<PathBuf>,
    /// A folder that keeps what each collection found.
    pub history: Option<PathBuf>,
    /// So many of its last collections are compared with, unless a baseline is given.
    pub last: usize,
    /// When the comparison fails.
    pub fail_if: Option<FailIf>,
    /// Runs of another product or wire are compared too.
    pub across: bool,
    /// The samples are written as Parquet files too.
    pub parquet: bool,
    /// When what happened is written as trace events too.
    pub trace: bool,
    /// The figures are written to this file as OpenMetrics too.
    pub openmetrics: Option<PathBuf>,
    /// And to this one as JSON Lines.
    pub jsonl: Option<PathBuf>,
    /// Every run is read, also those that an earlier collection has read.
    pub fresh: bool,
    pub format: Format,
}

impl CollectOptions {
    /// Collects `dir` without anything asked beyond.
    pub fn of(dir: PathBuf) -> CollectOptions {
        CollectOptions { dir, last: LAST, ..CollectOptions::default() }
    }
}

/// What `collect` did.
#[derive(Debug, Clone)]
pub struct Collected {
    /// The folder of the report.
    pub report: PathBuf,
    /// Every run was measured as asked, and nothing else needs a look.
    pub all_good: bool,
    /// `fail_if` holds.
    pub failed_comparison: bool,
    /// Runs that were not read again since nothing of them changed.
    pub known: usize,
    /// What became of the history, if one is kept.
    pub kept: Option<String>,
    /// The summary for stdout; as a table at most [`crate::terminal::WIDTH`] columns wide.
    pub summary: String,
}

/// Collects everything below `options.dir` and writes the report; `progress` hears (done, in all) of each stage.
///
/// # Errors
/// A folder that cannot be read or holds no run, and a report that cannot be written. Bad runs are no error: they are in
/// the report.
pub fn run(options: &CollectOptions, progress: Tell<'_>) -> Result<Collected> {
    let report = options.out.clone().unwrap_or_else(|| options.dir.join(REPORT));
    let cache_of = |report: &Path| if options.fresh { Cache::default() } else { Cache::load(report) };
    let cache = cache_of(&report);
    let read = Counter::new(Stage::Reading, progress);
    let Gathered { mut collection, mut entries, known } = gather_with(&cache, (&options.dir, &report), &read)?;
    if let Some(folder) = &options.baseline {
        let report = folder.join(REPORT);
        let old = gather_with(&cache_of(&report), (folder, &report), &read).context("cannot use the baseline")?;
        let folder = folder.display().to_string();
        collection.baseline = Some(baseline::compare(folder, &old.collection.runs, &collection.runs, options.across));
    }
    let mut kept = None;
    if let Some(folder) = &options.history {
        let history::Kept { history, against, problems, said } = history::keep(folder, &collection.runs, options.last)?;
        collection.history = Some(history);
        collection.problems.extend(problems);
        collection.baseline = collection.baseline.or(against);
        kept = Some(said);
    }
    files::create_folders(&report)?;
    let made = report::files(&collection)?;
    for (name, bytes) in &made {
        files::replace(&report.join(name), bytes, 0o644)?;
    }
    for name in report::SOMETIMES.iter().filter(|name| made.iter().all(|(made, _)| made != *name)) {
        files::remove(&report.join(name))?;
    }
    for (path, bytes) in elsewhere(options, &collection)? {
        files::replace(path, &bytes, 0o644)?;
    }
    let exports = [(Export::Samples, options.parquet), (Export::Trace, options.trace)];
    for (export, _) in exports.into_iter().filter(|(_, is_asked)| *is_asked) {
        let exported = Counter::new(Stage::Exporting, progress);
        export.write((&options.dir, &report), &collection.runs, &mut entries, &exported)?;
        export.remove_vanished(&report, &cache.entries, &collection.runs);
    }
    Cache::save(&report, &entries)?;
    Ok(Collected {
        report,
        all_good: collection.problems.is_empty() && collection.runs.iter().all(|run| run.state == State::Done),
        failed_comparison: fails(&collection, options.fail_if),
        known,
        kept,
        summary: match options.format {
            Format::Table => report::table::render(&collection),
            Format::Json => report::json::render(&collection)?,
        },
    })
}

/// What is written outside of the report, to files that the user names.
fn elsewhere<'a>(options: &'a CollectOptions, collection: &Collection) -> Result<Vec<(&'a PathBuf, Vec<u8>)>> {
    let metrics =
        options.openmetrics.iter().map(|path| Ok((path, report::openmetrics::render(collection).into_bytes())));
    let lines = options.jsonl.iter().map(|path| Ok((path, report::jsonl::render(&collection.runs)?)));
    metrics.chain(lines).collect()
}

fn fails(collection: &Collection, limit: Option<FailIf>) -> bool {
    let (Some(baseline), Some(limit)) = (&collection.baseline, limit) else { return false };
    baseline.fails(limit)
}

/// Finds and reads everything below `dir`; what an earlier collection into `report` has read is taken from there.
///
/// # Errors
/// As [`run`].
pub fn gather(dir: &Path, report: &Path) -> Result<Collection> {
    Ok(gather_with(&Cache::load(report), (dir, report), &Counter::new(Stage::Reading, &silent))?.collection)
}

/// What lies below a folder, and what to remember of it.
struct Gathered {
    collection: Collection,
    entries: BTreeMap<String, Entry>,
    /// Runs that were remembered.
    known: usize,
}

fn gather_with(cache: &Cache, (dir, report): (&Path, &Path), read: &Counter<'_>) -> Result<Gathered> {
    let found = walk::find(dir, report)?;
    let mut gathered = Gathered {
        collection: Collection { problems: found.problems, ..Collection::default() },
        entries: BTreeMap::new(),
        known: 0,
    };
    let weights: Vec<u64> = found.runs.iter().map(|(path, source)| weight(path, *source)).collect();
    read.begin(weights.iter().sum());
    let runs: Vec<_> = found.runs.iter().zip(weights).collect();
    for some in runs.chunks(RUNS_AT_ONCE) {
        let results: Vec<_> = some
            .par_iter()
            .map(|((path, source), weight)| {
                let place = read::relative(dir, path);
                let told = AtomicU64::new(0);
                // at most what it counts for: of several attempts more may be read
                let tell = |bytes: u64| {
                    let more = bytes.min(weight - told.load(Ordering::Relaxed));
                    told.fetch_add(more, Ordering::Relaxed);
                    read.more(more);
                };
                let result = cache.read_through((&place, path, *source), || match source {
                    Source::ShardScale => read::own::read(dir, path, &tell),
                    Source::SmartSimScaling => read::smartsim::read(dir, path),
                });
                tell(*weight);
                (place, path, result)
            })
            .collect();
        for (place, path, result) in results {
            match result {
                Ok(Recalled { run, entry, is_known }) => {
                    gathered.collection.runs.push(run);
                    gathered.entries.extend(entry.map(|entry| (place, entry)));
                    gathered.known += usize::from(is_known);
                }
                Err(error) => gathered.collection.problems.push(unreadable(dir, path, &error)),
            }
        }
    }
    let collection = &mut gathered.collection;
    read::smartsim::number(&mut collection.runs);
    collection.problems.extend(shared_names(&collection.runs));
    collection.problems.sort();
    collection.scaling = scaling::of_runs(&collection.runs);
    collection.application = application::pooled(&collection.runs);
    collection.settings = settings::of_runs(&collection.runs);
    collection.crossover = crossover::of_runs(&collection.runs);
    Ok(gathered)
}

/// What a run counts for in the progress of reading: bytes of its largest samples file, and at least a few for what else there is.
fn weight(dir: &Path, source: Source) -> u64 {
    const LEAST: u64 = 1 << 16;
    /// A session of SmartSim-Scaling has thousands of files, whose sizes nobody asks for.
    const SESSION: u64 = 1 << 20;
    let attempts = || attempt::list(dir).unwrap_or_default().into_iter();
    let bytes = |(_, path): (u32, PathBuf)| std::fs::metadata(path.join(samples::FILE)).ok().map(|facts| facts.len());
    match source {
        Source::ShardScale => LEAST + attempts().filter_map(bytes).max().unwrap_or(0),
        Source::SmartSimScaling => SESSION,
    }
}

fn unreadable(dir: &Path, path: &Path, error: &anyhow::Error) -> Problem {
    let what = format!("{error:#}").replace(&format!("{}/", path.display()), "");
    Problem { path: read::relative(dir, path), what, is_run: true }
}

/// Runs with one name in several folders are all kept, and named: they might be one measurement, copied.
fn shared_names(runs: &[Run]) -> Vec<Problem> {
    let mut by_name: Vec<(&str, &str)> = runs.iter().map(|run| (run.name.as_str(), run.path.as_str())).collect();
    by_name.sort_unstable();
    by_name
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|same| same.len() > 1)
        .map(|same| {
            let others: Vec<_> = same[1..].iter().map(|(_, path)| *path).collect();
            let what = format!("has the same name ({}) as {}: all are kept", same[0].0, others.join(", "));
            Problem { path: same[0].1.to_owned(), what, is_run: false }
        })
        .collect()
}
