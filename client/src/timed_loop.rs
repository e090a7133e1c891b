//! The loop that is measured: put tensors, have models run on them where that is asked for, read them back, note the times; one
//! tensor size at a time.
//!
//! Between the readings of the clock there is nothing but the call. Inside the loop nothing is allocated, printed or
//! logged by this module; what verification needs, and what [`Around`] does, happens between timed calls and is taken out of
//! the loop's time and of an open loop's schedule.

use std::ops::Range;

use shardscale::record::op::Op;
use shardscale::record::vocabulary::Order;
use shardscale::record::workload::{OPS, PUT, Rate, UNPACK, Workload};

use crate::backend::models::Models;
use crate::backend::{Ticks, Trouble, Untimed};
use crate::clock::now_ns;
use crate::failure::Failure;
use crate::pace::Pace;
use crate::samples::{Column, Samples};
use crate::tensors::Tensors;
use crate::wire::BATCH;
use crate::wire::call::Call;

/// What one pass over a size is to do.
pub struct Plan<'a> {
    pub payload_bytes: u64,
    pub size_index: u32,
    pub warmup: u32,
    pub iterations: u32,
    pub workload: &'a Workload,
    pub verify: bool,
    /// Names of the connections, for errors.
    pub endpoints: &'a [String],
}

/// What happens around the timed calls, never within one.
pub trait Around {
    /// Before a pass over all iterations; there are two where ops come in phases.
    fn before_pass(&mut self) {}
    /// Between the last iteration of the warm-up and the first timed one, in a closed loop.
    fn after_warmup(&mut self) {}
    fn before_iteration(&mut self) {}
    /// `iteration` is over, its last call `op` ended at `end_ns`. Returns the time in ns that this took, if it did anything.
    fn after_iteration(&mut self, _op: Op, _iteration: u32, _end_ns: i64) -> i64 {
        0
    }
}

/// One rank at one size.
pub struct Measurement<'a, B: Models> {
    pub plan: &'a Plan<'a>,
    pub backend: &'a mut B,
    pub tensors: &'a mut Tensors<B::Put, B::Get>,
    pub around: &'a mut dyn Around,
    pub samples: &'a mut Samples,
    pub pace: Pace,
    /// Nanoseconds of the running pass that are not measured.
    pub excluded_ns: i64,
    /// When the last timed call ended.
    pub last_end_ns: i64,
    /// Iteration whose pattern this rank put last.
    pub last_put: u32,
    /// What the store runs between putting and unpacking, through the connection of the first tensor.
    pub calls: Vec<Call>,
}

