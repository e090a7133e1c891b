//! What `shardscale-client run` is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::value_parser;
use shardscale::record::aggregation::{Aggregation, MOST_CONSUMERS, MOST_THREADS};
use shardscale::record::inference::{Inference, USUAL_QUEUE_THREADS};
use shardscale::record::time::Time;
use shardscale::record::units::parse_bytes;
use shardscale::record::vocabulary::{
    Access, Barrier, ComputeKernel, Device, Dtype, KeyPlacement, ModelBackend, Order, Payload, Wire, WorkloadKind,
};
use shardscale::record::workload::{MOST_IN_FLIGHT, MOST_TENSORS, Mix, Rate, Shape, Workload};

use crate::address::AddressList;
use crate::affinity::CpuLists;
use crate::connection::Timeouts;
use crate::pattern::Subject;

/// Samples of one rank, op and size that a run may have: a gathered block of them stays far below the 2 GiB of MPI's counts.
const MOST_ITERATIONS: u64 = 10_000_000;

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Attempt folder for samples, progress and errors; without it a table is printed and no file is written
    #[arg(long, value_name = "DIR")]
    pub attempt: Option<PathBuf>,

    /// Servers as HOST:PORT,.. or unix://PATH; else those of the attempt, else the variable SSDB
    #[arg(long, value_name = "LIST")]
    pub address: Option<AddressList>,

    /// MPI ranks that the launcher was told to start; another number is an error
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub ranks: u32,

    /// CPUs that each rank binds itself to before anything else, one list for each rank of a node: 8;9;10-11. For launchers that
    /// cannot bind. job:0;1;2-3 counts the cores that the job got of the node
    #[arg(long, value_name = "LIST;..")]
    pub cpus: Option<CpuLists>,

    /// Sizes of the tensors, in the order of measurement: 1024,64KiB,4MB
    #[arg(long, value_name = "A,B,..", value_delimiter = ',', required = true, value_parser = parse_bytes)]
    pub tensor_bytes: Vec<u64>,

    /// Timed iterations for each size; each is one put_tensor and one unpack_tensor, unless --mix or --tensors say more
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..))]
    pub iterations: u32,

    /// Iterations before them, recorded and marked as warm-up
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub warmup: u32,

    /// When ranks wait for each other: none, size (before each size) or iteration (before each iteration)
    #[arg(long, value_name = "WHEN", default_value_t = Barrier::Size)]
    pub barrier: Barrier,

    /// How a tensor is sent: redisai, plain, or auto (redisai where the server offers AI.TENSORSET)
    #[arg(long, value_name = "WIRE", default_value_t = Wire::Auto)]
    pub wire: Wire,

    /// How keys fall on shards: hash (SmartRedis's names) or balanced (ranks spread evenly)
    #[arg(long, value_name = "HOW", default_value_t = KeyPlacement::Hash)]
    pub keys: KeyPlacement,

    /// Compare every byte that is read with what was written, outside the timed section
    #[arg(long)]
    pub verify: bool,

    #[command(flatten)]
    pub workload: WorkloadArgs,

    /// Interface, or its address, from which the ranks connect; of several (hsn0+hsn1) each rank takes one that is next to its
    /// cores. Else the kernel chooses
    #[arg(long, value_name = "IF")]
    pub source: Option<String>,

    /// Each rank uses a server of its own host
    #[arg(long)]
    pub colocated: bool,

    /// Servers on each host, which share its ranks by locality
    #[arg(long, value_name = "N", default_value_t = 1, requires = "colocated", value_parser = value_parser!(u32).range(1..))]
    pub servers_per_node: u32,

    /// Seconds until a connection must stand
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = value_parser!(u64).range(1..))]
    pub connect_timeout: u64,

    /// Seconds without a byte from the server after which a call has failed, up to twice as many in the middle of a large payload;
    /// a slow reply is waited for, never asked for again. With --workload inference ten times as many: runs of a model queue up
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = value_parser!(u64).range(1..))]
    pub reply_timeout: u64,

    /// Longest wait for MPI to start; then a rank ends the launch, since another one never came
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = value_parser!(u64).range(1..=86_400))]
    pub start_timeout: u64,

    /// Longest wait for MPI to end when all is measured and on disk; then ranks leave without it
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = value_parser!(u64).range(1..=86_400))]
    pub finalize_timeout: u64,
}

