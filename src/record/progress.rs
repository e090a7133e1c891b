//! `progress.json`: how far the client is, replaced as a whole by rank 0 between two tensor sizes.

use serde::{Deserialize, Serialize};

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
}
