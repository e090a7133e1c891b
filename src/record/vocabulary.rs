//! The closed sets of words that manifests, flags and reports share, each spelled in one place.

/// Declares an enum whose values have one spelling in flags, TOML, JSON and CSV.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// All values, in the order in which messages list them.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];
            /// The spellings, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($text,)+];

            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.as_str()) }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or_else(|| {
                    format!("{text:?} is not a {}; allowed: {}", $what, Self::NAMES.join(", "))
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> { to.serialize_str(self.as_str()) }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": $name::NAMES })
            }
        }

        crate::record::vocabulary::from_text!($name);
    };
}

/// Declares an enum whose values are called by one word each, for people and for files that only we write.
macro_rules! words {
    ($(#[$attribute:meta])* pub enum $name:ident { $($(#[$of_variant:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$attribute])*
        pub enum $name { $($(#[$of_variant])* $variant,)+ }

        impl $name {
            /// All values, in order.
            pub const ALL: [$name; [$($text,)+].len()] = [$($name::$variant,)+];

            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }
        }
    };
}

/// Read from a file as it is typed.
macro_rules! from_text {
    ($name:ty) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Written to a file and read from it as it is typed.
macro_rules! as_text {
    ($name:ty) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        crate::record::vocabulary::from_text!($name);
    };
}

/// A type that files spell as one text, for editors: its JSON Schema is a string with this pattern.
macro_rules! schema_of_text {
    ($name:ty, $pattern:literal, $about:literal) => {
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "description": $about })
            }
        }
    };
}

pub(crate) use as_text;
pub(crate) use from_text;
pub(crate) use schema_of_text;
pub(crate) use vocabulary;
pub(crate) use words;

vocabulary! {
    /// What becomes of the store between two permutations of a pack.
    PackStore, "store between permutations" {
        /// It ends, and the next one starts its own.
        Restart = "restart",
        /// Emptied and used again where the next one's store is the same.
        Keep = "keep",
    }
}

vocabulary! {
    /// Which permutations share an allocation.
    Packing, "packing" {
        /// Each has a job of its own.
        None = "none",
        /// Those that need the same number of nodes.
        Same = "same",
        /// The largest and all that fit into its nodes.
        Nested = "nested",
    }
}

vocabulary! {
    /// Where the store runs.
    Deployment, "deployment" {
        /// Sharded over nodes of its own.
        Standard = "standard",
        /// One unsharded server on every application node.
        Colocated = "colocated",
    }
}

vocabulary! {
    /// What carries the bytes between client and store.
    Transport, "transport" {
        Tcp = "tcp",
        /// A UNIX domain socket; colocated only.
        Uds = "uds",
    }
}

vocabulary! {
    /// What is under test: a server program, or a folder.
    Store, "store" {
        Redis = "redis",
        Valkey = "valkey",
        KeyDb = "keydb",
        /// A file for each tensor: no server.
        Files = "files",
    }
}

impl Store {
    pub fn has_servers(self) -> bool {
        self != Store::Files
    }
}

vocabulary! {
    /// When a put of a file has ended.
    Durability, "durability" {
        /// When the kernel has the bytes.
        None = "none",
        /// When they and the file's name are on the disk.
        Fsync = "fsync",
    }
}

vocabulary! {
    /// Which memory of the node may hold a file that is read.
    FileCache, "file cache" {
        /// The page cache, as in most applications.
        Any = "any",
        /// None: O_DIRECT, for writing too.
        Direct = "direct",
        /// The page cache, from which each file is dropped before it is read.
        Drop = "drop",
    }
}

vocabulary! {
    /// How a tensor is put into a command.
    Wire, "wire" {
        /// `redisai` where the server offers AI.TENSORSET, else `plain`.
        Auto = "auto",
        /// AI.TENSORSET / AI.TENSORGET as SmartRedis sends them.
        RedisAi = "redisai",
        /// SET / GET of dtype, shape and payload in one string value.
        Plain = "plain",
    }
}

vocabulary! {
    /// How the keys of the ranks fall on the shards.
    KeyPlacement, "key placement" {
        /// SmartRedis's names; CRC16 decides, unevenly.
        Hash = "hash",
        /// Hash tags chosen so that ranks spread evenly over the shards.
        Balanced = "balanced",
    }
}

vocabulary! {
    /// When the ranks wait for each other.
    Barrier, "barrier" {
        /// Never after the start.
        None = "none",
        /// Before each tensor size.
        Size = "size",
        /// Before each iteration.
        Iteration = "iteration",
    }
}

vocabulary! {
    /// What a launcher can do about CPUs; the axis itself is [`super::binding::CpuBind`].
    BindKind, "kind of CPU binding" {
        /// Leave the processes alone.
        None = "none",
        /// Place them itself, from the number of CPUs that each asks for.
        Scheduler = "scheduler",
        /// Take explicit CPUs for each process.
        Mask = "mask",
    }
}

