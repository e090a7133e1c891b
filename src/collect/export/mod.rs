//! `collect --parquet` and `--trace`: of each run a file for other tools, beside the report.
//!
//! Only sizes that were measured whole are in it, of the attempt that counts, as in the report. A file that the last
//! collection wrote stays as it is where its run did not change.

mod samples;
mod table;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::cache::{Entry, Export, FileFacts};
use super::model::Run;
use crate::progress::Counter;
use crate::record::attempt;
use crate::record::files;
use crate::record::op::Op;
use crate::record::samples::{Block, FILE, SamplesStream, SeriesView};

impl Export {
    /// (folder in the report's, extension).
    fn place(self) -> (&'static str, &'static str) {
        match self {
            Export::Samples => ("samples", "parquet"),
            Export::Trace => ("traces", "json"),
        }
    }

    /// Whether there is anything to write.
    fn is_due(self, run: &Run) -> bool {
        match self {
            Export::Samples => !run.sizes().is_empty(),
            Export::Trace => run.timeline.begin_unix_s().is_some(),
        }
    }

    fn fill(self, dir: &Path, run: &Run, file: std::fs::File) -> Result<()> {
        match self {
            Export::Samples => samples::fill(dir, run, file),
            Export::Trace => trace::fill(dir, run, file),
        }
    }

    fn path_of(self, report: &Path, run: &Run) -> PathBuf {
        // the collected folder may be the run itself
        self.file_of(report, if run.path == "." { &run.name } else { &run.path })
    }

    fn file_of(self, report: &Path, path: &str) -> PathBuf {
        let (folder, extension) = self.place();
        report.join(folder).join(format!("{path}.{extension}"))
    }

    /// Writes the files of all runs that have something to write into `report`, and notes them in `entries`; `exported` counts them.
    ///
    /// # Errors
    /// A file that cannot be written, or samples that can no longer be read.
    pub fn write(
        self,
        (dir, report): (&Path, &Path),
        runs: &[Run],
        entries: &mut BTreeMap<String, Entry>,
        exported: &Counter<'_>,
    ) -> Result<()> {
        let due: Vec<&Run> = runs.iter().filter(|run| self.is_due(run)).collect();
        exported.begin(due.len() as u64);
        let written: Vec<(&str, Option<FileFacts>)> = due
            .into_par_iter()
            .map(|run| {
                let to = self.path_of(report, run);
                let known = entries.get(&run.path).and_then(|entry| entry.exported.get(&self));
                if known.is_none_or(|is| FileFacts::of(&to) != Some(*is)) {
                    let folder = to.parent().unwrap_or(report);
                    let written = files::create_folders(folder)
                        .and_then(|()| files::replace_by(&to, 0o644, |file| self.fill(dir, run, file)));
                    written.with_context(|| format!("cannot export the {} of {}", self.place().0, run.path))?;
                }
                exported.one_more();
                Ok((run.path.as_str(), FileFacts::of(&to)))
            })
            .collect::<Result<_>>()?;
        for (path, facts) in written {
            if let Some((entry, facts)) = entries.get_mut(path).zip(facts) {
                entry.exported.insert(self, facts);
            }
        }
        Ok(())
    }

    /// Removes what an earlier collection exported of runs that are no longer there, as far as `old` knows of it.
    pub fn remove_vanished(self, report: &Path, old: &BTreeMap<String, Entry>, runs: &[Run]) {
        let there: BTreeSet<&str> = runs.iter().filter(|run| self.is_due(run)).map(|run| run.path.as_str()).collect();
        for (path, entry) in old.iter().filter(|(path, _)| !there.contains(path.as_str())) {
            let file = self.file_of(report, path);
            if entry.exported.get(&self).is_some_and(|facts| FileFacts::of(&file) == Some(*facts)) {
                let _ = std::fs::remove_file(file);
            }
        }
    }
}

/// Gives `take` the series of the sizes in the report, in the order of the file, each with its op and host; what ranks computed alone
/// is of no size, and has 0 bytes.
///
/// # Errors
/// Samples that can no longer be read, and those of `take`.
fn for_each_series(dir: &Path, run: &Run, mut take: impl FnMut(&SeriesView<'_>, Op, &str) -> Result<()>) -> Result<()> {
    let attempts = attempt::list(&dir.join(&run.path))?;
    let attempt = attempts.into_iter().find(|(at, _)| Some(*at) == run.attempt).context("its attempt is gone")?.1;
    let whole: BTreeSet<u32> = run.sizes().iter().map(|size| size.size_index).collect();
    let mut stream = SamplesStream::open(&attempt.join(FILE))?.context("its samples are gone")?;
    let (mut names, mut ops): (Vec<String>, Vec<Op>) = Default::default();
    let mut hosts: BTreeMap<u32, u32> = BTreeMap::new();
    while let Some(piece) = stream.next_piece()? {
        for block in &piece.blocks {
            let series = match block.decode() {
                Ok(Block::Meta(meta)) => {
                    ops = meta.ops.iter().map(|op| op.name).collect();
                    names = meta.hosts;
                    continue;
                }
                Ok(Block::Ranks(ranks)) => {
                    hosts = ranks.iter().map(|rank| (rank.rank, rank.host)).collect();
                    continue;
                }
                Ok(Block::Samples(series)) if whole.contains(&series.size_index) => series,
                Ok(Block::Alone(series)) => series,
                Ok(_) => continue,
                // the report has nothing from there on either
                Err(_) => return Ok(()),
            };
            let host = hosts.get(&series.rank).and_then(|host| names.get(*host as usize));
            // a size that was measured whole has series of known ops alone
            if let Some(op) = ops.get(series.op) {
                take(&series, *op, host.map_or("", String::as_str))?;
            }
        }
    }
    Ok(())
}
