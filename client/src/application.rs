//! What a rank computes between its iterations: the application that a store disturbs.
//!
//! A call repeats a small step so often that it takes the asked time; how often is found out before the store has traffic, and
//! is the same for all ranks. Knows neither tensors nor the store. A call allocates nothing.

use std::hint::black_box;

use anyhow::{Context, Result};
use shardscale::record::compute::Calibration;
use shardscale::record::cpus::CpuSet;
use shardscale::record::time::Time;
use shardscale::record::vocabulary::ComputeKernel;

use crate::clock::{self, CommonClock, now_ns};
use crate::comm::Comm;
use crate::node::{self, Root};
use crate::samples::Column;

/// Steps of `spin` in a repetition: about a microsecond.
const SPIN_STEPS: u32 = 256;
/// Elements of each array that a repetition of `stream` goes through: about a microsecond.
const STREAM_ELEMENTS: usize = 512;
const LEAST_ARRAY: usize = 16 << 20;
/// Ranks of a node have three arrays each.
const MOST_ARRAY: usize = 256 << 20;
/// Calls whose median corrects the repetitions, with all ranks computing.
const TRIALS: usize = 5;
const ROUNDS: usize = 3;
/// More is a clock that stands still.
const MOST_REPETITIONS: u64 = 1 << 40;

/// What is computed, with the memory that it needs.
pub enum Kernel {
    Spin { values: [f64; 4] },
    Stream { a: Vec<f64>, b: Vec<f64>, c: Vec<f64>, at: usize },
}

/// One rank's share of the application.
pub struct Application {
    kernel: Kernel,
    pub calibration: Calibration,
}

impl Kernel {
    /// Allocates and touches what `kind` needs.
    pub fn new(kind: ComputeKernel, array_bytes: usize) -> Kernel {
        match kind {
            ComputeKernel::Spin => Kernel::Spin { values: [0.1, 0.2, 0.3, 0.4] },
            ComputeKernel::Stream => {
                let elements = (array_bytes / size_of::<f64>()).next_multiple_of(STREAM_ELEMENTS);
                // zeroes would be one page that all of them share
                let array = |value| vec![value; elements];
                Kernel::Stream { a: array(1.0), b: array(2.0), c: array(3.0), at: 0 }
            }
        }
    }

    /// Bytes of each array.
    pub fn array_bytes(&self) -> u64 {
        match self {
            Kernel::Spin { .. } => 0,
            Kernel::Stream { a, .. } => size_of_val(&a[..]) as u64,
        }
    }

    /// Computes; goes on where the last call ended.
    pub fn call(&mut self, repetitions: u64) {
        match self {
            Kernel::Spin { values } => {
                let mut own = black_box(*values);
                for _ in 0..repetitions {
                    for _ in 0..SPIN_STEPS {
                        // four chains, each towards 1: never an overflow, never a denormal number
                        own = own.map(|value| value * 0.999_999 + 0.000_001);
                    }
                }
                *values = black_box(own);
            }
            Kernel::Stream { a, b, c, at } => {
                for _ in 0..repetitions {
                    let part = *at..*at + STREAM_ELEMENTS;
                    for ((a, b), c) in a[part.clone()].iter_mut().zip(&b[part.clone()]).zip(&c[part]) {
                        *a = b + 3.0 * c;
                    }
                    *at = (*at + STREAM_ELEMENTS) % a.len();
                }
                black_box(a);
            }
        }
    }

    fn time(&mut self, repetitions: u64) -> (i64, i64) {
        let start = now_ns();
        self.call(repetitions);
        (start, now_ns())
    }
}