vocabulary! {
    /// How the ranks of a node are dealt to its L3 groups.
    Distribution, "distribution" {
        /// One group after the other is filled.
        Packed = "packed",
        /// One rank to each group in turn.
        Spread = "spread",
    }
}

vocabulary! {
    /// Where the servers of a standard deployment come from.
    DbFrom, "origin of the database" {
        /// They run on nodes of the client's own allocation.
        Allocation = "allocation",
        /// They run in a job of their own, on which the client's job depends.
        Job = "job",
        /// They run in that allocation, on hosts that the user names.
        Hosts = "hosts",
        /// They run already, at addresses that the user gives.
        Running = "running",
    }
}

vocabulary! {
    /// Element type of a tensor, by its usual name.
    Dtype, "dtype" {
        Float64 = "float64",
        Float32 = "float32",
        Int64 = "int64",
        Int32 = "int32",
        Int16 = "int16",
        Int8 = "int8",
        Uint16 = "uint16",
        Uint8 = "uint8",
    }
}

vocabulary! {
    /// What a tensor's bytes are. Both kinds differ per rank, size, tensor and iteration where reads are verified.
    Payload, "payload" {
        /// 64-bit numbers that count up, as SmartSim-Scaling's tensor counts up: links and stores that compress, compress it.
        Ramp = "ramp",
        /// Does not compress.
        Random = "random",
    }
}

vocabulary! {
    /// What the ranks are there for.
    WorkloadKind, "workload" {
        /// Each puts tensors and unpacks tensors.
        Throughput = "throughput",
        /// Producers put datasets and append them to a list; consumers fetch all of the list.
        Aggregation = "aggregation",
        /// Each has a model in the store run on a tensor of its own.
        Inference = "inference",
    }
}

vocabulary! {
    /// What runs a model inside the server, as RedisAI names it in small letters.
    ModelBackend, "model backend" {
        Torch = "torch",
        Onnx = "onnx",
        Tf = "tf",
    }
}

vocabulary! {
    /// On what a model runs.
    Device, "device" {
        Cpu = "cpu",
        Gpu = "gpu",
    }
}

vocabulary! {
    /// What a rank is.
    Role, "role" {
        /// It does all that its workload has.
        Application = "application",
        /// Of an aggregation: it puts datasets and appends them to a list.
        Producer = "producer",
        /// Of an aggregation: it fetches its part of the list.
        Consumer = "consumer",
        /// The first consumer: it deletes the list, too, when all have read.
        Leader = "leader",
        /// A launch has equally many ranks on each node; this one is too many there, and sleeps.
        Idle = "idle",
    }
}

vocabulary! {
    /// Who puts and who unpacks which tensors.
    Access, "access pattern" {
        /// Each rank puts and unpacks its own.
        Own = "own",
        /// Each rank puts its own; rank 0 alone unpacks, those of one rank after another.
        ManyToOne = "many-to-one",
        /// Rank 0 alone puts; each rank unpacks those of rank 0.
        OneToMany = "one-to-many",
        /// Each rank puts its own and unpacks those of a rank of the next node (on one node: of the next rank).
        Neighbour = "neighbour",
    }
}

vocabulary! {
    /// In which order a rank goes through the ops of one tensor size.
    Order, "order" {
        /// Each iteration puts, then unpacks.
        Interleaved = "interleaved",
        /// All iterations put; then all iterations unpack.
        Phases = "phases",
    }
}

vocabulary! {
    /// What a rank computes between its iterations.
    ComputeKernel, "compute kernel" {
        /// Arithmetic in registers.
        Spin = "spin",
        /// A triad over arrays larger than the caches.
        Stream = "stream",
    }
}

vocabulary! {
    /// Whose time an op is.
    Side, "side of an op" {
        /// The store's: it counts for bandwidths.
        Store = "store",
        /// The application's, between its transfers.
        Application = "application",
        /// The application's before the store had traffic: what the former is held against.
        Alone = "alone",
        /// Nobody's own: it spans ops of several ranks, which have their own times.
        Span = "span",
    }
}

impl WorkloadKind {
    /// Whether each host can do it with a store of its own.
    pub fn can_be_colocated(self) -> bool {
        self != WorkloadKind::Aggregation
    }
}

impl Role {
    pub fn consumes(self) -> bool {
        matches!(self, Role::Consumer | Role::Leader)
    }
}

impl Dtype {
    /// Bytes of one element.
    pub fn bytes(self) -> u64 {
        match self {
            Dtype::Float64 | Dtype::Int64 => 8,
            Dtype::Float32 | Dtype::Int32 => 4,
            Dtype::Int16 | Dtype::Uint16 => 2,
            Dtype::Int8 | Dtype::Uint8 => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_and_a_wrong_one_lists_what_is_allowed() {
        for word in Transport::ALL {
            assert_eq!(word.as_str().parse::<Transport>().as_ref(), Ok(word));
        }
        let error = "udp".parse::<Transport>().unwrap_err();
        assert_eq!(error, "\"udp\" is not a transport; allowed: tcp, uds");
    }
}
