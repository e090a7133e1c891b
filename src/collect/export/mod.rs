//! `collect --parquet`: the samples behind the figures as a Parquet file for each run, for pandas, Polars, DuckDB and the like.
//!
//! Only sizes that were measured whole are in it, of the attempt that counts, as in the report. A file that the last
//! collection wrote stays as it is where its run did not change.

mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use parquet::data_type::ByteArray;
use rayon::prelude::*;

use super::cache::{Entry, FileFacts};
use super::model::{Run, Source};
use super::progress::Counter;
use super::read::smartsim;
use crate::record::attempt;
use crate::record::files;
use crate::record::op::Op;
use crate::record::samples::{self, Block, SamplesStream, SeriesView};
use table::{Shared, Table};

/// Name of their folder in the report's.
pub const FOLDER: &str = "samples";

/// Writes the files of all runs that measured something into `report`, and notes them in `entries`; `exported` counts them.
///
/// # Errors
/// A file that cannot be written, or samples that can no longer be read.
pub fn write(
    (dir, report): (&Path, &Path),
    runs: &[Run],
    entries: &mut BTreeMap<String, Entry>,
    exported: &Counter<'_>,
) -> Result<()> {
    let measured: Vec<&Run> = runs.iter().filter(|run| !run.sizes().is_empty()).collect();
    exported.begin(measured.len());
    let written: Vec<(&str, Option<FileFacts>)> = measured
        .into_par_iter()
        .map(|run| {
            let to = path_of(report, run);
            let now =
                entries.get(&run.path).and_then(|entry| entry.exported).filter(|is| FileFacts::of(&to) == Some(*is));
            if now.is_none() {
                let folder = to.parent().unwrap_or(report);
                let written = files::create_folders(folder)
                    .and_then(|()| files::replace_by(&to, 0o644, |file| fill(dir, run, file)));
                written.with_context(|| format!("cannot export the samples of {}", run.path))?;
            }
            exported.one_more();
            Ok((run.path.as_str(), FileFacts::of(&to)))
        })
        .collect::<Result<_>>()?;
    for (path, facts) in written {
        if let Some(entry) = entries.get_mut(path) {
            entry.exported = facts;
        }
    }
    Ok(())
}

/// Removes what an earlier collection exported of runs that are no longer there, as far as `old` knows of it.
pub fn remove_vanished(report: &Path, old: &BTreeMap<String, Entry>, runs: &[Run]) {
    let there: BTreeSet<&str> =
        runs.iter().filter(|run| !run.sizes().is_empty()).map(|run| run.path.as_str()).collect();
    for (path, entry) in old.iter().filter(|(path, _)| !there.contains(path.as_str())) {
        let file = file_of(report, path);
        if entry.exported.is_some_and(|facts| FileFacts::of(&file) == Some(facts)) {
            let _ = std::fs::remove_file(file);
        }
    }
}

fn path_of(report: &Path, run: &Run) -> PathBuf {
    // the collected folder may be the run itself
    file_of(report, if run.path == "." { &run.name } else { &run.path })
}

fn file_of(report: &Path, path: &str) -> PathBuf {
    report.join(FOLDER).join(format!("{path}.parquet"))
}

fn fill(dir: &Path, run: &Run, file: std::fs::File) -> Result<()> {
    let mut table = Table::new(file, &run.path, &run.name)?;
    let folder = dir.join(&run.path);
    match (run.source, run.attempt) {
        (Source::SmartSimScaling, _) => fill_from_session(&folder, run, &mut table)?,
        (Source::ShardScale, number) => {
            let attempts = attempt::list(&folder)?;
            let attempt = attempts.into_iter().find(|(at, _)| Some(*at) == number).context("its attempt is gone")?.1;
            fill_from_samples(&attempt.join(samples::FILE), run, &mut table)?;
        }
    }
    table.finish()
}

fn fill_from_samples(file: &Path, run: &Run, table: &mut Table) -> Result<()> {
    let whole: BTreeSet<u32> = run.sizes().iter().map(|size| size.size_index).collect();
    let mut stream = SamplesStream::open(file)?.context("its samples are gone")?;
    let (mut names, mut ops): (Vec<ByteArray>, Vec<Op>) = Default::default();
    let mut hosts: BTreeMap<u32, ByteArray> = BTreeMap::new();
    while let Some(piece) = stream.next_piece()? {
        for block in &piece.blocks {
            match block.decode() {
                Ok(Block::Meta(meta)) => {
                    names = meta.hosts.iter().map(|host| host.as_str().into()).collect();
                    ops = meta.ops.iter().map(|op| op.name).collect();
                }
                Ok(Block::Ranks(ranks)) => {
                    let host = |host: u32| names.get(host as usize).cloned().unwrap_or_default();
                    hosts = ranks.iter().map(|rank| (rank.rank, host(rank.host))).collect();
                }
                Ok(Block::Samples(series)) if whole.contains(&series.size_index) => {
                    let host = hosts.get(&series.rank).cloned().unwrap_or_default();
                    // a size that was measured whole has series of known ops alone
                    let Some(op) = ops.get(series.op) else { continue };
                    push_series(&series, *op, host, table)?;
                }
                // of no size: 0 bytes are moved
                Ok(Block::Alone(series)) => {
                    let host = hosts.get(&series.rank).cloned().unwrap_or_default();
                    let Some(op) = ops.get(series.op) else { continue };
                    push_series(&series, *op, host, table)?;
                }
                Ok(_) => {}
                // the report has nothing from there on either
                Err(_) => return Ok(()),
            }
        }
    }
    Ok(())
}

fn push_series(series: &SeriesView<'_>, op: Op, host: ByteArray, table: &mut Table) -> Result<()> {
    let SeriesView { payload_bytes, rank, warmup, .. } = *series;
    let shared = Shared { payload_bytes, op, rank, warmup, place: Some((host, series.shard)) };
    table.push(&shared, series.samples().map(|(start_ns, ns)| (Some(start_ns), ns)))
}

fn fill_from_session(folder: &Path, run: &Run, table: &mut Table) -> Result<()> {
    let payload_bytes = run.sizes().first().map_or(0, |size| size.payload_bytes);
    smartsim::for_each_rank(folder, |rank, op, timings| {
        let shared = Shared { payload_bytes, op, rank, warmup: 0, place: None };
        table.push(&shared, timings.iter().map(|ns| (None, ns)))
    })
}
