//! Reads a session of SmartSim-Scaling's tests (throughput, aggregation, inference), so that old measurements stand beside new ones.
//!
//! A session is a folder with `run.cfg` and a `rank_N_timing.csv` for each rank: one tensor size, all ops. It has no
//! start times, no warm-up, and no record of how it ended: what is missing is told from the files alone. Every whole line
//! counts, the first as well, which SmartSim-Scaling's own plots drop. A session in which ranks are missing or break off
//! is partial: the latencies of the others are shown, a bandwidth of all ranks is not.

mod config;
mod rank_file;
mod repeats;

pub use config::{FILE, has_timings};
pub use repeats::number;

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result};
use rayon::prelude::*;

use crate::collect::measures::gather::Loop;
use crate::collect::measures::standing::Ratios;
use crate::collect::measures::{self, Gather, RankSeries};
use crate::collect::model::{Measured, Run, SizeResult, Source, Standings, State};
use crate::collect::read::relative;
use crate::collect::stats::window::Window;
use crate::collect::timeline::Timeline;
use crate::record::op::Op;
use crate::record::slots;
use crate::record::units::show_bytes;
use crate::record::vocabulary::{Wire, WorkloadKind};
use config::Config;
use rank_file::{RankFile, Timings};

/// Files in memory together; one of 100 iterations has about 6 kB.
const FILES_AT_ONCE: usize = 128;

/// Room for most files.
const USUAL_FILE: usize = 16 << 10;

/// Files that a thread reads one after the other, into one buffer.
const FILES_OF_A_THREAD: usize = 16;

/// Reads the session in `dir`, which lies below `root`.
///
/// # Errors
/// A `run.cfg` that is unreadable or describes none of its tests, or a folder that cannot be listed.
pub fn read(root: &Path, dir: &Path) -> Result<Run> {
    let config = Config::read(dir)?;
    let mut run = Run {
        path: relative(root, dir),
        name: dir.file_name().map_or_else(|| config.name.clone(), |name| name.to_string_lossy().into_owned()),
        source: Source::SmartSimScaling,
        params: config.params(),
        placement: None,
        timeline: Timeline::default(),
        state: State::Missing,
        reason: "there is no rank_N_timing.csv: the session did not end, or failed".to_owned(),
        notes: config.notes(),
        attempt: None,
        pack: None,
        sizes_total: 1,
        measured: None,
    };
    let ranks = ranks(dir)?;
    if ranks.is_empty() {
        return Ok(run);
    }
    let mut tally = Tally::default();
    let mut gather = Gather::new(config.sent_bytes(), 0, ranks.len(), &config.workload.ops());
    let folder = File::open(dir).with_context(|| format!("cannot open {}", dir.display()))?;
    let functions = config.functions();
    for some in ranks.chunks(FILES_AT_ONCE) {
        let read =
            |buffer: &mut Vec<u8>, rank: &u32| (*rank, rank_file::read(*rank, &functions, folder.as_fd(), buffer));
        let parsed: Vec<_> =
            some.par_iter().with_min_len(FILES_OF_A_THREAD).map_init(|| Vec::with_capacity(USUAL_FILE), read).collect();
        for (rank, file) in parsed {
            tally.take(rank, file, (&config, &mut gather));
        }
    }
    tally.missing(&config, &ranks);
    // a sum over some of the ranks would pass for the bandwidth of all
    if !tally.lacks.is_empty() {
        gather.loops.push(Loop { rank: u32::MAX, iterations: 0, loop_ns: 0, window: Window::EMPTY });
    }
    let (size, by_rank) = measures::reduce(gather);
    run.notes.extend(tally.notes());
    run.reason = tally.lacks.join("; ");
    run.state = match (size.ops.is_empty(), run.reason.is_empty()) {
        (true, _) => State::Failed,
        (false, true) => State::Done,
        (false, false) => State::Partial,
    };
    if size.ops.is_empty() {
        let functions = functions.join(" or ");
        run.reason = format!("no {functions} in {} files; {}", ranks.len(), run.reason);
        return Ok(run);
    }
    let mut ratios = Ratios::default();
    by_rank.iter().for_each(|medians| ratios.add(medians));
    let ranks_per_shard = config.ranks_per_shard(ranks.iter().copied());
    run.measured = Some(describe((&config, ranks_per_shard), (tally.ranks, size), &ratios));
    Ok(run)
}

/// Gives `take` the durations of each rank whose file can be read, by op.
///
/// # Errors
/// A `run.cfg` or folder that cannot be read, and those of `take`.
pub fn for_each_rank(dir: &Path, mut take: impl FnMut(u32, Op, &Timings) -> Result<()>) -> Result<()> {
    let config = Config::read(dir)?;
    let (functions, ops) = (config.functions(), config.workload.ops());
    let folder = File::open(dir).with_context(|| format!("cannot open {}", dir.display()))?;
    let mut buffer = Vec::with_capacity(USUAL_FILE);
    for rank in ranks(dir)? {
        if let Ok(file) = rank_file::read(rank, &functions, folder.as_fd(), &mut buffer) {
            let mut timed = config.timers().iter().zip(&file.ops);
            timed.try_for_each(|((_, op), timings)| take(rank, ops[*op].name, timings))?;
        }
    }
    Ok(())
}

