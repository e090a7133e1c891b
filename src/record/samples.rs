//! `samples.bin`: every sample of every rank, one file a run, written by rank 0 in bulk between two tensor sizes.
//!
//! All numbers are little-endian. The file is 16 bytes (`ShardScl`, u32 schema, u32 zero), then blocks. A block is a
//! header of 64 bytes and a payload whose length is a multiple of 8. A checksum in each block tells a torn tail, which
//! costs only itself.
//!
//! ```text
//!  0  [u8;4]  "SHSB"
//!  4  u32     CRC-32 (IEEE) of header bytes 8..64 and the payload
//!  8  u16     kind: 1 meta (JSON), 2 ranks (JSON), 3 samples, 4 end of an orderly run
//! 10  u16     bytes a value, 4 or 8 (samples)
//! 12  u32     payload length in bytes
//! 16  u32     rank                                        \
//! 20  u16     op: 0 put_tensor, 1 unpack_tensor            |
//! 22  u16     zero                                         |
//! 24  u64     tensor size in bytes                         |  samples only,
//! 32  u32     n, samples in the block                      |  zero elsewhere
//! 36  u32     of which the first so many are warm-up       |
//! 40  i64     start of the first sample, ns on the run's   |
//!             common clock (zero: when the ranks had       |
//!             agreed on it, `Meta::unix_ns_at_zero`)       |
//! 48  u64     ns of the rank's whole loop over this size,  |
//!             both ops, without warm-up                    |
//! 56  u32     shard that owns the key                      |
//! 60  u32     index of the size in the sweep              /
//! ```
//!
//! The payload of a samples block is two columns of n values in ns: the durations, then the gaps, where a gap is the
//! start of a sample minus the end of the sample of the same op before it (0 for the first).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::vocabulary::{Barrier, KeyPlacement, Op, Wire};
use super::{SCHEMA, check_schema};

/// Name of the file in an attempt directory.
pub const FILE: &str = "samples.bin";

const FILE_MAGIC: &[u8; 8] = b"ShardScl";
const FILE_HEADER: usize = 16;
const BLOCK_MAGIC: &[u8; 4] = b"SHSB";
const BLOCK_HEADER: usize = 64;

const KIND_META: u16 = 1;
const KIND_RANKS: u16 = 2;
const KIND_SAMPLES: u16 = 3;
const KIND_END: u16 = 4;

/// What was true of the whole run: measured or asked by the client, not copied from the manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    pub client_version: String,
    /// What MPI says of itself, first line.
    pub mpi_library: String,
    /// Size of the communicator that measured.
    pub world_size: u32,
    /// The wire that was used; never `auto`.
    pub wire: Wire,
    pub keys: KeyPlacement,
    pub barrier: Barrier,
    pub verify: bool,
    pub iterations: u32,
    pub warmup: u32,
    pub tensor_bytes: Vec<u64>,
    /// Program and version of the store, such as `redis 7.0.15`.
    pub server: String,
    /// The store's settings that bear on the result, as (name, value).
    pub server_settings: Vec<(String, String)>,
    /// Shards as the client addressed them: `host:port` or a socket's path.
    pub shards: Vec<String>,
    /// Hosts of the ranks, each once, in order of first rank.
    pub hosts: Vec<String>,
    /// Smallest step of the clock in ns, measured at the start.
    pub clock_resolution_ns: u64,
    /// Median cost of reading the clock in ns, measured at the start.
    pub clock_overhead_ns: u64,
    /// Wall clock of rank 0 at zero of the run's common clock, in ns since 1970.
    pub unix_ns_at_zero: u64,
}

/// What is true of one rank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankInfo {
    pub rank: u32,
    /// Index into [`Meta::hosts`].
    pub host: u32,
    /// Index into [`Meta::shards`] of the shard that owns the rank's key.
    pub shard: u32,
    pub key: String,
    /// CPUs that the rank may run on, as the kernel says: `0-7,64-71`.
    pub cpus: String,
    /// Time from the first connect to a served, authenticated connection.
    pub connect_ns: u64,
    /// What was added to the rank's clock to get the common one.
    pub clock_offset_ns: i64,
    /// Bound of the error of that offset: half the best round trip.
    pub clock_error_ns: u64,
}

/// The samples of one rank, op and tensor size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series<'a> {
    pub rank: u32,
    pub op: Op,
    pub payload_bytes: u64,
    pub size_index: u32,
    pub shard: u32,
    /// The first so many samples are warm-up.
    pub warmup: u32,
    /// Nanoseconds of the rank's loop over this size, both ops, without warm-up.
    pub loop_ns: u64,
    /// Start of each sample in ns on the run's common clock, ascending.
    pub starts_ns: &'a [i64],
    /// Duration of each sample in ns; as long as `starts_ns`.
    pub durations_ns: &'a [u64],
}

/// The bytes that every file begins with.
pub fn file_header() -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    header[..8].copy_from_slice(FILE_MAGIC);
    header[8..12].copy_from_slice(&SCHEMA.to_le_bytes());
    header
}

