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

mod read;
mod write;

pub use read::{Contents, SamplesFile, SeriesView};
pub use write::{file_header, push_end, push_meta, push_ranks, push_series};

use serde::{Deserialize, Serialize};

use super::vocabulary::{Barrier, KeyPlacement, Op, Wire};

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
