//! What was found out to make a call of the application take the time that was asked for.

use serde::{Deserialize, Serialize};

/// What one call of a rank is: the same on all ranks, found out before the store has traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    /// Repetitions of the kernel's inner step.
    pub repetitions: u64,
    /// Bytes of each of the three arrays of rank 0's kernel; 0 for one that uses no memory.
    pub array_bytes: u64,
    /// Calls of each rank that were measured alone.
    pub alone_calls: u32,
}