impl Application {
    /// Finds out what takes the asked time while all ranks compute; every rank must call it. `None` where nothing is asked.
    pub fn prepare(comm: &Comm, compute: Time, kind: ComputeKernel) -> Result<Option<Application>> {
        let Some(asked_ns) = compute.asked_ns() else { return Ok(None) };
        let mut kernel = Kernel::new(kind, array_bytes(&Root::real(), &node::affinity(std::process::id())?));
        comm.barrier();
        let own = calibrate(asked_ns, |repetitions| {
            let (start, end) = kernel.time(repetitions);
            end - start
        });
        let mut repetitions = middle_of_ranks(comm, own)?;
        for _ in 0..ROUNDS {
            comm.barrier();
            let mut took: Vec<i64> = (0..TRIALS)
                .map(|_| {
                    let (start, end) = kernel.time(repetitions);
                    end - start
                })
                .collect();
            let took = *took.select_nth_unstable(TRIALS / 2).1;
            repetitions = scaled(repetitions, asked_ns, middle_of_ranks(comm, took.max(1).cast_unsigned())?);
        }
        // rank 0's, which is what the record has room for
        let array_bytes = comm.share_number(kernel.array_bytes().cast_signed()).cast_unsigned();
        let calibration = Calibration { repetitions, array_bytes, alone_calls: alone_calls(asked_ns) };
        Ok(Some(Application { kernel, calibration }))
    }

    /// Measures what the store is not there to disturb yet; every rank must call it.
    pub fn measure_alone(&mut self, comm: &Comm, clock: CommonClock) -> Column {
        let mut column = Column::new(self.calibration.alone_calls as usize);
        comm.barrier();
        clock::start_together(comm, clock);
        while !column.is_full() {
            self.compute(&mut column);
        }
        comm.barrier();
        column
    }

    /// Computes once; the time in ns that it took.
    pub fn compute(&mut self, column: &mut Column) -> i64 {
        let at = column.taken();
        let (start, end) = self.kernel.time(self.calibration.repetitions);
        column.begin(start);
        column.end(at, end);
        end - start
    }
}

/// Repetitions with which `took` (ns of a call of so many) is about `asked_ns`.
pub fn calibrate(asked_ns: u64, mut took: impl FnMut(u64) -> i64) -> u64 {
    // a part of it is enough to tell the rest from
    let part = asked_ns.div_ceil(8);
    let mut took = |repetitions| took(repetitions).max(1).cast_unsigned();
    let mut repetitions = 1;
    loop {
        let mut ns = took(repetitions);
        // whoever else was on the CPU made it longer, and never shorter
        for _ in 0..2 {
            if ns >= part {
                ns = ns.min(took(repetitions));
            }
        }
        if ns >= part || repetitions >= MOST_REPETITIONS {
            return scaled(repetitions, asked_ns, ns);
        }
        repetitions *= 2;
    }
}

/// Repetitions that take `asked_ns` where `repetitions` take `took_ns`.
fn scaled(repetitions: u64, asked_ns: u64, took_ns: u64) -> u64 {
    let scaled = u128::from(repetitions) * u128::from(asked_ns) / u128::from(took_ns.max(1));
    u64::try_from(scaled).unwrap_or(MOST_REPETITIONS).clamp(1, MOST_REPETITIONS)
}

/// Calls that are measured alone: 30, or as many as fill a second, up to half a minute of them; never fewer than 10.
fn alone_calls(asked_ns: u64) -> u32 {
    let calls = |seconds: u64| seconds * 1_000_000_000 / asked_ns.max(1);
    // the bounds keep it within 32 bits
    calls(1).clamp(30, 10_000).min(calls(30).max(10)) as u32
}

/// Bytes of each array of this rank: as many as the largest cache of its first CPU has, so that three of them never fit.
fn array_bytes(root: &Root, cpus: &str) -> usize {
    let cpu = cpus.parse::<CpuSet>().ok().and_then(|cpus| cpus.iter().next()).unwrap_or(0);
    let folder = format!("sys/devices/system/cpu/cpu{cpu}/cache");
    let size = |index: &String| {
        let text = root.text(&format!("{folder}/{index}/size"))?;
        text.strip_suffix('K')?.parse::<usize>().ok()?.checked_mul(1024)
    };
    root.names(&folder).iter().filter_map(size).max().unwrap_or(0).clamp(LEAST_ARRAY, MOST_ARRAY)
}

