//! One block as it lies in the file: where it ends, whether it is whole, what it says.

use super::{
    BLOCK_HEADER, BLOCK_MAGIC, Effort, HostClock, KIND_ALONE, KIND_CLOCKS, KIND_EFFORT, KIND_END, KIND_META,
    KIND_RANKS, KIND_SAMPLES, Meta, RankInfo, STEPS_FROM_START,
};
use crate::record::op::MOST_OPS;

/// Why a file is not read beyond a place.
pub type Flaw = &'static str;

const BREAKS_OFF: Flaw = "it breaks off";

/// Header and payload of a block whose checksum was not looked at yet.
#[derive(Debug, Clone, Copy)]
pub struct RawBlock<'a> {
    bytes: &'a [u8],
}

/// What a whole block says.
#[derive(Debug)]
pub enum Block<'a> {
    Meta(Box<Meta>),
    Ranks(Vec<RankInfo>),
    Samples(SeriesView<'a>),
    /// What a rank computed alone.
    Alone(SeriesView<'a>),
    Effort(RawEffort<'a>),
    Clocks(Vec<HostClock>),
    End,
    /// Of a later writer; a reader that does not know a kind passes over it.
    Unknown,
}

/// What a size cost the ranks, not decoded: it is long, and few want it.
#[derive(Debug, Clone, Copy)]
pub struct RawEffort<'a>(&'a [u8]);

impl RawEffort<'_> {
    pub fn decode(self) -> Result<Effort, Flaw> {
        serde_json::from_slice(self.0).map_err(|_| "the ranks' effort is unreadable")
    }
}

/// Length of the block that begins with `bytes`; `rest` bytes are left in the file.
pub(super) fn length(bytes: &[u8], rest: u64) -> Result<usize, Flaw> {
    let header = bytes.get(..BLOCK_HEADER).ok_or(BREAKS_OFF)?;
    if &header[..4] != BLOCK_MAGIC {
        return Err("there is no block");
    }
    let length = BLOCK_HEADER as u64 + u64::from(u32_at(header, 12));
    if length > rest { Err(BREAKS_OFF) } else { usize::try_from(length).map_err(|_| BREAKS_OFF) }
}

impl<'a> RawBlock<'a> {
    /// Takes the whole bytes of a block, as [`length`] found them.
    pub(super) fn new(bytes: &'a [u8]) -> RawBlock<'a> {
        RawBlock { bytes }
    }

    pub fn len(self) -> usize {
        self.bytes.len()
    }

    /// Never: a block has a header.
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// Compares the checksum and takes the block apart.
    pub fn decode(self) -> Result<Block<'a>, Flaw> {
        if crc32fast::hash(&self.bytes[8..]) != u32_at(self.bytes, 4) {
            return Err("the checksum is wrong");
        }
        let (header, payload) = self.bytes.split_at(BLOCK_HEADER);
        Ok(match u16_at(header, 8) {
            KIND_META => Block::Meta(Box::new(meta(payload)?)),
            KIND_RANKS => {
                Block::Ranks(serde_json::from_slice(payload).map_err(|_| "the ranks' description is unreadable")?)
            }
            KIND_SAMPLES => Block::Samples(view(header, payload)?),
            KIND_ALONE => Block::Alone(view(header, payload)?),
            KIND_EFFORT => Block::Effort(RawEffort(payload)),
            KIND_CLOCKS => Block::Clocks(serde_json::from_slice(payload).map_err(|_| "the clocks are unreadable")?),
            KIND_END => Block::End,
            _ => Block::Unknown,
        })
    }
}

fn meta(payload: &[u8]) -> Result<Meta, Flaw> {
    let mut meta: Meta = serde_json::from_slice(payload).map_err(|_| "the run's description is unreadable")?;
    if meta.ops.is_empty() {
        meta.ops = meta.workload.ops();
    }
    if meta.ops.len() > MOST_OPS { Err("the run has more operations than any has") } else { Ok(meta) }
}

/// What a samples block says of its samples.
#[derive(Debug, Clone, Copy)]
pub struct SeriesHead {
    pub rank: u32,
    /// Place in [`Meta::ops`], if it is one.
    pub op: usize,
    pub payload_bytes: u64,
    pub shard: u32,
    pub warmup: u32,
    /// Number of samples, warm-up included.
    pub samples: usize,
}

/// A samples block as it lies in the file.
#[derive(Debug, Clone, Copy)]
pub struct SeriesView<'a> {
    pub rank: u32,
    /// Place in [`Meta::ops`], if it is one.
    pub op: usize,
    pub payload_bytes: u64,
    pub size_index: u32,
    pub shard: u32,
    pub warmup: u32,
    pub loop_ns: u64,
    /// Start of the first sample in ns on the common clock.
    pub base_ns: i64,
    durations: &'a [u8],
    steps: &'a [u8],
    /// Steps count from the start of the sample before, not from its end.
    pub from_start: bool,
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

    /// What outlives the samples.
    pub fn head(&self) -> SeriesHead {
        SeriesHead {
            rank: self.rank,
            op: self.op,
            payload_bytes: self.payload_bytes,
            shard: self.shard,
            warmup: self.warmup,
            samples: self.len(),
        }
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

    /// (step, duration) of each sample, warm-up first, where every value fits 32 bits: what readers of millions use.
    pub fn narrow(&self) -> Option<impl ExactSizeIterator<Item = (u32, u32)> + 'a> {
        let column = |bytes: &'a [u8]| bytes.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes));
        (self.width == 4).then(|| column(self.steps).zip(column(self.durations)))
    }
}

fn values(column: &[u8], width: usize) -> impl ExactSizeIterator<Item = u64> + '_ {
    column.chunks_exact(width).map(move |bytes| {
        let mut value = [0; 8];
        value[..width].copy_from_slice(bytes);
        u64::from_le_bytes(value)
    })
}

fn view<'a>(header: &[u8], payload: &'a [u8]) -> Result<SeriesView<'a>, Flaw> {
    let width = usize::from(u16_at(header, 10));
    let n = u32_at(header, 32) as usize;
    if !matches!(width, 4 | 8) || payload.len() != n * 2 * width {
        return Err("a block's length and its number of samples disagree");
    }
    let (durations, steps) = payload.split_at(n * width);
    Ok(SeriesView {
        rank: u32_at(header, 16),
        op: usize::from(u16_at(header, 20)),
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

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// What is told of a file of `length` bytes that is not used from the byte `at` on.
pub fn torn_at(flaw: Flaw, at: u64, length: u64) -> String {
    format!("{flaw} at byte {at}; the last {} bytes are not used", length - at)
}
