//! What a rank does between its timed calls: wait for the others and compute where that is asked for, and report.

use shardscale::record::op::{Described, Op};
use shardscale::record::samples::RankEffort;
use shardscale::record::vocabulary::{Barrier, Role, Side};
use shardscale::record::workload::Workload;

use crate::application::Application;
use crate::clock::{self, CommonClock};
use crate::comm::Comm;
use crate::effort::Meter;
use crate::progress::Reports;
use crate::samples::Column;
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
    pub computing: Option<Computing<'a>>,
}

/// The application between the transfers of one size.
pub struct Computing<'a> {
    pub application: &'a mut Application,
    /// One for each pass.
    pub columns: &'a mut [Column],
    /// Passes that have begun.
    pub pass: usize,
    /// What it cost this rank, which is no part of what the size costs.
    pub cost: RankEffort,
}

impl Computing<'_> {
    fn compute(&mut self) -> i64 {
        let meter = Meter::start();
        let took = self.application.compute(&mut self.columns[self.pass - 1]);
        // as in waiting
        self.cost = self.cost.and(meter.and_then(|meter| meter.read()).unwrap_or_default());
        took
    }
}

/// Bytes that an iteration of each pass moves on a rank with that role, in the order of passes: a pass has the ops of one window.
pub fn bytes_of_passes(workload: &Workload, actor: (u32, Role), payload_bytes: u64) -> Vec<u64> {
    let is_moved = |(_, op): &(usize, Described)| op.side == Side::Store;
    let ops: Vec<_> = workload.ops().into_iter().enumerate().filter(is_moved).collect();
    let bytes = |(at, op): &(usize, Described)| workload.samples(*at, actor, 1) * u64::from(op.tensors) * payload_bytes;
    ops.chunk_by(|a, b| a.1.window == b.1.window).map(|pass| pass.iter().map(bytes).sum()).collect()
}

impl Surroundings<'_> {
    /// Starts together with the other ranks, unless ranks never wait for each other.
    fn meet(&mut self, wait: fn(&Comm)) {
        if self.barrier == Barrier::None {
            return;
        }
        let meter = Meter::start();
        wait(self.comm);
        clock::start_together(self.comm, self.clock);
        // whoever reads the meter of the whole size says so if the kernel does not count
        let cost = meter.and_then(|meter| meter.read()).unwrap_or_default();
        self.waiting = self.waiting.and(cost);
    }
}

impl Around for Surroundings<'_> {
    fn before_pass(&mut self) {
        self.meet(Comm::barrier);
        if let Some(computing) = &mut self.computing {
            computing.pass += 1;
        }
        if let Some(reports) = &mut self.reports {
            reports.begin_pass(self.bytes_of_pass.next().unwrap_or(0));
        }
    }

    /// Ranks whose shard has fewer are ahead: what they did alone would stretch the window in which all work.
    fn after_warmup(&mut self) {
        self.meet(Comm::wait_for_all);
    }

    fn before_iteration(&mut self) {
        if self.barrier == Barrier::Iteration {
            self.comm.barrier();
        }
    }

    fn after_iteration(&mut self, op: Op, iteration: u32, end_ns: i64) -> i64 {
        let reported = self.reports.as_mut().map_or(0, |reports| reports.after(op, iteration, end_ns));
        let computed = self.computing.as_mut().map_or(0, Computing::compute);
        if let Some(reports) = &mut self.reports {
            reports.elsewhere(computed);
        }
        reported + computed
    }
}
