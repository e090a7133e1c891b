//! Reading a samples file as far as it is whole, and at once: for files that fit memory.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};

use super::block::{self, Block, Flaw, RawBlock, SeriesView};
use super::stream::check_header;
use super::{Effort, FILE_HEADER, HostClock, Meta, RankInfo, push_end};

/// A whole samples file in memory.
pub struct SamplesFile {
    bytes: Vec<u8>,
}

/// What a samples file says, as far as it is whole.
#[derive(Debug, Default)]
pub struct Contents<'a> {
    /// Absent where not even the first block was written.
    pub meta: Option<Meta>,
    pub ranks: Vec<RankInfo>,
    /// In the order of writing: by size, then by rank, then by op.
    pub series: Vec<SeriesView<'a>>,
    /// What each rank computed alone, in the order of ranks.
    pub alone: Vec<SeriesView<'a>>,
    /// In the order of sizes; empty in files of schema 1.
    pub effort: Vec<Effort>,
    /// In the order of [`Meta::hosts`]; absent in files of schema 1, and where the run was cut short.
    pub clocks_at_end: Option<Vec<HostClock>>,
    /// The sweep was finished.
    pub ended: bool,
    /// The file breaks off or is damaged: what and where.
    pub torn: Option<String>,
}

impl SamplesFile {
    /// Reads the file; `Ok(None)` where there is none.
    pub fn open(path: &Path) -> Result<Option<SamplesFile>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(SamplesFile { bytes })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    pub fn from_bytes(bytes: Vec<u8>) -> SamplesFile {
        SamplesFile { bytes }
    }

    /// Reads all whole blocks.
    ///
    /// # Errors
    /// A file of another kind or of a newer schema. A torn or damaged tail is no error: it is in [`Contents::torn`].
    pub fn contents(&self) -> Result<Contents<'_>> {
        let mut contents = Contents::default();
        if let Some(torn) = check_header(&self.bytes)? {
            contents.torn = Some(torn);
            return Ok(contents);
        }
        let mut at = FILE_HEADER;
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            let taken = block::length(rest, rest.len() as u64).and_then(|length| {
                contents.take(RawBlock::new(&rest[..length]).decode()?)?;
                Ok(length)
            });
            match taken {
                Ok(length) => at += length,
                Err(flaw) => {
                    contents.torn = Some(block::torn_at(flaw, at as u64, self.bytes.len() as u64));
                    break;
                }
            }
        }
        Ok(contents)
    }
}

impl<'a> Contents<'a> {
    /// Takes a block in.
    pub fn take(&mut self, block: Block<'a>) -> Result<(), Flaw> {
        match block {
            Block::Meta(meta) => self.meta = Some(*meta),
            Block::Ranks(ranks) => self.ranks = ranks,
            Block::Samples(series) => self.series.push(series),
            Block::Alone(series) => self.alone.push(series),
            Block::Effort(effort) => self.effort.push(effort.decode()?),
            Block::Clocks(clocks) => self.clocks_at_end = Some(clocks),
            Block::End => self.ended = true,
            Block::Unknown => {}
        }
        Ok(())
    }
}

/// Whether the sweep was finished: the file ends with the block that says so. What is before that is not looked at.
pub fn are_whole(path: &Path) -> bool {
    let mut end = Vec::new();
    push_end(&mut end);
    let mut last = vec![0; end.len()];
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::End(-(end.len() as i64)))?;
        file.read_exact(&mut last)
    });
    read.is_ok() && last == end
}