/// What the ranks do with their tensors. The defaults are SmartSim-Scaling's throughput test.
#[derive(Debug, Args)]
#[command(next_help_heading = "Workload")]
pub struct WorkloadArgs {
    /// What the ranks do: throughput (each puts and unpacks tensors), aggregation (producers put datasets and append them
    /// to a list, consumers fetch all of it) or inference (each has a model in the store run on a tensor)
    #[arg(long, value_name = "KIND", default_value_t = WorkloadKind::Throughput)]
    pub workload: WorkloadKind,

    /// Ranks that put datasets, equally many on each host that has any; needed by --workload aggregation
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub producers: Option<u32>,

    /// Ranks that fetch the list, each an equal part
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=i64::from(MOST_CONSUMERS)))]
    pub consumers: u32,

    /// Hosts, the last ones, that have consumers and no producers; 0: consumers share the producers' hosts
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub consumer_nodes: u32,

    /// Threads of each consumer, which read from different shards at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=i64::from(MOST_THREADS)))]
    pub consumer_threads: u32,

    /// Time between two looks at the length of the list, such as 5ms; none is not to wait
    #[arg(long, value_name = "TIME", default_value_t = Aggregation::default().poll_interval)]
    pub poll_interval: Time,

    /// File of the model of --workload inference
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    pub model: String,

    /// What runs it inside the server: torch, onnx or tf
    #[arg(long, value_name = "NAME", default_value_t = ModelBackend::Torch)]
    pub model_backend: ModelBackend,

    /// Name of the model's input, which tf wants
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub model_input: String,

    /// Name of the model's output, likewise
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    pub model_output: String,

    /// File of TorchScript text that runs on a tensor before the model does
    #[arg(long, value_name = "FILE", default_value = "", hide_default_value = true)]
    pub script: String,

    /// The script's function
    #[arg(long, value_name = "NAME", default_value = "pre_process")]
    pub function: String,

    /// On what the model runs: cpu or gpu
    #[arg(long, value_name = "DEVICE", default_value_t = Device::Cpu)]
    pub device: Device,

    /// GPUs of each server, which ranks take in turn
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=64))]
    pub devices: u32,

    /// Tensors that the server may put together into one run of the model; 0: none
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub batch_size: u32,

    /// Element type: float64, float32, int64, int32, int16, int8, uint16 or uint8
    #[arg(long, value_name = "DTYPE", default_value_t = Dtype::Float32)]
    pub dtype: Dtype,

    /// Dimensions of a tensor; N takes what the size leaves: 1xN, N, 64x64xN
    #[arg(long, value_name = "SHAPE", default_value_t = Workload::default().shape)]
    pub shape: Shape,

    /// Contents of a tensor: ramp (counts up, compresses) or random (does not compress)
    #[arg(long, value_name = "KIND", default_value_t = Payload::Ramp)]
    pub payload: Payload,

    /// Tensors of a rank, all of which an iteration puts and unpacks; of an aggregation those of a dataset
    #[arg(long, visible_alias = "tensors-per-dataset", value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=i64::from(MOST_TENSORS)))]
    pub tensors: u32,

    /// Puts and unpacks of each tensor in an iteration: 1:1, 1:9, 1:0 (write only), 0:1 (read only)
    #[arg(long, value_name = "PUTS:UNPACKS", default_value_t = Workload::default().mix)]
    pub mix: Mix,

    /// Who uses whose tensors: own, many-to-one (all put, rank 0 unpacks) or one-to-many (rank 0 puts, all unpack)
    #[arg(long, value_name = "PATTERN", default_value_t = Access::Own)]
    pub access: Access,

    /// Order of the ops: interleaved (each iteration puts, then unpacks) or phases (all puts, then all unpacks)
    #[arg(long, value_name = "ORDER", default_value_t = Order::Interleaved)]
    pub order: Order,

    /// Commands that a rank sends before it waits for the reply to the first; at most as many as --tensors
    #[arg(long, value_name = "DEPTH", default_value_t = 1, value_parser = value_parser!(u32).range(1..=i64::from(MOST_IN_FLIGHT)))]
    pub pipeline: u32,

    /// When a rank starts an op: when the one before has ended (closed), or so many a second, however long replies take;
    /// then latencies count from the intended start
    #[arg(long, value_name = "OPS_PER_S", default_value_t = Rate::Closed)]
    pub rate: Rate,

    /// Time that each rank computes after each iteration, such as 50ms; none is not to compute
    #[arg(long, value_name = "TIME", default_value_t = Time::default())]
    pub compute: Time,

    /// What ranks compute: spin (arithmetic in registers) or stream (a triad over arrays larger than the caches)
    #[arg(long, value_name = "KERNEL", default_value_t = ComputeKernel::Spin)]
    pub compute_kernel: ComputeKernel,
}

