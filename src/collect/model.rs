//! What the reports are made from: one neutral model, whoever wrote the results.
//!
//! Knows neither files nor formats. A reader (`read/`) fills it, the renderers (`report/`) only look at it.

use serde::{Deserialize, Serialize};

use crate::record::op::Op;
use crate::record::pack::PackPlace;

use super::params::{Params, Value};
use super::stats::density::Density;
use super::stats::trend::Trend;
use super::timeline::Timeline;
use crate::record::placement::Placement;
use crate::record::vocabulary::words;

/// Something found that could not be taken for a run, or that needs a look.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Relative to the collected folder.
    pub path: String,
    pub what: String,
    /// The folder is a run that could not be read: it has no row of its own otherwise.
    pub is_run: bool,
}

words! {
    /// What became of one permutation.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    pub enum State {
        /// Everything was measured as asked.
        Done = "done",
        /// Some tensor sizes were measured whole; these are reported.
        Partial = "partial",
        /// Nothing usable was measured.
        Failed = "failed",
        /// What was measured contradicts the manifest.
        Invalid = "invalid",
        /// The script never ran.
        Missing = "missing",
    }
}

impl State {
    /// Its figures may stand in a plot beside those of other runs.
    pub fn is_comparable(self) -> bool {
        matches!(self, State::Done | State::Partial)
    }
}

words! {
    /// Whose results they are.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    pub enum Source {
        ShardScale = "ShardScale",
        SmartSimScaling = "SmartSim-Scaling",
    }
}

/// One run: its parameters, what became of it, and what it measured.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// Folder relative to the collected one; `.` where they are the same.
    pub path: String,
    pub name: String,
    pub source: Source,
    pub params: Params,
    /// Which CPUs each process was to have, where somebody was told.
    pub placement: Option<Placement>,
    pub state: State,
    /// Why it is not done, in words; empty for a run that is done.
    pub reason: String,
    /// What else a reader of the figures should know.
    pub notes: Vec<String>,
    /// The attempt whose figures are shown.
    pub attempt: Option<u32>,
    /// When what happened in that attempt, or in the last one where none counts.
    pub timeline: Timeline,
    /// Its place in a pack, if it ran in one.
    pub pack: Option<PackPlace>,
    /// Tensor sizes that were to be measured.
    pub sizes_total: usize,
    pub measured: Option<Measured>,
}

impl Run {
    /// The sizes that were measured whole, in the order of measurement.
    pub fn sizes(&self) -> &[SizeResult] {
        self.measured.as_ref().map_or(&[], |measured| &measured.sizes)
    }

    /// Nodes that the store has (of a colocated one, those of the clients that it runs beside), and all of the job.
    pub fn nodes(&self) -> (Option<f64>, Option<f64>) {
        let count = |column| match self.params.get(column)? {
            Value::Count(count) if *count > 0 => Some(*count as f64),
            _ => None,
        };
        (count("db_nodes").or_else(|| count("client_nodes")), count("expected_nodes"))
    }

    /// The size at which most was moved, and how much: all operations by overlap, or by the classic sum where the ranks have
    /// no common clock.
    pub fn best(&self) -> Option<Best> {
        let by = |figure: fn(&SizeResult) -> Option<f64>, is_classic| {
            let figures = self.sizes().iter().filter_map(move |size| Some((size.payload_bytes, figure(size)?)));
            let most = figures.max_by(|a, b| a.1.total_cmp(&b.1));
            most.map(|(payload_bytes, gb_per_s)| Best { payload_bytes, gb_per_s, is_classic })
        };
        by(|size| size.overlap_gb_per_s, false).or_else(|| by(|size| size.classic_gb_per_s, true))
    }
}

/// The most that a run moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Best {
    pub payload_bytes: u64,
    pub gb_per_s: f64,
    /// Sum of size x iterations / loop time: the bytes count once while the loop has all operations.
    pub is_classic: bool,
}

impl Best {
    /// (figure, size) as they are shown: a classic one is marked.
    pub fn shown(&self, number: impl Fn(f64) -> String) -> (String, String) {
        let mark = if self.is_classic { " classic" } else { "" };
        (number(self.gb_per_s), format!("{}{mark}", crate::record::units::show_bytes(self.payload_bytes)))
    }
}

