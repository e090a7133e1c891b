//! `samples.bin`: every sample of every rank, one file a run, written by rank 0 in bulk between two tensor sizes.
//!
//! All numbers are little-endian. The file is 16 bytes (`ShardScl`, u32 schema, u32 zero), then blocks. A block is a
//! header of 64 bytes and a payload whose length is a multiple of 8. A checksum in each block tells a torn tail, which
//! costs only itself.
//!
//! ```text
//!  0  [u8;4]  "SHSB"
//!  4  u32     CRC-32 (IEEE) of header bytes 8..64 and the payload
//!  8  u16     kind: 1 meta (JSON), 2 ranks (JSON), 3 samples, 4 end of an orderly run, 5 effort (JSON), 6 clocks (JSON),
//!             7 samples of what a rank computes alone, which belong to no size
//! 10  u16     bytes a value, 4 or 8 (samples)
//! 12  u32     payload length in bytes
//! 16  u32     rank                                        \
//! 20  u16     op: place in `Meta::ops`                     |
//! 22  u16     what the second column counts from: 0 the    |
//!             end of the sample before, 1 its start        |
//! 24  u64     tensor size in bytes                         |  samples only,
//! 32  u32     n, samples in the block                      |  zero elsewhere
//! 36  u32     of which the first so many are warm-up       |
//! 40  i64     start of the first sample, ns on the run's   |
//!             common clock (zero: when the ranks had       |
//!             agreed on it, `Meta::unix_ns_at_zero`)       |
//! 48  u64     ns of the rank's whole loop over this size,  |
//!             all ops, without warm-up                     |
//! 56  u32     shard that owns the key                      |
//! 60  u32     index of the size in the sweep              /
//! ```
//!
//! The payload of a samples block is two columns of n values in ns: the durations, then the steps, where a step is the
//! start of a sample minus the start of the sample of the same op before it (0 for the first). Starts and not ends: samples
//! of an open loop, or of pipelined commands, overlap. Files of schema 1 have 0 at byte 22 and steps from the end.
//!
//! Blocks are written between two tensor sizes: meta, ranks, what ranks computed alone, then for each size all samples and the
//! effort of all ranks, at last clocks and end. A reader passes over kinds that it does not know.

mod block;
mod closing;
mod read;
mod stream;
#[cfg(test)]
mod tests;
mod write;

pub use block::{Block, Flaw, RawBlock, RawEffort, SeriesHead, SeriesView};
pub use closing::{Effort, HostClock, RankEffort};
pub use read::{Contents, SamplesFile, are_whole};
pub use stream::{Piece, SamplesStream};
pub use write::{file_header, push_alone, push_clocks, push_effort, push_end, push_meta, push_ranks, push_series};

use serde::{Deserialize, Serialize};

use super::aggregation::Roles;
use super::compute::Calibration;
use super::inference::ModelFacts;
use super::op::Described;
use super::vocabulary::{Barrier, KeyPlacement, Role, Wire};
use super::workload::Workload;

/// Name of the file in an attempt directory.
pub const FILE: &str = "samples.bin";

const FILE_MAGIC: &[u8; 8] = b"ShardScl";
const FILE_HEADER: usize = 16;
const BLOCK_MAGIC: &[u8; 4] = b"SHSB";
const BLOCK_HEADER: usize = 64;

/// At byte 22 of a samples block.
const STEPS_FROM_START: u16 = 1;

const KIND_META: u16 = 1;
const KIND_RANKS: u16 = 2;
const KIND_SAMPLES: u16 = 3;
const KIND_END: u16 = 4;
const KIND_EFFORT: u16 = 5;
const KIND_CLOCKS: u16 = 6;
const KIND_ALONE: u16 = 7;

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
    #[serde(default)]
    pub workload: Workload,
    /// Who consumes and who idles, where ranks have roles.
    #[serde(default, flatten)]
    pub roles: Roles,
    /// The timed steps: series name them by their place. Files that lack them have those of their workload.
    #[serde(default)]
    pub ops: Vec<Described>,
    /// What a call of the application's op is; absent where ranks do not compute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<Calibration>,
    /// The model that ran; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelFacts>,
    /// Interface or address that the ranks' connections were bound to; absent where the kernel chose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
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

impl Meta {
    /// A rank with its role.
    pub fn actor(&self, rank: u32) -> (u32, Role) {
        (rank, self.roles.of(rank))
    }
}

/// What is true of one rank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankInfo {
    pub rank: u32,
    /// Place among the ranks of its host, as the launcher says; absent where it does not (since schema 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_rank: Option<u32>,
    /// Index into [`Meta::hosts`].
    pub host: u32,
    /// Index into [`Meta::shards`] of the shard that owns the rank's first tensor.
    pub shard: u32,
    /// Key of the rank's first tensor.
    pub key: String,
    /// All shards that the rank is connected to, ascending; empty in files that know one alone.
    #[serde(default)]
    pub shards: Vec<u32>,
    /// CPUs that the rank may run on, as the kernel says: `0-7,64-71`.
    pub cpus: String,
    /// Time from the first connect to a served, authenticated connection.
    pub connect_ns: u64,
    /// What was added to the rank's clock to get the common one.
    pub clock_offset_ns: i64,
    /// Bound of the error of that offset: half the best round trip.
    pub clock_error_ns: u64,
    /// CPUs of the threads of a consumer that has its node for itself: those of all ranks there; absent where they are `cpus`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads_cpus: Option<String>,
}

/// The samples of one rank, op and tensor size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series<'a> {
    pub rank: u32,
    /// Place in [`Meta::ops`].
    pub op: usize,
    pub payload_bytes: u64,
    pub size_index: u32,
    pub shard: u32,
    /// The first so many samples are warm-up.
    pub warmup: u32,
    /// Nanoseconds of the rank's loop over this size, all ops, without warm-up.
    pub loop_ns: u64,
    /// Start of each sample in ns on the run's common clock, never falling. In an open loop it is the intended start.
    pub starts_ns: &'a [i64],
    /// Duration of each sample in ns; as long as `starts_ns`.
    pub durations_ns: &'a [u64],
}

/// A rank for the tests of this crate.
#[doc(hidden)]
pub fn example_rank() -> RankInfo {
    RankInfo {
        rank: 0,
        local_rank: None,
        host: 0,
        shard: 0,
        key: "throughput_rank_0".into(),
        shards: Vec::new(),
        cpus: "0-7".into(),
        connect_ns: 3_000_000,
        clock_offset_ns: 5,
        clock_error_ns: 100,
        threads_cpus: None,
    }
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
        workload: Workload::default(),
        roles: Roles::default(),
        ops: Workload::default().ops(),
        compute: None,
        model: None,
        source: None,
        server: "redis 7.0.15".into(),
        server_settings: vec![("io-threads".into(), "1".into())],
        shards: vec!["10.78.0.1:6780".into()],
        hosts: vec!["cn4".into(), "cn5".into()],
        clock_resolution_ns: 20,
        clock_overhead_ns: 23,
        unix_ns_at_zero: 1_766_400_000_000_000_000,
    }
}
