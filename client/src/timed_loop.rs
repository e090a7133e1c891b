//! The closed loop that is measured: put a tensor, read it back, note both times; one size at a time.
//!
//! Between the readings of the clock there is nothing but the call. Inside the loop nothing is allocated, printed or
//! logged; what verification needs happens between the timed calls and is taken out of the loop's time.

use std::io::{Read, Write};

use shardscale::record::vocabulary::Op;

use crate::buffer::Buffer;
use crate::clock::now_ns;
use crate::failure::Failure;
use crate::pattern::Pattern;
use crate::wire::Exchange;

/// What one pass over a size is to do.
pub struct Plan<'a> {
    pub rank: u32,
    pub payload_bytes: u64,
    pub size_index: u32,
    pub warmup: u32,
    pub iterations: u32,
    /// Waits for the other ranks before each iteration, if anything.
    pub before_iteration: &'a dyn Fn(),
    pub verify: bool,
}

/// Room for the samples of one rank and size, warm-up first; in ns on the host's clock. Both ops have the same length.
pub struct Samples {
    pub put: Column,
    pub unpack: Column,
    /// Nanoseconds from the first timed iteration to the end of the last, without verification.
    pub loop_ns: u64,
}

/// The samples of one op.
pub struct Column {
    pub starts_ns: Vec<i64>,
    pub durations_ns: Vec<u64>,
}

impl Column {
    fn new(samples: usize) -> Column {
        // ones, because zeroed memory would be touched for the first time inside the loop
        Column { starts_ns: vec![1; samples], durations_ns: vec![1; samples] }
    }

    fn set(&mut self, at: usize, start: i64, end: i64) {
        self.starts_ns[at] = start;
        self.durations_ns[at] = (end - start).cast_unsigned();
    }
}

impl Samples {
    /// Room for `samples` of each op.
    pub fn new(samples: usize) -> Samples {
        Samples { put: Column::new(samples), unpack: Column::new(samples), loop_ns: 0 }
    }
}

/// Measures one size.
///
/// # Errors
/// The first call that fails, with its op, size and iteration (counted from 0, warm-up included).
pub fn measure<S: Read + Write>(
    stream: &mut S,
    exchange: &mut Exchange,
    plan: &Plan<'_>,
    samples: &mut Samples,
) -> Result<(), Failure> {
    let mut source = Buffer::new(plan.payload_bytes as usize);
    let mut target = Buffer::new(plan.payload_bytes as usize);
    Pattern::new(plan.rank, plan.size_index, 0).fill(source.bytes_mut());
    let mut loop_start = 0;
    let mut verifying_ns = 0;
    for iteration in 0..plan.warmup + plan.iterations {
        if iteration == plan.warmup {
            (loop_start, verifying_ns) = (now_ns(), 0);
        }
        let pattern = Pattern::new(plan.rank, plan.size_index, iteration);
        if plan.verify {
            verifying_ns += timed(|| pattern.fill(source.bytes_mut()));
        }
        (plan.before_iteration)();
        let failed = |op: &'static str| move |cause| failure(plan, op, iteration, cause);

        let put_start = now_ns();
        let put = exchange.put(stream, source.bytes());
        let put_end = now_ns();
        put.map_err(failed(Op::PutTensor.as_str()))?;

        let unpack_start = now_ns();
        let unpack = exchange.get(stream, target.bytes_mut());
        let unpack_end = now_ns();
        unpack.map_err(failed(Op::UnpackTensor.as_str()))?;

        samples.put.set(iteration as usize, put_start, put_end);
        samples.unpack.set(iteration as usize, unpack_start, unpack_end);
        if plan.verify {
            let mut checked = Ok(());
            verifying_ns += timed(|| checked = pattern.check(target.bytes()));
            checked.map_err(failed("verify"))?;
        }
    }
    samples.loop_ns = (now_ns() - loop_start - verifying_ns).max(0).cast_unsigned();
    Ok(())
}

fn timed(work: impl FnOnce()) -> i64 {
    let start = now_ns();
    work();
    now_ns() - start
}

fn failure(plan: &Plan<'_>, op: &'static str, iteration: u32, cause: anyhow::Error) -> Failure {
    Failure { op, endpoint: None, payload_bytes: Some(plan.payload_bytes), iteration: Some(iteration), cause }
}
