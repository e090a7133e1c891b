//! `server-N.json`: one store server, as the process that supervises it saw it.
//!
//! A server that never answered has no such file: why stands in [`super::cause`].

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::bus::BusTrial;
use super::files;
use super::folder::Folder;
use super::host::{HostFacts, InterfaceFacts};
use super::store::Fields;

/// One server: written when it answers, replaced when it has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    pub schema: u32,
    /// Task number under the launcher, from 0.
    pub index: u32,
    /// Place among the servers of its host (since schema 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_index: Option<u32>,
    pub host: String,
    /// Address of the interface; absent where only a socket serves.
    pub address: Option<String>,
    pub port: Option<u16>,
    /// Path of the UNIX socket, valid on `host` alone.
    pub socket: Option<PathBuf>,
    /// The folder that it keeps, where the store is files (since schema 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<Folder>,
    pub ifname: String,
    /// Process id of the server on `host`.
    pub pid: u32,
    /// CPUs that the server may run on, as the kernel says: a list such as `0-7,64-71`.
    pub cpus: String,
    /// Program and version as it reports them, such as `redis 7.0.15`.
    pub version: String,
    /// What was in force when it began to serve; absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<InForce>,
    /// Which shards' buses it reaches; absent before that was tried, and where there is no cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<BusTrial>,
    /// How it ended; absent while it runs, or where its supervisor was killed too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ServerExit>,
}

/// What a server really runs with, asked of it and of its node's kernel: not what it was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InForce {
    /// The program, as it was called.
    pub program: String,
    /// CONFIG GET of [`super::store::SETTINGS`].
    pub settings: Fields,
    /// Options of the allocator that were asked for, as the running allocator reports them; empty where none were.
    pub malloc: Fields,
    /// Modules that it has loaded, as [`super::module::listed`] writes them.
    pub modules: Vec<String>,
    pub interface: Option<InterfaceFacts>,
    pub node: HostFacts,
    /// What is not as it should be, with the remedy.
    pub warnings: Vec<String>,
}

/// How a server ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerExit {
    /// It was told to stop; an end without that is a failure of the run.
    pub asked: bool,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Bytes that its interface received and sent since it began to serve, whoever's they were; absent in earlier records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface_bytes: Option<(u64, u64)>,
}

impl Server {
    /// `server-N.json` of server `index`.
    pub fn path(attempt: &Path, index: u32) -> PathBuf {
        attempt.join(format!("server-{index}.json"))
    }

    pub fn write(&self, attempt: &Path) -> Result<()> {
        files::replace_json(&Self::path(attempt, self.index), self)
    }

    /// Server `index` of the attempt; `Ok(None)` while it has not announced itself.
    pub fn read(attempt: &Path, index: u32) -> Result<Option<Server>> {
        files::read_json(&Self::path(attempt, index))
    }
}