/// The median of all ranks' `own`, on every rank.
fn middle_of_ranks(comm: &Comm, own: u64) -> Result<u64> {
    let middle = match comm.collect(&own)? {
        Some(mut all) => {
            let middle = all.len() / 2;
            all.select_nth_unstable(middle).1.cast_signed()
        }
        None => 0,
    };
    u64::try_from(comm.share_number(middle)).context("rank 0 shared a negative number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibration_meets_the_asked_time_and_keeps_its_bounds() {
        for ns_each in [1, 700, 1_000_000] {
            let found = calibrate(50_000_000, |repetitions| repetitions.cast_signed() * ns_each);
            assert_eq!(found, 50_000_000 / ns_each.cast_unsigned());
        }
        // a step longer than what is asked, a clock that stands still, a cost that does not grow
        assert_eq!(calibrate(10_000, |_| 1_000_000), 1);
        assert_eq!(calibrate(10_000_000_000, |_| 0), MOST_REPETITIONS);
        assert_eq!(scaled(u64::MAX, u64::MAX, 0), MOST_REPETITIONS);
        assert_eq!(scaled(1000, 50_000, 40_000), 1250);
        // one call is interrupted for 30 ms
        let mut calls = 0;
        let interrupted = calibrate(4_000_000, |repetitions| {
            calls += 1;
            repetitions.cast_signed() * 1000 + if calls == 5 { 30_000_000 } else { 0 }
        });
        assert_eq!(interrupted, 4000);
    }

    #[test]
    fn a_call_takes_about_the_asked_time() {
        for kind in [ComputeKernel::Spin, ComputeKernel::Stream] {
            let mut kernel = Kernel::new(kind, 1 << 20);
            let mut took = |repetitions| {
                let (start, end) = kernel.time(repetitions);
                end - start
            };
            // the machine may have other work, which makes calls long and repetitions few: the best of several of both
            let repetitions = (0..10).map(|_| calibrate(2_000_000, &mut took)).max().unwrap();
            let best = (0..20).map(|_| took(repetitions)).min().unwrap();
            assert!((200_000..20_000_000).contains(&best), "{kind}: {best} ns with {repetitions} repetitions");
        }
    }

    #[test]
    fn as_many_calls_alone_as_are_sensible() {
        let calls = ["10us", "1ms", "50ms", "2s", "10s"].map(|text| {
            let compute: Time = text.parse().unwrap();
            alone_calls(compute.asked_ns().unwrap())
        });
        assert_eq!(calls, [10_000, 1000, 30, 15, 10]);
    }

    #[test]
    fn arrays_are_as_large_as_the_largest_cache_of_the_cpu() {
        let folder = tempfile::tempdir().unwrap();
        for (cpu, index, size) in [(3, 0, "48K"), (3, 2, "2048K"), (3, 3, "32768K"), (4, 3, "9999999K"), (5, 0, "x")] {
            let cache = folder.path().join(format!("sys/devices/system/cpu/cpu{cpu}/cache/index{index}"));
            std::fs::create_dir_all(&cache).unwrap();
            std::fs::write(cache.join("size"), size).unwrap();
        }
        let root = Root::at(folder.path());
        assert_eq!(["3-4", "4", "5", "7", ""].map(|cpus| array_bytes(&root, cpus) >> 20), [32, 256, 16, 16, 16]);
    }

    #[test]
    fn stream_goes_through_all_of_its_arrays() {
        let mut kernel = Kernel::new(ComputeKernel::Stream, STREAM_ELEMENTS * 8 * 4);
        kernel.call(4);
        let Kernel::Stream { a, at, .. } = &kernel else { panic!("it is a stream") };
        assert!(a.iter().all(|value| *value == 11.0) && *at == 0);
    }
}
