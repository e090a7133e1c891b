//! `keys.json`: tensors of a run in a store that others use too. There from before the first put until they are removed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::files;
use super::vocabulary::{KeyPlacement, WorkloadKind};

/// Which keys may be there, and where. Their names follow from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysLeft {
    pub schema: u32,
    /// What all names begin with: no other run has the same.
    pub prefix: String,
    /// Shards as the client addressed them.
    pub addresses: Vec<String>,
    pub keys: KeyPlacement,
    pub ranks: u32,
    /// Tensors of each rank; of an inference the devices that have its model.
    pub tensors: u32,
    /// What the names follow from.
    #[serde(default = "throughput")]
    pub workload: WorkloadKind,
    /// Lists of an aggregation, one for each iteration.
    #[serde(default)]
    pub lists: u32,
}

fn throughput() -> WorkloadKind {
    WorkloadKind::Throughput
}

impl KeysLeft {
    fn path(attempt: &Path) -> PathBuf {
        attempt.join("keys.json")
    }

    pub fn write(&self, attempt: &Path) -> Result<()> {
        files::replace_json(&Self::path(attempt), self)
    }

    /// `Ok(None)` where nothing is left.
    pub fn read(attempt: &Path) -> Result<Option<KeysLeft>> {
        files::read_json(&Self::path(attempt))
    }

    /// They are removed.
    pub fn forget(attempt: &Path) -> Result<()> {
        let path = Self::path(attempt);
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
    }
}