fn describe(
    (config, ranks_per_shard): (&Config, Vec<u32>),
    (ranks, size): (u32, SizeResult),
    ratios: &Ratios,
) -> Measured {
    let mut facts = config.facts();
    if !ranks_per_shard.is_empty() {
        facts.push(("ranks_per_shard_from".to_owned(), "names of its keys, not recorded".to_owned()));
    }
    Measured {
        alone: None,
        ranks,
        hosts: config.client_nodes as usize,
        host_names: Vec::new(),
        host_ratios: Vec::new(),
        ranks_per_shard,
        wire: Wire::RedisAi.to_string(),
        server: config.server(),
        window_error_ns: 0,
        facts,
        sizes: vec![size],
        ranks_standing: ratios.of_ranks(),
        hosts_standing: Standings::default(),
        shards_standing: Standings::default(),
    }
}

/// N of each `rank_N_timing.csv`, ascending.
fn ranks(dir: &Path) -> Result<Vec<u32>> {
    let list = || format!("cannot list {}", dir.display());
    let mut ranks = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(list)? {
        let name = entry.with_context(list)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("rank_")?.strip_suffix("_timing.csv"));
        // rank_07 beside rank_7 would be the same rank twice
        ranks.extend(number.and_then(|number| number.parse().ok().filter(|rank: &u32| rank.to_string() == number)));
    }
    ranks.sort_unstable();
    Ok(ranks)
}

/// What the files of a session lack.
#[derive(Default)]
struct Tally {
    /// Ranks with samples.
    ranks: u32,
    short: Vec<u32>,
    unreadable: Vec<String>,
    odd: (u64, u32),
    lacks: Vec<String>,
}

impl Tally {
    fn take(&mut self, rank: u32, file: Result<RankFile>, (config, gather): (&Config, &mut Gather)) {
        let mut file = match file {
            Ok(file) => file,
            Err(error) => return self.unreadable.push(format!("rank {rank}: {error:#}")),
        };
        if file.odd_lines > 0 {
            self.odd = (self.odd.0 + file.odd_lines, self.odd.1 + 1);
        }
        let is_short = file.ops.iter().any(|timings| timings.len() as u64 != config.iterations);
        if is_short || file.loop_ns == 0 {
            self.short.push(rank);
        }
        if file.ops.iter().all(|timings| timings.len() == 0) {
            return;
        }
        self.ranks += 1;
        for ((_, op), timings) in config.timers().iter().zip(&mut file.ops) {
            let op = *op;
            // a consumer's loop is mostly waiting, and moves more than a tensor an iteration
            let loop_ns = if config.workload.aggregation.is_some() { 0 } else { file.loop_ns };
            let series = RankSeries { rank, op, shard: None, warmup: 0, loop_ns };
            match timings {
                timings if timings.len() == 0 => {}
                Timings::Narrow(durations) => gather.push(&series, Window::EMPTY, durations),
                Timings::Wide(durations) => gather.push(&series, Window::EMPTY, durations),
            }
        }
    }

    /// Closes the account: which ranks have no file, and which stop short.
    fn missing(&mut self, config: &Config, ranks: &[u32]) {
        let total = config.timed_ranks();
        let beyond = ranks.iter().filter(|rank| u64::from(**rank) >= total).count();
        let present = (ranks.len() - beyond) as u64;
        if present < total {
            let first = (0..).zip(ranks).find(|(at, rank)| at != *rank).map_or(present, |(at, _)| u64::from(at));
            self.lacks.push(format!("{} of {total} ranks have no file, such as rank {first}", total - present));
        }
        if beyond > 0 {
            self.lacks.push(format!("{beyond} files are of ranks that run.cfg does not have (client_total {total})"));
        }
        if let Some(first) = self.short.first() {
            let (count, asked) = (self.short.len(), config.iterations);
            self.lacks.push(format!(
                "{count} of {total} ranks do not have {asked} samples of each operation and a loop time, such as rank {first}"
            ));
        }
        if let Some(first) = self.unreadable.first() {
            self.lacks.push(format!("{} files cannot be read, such as that of {first}", self.unreadable.len()));
        }
    }

    fn notes(&self) -> Option<String> {
        let (lines, files) = self.odd;
        (lines > 0).then(|| format!("{lines} lines in {files} files are no timings and were left out"))
    }
}

impl Config {
    /// The names of the timed functions.
    fn functions(&self) -> Vec<&'static str> {
        self.timers().iter().map(|(name, _)| *name).collect()
    }

    /// By the names of the keys; empty where they are not known (another client than the C++ one), or each node had a store.
    fn ranks_per_shard(&self, ranks: impl Iterator<Item = u32>) -> Vec<u32> {
        let is_throughput = self.workload.kind == WorkloadKind::Throughput;
        let is_cpp = is_throughput && self.of_run("language").is_none_or(|language| language == "cpp");
        let shards = self.db_nodes.and_then(|count| u16::try_from(count).ok());
        let shards = shards.filter(|count| is_cpp && (1..=slots::SLOTS).contains(count));
        shards.map(|count| slots::deal(slots::of_ranks(slots::THROUGHPUT, ranks), count)).unwrap_or_default()
    }

    /// What else a reader should know of the numbers.
    fn notes(&self) -> Vec<String> {
        let (asked, sent) = (self.tensor_bytes, self.sent_bytes());
        let truncated =
            format!("its client sent {}, not the {} that were asked for", show_bytes(sent), show_bytes(asked));
        if asked == sent { Vec::new() } else { vec![truncated] }
    }
}