/// What a run found out by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measured {
    /// Ranks that measured.
    pub ranks: u32,
    /// Nodes that they ran on.
    pub hosts: usize,
    /// Their names, where they are known.
    pub host_names: Vec<String>,
    /// How slow each of them was, as in `hosts_standing`, of which the list is cut; absent for a host that measured nothing.
    pub host_ratios: Vec<Option<f64>>,
    /// Ranks whose key a shard owns, for each shard.
    pub ranks_per_shard: Vec<u32>,
    /// The wire that was used.
    pub wire: String,
    /// Program and version of the store.
    pub server: String,
    /// Bound of the error of a window's length: the clocks of its two ends may be off by so much together.
    pub window_error_ns: u64,
    /// Versions, settings and conditions as (name with unit, value).
    pub facts: Vec<(String, String)>,
    pub sizes: Vec<SizeResult>,
    /// What ranks computed before the store had traffic; absent where nothing was.
    pub alone: Option<OpResult>,
    /// Ranks, hosts and shards against the middle of the run.
    pub ranks_standing: Standings,
    pub hosts_standing: Standings,
    pub shards_standing: Standings,
}

/// Who was slow: ratios of median durations over all sizes and ops, see [`super::measures::standing`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Standings {
    /// How many there are; the list is cut.
    pub total: usize,
    /// Ratio above which one is a straggler; absent for fewer than 5.
    pub limit: Option<f64>,
    /// How many are above it.
    pub stragglers: usize,
    /// The slowest first, at most 32.
    pub slowest: Vec<Standing>,
}

impl Standings {
    /// Those listed that stand apart, the slowest first.
    pub fn straggling(&self) -> impl Iterator<Item = &Standing> {
        self.slowest.iter().filter(|one| self.limit.is_some_and(|limit| one.ratio > limit))
    }
}

/// A rank, host or shard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Number of the rank, name of the host, or index of the shard.
    pub name: String,
    pub ranks: u32,
    /// Its median duration / the run's: 1.5 took half as long again.
    pub ratio: f64,
}

/// One tensor size of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SizeResult {
    pub payload_bytes: u64,
    /// Place in the sweep, from 0.
    pub size_index: u32,
    /// From the first start to the last end of the timed samples of all ops over all ranks, in ns on the common clock. Where ranks
    /// compute, the time within it in which at least one of them transfers.
    pub window_ns: Option<u64>,
    /// Bytes of all ops over all ranks / window, in GB/s.
    pub overlap_gb_per_s: Option<f64>,
    /// Sum over ranks of size x iterations / loop time, in GB/s; the loop holds all ops, the bytes count once.
    pub classic_gb_per_s: Option<f64>,
    /// Median over the iterations of (bytes of all ops of all ranks in it / its window), in GB/s.
    pub iteration_gb_per_s: Option<f64>,
    /// 95 % confidence interval of that median.
    pub iteration_gb_per_s_ci95: Option<(f64, f64)>,
    /// Bytes of all ops of a shard's ranks / their window, in GB/s, in order of shards; absent for a shard without ranks,
    /// empty where shards are not known or more than 256.
    pub shard_gb_per_s: Vec<Option<f64>>,
    pub ops: Vec<OpResult>,
    /// What the store costs the application, for each op of it; empty where ranks do not compute.
    pub application: Vec<Application>,
}

/// One op of the application at one size of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Application {
    pub op: Op,
    /// Median duration beside the store / median duration alone; absent where nothing was measured alone.
    pub slowdown: Option<f64>,
    /// 99 % confidence interval of that ratio.
    pub slowdown_ci99: Option<(f64, f64)>,
    /// Part of the time of transfers and computation that the transfers take.
    pub share: Option<f64>,
    pub share_ci99: Option<(f64, f64)>,
}

/// One operation at one tensor size of a run: its timed samples over all ranks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpResult {
    pub op: Op,
    pub ranks: u32,
    /// Samples that were left out since they are warm-up.
    pub warmup_excluded: u64,
    pub latency: super::stats::Summary,
    /// Size / median, in GB/s: what one rank sees.
    pub median_gb_per_s: Option<f64>,
    /// Bytes of this op over all ranks / window of the size, in GB/s. The other op shares the window.
    pub overlap_gb_per_s: Option<f64>,
    /// More than one mode (Hartigan's dip at 1 %); absent for fewer than 30 samples.
    pub multimodal: Option<bool>,
    /// For violins; absent where all samples are equal.
    pub density: Option<Density>,
    /// Over the loop, in blocks of iterations.
    pub trend: Option<Trend>,
    /// Medians of up to 32 blocks of iterations over all ranks, in order, in ns.
    pub block_medians_ns: Vec<f64>,
}

impl OpResult {
    /// What a reader of the median should know, in words.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if self.multimodal == Some(true) {
            flags.push("several modes".to_owned());
        }
        if let Some(trend) = self.trend.filter(Trend::is_drift) {
            flags.push(format!("drift {:+.0} %", trend.change * 100.0));
        }
        flags
    }
}
