//! Reading a samples file as far as it is whole.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::{
    BLOCK_HEADER, BLOCK_MAGIC, Effort, FILE_HEADER, FILE_MAGIC, HostClock, KIND_CLOCKS, KIND_EFFORT, KIND_END,
    KIND_META, KIND_RANKS, KIND_SAMPLES, Meta, RankInfo, STEPS_FROM_START,
};
use crate::record::check_schema;
use crate::record::vocabulary::Op;

/// A samples block as it lies in the file.
#[derive(Debug, Clone, Copy)]
pub struct SeriesView<'a> {
    pub rank: u32,
    pub op: Op,
    pub payload_bytes: u64,
    pub size_index: u32,
    pub shard: u32,
    pub warmup: u32,
    pub loop_ns: u64,
    /// Start of the first sample in ns on the common clock.
    pub base_ns: i64,
    durations: &'a [u8],
    steps: &'a [u8],
    from_start: bool,
    width: usize,
}

impl<'a> SeriesView<'a> {
    /// Number of samples, warm-up included.
    pub fn len(&self) -> usize {
        self.durations.len() / self.width
    }

    pub fn is_empty(&self) -> bool {
        self.durations.is_empty()
    }

    /// Durations in ns, warm-up first.
    pub fn durations_ns(&self) -> impl ExactSizeIterator<Item = u64> + 'a {
        values(self.durations, self.width)
    }

    /// (start, duration) of each sample in ns, the start on the common clock, warm-up first.
    pub fn samples(&self) -> impl Iterator<Item = (i64, u64)> + 'a {
        let mut before = self.base_ns;
        let from_start = self.from_start;
        self.durations_ns().zip(values(self.steps, self.width)).map(move |(duration, step)| {
            let start = before.saturating_add_unsigned(step);
            before = if from_start { start } else { start.saturating_add_unsigned(duration) };
            (start, duration)
        })
    }
}

fn values(column: &[u8], width: usize) -> impl ExactSizeIterator<Item = u64> + '_ {
    column.chunks_exact(width).map(move |bytes| {
        let mut value = [0; 8];
        value[..width].copy_from_slice(bytes);
        u64::from_le_bytes(value)
    })
}

/// A whole samples file in memory.
pub struct SamplesFile {
    bytes: Vec<u8>,
}

/// What a samples file says, as far as it is whole.
pub struct Contents<'a> {
    /// Absent where not even the first block was written.
    pub meta: Option<Meta>,
    pub ranks: Vec<RankInfo>,
    /// In the order of writing: by size, then by rank, then by op.
    pub series: Vec<SeriesView<'a>>,
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
        let mut contents = Contents {
            meta: None,
            ranks: Vec::new(),
            series: Vec::new(),
            effort: Vec::new(),
            clocks_at_end: None,
            ended: false,
            torn: None,
        };
        if self.bytes.len() < FILE_HEADER {
            ensure!(FILE_MAGIC.starts_with(&self.bytes[..self.bytes.len().min(8)]), "is no samples file of ShardScale");
            contents.torn = Some(format!("it breaks off after {} bytes", self.bytes.len()));
            return Ok(contents);
        }
        ensure!(&self.bytes[..8] == FILE_MAGIC, "is no samples file of ShardScale");
        check_schema(u32_at(&self.bytes, 8), "the samples file")?;
        let mut at = FILE_HEADER;
        while at < self.bytes.len() {
            match self.block(at).and_then(|(header, payload)| contents.take(header, payload).map(|()| payload.len())) {
                Ok(length) => at += BLOCK_HEADER + length,
                Err(what) => {
                    let lost = self.bytes.len() - at;
                    contents.torn = Some(format!("{what} at byte {at}; the last {lost} bytes are not used"));
                    break;
                }
            }
        }
        Ok(contents)
    }

    fn block(&self, at: usize) -> Result<(&[u8], &[u8]), &'static str> {
        let header = self.bytes.get(at..at + BLOCK_HEADER).ok_or("it breaks off")?;
        if &header[..4] != BLOCK_MAGIC {
            return Err("there is no block");
        }
        let start = at + BLOCK_HEADER;
        let payload = self.bytes.get(start..start + u32_at(header, 12) as usize).ok_or("it breaks off")?;
        if crc32fast::hash(&self.bytes[at + 8..start + payload.len()]) != u32_at(header, 4) {
            return Err("the checksum is wrong");
        }
        Ok((header, payload))
    }
}

impl<'a> Contents<'a> {
    fn take(&mut self, header: &'a [u8], payload: &'a [u8]) -> Result<(), &'static str> {
        match u16_at(header, 8) {
            KIND_META => {
                self.meta = Some(serde_json::from_slice(payload).map_err(|_| "the run's description is unreadable")?);
            }
            KIND_RANKS => {
                self.ranks = serde_json::from_slice(payload).map_err(|_| "the ranks' description is unreadable")?;
            }
            KIND_SAMPLES => self.series.push(view(header, payload)?),
            KIND_EFFORT => {
                self.effort.push(serde_json::from_slice(payload).map_err(|_| "the ranks' effort is unreadable")?);
            }
            KIND_CLOCKS => {
                self.clocks_at_end = Some(serde_json::from_slice(payload).map_err(|_| "the clocks are unreadable")?);
            }
            KIND_END => self.ended = true,
            // a later writer may add kinds; a reader that does not know one passes over it
            _ => {}
        }
        Ok(())
    }
}

fn view<'a>(header: &[u8], payload: &'a [u8]) -> Result<SeriesView<'a>, &'static str> {
    let width = usize::from(u16_at(header, 10));
    let n = u32_at(header, 32) as usize;
    if !matches!(width, 4 | 8) || payload.len() != n * 2 * width {
        return Err("a block's length and its number of samples disagree");
    }
    let (durations, steps) = payload.split_at(n * width);
    Ok(SeriesView {
        rank: u32_at(header, 16),
        op: Op::from_code(u16_at(header, 20)).ok_or("a block has an unknown operation")?,
        payload_bytes: u64_at(header, 24),
        warmup: u32_at(header, 36),
        base_ns: u64_at(header, 40).cast_signed(),
        loop_ns: u64_at(header, 48),
        shard: u32_at(header, 56),
        size_index: u32_at(header, 60),
        durations,
        steps,
        from_start: u16_at(header, 22) == STEPS_FROM_START,
        width,
    })
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
