//! What is known only afterwards: what a size cost each rank, and where the clocks stood at the end.

use serde::{Deserialize, Serialize};

use super::RankInfo;

/// What the loop over one size cost the ranks: warm-up included, without the waiting for each other before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effort {
    /// Index of the size in the sweep.
    pub size_index: u32,
    /// In the order of ranks.
    pub ranks: Vec<RankEffort>,
}

/// One rank's part, as getrusage counts it for the thread that measures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankEffort {
    /// CPU time in microseconds, user and system.
    pub cpu_us: u64,
    /// Page faults that needed no disk.
    pub page_faults: u64,
    /// Times that the kernel gave the rank's CPU to another process.
    pub preempted: u64,
    /// Times that the rank slept until something came.
    pub waited: u64,
    /// Times that a consumer asked for the length of a list.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub polls: u64,
}

impl RankEffort {
    /// Both together.
    pub fn and(self, other: RankEffort) -> RankEffort {
        self.combine(other, u64::saturating_add)
    }

    /// This less `part` of it.
    pub fn without(self, part: RankEffort) -> RankEffort {
        self.combine(part, u64::saturating_sub)
    }

    fn combine(self, other: RankEffort, op: fn(u64, u64) -> u64) -> RankEffort {
        RankEffort {
            cpu_us: op(self.cpu_us, other.cpu_us),
            page_faults: op(self.page_faults, other.page_faults),
            preempted: op(self.preempted, other.preempted),
            waited: op(self.waited, other.waited),
            polls: op(self.polls, other.polls),
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Where the clock of one host stood when the sweep had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostClock {
    /// What would now have to be added to it to get the run's common clock, in ns.
    pub offset_ns: i64,
    /// Bound of the error of that offset in ns: half the best round trip.
    pub error_ns: u64,
}

impl HostClock {
    /// Bound in ns of the error of every start that `rank`, of this host, has in the file: clocks drift, and starts are
    /// moved by the offset that was found before the sweep.
    pub fn error_bound_ns(self, rank: &RankInfo) -> u64 {
        let drift = self.offset_ns.abs_diff(rank.clock_offset_ns);
        rank.clock_error_ns.max(drift.saturating_add(self.error_ns))
    }
}