/// Appends the block that describes the run.
pub fn push_meta(to: &mut Vec<u8>, meta: &Meta) -> Result<()> {
    push_json(to, KIND_META, &serde_json::to_string(meta).context("cannot encode the run's description")?)
}

/// Appends the block that describes the ranks.
pub fn push_ranks(to: &mut Vec<u8>, ranks: &[RankInfo]) -> Result<()> {
    push_json(to, KIND_RANKS, &serde_json::to_string(ranks).context("cannot encode the ranks' description")?)
}

/// Appends the block that says that the sweep was finished.
pub fn push_end(to: &mut Vec<u8>) {
    push_block(to, KIND_END, |_| {}, |_| {});
}

/// Appends the samples of one rank, op and size.
///
/// # Panics
/// If the two columns differ in length: an error of the caller.
pub fn push_series(to: &mut Vec<u8>, series: &Series<'_>) {
    let n = series.durations_ns.len();
    assert_eq!(n, series.starts_ns.len(), "a start for each duration");
    let gap = |i: usize| match i {
        0 => 0,
        // the clock is monotonic and samples of one rank do not overlap; anything else would be an error of the clock
        _ => (series.starts_ns[i] - series.starts_ns[i - 1])
            .max(0)
            .cast_unsigned()
            .saturating_sub(series.durations_ns[i - 1]),
    };
    let wide = (0..n).any(|i| series.durations_ns[i] > u64::from(u32::MAX) || gap(i) > u64::from(u32::MAX));
    let width: u16 = if wide { 8 } else { 4 };
    let push_value = |to: &mut Vec<u8>, value: u64| match wide {
        true => to.extend_from_slice(&value.to_le_bytes()),
        false => to.extend_from_slice(&(value as u32).to_le_bytes()),
    };
    push_block(
        to,
        KIND_SAMPLES,
        |header| {
            header[10..12].copy_from_slice(&width.to_le_bytes());
            header[16..20].copy_from_slice(&series.rank.to_le_bytes());
            header[20..22].copy_from_slice(&series.op.code().to_le_bytes());
            header[24..32].copy_from_slice(&series.payload_bytes.to_le_bytes());
            header[32..36].copy_from_slice(&(n as u32).to_le_bytes());
            header[36..40].copy_from_slice(&series.warmup.to_le_bytes());
            header[40..48].copy_from_slice(&series.starts_ns.first().copied().unwrap_or(0).to_le_bytes());
            header[48..56].copy_from_slice(&series.loop_ns.to_le_bytes());
            header[56..60].copy_from_slice(&series.shard.to_le_bytes());
            header[60..64].copy_from_slice(&series.size_index.to_le_bytes());
        },
        |to| {
            series.durations_ns.iter().for_each(|duration| push_value(to, *duration));
            (0..n).for_each(|i| push_value(to, gap(i)));
        },
    );
}

fn push_json(to: &mut Vec<u8>, kind: u16, json: &str) -> Result<()> {
    ensure!(u32::try_from(json.len() + 8).is_ok(), "a description of {} bytes does not fit a block", json.len());
    push_block(
        to,
        kind,
        |_| {},
        |to| {
            to.extend_from_slice(json.as_bytes());
            // JSON may end in blanks
            to.resize(to.len() + json.len().wrapping_neg() % 8, b' ');
        },
    );
    Ok(())
}

