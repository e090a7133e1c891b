//! What a rank does between its timed calls: wait for the others where that is asked for, and report.

use shardscale::record::op::{Described, Op};
use shardscale::record::samples::RankEffort;
use shardscale::record::vocabulary::Barrier;
use shardscale::record::workload::Workload;

use crate::clock::{self, CommonClock};
use crate::comm::Comm;
use crate::effort::Meter;
use crate::progress::Reports;
use crate::timed_loop::Around;

/// The surroundings of one size.
pub struct Surroundings<'a> {
    pub comm: &'a Comm,
    pub barrier: Barrier,
    pub clock: CommonClock,
    /// Of rank 0 alone.
    pub reports: Option<Reports>,
    /// Bytes that an iteration of each pass moves.
    pub bytes_of_pass: std::vec::IntoIter<u64>,
    /// What it cost this rank to wait for the others, which is no part of what the size costs.
    pub waiting: RankEffort,
}

/// Bytes that an iteration of each pass moves on `rank`, in the order of passes: a pass has the ops of one window.
pub fn bytes_of_passes(workload: &Workload, rank: u32, payload_bytes: u64) -> Vec<u64> {
    let ops: Vec<_> = workload.ops().into_iter().enumerate().collect();
    let bytes = |(at, op): &(usize, Described)| workload.samples(*at, rank, 1) * u64::from(op.tensors) * payload_bytes;
    ops.chunk_by(|a, b| a.1.window == b.1.window).map(|pass| pass.iter().map(bytes).sum()).collect()
}

impl Around for Surroundings<'_> {
    fn before_pass(&mut self) {
        if self.barrier != Barrier::None {
            let meter = Meter::start();
            self.comm.barrier();
            clock::start_together(self.comm, self.clock);
            // whoever reads the meter of the whole size says so if the kernel does not count
            let cost = meter.and_then(|meter| meter.read()).unwrap_or_default();
            self.waiting = self.waiting.and(cost);
        }
        if let Some(reports) = &mut self.reports {
            reports.begin_pass(self.bytes_of_pass.next().unwrap_or(0));
        }
    }

    fn before_iteration(&mut self) {
        if self.barrier == Barrier::Iteration {
            self.comm.barrier();
        }
    }

    fn after_iteration(&mut self, op: Op, iteration: u32, end_ns: i64) -> i64 {
        self.reports.as_mut().map_or(0, |reports| reports.after(op, iteration, end_ns))
    }
}