impl WorkloadArgs {
    /// What the names of a rank's keys count.
    pub fn key_count(&self) -> u32 {
        if self.workload == WorkloadKind::Inference { self.devices } else { self.tensors }
    }

    pub fn workload(&self) -> Workload {
        Workload {
            kind: self.workload,
            dtype: self.dtype,
            shape: self.shape.clone(),
            payload: self.payload,
            tensors: self.tensors,
            mix: self.mix,
            access: self.access,
            order: self.order,
            pipeline: self.pipeline,
            rate: self.rate,
            compute: self.compute,
            compute_kernel: self.compute_kernel,
            inference: (self.workload == WorkloadKind::Inference).then(|| Inference {
                model: self.model.clone(),
                model_backend: self.model_backend,
                model_input: self.model_input.clone(),
                model_output: self.model_output.clone(),
                script: self.script.clone(),
                function: self.function.clone(),
                device: self.device,
                devices: self.devices,
                batch_size: self.batch_size,
                queue_threads: USUAL_QUEUE_THREADS,
            }),
            aggregation: (self.workload == WorkloadKind::Aggregation).then(|| Aggregation {
                producers: self.producers.unwrap_or(0),
                consumers: self.consumers,
                consumer_nodes: self.consumer_nodes,
                consumer_threads: self.consumer_threads,
                poll_interval: self.poll_interval,
            }),
        }
    }
}

impl RunArgs {
    /// Checks what clap cannot see in one argument.
    pub fn check(&self) -> Result<(), String> {
        let workload = self.workload.workload();
        if workload.kind == WorkloadKind::Aggregation && self.workload.producers.is_none() {
            return Err("--workload aggregation needs --producers, the number of ranks that put datasets".into());
        }
        workload.check()?;
        workload.check_in(self.colocated, self.barrier)?;
        workload.check_sizes(&self.tensor_bytes)?;
        self.check_access()?;
        if workload.inference.is_some() && self.verify {
            return Err("--verify knows what was put and not what a model makes of it: leave it out".into());
        }
        let iterations = u64::from(self.iterations) + u64::from(self.warmup);
        let samples = iterations * u64::from(workload.tensors) * u64::from(workload.mix.puts.max(workload.mix.unpacks));
        if samples > MOST_ITERATIONS {
            return Err(format!(
                "--iterations {} and --warmup {} are {samples} samples of a rank, op and size; at most {MOST_ITERATIONS} are allowed",
                self.iterations, self.warmup
            ));
        }
        Ok(())
    }

    fn check_access(&self) -> Result<(), String> {
        let smallest = self.tensor_bytes.iter().min().copied().unwrap_or(0);
        if self.workload.access != Access::Own && self.verify && smallest < Subject::RECOGNISABLE_BYTES {
            return Err(format!(
                "--verify recognises the tensor of another rank by its first {} bytes, one of {smallest} bytes is asked for",
                Subject::RECOGNISABLE_BYTES
            ));
        }
        Ok(())
    }

    pub fn timeouts(&self) -> Timeouts {
        // a server that runs models is silent until those of all its ranks before this one have run
        let patience = if self.workload.workload == WorkloadKind::Inference { 10 } else { 1 };
        let reply = Duration::from_secs(self.reply_timeout) * patience;
        Timeouts { connect: Duration::from_secs(self.connect_timeout), reply }
    }
}
