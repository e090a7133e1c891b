//! Reads a session of SmartSim-Scaling's throughput tests, so that old measurements stand beside new ones.
//!
//! A session is a folder with `run.cfg` and a `rank_N_timing.csv` for each rank: one tensor size, both ops. It has no
//! start times, no warm-up, and no record of how it ended: what is missing is told from the files alone. Every whole line
//! counts, the first as well, which SmartSim-Scaling's own plots drop. A session in which ranks are missing or break off
//! is partial: the latencies of the others are shown, a bandwidth of all ranks is not.

mod config;
mod rank_file;
mod repeats;
mod shards;

pub use config::FILE;
pub use repeats::number;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;

use crate::collect::measures::gather::Loop;
use crate::collect::measures::standing::Ratios;
use crate::collect::measures::window::Window;
use crate::collect::measures::{self, Gather, RankSeries};
use crate::collect::model::{Measured, Run, SizeResult, Source, Standings, State};
use crate::collect::walk::relative;
use crate::record::units::show_bytes;
use crate::record::vocabulary::{Op, Wire};
use config::Config;
use rank_file::RankFile;

/// Files in memory together; one of 100 iterations has about 6 kB.
const FILES_AT_ONCE: usize = 128;

/// Files that a thread reads one after the other, into one buffer.
const FILES_OF_A_THREAD: usize = 16;

/// Reads the session in `dir`, which lies below `root`.
///
/// # Errors
/// A `run.cfg` that is unreadable or describes no throughput test, or a folder that cannot be listed.
pub fn read(root: &Path, dir: &Path) -> Result<Run> {
    let config = Config::read(dir)?;
    let mut run = Run {
        path: relative(root, dir),
        name: dir.file_name().map_or_else(|| config.name.clone(), |name| name.to_string_lossy().into_owned()),
        source: Source::SmartSimScaling,
        params: config.params(),
        placement: None,
        state: State::Missing,
        reason: "there is no rank_N_timing.csv: the session did not end, or failed".to_owned(),
        notes: config.notes(),
        attempt: None,
        pack: None,
        sizes_total: 1,
        measured: None,
    };
    let files = rank_files(dir)?;
    if files.is_empty() {
        return Ok(run);
    }
    let mut tally = Tally::default();
    let mut gather = Gather::new(config.sent_bytes(), 0, files.len());
    let files: Vec<_> = files.into_iter().collect();
    for some in files.chunks(FILES_AT_ONCE) {
        let parsed: Vec<_> = some
            .par_iter()
            .with_min_len(FILES_OF_A_THREAD)
            .map_init(Vec::new, |buffer, (rank, path)| (*rank, rank_file::read(*rank, path, buffer)))
            .collect();
        for (rank, file) in parsed {
            tally.take(rank, file, (&config, &mut gather));
        }
    }
    tally.missing(&config, &files);
    // a sum over some of the ranks would pass for the bandwidth of all
    if !tally.lacks.is_empty() {
        gather.loops.push(Loop { rank: u32::MAX, iterations: 0, loop_ns: 0 });
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
        run.reason = format!("no put_tensor or unpack_tensor in {} files; {}", files.len(), run.reason);
        return Ok(run);
    }
    let mut ratios = Ratios::default();
    by_rank.iter().for_each(|medians| ratios.add(medians));
    let present = files.iter().map(|(rank, _)| *rank);
    run.measured = Some(describe((&config, config.ranks_per_shard(present)), (tally.ranks, size), &ratios));
    Ok(run)
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
        ranks,
        hosts: config.client_nodes as usize,
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

/// `rank_N_timing.csv` by N.
fn rank_files(dir: &Path) -> Result<BTreeMap<u32, PathBuf>> {
    let list = || format!("cannot list {}", dir.display());
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir).with_context(list)? {
        let path = entry.with_context(list)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = name.strip_prefix("rank_").and_then(|rest| rest.strip_suffix("_timing.csv"));
        // rank_07 beside rank_7 would be the same rank twice
        let canonical = number.and_then(|number| number.parse::<u32>().ok().filter(|rank| rank.to_string() == number));
        if let Some(rank) = canonical {
            files.insert(rank, path);
        }
    }
    Ok(files)
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
        let is_short = file.ops.iter().any(|durations| durations.len() as u64 != config.iterations);
        if is_short || file.loop_ns == 0 {
            self.short.push(rank);
        }
        if file.ops.iter().all(Vec::is_empty) {
            return;
        }
        self.ranks += 1;
        for op in Op::ALL.iter().copied() {
            let durations = &mut file.ops[usize::from(op.code())];
            let series = RankSeries { rank, op, shard: None, warmup: 0, loop_ns: file.loop_ns };
            if !durations.is_empty() {
                gather.push(&series, Window::EMPTY, durations);
            }
        }
    }

    /// Closes the account: which ranks have no file, and which stop short.
    fn missing(&mut self, config: &Config, files: &[(u32, PathBuf)]) {
        let total = config.ranks;
        let beyond = files.iter().filter(|(rank, _)| u64::from(*rank) >= total).count();
        let present = (files.len() - beyond) as u64;
        if present < total {
            let first = (0..).zip(files).find(|(at, (rank, _))| at != rank).map_or(present, |(at, _)| u64::from(at));
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
    /// By the names of the keys; empty where they are not known (another client than the C++ one), or each node had a store.
    fn ranks_per_shard(&self, ranks: impl Iterator<Item = u32>) -> Vec<u32> {
        let is_cpp = self.of_run("language").is_none_or(|language| language == "cpp");
        let shards = self.db_nodes.and_then(|count| u16::try_from(count).ok());
        let shards = shards.filter(|count| is_cpp && (1..=shards::SLOTS).contains(count));
        shards.map(|count| shards::ranks_per_shard(ranks, count)).unwrap_or_default()
    }

    /// What else a reader should know of the numbers.
    fn notes(&self) -> Vec<String> {
        let (asked, sent) = (self.tensor_bytes, self.sent_bytes());
        let truncated =
            format!("its client sent {}, not the {} that were asked for", show_bytes(sent), show_bytes(asked));
        if asked == sent { Vec::new() } else { vec![truncated] }
    }
}
