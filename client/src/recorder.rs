//! What becomes of the samples: rank 0 writes them to the attempt folder between two sizes, or prints a table.
//!
//! Every rank encodes its own samples of a size; rank 0 takes them in batches (see [`Comm::gather_batches`]), so that its
//! memory does not grow with the number of ranks. A file is synced before `progress.json` counts the size as done.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use shardscale::record::op::{Described, Op};
use shardscale::record::progress::{self, Progress};
use shardscale::record::samples::{self, Effort, HostClock, Meta, RankEffort, RankInfo, SamplesFile, Series};
use shardscale::record::vocabulary::{Role, Side};
use shardscale::record::workload::Workload;
use shardscale::record::{SCHEMA, files, units};

use crate::comm::Comm;
use crate::samples::{Column, Samples};
use crate::timed_loop::Plan;

/// Where rank 0 puts the samples. Other ranks have none.
pub enum Recorder {
    File {
        attempt: PathBuf,
        path: PathBuf,
        file: File,
        tensor_bytes: Vec<u64>,
    },
    /// `alone_ns`: durations of what ranks computed alone.
    Table {
        ops: Vec<Described>,
        rows: Vec<Row>,
        alone_ns: Vec<u64>,
    },
}

/// Pooled timed samples of one size, in ns. They are kept in memory: a run without an attempt folder is a small one.
#[derive(Default)]
pub struct Row {
    payload_bytes: u64,
    /// By op.
    durations_ns: Vec<Vec<u64>>,
    /// Of all ranks together, warm-up included.
    cpu_us: u64,
    ops: u64,
    /// First start and last end of the timed samples, on the common clock.
    window: Option<(i64, i64)>,
}

/// What is the same for all samples of a rank.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    pub rank: u32,
    pub role: Role,
    pub shard: u32,
    /// Added to the host's clock to get the common one.
    pub clock_offset_ns: i64,
}

impl Recorder {
    /// Opens the samples file of `attempt` and describes the run in it; a table where there is no attempt.
    ///
    /// # Errors
    /// If the attempt has samples already, or the file cannot be written.
    pub fn start(attempt: Option<&Path>, meta: &Meta, ranks: &[RankInfo]) -> Result<Recorder> {
        let Some(attempt) = attempt else {
            return Ok(Recorder::Table { ops: meta.ops.clone(), rows: Vec::new(), alone_ns: Vec::new() });
        };
        let path = attempt.join(samples::FILE);
        let file = match File::create_new(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(
                "{} exists: an attempt is measured once; `shardscale-client begin` makes the next attempt folder",
                path.display()
            ),
            Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
        };
        let tensor_bytes = meta.tensor_bytes.clone();
        let mut recorder = Recorder::File { attempt: attempt.to_owned(), path, file, tensor_bytes };
        let mut bytes = samples::file_header().to_vec();
        samples::push_meta(&mut bytes, meta)?;
        samples::push_ranks(&mut bytes, ranks)?;
        recorder.append(&bytes)?;
        recorder.size_done(0)?;
        Ok(recorder)
    }

    /// Takes whole blocks of samples.
    fn append(&mut self, blocks: &[u8]) -> Result<()> {
        match self {
            Recorder::File { path, file, .. } => {
                file.write_all(blocks).with_context(|| format!("cannot write samples to {}", path.display()))
            }
            Recorder::Table { ops, rows, alone_ns } => {
                let mut bytes = samples::file_header().to_vec();
                bytes.extend_from_slice(blocks);
                take_rows(ops, rows, alone_ns, &SamplesFile::from_bytes(bytes))
            }
        }
    }

    /// Makes sure that all samples of the first `done` sizes are on disk, then says so.
    fn size_done(&mut self, done: usize) -> Result<()> {
        let Recorder::File { attempt, path, file, tensor_bytes } = self else { return Ok(()) };
        file.sync_data().with_context(|| format!("cannot write samples to {}", path.display()))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let progress = Progress {
            schema: SCHEMA,
            sizes_done: done as u32,
            sizes_total: tensor_bytes.len() as u32,
            payload_bytes: tensor_bytes.get(done).copied(),
            unix_s: now.as_secs(),
            running: None,
        };
        files::replace_json(&attempt.join(progress::FILE), &progress)
    }

    /// Ends the file, with the clocks as they stood then, or gives the table's text.
    pub fn finish(mut self, clocks: &[HostClock]) -> Result<Option<String>> {
        if let Recorder::Table { ops, rows, alone_ns } = &mut self {
            return Ok(Some(table(ops, rows) + &alone(ops, alone_ns)));
        }
        let mut end = Vec::new();
        samples::push_clocks(&mut end, clocks)?;
        samples::push_end(&mut end);
        self.append(&end)?;
        if let Recorder::File { path, file, .. } = &self {
            file.sync_data().with_context(|| format!("cannot write samples to {}", path.display()))?;
        }
        Ok(None)
    }
}

/// Brings the samples of one size, and what it cost, from all ranks to rank 0's recorder.
pub fn gather(comm: &Comm, recorder: &mut Option<Recorder>, plan: &Plan<'_>, part: &Part) -> Result<()> {
    comm.gather_batches(&part.blocks, |batch, _| recorder.as_mut().map_or(Ok(()), |recorder| recorder.append(batch)))?;
    let efforts = comm.collect(&part.effort)?;
    if let (Some(recorder), Some(ranks)) = (recorder, efforts) {
        let mut block = Vec::new();
        samples::push_effort(&mut block, &Effort { size_index: plan.size_index, ranks })?;
        recorder.append(&block)?;
        recorder.size_done(plan.size_index as usize + 1)?;
    }
    Ok(())
}

