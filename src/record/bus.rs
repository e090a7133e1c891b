//! The buses between the shards of a cluster: who shall reach whom, and whom a shard does not reach.

use serde::{Deserialize, Serialize};

/// `shards.json`: all shards of a cluster, from who waits for them. Each shard's supervisor then tries the others' buses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shards {
    pub schema: u32,
    pub shards: Vec<Bus>,
}

impl Shards {
    pub const FILE: &str = "shards.json";
}

/// Where a shard's bus listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bus {
    /// Number of the server.
    pub index: u32,
    pub host: String,
    pub address: String,
    pub port: u16,
}

/// What a shard found: it tries the others in turn and stops at the first one that it does not reach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusTrial {
    pub unreached: Option<Unreached>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreached {
    pub bus: Bus,
    /// As the operating system says.
    pub cause: String,
}