fn push_block(to: &mut Vec<u8>, kind: u16, head: impl FnOnce(&mut [u8]), payload: impl FnOnce(&mut Vec<u8>)) {
    let start = to.len();
    to.resize(start + BLOCK_HEADER, 0);
    payload(to);
    let length = (to.len() - start - BLOCK_HEADER) as u32;
    let header = &mut to[start..start + BLOCK_HEADER];
    header[..4].copy_from_slice(BLOCK_MAGIC);
    header[8..10].copy_from_slice(&kind.to_le_bytes());
    header[12..16].copy_from_slice(&length.to_le_bytes());
    head(header);
    let crc = crc32fast::hash(&to[start + 8..]);
    to[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

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
    gaps: &'a [u8],
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
        let mut end = self.base_ns;
        self.durations_ns().zip(values(self.gaps, self.width)).map(move |(duration, gap)| {
            let start = end.saturating_add_unsigned(gap);
            end = start.saturating_add_unsigned(duration);
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
        let mut contents = Contents { meta: None, ranks: Vec::new(), series: Vec::new(), ended: false, torn: None };
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
    let (durations, gaps) = payload.split_at(n * width);
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
        gaps,
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

/// A description for the tests of this crate.
#[doc(hidden)]
pub fn example_meta() -> Meta {
    Meta {
        client_version: "0.1.0".into(),
        mpi_library: "Open MPI v4.1.4".into(),
        world_size: 4,
        wire: Wire::Plain,
        keys: KeyPlacement::Hash,
        barrier: Barrier::Size,
        verify: false,
        iterations: 10,
        warmup: 2,
        tensor_bytes: vec![1024, 65536],
        server: "redis 7.0.15".into(),
        server_settings: vec![("io-threads".into(), "1".into())],
        shards: vec!["10.78.0.1:6780".into()],
        hosts: vec!["cn4".into(), "cn5".into()],
        clock_resolution_ns: 20,
        clock_overhead_ns: 23,
        unix_ns_at_zero: 1_766_400_000_000_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn series<'a>(rank: u32, starts_ns: &'a [i64], durations_ns: &'a [u64]) -> Series<'a> {
        Series {
            rank,
            op: Op::UnpackTensor,
            payload_bytes: 1024,
            size_index: 0,
            shard: 2,
            warmup: 1,
            loop_ns: 99,
            starts_ns,
            durations_ns,
        }
    }

    fn whole_file() -> Vec<u8> {
        let mut bytes = file_header().to_vec();
        push_meta(&mut bytes, &example_meta()).unwrap();
        push_ranks(&mut bytes, &[]).unwrap();
        push_series(&mut bytes, &series(0, &[100, 200, 300], &[10, 20, 30]));
        push_series(&mut bytes, &series(1, &[-5, 6_000_000_000], &[1, 5_000_000_000]));
        push_end(&mut bytes);
        bytes
    }

    #[test]
    fn what_is_written_reads_back() {
        let file = SamplesFile::from_bytes(whole_file());
        let contents = file.contents().unwrap();
        assert_eq!(contents.meta, Some(example_meta()));
        assert!(contents.ended && contents.torn.is_none());
        let samples: Vec<Vec<_>> = contents.series.iter().map(|s| s.samples().collect()).collect();
        assert_eq!(samples, [vec![(100, 10), (200, 20), (300, 30)], vec![(-5, 1), (6_000_000_000, 5_000_000_000)]]);
        let first = contents.series[0];
        assert_eq!((first.rank, first.op, first.shard, first.warmup, first.loop_ns), (0, Op::UnpackTensor, 2, 1, 99));
    }

    #[test]
    fn a_sample_costs_eight_bytes() {
        let starts: Vec<i64> = (0..100).map(|i| i * 1000).collect();
        let mut bytes = Vec::new();
        push_series(&mut bytes, &series(0, &starts, &vec![500; 100]));
        assert_eq!(bytes.len(), 64 + 100 * 8);
    }

    #[test]
    fn a_file_cut_anywhere_keeps_its_whole_blocks() {
        let bytes = whole_file();
        for cut in 0..bytes.len() {
            let file = SamplesFile::from_bytes(bytes[..cut].to_vec());
            let contents = file.contents().unwrap();
            assert!(!contents.ended);
            assert!(contents.series.len() <= 2);
        }
        let file = SamplesFile::from_bytes(bytes[..bytes.len() - 65].to_vec());
        let contents = file.contents().unwrap();
        assert_eq!(contents.series.len(), 1);
        assert!(contents.torn.as_deref().unwrap().starts_with("it breaks off at byte"), "{:?}", contents.torn);
    }

    #[test]
    fn a_flipped_bit_is_found() {
        let mut bytes = whole_file();
        let last = bytes.len() - BLOCK_HEADER - 1;
        bytes[last] ^= 1;
        let file = SamplesFile::from_bytes(bytes);
        let contents = file.contents().unwrap();
        assert_eq!(contents.series.len(), 1);
        assert!(contents.torn.as_deref().unwrap().starts_with("the checksum is wrong"));
    }

    #[test]
    fn another_file_and_a_newer_one_are_refused() {
        assert!(SamplesFile::from_bytes(b"rank,function,seconds\n".to_vec()).contents().is_err());
        let mut bytes = whole_file();
        bytes[8] = 9;
        let error = SamplesFile::from_bytes(bytes).contents().err().unwrap();
        assert!(error.to_string().contains("schema version 9"), "{error}");
    }

    proptest! {
        #[test]
        fn any_series_reads_back(parts in prop::collection::vec((0u64..1 << 40, 0u64..1 << 40), 0..50), base in -1000i64..1000) {
            let mut at = base;
            let (mut starts, mut durations) = (Vec::new(), Vec::new());
            for (gap, duration) in parts {
                at += if starts.is_empty() { 0 } else { gap.cast_signed() };
                starts.push(at);
                durations.push(duration);
                at += duration.cast_signed();
            }
            let mut bytes = file_header().to_vec();
            push_series(&mut bytes, &series(7, &starts, &durations));
            let file = SamplesFile::from_bytes(bytes);
            let contents = file.contents().unwrap();
            let expected: Vec<_> = starts.into_iter().zip(durations).collect();
            prop_assert_eq!(contents.series[0].samples().collect::<Vec<_>>(), expected);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(tail in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = file_header().to_vec();
            bytes.extend(tail);
            let _ = SamplesFile::from_bytes(bytes).contents();
        }
    }
}