/// Brings what all ranks computed alone to rank 0's recorder.
pub fn gather_alone(comm: &Comm, recorder: &mut Option<Recorder>, blocks: &[u8]) -> Result<()> {
    comm.gather_batches(blocks, |batch, _| recorder.as_mut().map_or(Ok(()), |recorder| recorder.append(batch)))
}

/// What one rank has to say about one size.
pub struct Part {
    blocks: Vec<u8>,
    effort: RankEffort,
}

/// Encodes a rank's samples of one size, each op that has any; moves their starts to the common clock.
pub fn encode(samples: &mut Samples, plan: &Plan<'_>, origin: Origin, effort: RankEffort) -> Part {
    let mut blocks = Vec::new();
    let loop_ns = samples.loop_ns;
    for (op, column) in samples.columns.iter_mut().enumerate() {
        column.move_starts(origin.clock_offset_ns);
        let series = Series {
            rank: origin.rank,
            op,
            payload_bytes: plan.payload_bytes,
            size_index: plan.size_index,
            shard: origin.shard,
            warmup: plan.workload.samples(op, (origin.rank, origin.role), plan.warmup) as u32,
            loop_ns,
            starts_ns: column.starts_ns(),
            durations_ns: column.durations_ns(),
        };
        if !series.durations_ns.is_empty() {
            samples::push_series(&mut blocks, &series);
        }
    }
    Part { blocks, effort }
}

/// Encodes what a rank computed alone.
pub fn encode_alone(column: &mut Column, workload: &Workload, origin: Origin) -> Vec<u8> {
    column.move_starts(origin.clock_offset_ns);
    let op = workload.ops().iter().position(|op| op.side == Side::Alone).unwrap_or(0);
    let (starts_ns, durations_ns) = (column.starts_ns(), column.durations_ns());
    let Origin { rank, shard, .. } = origin;
    let series =
        Series { rank, op, payload_bytes: 0, size_index: 0, shard, warmup: 0, loop_ns: 0, starts_ns, durations_ns };
    let mut blocks = Vec::new();
    samples::push_alone(&mut blocks, &series);
    blocks
}

fn take_rows(ops: &[Described], rows: &mut Vec<Row>, alone_ns: &mut Vec<u64>, file: &SamplesFile) -> Result<()> {
    let contents = file.contents()?;
    alone_ns.extend(contents.alone.iter().flat_map(|series| series.durations_ns()));
    for series in contents.series {
        let at = series.size_index as usize;
        rows.resize_with(rows.len().max(at + 1), Row::default);
        let row = &mut rows[at];
        row.payload_bytes = series.payload_bytes;
        let is_moved = ops.get(series.op).is_some_and(|op| op.side == Side::Store);
        row.ops += if is_moved { series.len() as u64 } else { 0 };
        row.durations_ns.resize_with(row.durations_ns.len().max(series.op + 1), Vec::new);
        let column = &mut row.durations_ns[series.op];
        for (start, duration) in series.samples().skip(series.warmup as usize) {
            column.push(duration);
            let end = start.saturating_add_unsigned(duration);
            row.window = Some(row.window.map_or((start, end), |(first, last)| (first.min(start), last.max(end))));
        }
    }
    for effort in contents.effort {
        if let Some(row) = rows.get_mut(effort.size_index as usize) {
            row.cpu_us += effort.ranks.iter().map(|rank| rank.cpu_us).sum::<u64>();
        }
    }
    Ok(())
}

fn table(ops: &[Described], rows: &mut [Row]) -> String {
    let computes = ops.iter().any(|op| op.side == Side::Application);
    let ops = &ops[..ops.iter().take_while(|op| op.side != Side::Alone).count()];
    let mut text = format!("{:>12}  {:>9}", "tensor", "samples");
    ops.iter().for_each(|op| text += &format!("  {:>24}", format!("{}_median_us", op.name)));
    text += &format!("  {:>13}  {:>8}\n", "cpu_us_per_op", "gb_per_s");
    for row in rows {
        let tensors = |(op, ns): (&Described, &Vec<u64>)| u64::from(op.tensors) * ns.len() as u64;
        let bytes = ops.iter().zip(&row.durations_ns).map(tensors).sum::<u64>() * row.payload_bytes;
        let gb_per_s = row.window.map_or(0.0, |(first, last)| bytes as f64 / (last - first).max(1) as f64);
        let samples = row.durations_ns.iter().map(Vec::len).max().unwrap_or(0);
        text += &format!("{:>12}  {samples:>9}", units::show_bytes(row.payload_bytes));
        row.durations_ns.iter_mut().for_each(|ns| text += &format!("  {:>24}", median_us(ns)));
        let cpu = row.cpu_us as f64 / row.ops.max(1) as f64;
        // what was computed in the same time is no transfer: the report tells them apart
        let gb_per_s = if computes { "-".to_owned() } else { format!("{gb_per_s:.3}") };
        text += &format!("  {cpu:>13.1}  {gb_per_s:>8}\n");
    }
    text
}

/// A line of what was computed before the store had traffic; empty where nothing was.
fn alone(ops: &[Described], alone_ns: &mut [u64]) -> String {
    let op: Option<Op> = ops.iter().find(|op| op.side == Side::Alone).map(|op| op.name);
    op.map(|op| format!("{op}_median_us {}\n", median_us(alone_ns))).unwrap_or_default()
}

/// Median in microseconds; of an even number the upper one of the two in the middle. A dash where there are no values.
fn median_us(values_ns: &mut [u64]) -> String {
    let middle = values_ns.len() / 2;
    match values_ns {
        [] => "-".to_owned(),
        values => format!("{:.1}", *values.select_nth_unstable(middle).1 as f64 / 1000.0),
    }
}
