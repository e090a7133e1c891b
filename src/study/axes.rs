//! The axes: what flags, study files and site files may say of them, and what is left when all have spoken.
//!
//! An axis is declared once, in the table below: its doc comment is the text of `--help` and of the JSON Schema.

use anyhow::{Result, bail, ensure};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::given::{count, counts, list, numbers};
use super::sizes;
use crate::record::aggregation::{Aggregation, MOST_CONSUMERS, MOST_THREADS};
use crate::record::binding::CpuBind;
use crate::record::inference::{Inference, USUAL_QUEUE_THREADS};
use crate::record::interfaces;
use crate::record::malloc_conf::MallocConf;
use crate::record::time::Time;
use crate::record::units::ByteCount;
use crate::record::vocabulary::{
    Access, Barrier, ComputeKernel, Deployment, Device, Distribution, Dtype, Durability, FileCache, KeyPlacement,
    ModelBackend, Order, Payload, Store, Transport, Wire, WorkloadKind,
};
use crate::record::workload::{MOST_IN_FLIGHT, MOST_TENSORS, Mix, Rate, Shape, Workload};

/// Declares [`Axes`] (what one source says; open where it says nothing) and [`Study`] (what holds when all have spoken).
/// Each of `lists` is a list whose values multiply; each of `values` holds for the whole study.
macro_rules! axes {
    (
        lists { $($(#[$list_attr:meta])* $list:ident: $list_type:ty,)+ }
        values { $($(#[$value_attr:meta])* $value:ident: $value_type:ty,)+ }
    ) => {
        /// Values for some of the axes, from one source: flags, a study file, a site's `[study]`. An absent one is open.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Axes {
            $($(#[$list_attr])* #[serde(skip_serializing_if = "Option::is_none")] pub $list: Option<Vec<$list_type>>,)+
            $($(#[$value_attr])* #[serde(skip_serializing_if = "Option::is_none")] pub $value: Option<$value_type>,)+
        }

        /// The axes when all have a value. Each list holds every value once, in the order given.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Study {
            $(pub $list: Vec<$list_type>,)+
            $(pub $value: $value_type,)+
        }

        impl Axes {
            /// These values, and those of `fallback` for the axes that are open here.
            pub fn or(self, fallback: Axes) -> Axes {
                Axes {
                    $($list: self.$list.or(fallback.$list),)+
                    $($value: self.$value.or(fallback.$value),)+
                }
            }
        }

        impl Axes {
            /// These lists, and behind them the values of `more` that they do not have yet.
            pub fn with(self, more: Axes) -> Axes {
                Axes { $($list: joined(self.$list, more.$list),)+ $($value: self.$value.or(more.$value),)+ }
            }

            /// The keys that are lists.
            pub const LISTS: &'static [&'static str] = &[$(stringify!($list),)+];
        }

        impl Study {
            /// The same as a source that leaves nothing open.
            pub fn to_axes(&self) -> Axes {
                Axes {
                    $($list: Some(self.$list.clone()),)+
                    $($value: Some(self.$value.clone()),)+
                }
            }
        }
    };
}

/// A closed set of words as a flag's value, listed in `--help` and in errors.
macro_rules! word {
    ($type:ty) => {
        PossibleValuesParser::new(<$type>::NAMES).try_map(|text| text.parse::<$type>())
    };
}

/// More than a node has cores for: a slip of the keyboard.
const MOST_SERVERS_PER_NODE: u32 = 256;

const AXES: &str = "Axes (comma-separated lists; their product is generated)";
const WORKLOAD: &str = "What the ranks do with their tensors (axes, too; the defaults are SmartSim-Scaling's test)";
const MODELS: &str = "The model of --workload inference (axes, too)";
const SWEEP: &str = "What each launch of the client goes through";

axes! {
    lists {
        /// Where the store runs: on nodes of its own (standard), or on every application node (colocated). Default: the site's
        /// study.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Deployment), help_heading = AXES)]
        deployment: Deployment,

        /// Nodes on which the application runs. Default: the site's study.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
        client_nodes: u32,

        /// Ranks on each application node. Default: the site's study.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
        clients_per_node: u32,

        /// Cores for each rank. Default: 1.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
        client_cpus: u32,

        /// Nodes that the shards have for themselves; standard deployment only. Default: the site's study.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
        db_nodes: u32,

        /// Shards on each DB node, so that a cluster has --db-nodes x --shards-per-node of them; standard deployment only.
        /// Default: 1.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
        shards_per_node: u32,

        /// Servers on each application node, which share its ranks; colocated deployment only. Default: 1.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
        servers_per_node: u32,

        /// Cores for each server. Default: the site's study.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
        db_cpus: u32,

        /// Who decides on which CPUs servers and ranks run: none (the operating system), scheduler, mask (ShardScale computes
        /// masks), mask-db (for the servers only), mask-app (for the ranks only), or masks of your own, one for each rank of a
        /// node: mask:[db=0x..,]0x..,0x.. or map:[db=0-7,]8,9,... Default: the site's study.
        // not split at commas by clap: masks have commas of their own
        #[arg(skip)]
        cpu_bind: CpuBind,

        /// How the ranks of a node are dealt to its L3 groups where ShardScale places them: one group after the other
        /// (packed), or one rank to each in turn (spread). Default: packed.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Distribution), help_heading = AXES)]
        distribution: Distribution,

        /// Interfaces on which shards listen, or sets that the shards of a node share, such as hsn0+hsn1 for one permutation; a
        /// rank leaves by the one of the set that is next to its cores. Standard deployment only. Default: the site's study.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
        net_ifname: String,

        /// Interfaces on which a colocated server listens for TCP. Default: lo.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
        colocated_ifname: String,

        /// What carries the bytes; a UNIX socket (uds) serves colocated deployments only. Default: tcp.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Transport), help_heading = AXES)]
        transport: Transport,

        /// What is under test: server programs (redis, valkey, keydb), or files: a file for each tensor, in a folder that all nodes see
        /// (standard) or of each node (colocated). Default: redis.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Store), help_heading = AXES)]
        store: Store,

        /// I/O threads of each server. Default: 1.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
        io_threads: u32,

        /// Options of each server's allocator, jemalloc: its own (default), or NAME:VALUE+NAME:VALUE such as dirty_decay_ms:-1,
        /// which keeps freed memory (faster large tensors, slower small ones). Default: default.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
        malloc_conf: MallocConf,

        /// Bytes of data after which a server refuses more, such as 64GiB; 0 is no limit. Default: 0.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
        maxmemory: ByteCount,

        /// When a put of a file counts as ended: when the kernel has the bytes (none), or the disk (fsync). Default: none.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Durability), help_heading = AXES)]
        durability: Durability,

        /// Which memory of a node may hold a file that is read: its page cache (any), none (direct: O_DIRECT), or the page cache, from
        /// which each file is dropped before (drop). Default: any.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(FileCache), help_heading = AXES)]
        file_cache: FileCache,

        /// Subfolders that files are spread over. Default: 1.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = AXES)]
        fan_out: u32,

        /// How keys fall on shards: as SmartRedis names them (hash), or evenly (balanced). Default: hash.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(KeyPlacement), help_heading = AXES)]
        keys: KeyPlacement,

        /// What the ranks do: each puts tensors and unpacks tensors (throughput), producers put datasets and append them to a list,
        /// of which consumers fetch all (aggregation; --client-nodes x --clients-per-node are the producers), or each has a model in the
        /// store run on a tensor of its own (inference). Default: throughput.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(WorkloadKind), help_heading = WORKLOAD)]
        workload: WorkloadKind,

        /// Ranks that fetch the list, each an equal part; aggregation only. Default: 1.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = WORKLOAD)]
        consumers: u32,

        /// Nodes that the consumers have for themselves; 0: they share those of the producers. Aggregation only. Default: 1, on a site of
        /// one node 0.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = WORKLOAD)]
        consumer_nodes: u32,

        /// Threads of each consumer, which read from different shards at once; more than shards share these. Aggregation only. Default: 1.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = WORKLOAD)]
        consumer_threads: u32,

        /// Time between two looks of a consumer at the length of the list, such as 5ms; none is not to wait. Aggregation only. Default:
        /// 1ms.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = WORKLOAD)]
        poll_interval: Time,

        /// Files of models that run in the store, as the ranks see them; inference only, and needed there.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = MODELS)]
        model: String,

        /// What runs them inside the server: torch, onnx or tf. Default: torch.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(ModelBackend), help_heading = MODELS)]
        model_backend: ModelBackend,

        /// Name of a model's input, which tf wants.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = MODELS)]
        model_input: String,

        /// Name of a model's output, which tf wants.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = MODELS)]
        model_output: String,

        /// Files of TorchScript text that runs on a tensor before the model does. Default: no script.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = MODELS)]
        script: String,

        /// The script's function. Default: pre_process.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = MODELS)]
        function: String,

        /// On what a model runs: cpu or gpu. Default: cpu.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Device), help_heading = MODELS)]
        device: Device,

        /// GPUs of each server: each has the model, ranks take them in turn. Default: 1.
        #[arg(long, value_name = "LIST", value_delimiter = ',', visible_alias = "num-devices", help_heading = MODELS)]
        devices: u32,

        /// Tensors that a server may put together into one run of the model; 0: none. Default: 0.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = MODELS)]
        batch_size: u32,

        /// Threads of a server for each device: the argument THREADS_PER_QUEUE of RedisAI. Default: 1.
        #[arg(long, value_name = "LIST", value_delimiter = ',', visible_alias = "db-tpq", help_heading = MODELS)]
        queue_threads: u32,

        /// Element type of the tensors. Default: float32.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Dtype), help_heading = WORKLOAD)]
        dtype: Dtype,

        /// Dimensions of a tensor; N takes what the size leaves: 1xN, N, 64x64xN. Default: 1xN.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = WORKLOAD)]
        shape: Shape,

        /// Contents of a tensor: counting up, which compresses (ramp), or random, which does not. Default: ramp.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Payload), help_heading = WORKLOAD)]
        payload: Payload,

        /// Tensors of a rank, all of which an iteration puts and unpacks; of an aggregation those of a dataset. Default: 1.
        #[arg(long, visible_alias = "tensors-per-dataset", value_name = "LIST", value_delimiter = ',', help_heading = WORKLOAD)]
        tensors: u32,

        /// Puts and unpacks of each tensor in an iteration: 1:9, 1:0 (write only), 0:1 (read only; of an aggregation: datasets are put
        /// once, as SmartSim-Scaling does). Default: 1:1.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = WORKLOAD)]
        mix: Mix,

        /// Who uses whose tensors: each rank its own (own), all put and rank 0 unpacks (many-to-one), rank 0 puts and all unpack
        /// (one-to-many), or each puts its own and unpacks those of a rank of the next node (neighbour). Default: own.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Access), help_heading = WORKLOAD)]
        access: Access,

        /// Each iteration puts, then unpacks (interleaved), or all iterations put before any unpacks (phases). Default:
        /// interleaved.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(Order), help_heading = WORKLOAD)]
        order: Order,

        /// Commands that a rank sends before it waits for the reply to the first; at most as many as --tensors. Default: 1.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = WORKLOAD)]
        pipeline: u32,

        /// When a rank starts an op: when the one before has ended (closed), or so many a second, however long replies take;
        /// then latencies count from the intended start. Default: closed.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = WORKLOAD)]
        rate: Rate,

        /// Time that each rank computes after each iteration, such as 50ms: how much the store slows the application down is
        /// reported. Default: none.
        #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = WORKLOAD)]
        compute: Time,

        /// What ranks compute: arithmetic in registers (spin), or a triad over arrays larger than the caches (stream).
        /// Default: spin.
        #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = word!(ComputeKernel), help_heading = WORKLOAD)]
        compute_kernel: ComputeKernel,
    }
    values {
        /// How many times each point is measured, each by a job of its own. Default: 1.
        #[arg(long, value_name = "N", help_heading = AXES)]
        repeats: u32,

        /// Tensor sizes that each launch goes through, as bytes, KiB, MiB (1024s), kB or MB (1000s). Default:
        /// SmartSim-Scaling's eleven sizes from 1024 to 4096000 bytes.
        #[arg(long, value_name = "LIST", value_parser = sizes::parse, help_heading = SWEEP)]
        #[serde(deserialize_with = "sizes::of_file")]
        #[schemars(with = "Option<Vec<sizes::Size>>")]
        tensor_bytes: sizes::Sizes,

        /// Timed iterations for each size. Default: 100.
        #[arg(long, value_name = "N", help_heading = SWEEP)]
        iterations: u32,

        /// Iterations before them, recorded and marked as warm-up. Default: 10.
        #[arg(long, value_name = "N", help_heading = SWEEP)]
        warmup: u32,

        /// When ranks wait for each other. Default: size.
        #[arg(long, value_name = "WHEN", value_parser = word!(Barrier), help_heading = SWEEP)]
        barrier: Barrier,

        /// How a tensor is put into a command; auto takes redisai where the server offers it. Default: auto.
        #[arg(long, value_name = "WIRE", value_parser = word!(Wire), help_heading = SWEEP)]
        wire: Wire,

        /// Compare every byte read with what was written, outside the timed section.
        #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = SWEEP)]
        verify: bool,
    }
}

fn joined<T: PartialEq>(first: Option<Vec<T>>, second: Option<Vec<T>>) -> Option<Vec<T>> {
    let mut all = first.unwrap_or_default();
    for value in second.into_iter().flatten() {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    if all.is_empty() { None } else { Some(all) }
}

impl Axes {
    /// Heading of the lists' flags in `--help`.
    pub const HEADING: &'static str = AXES;

    /// Fills what is still open with the defaults that hold at every site, and checks each value by itself.
    ///
    /// # Errors
    /// An axis without values or with a value out of range: the message names the flag, the value and the range.
    pub fn resolve(self) -> Result<Study> {
        let study = self.each()?;
        // beside tcp, a uds in the list is for the colocated runs alone, as db-nodes are for the standard ones
        if study.deployment.contains(&Deployment::Standard) && !study.transport.contains(&Transport::Tcp) {
            bail!("--deployment standard needs --transport tcp: a UNIX socket does not reach another node");
        }
        let alone = study.deployment == [Deployment::Colocated];
        if alone && !study.workload.iter().any(|kind| kind.can_be_colocated()) {
            bail!(
                "--workload aggregation needs --deployment standard: producers and consumers share one store, a colocated one is another \
                 on each host"
            );
        }
        Ok(study)
    }

    /// Each value checked by itself, as [`Axes::resolve`] does before it looks at them together.
    ///
    /// # Errors
    /// As [`Axes::resolve`].
    pub fn each(self) -> Result<Study> {
        let (usual, roles, model) = (Workload::default(), Aggregation::default(), Inference::default());
        Ok(Study {
            deployment: list("deployment", self.deployment, &[Deployment::Standard])?,
            client_nodes: counts("client-nodes", self.client_nodes, &[1], 1_000_000)?,
            clients_per_node: counts("clients-per-node", self.clients_per_node, &[1], 4096)?,
            client_cpus: counts("client-cpus", self.client_cpus, &[1], 4096)?,
            db_nodes: counts("db-nodes", self.db_nodes, &[3], 1000)?,
            shards_per_node: counts("shards-per-node", self.shards_per_node, &[1], MOST_SERVERS_PER_NODE)?,
            servers_per_node: counts("servers-per-node", self.servers_per_node, &[1], MOST_SERVERS_PER_NODE)?,
            db_cpus: counts("db-cpus", self.db_cpus, &[1], 4096)?,
            cpu_bind: list("cpu-bind", self.cpu_bind, &[CpuBind::None])?,
            distribution: list("distribution", self.distribution, &[Distribution::Packed])?,
            net_ifname: interface_sets("net-ifname", self.net_ifname)?,
            colocated_ifname: interface_sets("colocated-ifname", self.colocated_ifname)?,
            transport: list("transport", self.transport, &[Transport::Tcp])?,
            store: list("store", self.store, &[Store::Redis])?,
            io_threads: counts("io-threads", self.io_threads, &[1], 128)?,
            malloc_conf: list("malloc-conf", self.malloc_conf, &[MallocConf::default()])?,
            maxmemory: list("maxmemory", self.maxmemory, &[ByteCount(0)])?,
            durability: list("durability", self.durability, &[Durability::None])?,
            file_cache: list("file-cache", self.file_cache, &[FileCache::Any])?,
            fan_out: counts("fan-out", self.fan_out, &[1], 65_536)?,
            keys: list("keys", self.keys, &[KeyPlacement::Hash])?,
            workload: list("workload", self.workload, &[usual.kind])?,
            consumers: counts("consumers", self.consumers, &[roles.consumers], MOST_CONSUMERS)?,
            consumer_nodes: numbers("consumer-nodes", self.consumer_nodes, &[roles.consumer_nodes], 0, 1000)?,
            consumer_threads: counts("consumer-threads", self.consumer_threads, &[1], MOST_THREADS)?,
            poll_interval: list("poll-interval", self.poll_interval, &[roles.poll_interval])?,
            model: list("model", self.model, &[String::new()])?,
            model_backend: list("model-backend", self.model_backend, &[model.model_backend])?,
            model_input: list("model-input", self.model_input, &[String::new()])?,
            model_output: list("model-output", self.model_output, &[String::new()])?,
            script: list("script", self.script, &[String::new()])?,
            function: list("function", self.function, &[model.function])?,
            device: list("device", self.device, &[model.device])?,
            devices: counts("devices", self.devices, &[1], 64)?,
            batch_size: numbers("batch-size", self.batch_size, &[0], 0, 1_000_000)?,
            queue_threads: counts("queue-threads", self.queue_threads, &[USUAL_QUEUE_THREADS], 1024)?,
            dtype: list("dtype", self.dtype, &[usual.dtype])?,
            shape: list("shape", self.shape, &[usual.shape])?,
            payload: list("payload", self.payload, &[usual.payload])?,
            tensors: counts("tensors", self.tensors, &[usual.tensors], MOST_TENSORS)?,
            mix: list("mix", self.mix, &[usual.mix])?,
            access: list("access", self.access, &[usual.access])?,
            order: list("order", self.order, &[usual.order])?,
            pipeline: counts("pipeline", self.pipeline, &[usual.pipeline], MOST_IN_FLIGHT)?,
            rate: list("rate", self.rate, &[usual.rate])?,
            compute: list("compute", self.compute, &[usual.compute])?,
            compute_kernel: list("compute-kernel", self.compute_kernel, &[usual.compute_kernel])?,
            repeats: count("repeats", self.repeats.unwrap_or(1), 1, 1000)?,
            wire: self.wire.unwrap_or(Wire::Auto),
            tensor_bytes: sizes::or_default(self.tensor_bytes)?,
            iterations: count("iterations", self.iterations.unwrap_or(100), 1, 10_000_000)?,
            warmup: count("warmup", self.warmup.unwrap_or(10), 0, 1_000_000)?,
            barrier: self.barrier.unwrap_or(Barrier::Size),
            verify: self.verify.unwrap_or(false),
        })
    }
}

fn interface_sets(flag: &str, given: Option<Vec<String>>) -> Result<Vec<String>> {
    let values = list(flag, given, &["lo".to_owned()])?;
    for set in &values {
        let twice =
            (1..).zip(interfaces::of(set)).find(|(next, name)| interfaces::of(set).skip(*next).any(|it| it == *name));
        ensure!(twice.is_none(), "--{flag} {set:?} names an interface twice: name each once");
    }
    for name in values.iter().flat_map(|set| interfaces::of(set)) {
        // the kernel's limit is 15 characters (IFNAMSIZ); the rest keeps the name usable in a permutation's name
        let fits = (1..=15).contains(&name.len());
        let plain =
            name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)) && !name.starts_with(['-', '.']);
        ensure!(
            fits && plain,
            "--{flag} {name:?} is no interface name; allowed: 1 to 15 of the characters a-z A-Z 0-9 . _ -, such as hsn0, \
             and several joined by +"
        );
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(axes: Axes) -> String {
        axes.resolve().unwrap_err().to_string()
    }

    #[test]
    fn flags_win_over_the_site_and_the_site_over_the_defaults() {
        let site = Axes { client_nodes: Some(vec![4, 8]), iterations: Some(7), ..Axes::default() };
        let flags = Axes { client_nodes: Some(vec![16]), ..Axes::default() };
        let study = flags.or(site).resolve().unwrap();
        assert_eq!((study.client_nodes, study.iterations, study.warmup), (vec![16], 7, 10));
        assert_eq!(study.tensor_bytes.len(), 11);
    }

    #[test]
    fn values_out_of_range_name_the_flag_and_the_range() {
        let zero = error(Axes { client_nodes: Some(vec![4, 0]), ..Axes::default() });
        assert_eq!(zero, "--client-nodes 0 is out of range; allowed: 1 to 1000000");
        assert!(error(Axes { db_cpus: Some(vec![]), ..Axes::default() }).contains("--db-cpus has no value"));
        assert!(error(Axes { db_cpus: Some(vec![2, 2]), ..Axes::default() }).contains("2 twice"));
        let stores = error(Axes { store: Some(vec![Store::Redis, Store::Redis]), ..Axes::default() });
        assert!(stores.contains("--store has redis twice"), "{stores}");
        assert!(
            error(Axes { tensor_bytes: Some(vec![8 << 30]), ..Axes::default() }).contains("--tensor-bytes 8589934592")
        );
        assert!(error(Axes { iterations: Some(0), ..Axes::default() }).contains("--iterations 0"));
    }

    #[test]
    fn an_interface_name_cannot_carry_shell() {
        for hostile in ["hsn0+", "hsn0+hsn1;id", "$(id)", "a b", "hsn0;id", "", "-x", "0123456789abcdef", "hsn0\n"] {
            let axes = Axes { net_ifname: Some(vec![hostile.to_owned()]), ..Axes::default() };
            assert!(error(axes).contains("is no interface name"), "{hostile:?}");
        }
    }

    #[test]
    fn a_socket_does_not_leave_its_node() {
        let uds = || Some(vec![Transport::Uds]);
        let standard = Axes { transport: uds(), ..Axes::default() };
        assert!(error(standard).contains("--transport tcp"));
        let both = Some(vec![Deployment::Standard, Deployment::Colocated]);
        assert!(error(Axes { transport: uds(), deployment: both, ..Axes::default() }).contains("--transport tcp"));
        let colocated = Some(vec![Deployment::Colocated]);
        assert!(Axes { transport: uds(), deployment: colocated, ..Axes::default() }.resolve().is_ok());
    }

    #[test]
    fn sizes_in_a_file_are_numbers_or_texts() {
        let axes: Axes = toml::from_str("tensor_bytes = [1024, \"8KiB\"]").unwrap();
        assert_eq!(axes.tensor_bytes, Some(vec![1024, 8192]));
        let error = toml::from_str::<Axes>("tensor_bytes = [\"lots\"]").unwrap_err().to_string();
        assert!(error.contains("8KiB"), "{error}");
        let error = toml::from_str::<Axes>("client_node = [1]").unwrap_err().to_string();
        assert!(error.contains("client_nodes"), "an unknown key lists the known ones: {error}");
    }
}
