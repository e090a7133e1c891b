//! What a timed op must not do, whatever the machine: allocate, fault pages in, or enter the kernel more often than needed.
//! (That the payload is not copied is tested beside the wires.)
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::process::Command;
use std::time::Duration;

use common::stand_in::{Mischief, StandIn};
use common::{CLIENT, Redis, require, text};
use shardscale::record::folder::{FileSettings, FileSystem, Folder};
use shardscale::record::op::Op;
use shardscale::record::vocabulary::{ComputeKernel, Durability, FileCache, Payload, Role, Wire};
use shardscale::record::workload::{Rate, Workload};
use shardscale_client::address::AddressList;
use shardscale_client::application::Kernel;
use shardscale_client::backend::Backend;
use shardscale_client::backend::files::{self, Files};
use shardscale_client::backend::models::Models;
use shardscale_client::backend::resp::Resp;
use shardscale_client::connection::{self, Dial, Stream, Timeouts};
use shardscale_client::effort::Meter;
use shardscale_client::pace::Pace;
use shardscale_client::samples::Samples;
use shardscale_client::tensors::{self, Identity, Tensors, Written};
use shardscale_client::timed_loop::{Around, Measurement, Plan};
use shardscale_client::wire::{self, ByteStream};

/// Counts what a thread allocates once it asked for that.
struct Counting;

thread_local! {
    static COUNTED: Cell<Option<u64>> = const { Cell::new(None) };
}

fn count() {
    COUNTED.with(|counted| counted.set(counted.get().map(|n| n + 1)));
}

// SAFETY: all memory comes from the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts calls, each of which is one system call.
struct Counted {
    inner: Stream,
    calls: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        self.inner.read(buffer)
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.calls += 1;
        self.inner.read_vectored(buffers)
    }
}

impl Write for Counted {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.calls += 1;
        self.inner.write(buffer)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.calls += 1;
        self.inner.write_vectored(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ByteStream for Counted {
    fn fill(&mut self, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.calls += 1;
        self.inner.fill(parts)
    }
}

const WARMUP: u32 = 20;
const ITERATIONS: u32 = 200;

/// Begins to count when the warm-up is over.
struct AfterWarmup {
    meter: Option<Meter>,
}

impl Around for AfterWarmup {
    fn after_iteration(&mut self, _op: Op, iteration: u32, _end_ns: i64) -> i64 {
        if iteration + 1 == WARMUP {
            self.meter = Some(Meter::start().unwrap());
            COUNTED.with(|counted| counted.set(Some(0)));
        }
        0
    }
}

#[derive(Debug, PartialEq)]
struct Cost {
    allocations: u64,
    page_faults: u64,
    /// Of the whole run, warm-up included, for one pair of put and unpack.
    calls_a_pair: f64,
}

fn tensors<B: Backend>(backend: &B, payload_bytes: usize, count: u32) -> Tensors<B::Put, B::Get> {
    let tensor =
        wire::Tensor { dtype: Workload::default().dtype, dimensions: vec![1, payload_bytes as u64 / 4], payload_bytes };
    let keys: Vec<String> = (0..count).map(|number| format!("hot_path_{number}")).collect();
    let written = keys.iter().zip(0..).map(|(key, number)| Written {
        stream: 0,
        tensor: number,
        put: backend.prepare_put(0, key, &tensor).unwrap(),
        source: backend.buffer(payload_bytes),
    });
    let read = keys.iter().zip(0..).map(|(key, number)| tensors::Read {
        stream: 0,
        owner: 0,
        tensor: number,
        get: backend.prepare_get(0, key, &tensor).unwrap(),
    });
    Tensors {
        written: written.collect(),
        lists: vec![read.collect()],
        targets: (0..count).map(|_| backend.buffer(payload_bytes)).collect(),
        identity: Identity { rank: 0, size_index: 0, payload: Payload::Ramp, iterations: WARMUP + ITERATIONS },
    }
}

/// Allocations and page faults of the loop, once it is warm.
fn waste<B: Models>(backend: &mut B, payload_bytes: usize, workload: &Workload) -> (u64, u64) {
    let mut tensors = tensors(backend, payload_bytes, workload.tensors);
    let mut samples = Samples::new(workload, (0, Role::Application), WARMUP + ITERATIONS);
    let plan = Plan {
        payload_bytes: payload_bytes as u64,
        size_index: 0,
        warmup: WARMUP,
        iterations: ITERATIONS,
        workload,
        verify: false,
        endpoints: &[],
    };
    let mut around = AfterWarmup { meter: None };
    let mut measurement = Measurement {
        plan: &plan,
        backend,
        tensors: &mut tensors,
        around: &mut around,
        samples: &mut samples,
        pace: Pace::new(Rate::Closed, 0, 1),
        excluded_ns: 0,
        last_end_ns: 0,
        last_put: 0,
        calls: Vec::new(),
    };
    measurement.run().unwrap();
    let allocations = COUNTED.with(Cell::take).unwrap();
    (allocations, around.meter.unwrap().read().unwrap().page_faults)
}

fn cost(address: &str, payload_bytes: usize, redisai: bool, workload: &Workload) -> Cost {
    let AddressList(list) = address.parse().unwrap();
    let second = Duration::from_secs(30);
    let dial = Dial { password: None, timeouts: Timeouts { connect: second, reply: second }, source: None };
    let streams = vec![Counted { inner: connection::open(&list[0], dial).unwrap(), calls: 0 }];
    let mut backend = Resp { wire: if redisai { Wire::RedisAi } else { Wire::Plain }, streams };
    let (allocations, page_faults) = waste(&mut backend, payload_bytes, workload);
    let pairs = f64::from(WARMUP + ITERATIONS);
    Cost { allocations, page_faults, calls_a_pair: backend.streams[0].calls as f64 / pairs }
}

#[test]
fn files_are_written_and_read_without_an_allocation() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(files::subfolder(0))).unwrap();
    for file_cache in FileCache::ALL.iter().copied() {
        let settings = FileSettings { durability: Durability::Fsync, file_cache, fan_out: 1 };
        let described = Folder { path: folder.path().to_owned(), settings, file_system: FileSystem::default() };
        let mut backend = Files::open(&[&described]).unwrap();
        // one whole number of blocks, and one that is not
        for payload_bytes in [1 << 16, 4000] {
            let (allocations, _) = waste(&mut backend, payload_bytes, &Workload { tensors: 2, ..Workload::default() });
            assert_eq!(allocations, 0, "{file_cache}, {payload_bytes} bytes");
        }
    }
}