impl<B: Models> Measurement<'_, B> {
    /// Stores all of this rank's tensors once, untimed: for readers that come before the first timed put.
    pub fn store_once(&mut self) -> Result<(), Failure> {
        for one in self.tensors.written.chunks_mut(1) {
            self.backend.put(one, &mut Untimed).map_err(|trouble| self.plan.failure(PUT, 0, trouble))?;
        }
        Ok(())
    }

    /// Reads all tensors once, untimed and one by one: a reply's spelling is learnt before replies come in batches.
    pub fn read_once(&mut self) -> Result<(), Failure> {
        let Tensors { lists, targets, .. } = &mut *self.tensors;
        for list in lists {
            for (one, target) in list.chunks_mut(1).zip(targets.chunks_mut(1)) {
                let read = self.backend.get(one, target, &mut Untimed);
                read.map_err(|trouble| self.plan.failure(UNPACK, 0, trouble))?;
            }
        }
        Ok(())
    }

    /// Measures the size.
    ///
    /// # Errors
    /// The first call that fails, with its op, size and iteration (counted from 0, warm-up included).
    pub fn run(&mut self) -> Result<(), Failure> {
        self.samples.clear();
        match self.plan.workload.order {
            Order::Interleaved => self.pass(&[PUT, UNPACK]),
            Order::Phases => self.pass(&[PUT]).and_then(|()| self.pass(&[UNPACK])),
        }
    }

    fn pass(&mut self, ops: &[usize]) -> Result<(), Failure> {
        let warmup = self.plan.warmup;
        self.around.before_pass();
        self.pace.begin();
        let mut loop_start = 0;
        for iteration in 0..warmup + self.plan.iterations {
            if iteration == warmup {
                // an open loop has a schedule that all ranks keep; in a closed one some are ahead by now
                if warmup > 0 && self.plan.workload.rate == Rate::Closed {
                    self.around.after_warmup();
                }
                (loop_start, self.excluded_ns) = (now_ns(), 0);
            }
            if self.plan.verify && ops.contains(&PUT) {
                self.unmeasured(|own| own.tensors.fill(iteration));
            }
            self.around.before_iteration();
            for op in ops {
                match *op {
                    PUT => self.puts(iteration)?,
                    _ => self.unpacks(iteration)?,
                }
                if *op == PUT {
                    self.run_calls(iteration)?;
                }
            }
            let took = self.around.after_iteration(OPS[ops[ops.len() - 1]], iteration, self.last_end_ns);
            self.exclude(took);
        }
        self.samples.loop_ns += (now_ns() - loop_start - self.excluded_ns).max(0).cast_unsigned();
        Ok(())
    }

    fn puts(&mut self, iteration: u32) -> Result<(), Failure> {
        for _ in 0..self.plan.workload.mix.puts {
            for batch in batches(self.tensors.written.len(), self.plan.workload.pipeline) {
                self.put_batch(batch, iteration)?;
            }
            if self.plan.verify {
                self.last_put = iteration;
            }
        }
        Ok(())
    }

    fn run_calls(&mut self, iteration: u32) -> Result<(), Failure> {
        for at in 0..self.calls.len() {
            let Measurement { plan, backend, samples, pace, last_end_ns, calls, tensors, .. } = self;
            let connection = tensors.written.first().map_or(0, |one| one.stream);
            let mut ticks = Timed::new(pace, &mut samples.columns[PUT + 1 + at], last_end_ns);
            let called = backend.call(connection, &mut calls[at], &mut ticks);
            called.map_err(|(stream, error)| Failure {
                op: plan.workload.calls()[at].as_str(),
                ..plan.failed_check(iteration, stream, error.cause)
            })?;
        }
        Ok(())
    }

    fn unpacks(&mut self, iteration: u32) -> Result<(), Failure> {
        let lists = self.tensors.lists.len();
        if lists == 0 {
            return Ok(());
        }
        let list = iteration as usize % lists;
        for _ in 0..self.plan.workload.mix.unpacks {
            if self.plan.verify {
                self.unmeasured(|own| own.tensors.forget());
            }
            for batch in batches(self.tensors.lists[list].len(), self.plan.workload.pipeline) {
                self.get_batch(list, batch, iteration)?;
            }
            if self.plan.verify {
                let last_put = self.last_put;
                let checked = self.unmeasured(|own| own.tensors.check(list, last_put));
                checked
                    .map_err(|cause| self.plan.failed_check(iteration, self.tensors.lists[list][0].stream, cause))?;
            }
        }
        Ok(())
    }

    fn put_batch(&mut self, batch: Range<usize>, iteration: u32) -> Result<(), Failure> {
        let Measurement { plan, backend, tensors, samples, pace, last_end_ns, .. } = self;
        let mut ticks = Timed::new(pace, &mut samples.columns[PUT], last_end_ns);
        let put = backend.put(&mut tensors.written[batch], &mut ticks);
        put.map_err(|trouble| plan.failure(PUT, iteration, trouble))
    }

    fn get_batch(&mut self, list: usize, batch: Range<usize>, iteration: u32) -> Result<(), Failure> {
        if self.backend.prepares_reads() {
            let at = batch.clone();
            self.unmeasured(|own| own.backend.before_get(&own.tensors.lists[list][at]))
                .map_err(|trouble| self.plan.failure(UNPACK, iteration, trouble))?;
        }
        let Measurement { plan, backend, tensors, samples, pace, last_end_ns, .. } = self;
        let Tensors { lists, targets, .. } = &mut **tensors;
        let mut ticks = Timed::new(pace, &mut samples.columns[plan.workload.unpack()], last_end_ns);
        let read = backend.get(&mut lists[list][batch.clone()], &mut targets[batch], &mut ticks);
        read.map_err(|trouble| plan.failure(UNPACK, iteration, trouble))
    }

    fn unmeasured<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let start = now_ns();
        let result = work(self);
        self.exclude(now_ns() - start);
        result
    }

    fn exclude(&mut self, ns: i64) {
        self.excluded_ns += ns;
        self.pace.pause(ns);
    }
}

/// Takes the samples of a batch.
struct Timed<'a> {
    pace: &'a mut Pace,
    column: &'a mut Column,
    /// The sample that ends next.
    next: usize,
    last_end_ns: &'a mut i64,
}

impl Timed<'_> {
    fn new<'a>(pace: &'a mut Pace, column: &'a mut Column, last_end_ns: &'a mut i64) -> Timed<'a> {
        Timed { pace, next: column.taken(), column, last_end_ns }
    }
}

impl Ticks for Timed<'_> {
    #[inline]
    fn begin(&mut self, ops: usize) {
        let start = self.pace.start();
        (0..ops).for_each(|_| self.column.begin(start));
    }

    #[inline]
    fn end(&mut self) {
        *self.last_end_ns = now_ns();
        self.column.end(self.next, *self.last_end_ns);
        self.next += 1;
    }
}

/// Cuts `0..length` into pieces of `depth`.
fn batches(length: usize, depth: u32) -> impl Iterator<Item = Range<usize>> {
    let depth = (depth as usize).clamp(1, BATCH);
    (0..length).step_by(depth).map(move |first| first..(first + depth).min(length))
}

impl Plan<'_> {
    fn failure(&self, op: usize, iteration: u32, (stream, error): Trouble) -> Failure {
        Failure { op: OPS[op].as_str(), ..self.failed_check(iteration, stream, error.cause) }
    }

    fn failed_check(&self, iteration: u32, stream: usize, cause: anyhow::Error) -> Failure {
        Failure {
            op: "verify",
            endpoint: self.endpoints.get(stream).cloned(),
            payload_bytes: Some(self.payload_bytes),
            iteration: Some(iteration),
            cause,
        }
    }
}
