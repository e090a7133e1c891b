//! `progress.json`: how far the client is, replaced as a whole by rank 0 between two tensor sizes, and
//! between two iterations of a long one.

use serde::{Deserialize, Serialize};

use super::op::Op;

/// Name of the file in an attempt directory.
pub const FILE: &str = "progress.json";

/// How far rank 0 has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub schema: u32,
    /// Tensor sizes whose samples are on disk.
    pub sizes_done: u32,
    pub sizes_total: u32,
    /// Size that is running, in bytes; absent once all are done.
    pub payload_bytes: Option<u64>,
    /// Seconds since 1970 of this writing.
    pub unix_s: u64,
    /// Where rank 0 is within that size; absent at its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Running>,
}

/// Rank 0 within a size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// What the last iteration did last.
    pub op: Op,
    /// Iterations that are over, warm-up included.
    pub iteration: u32,
    pub iterations: u32,
    /// Bytes that rank 0 alone put and unpacked since the last report / that time, in GB/s.
    pub gb_per_s: f64,
}