#[test]
fn an_op_neither_allocates_nor_faults_and_enters_the_kernel_at_most_five_times_a_pair() {
    let redis = Redis::start(&[]);
    let stand_in = StandIn::start(true, Mischief::None);
    let socket = format!("unix://{}", redis.socket().display());
    let cases = [(redis.address(), false), (socket, false), (stand_in.address(), true)];
    for (address, redisai) in cases {
        for payload_bytes in [1 << 10, 64 << 10, 1 << 20, 4 << 20] {
            let cost = cost(&address, payload_bytes, redisai, &Workload::default());
            assert_eq!((cost.allocations, cost.page_faults), (0, 0), "{address}, {payload_bytes} bytes: {cost:?}");
            assert!(payload_bytes > 1 << 20 || cost.calls_a_pair <= 5.0, "{address}, {payload_bytes} bytes: {cost:?}");
        }
    }
}

#[test]
fn a_pipeline_does_not_allocate_either_and_shares_its_system_calls() {
    let redis = Redis::start(&[]);
    let workload = Workload { tensors: 16, pipeline: 16, ..Workload::default() };
    let cost = cost(&redis.address(), 1 << 10, false, &workload);
    assert_eq!((cost.allocations, cost.page_faults), (0, 0), "{cost:?}");
    // one write a batch, and reads of what has come: one by one it would be 64
    assert!(cost.calls_a_pair <= 40.0, "{cost:?}");
}

#[test]
fn what_a_rank_computes_neither_allocates_nor_faults() {
    for kind in ComputeKernel::ALL {
        let mut kernel = Kernel::new(*kind, 1 << 20);
        kernel.call(1000);
        let meter = Meter::start().unwrap();
        COUNTED.with(|counted| counted.set(Some(0)));
        (0..10).for_each(|_| kernel.call(1000));
        let allocations = COUNTED.with(Cell::take).unwrap();
        assert_eq!((allocations, meter.read().unwrap().page_faults), (0, 0), "{kind}");
    }
}

/// All system calls of a rank, with this number of iterations, as strace counts them.
fn system_calls(address: &str, size: &str, iterations: u32) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let counts = folder.path().join("counts");
    let mut command = Command::new("mpirun");
    command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    // of the calling thread alone: MPI has threads that wake up now and then
    command.args(["-n", "1", "strace", "-c", "-o"]).arg(&counts).args([CLIENT, "run", "--ranks", "1"]);
    command.args(["--address", address, "--tensor-bytes", size, "--iterations", &iterations.to_string()]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let table = std::fs::read_to_string(&counts).unwrap();
    let total = table.lines().find(|line| line.ends_with(" total")).unwrap_or_else(|| panic!("{table}"));
    total.split_whitespace().nth(3).unwrap().parse().unwrap()
}

#[test]
fn strace_counts_at_most_five_system_calls_for_a_pair() {
    require("strace", "strace");
    require("mpirun", "openmpi-bin");
    let redis = Redis::start(&[]);
    let socket = format!("unix://{}", redis.socket().display());
    for address in [redis.address(), socket] {
        for size in ["1KiB", "64KiB", "1MiB"] {
            // what happens around the loop cancels out, up to about a hundred calls with which MPI waits for its daemon
            let [few, many] = [100, 2100].map(|iterations| system_calls(&address, size, iterations));
            let a_pair = (many as f64 - few as f64) / 2000.0;
            assert!((4.0 - 0.2..=5.0 + 0.2).contains(&a_pair), "{address}, {size}: {a_pair} system calls a pair");
        }
    }
}
