//! One kind of node: cores, hardware threads, NUMA domains, L3 groups, what is reserved, interfaces.
//!
//! A *core* is named by the number of its first CPU (hardware thread); lists of cores here hold those numbers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::cpus::CpuSet;

/// A kind of node.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Name for `--client-node-type` and `--db-node-type`.
    pub name: String,
    /// Physical cores; absent where they are not known beforehand (the `local` site), which switches the check against
    /// oversubscription off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Sockets.
    #[serde(default = "one")]
    pub sockets: u32,
    /// Hardware threads a core.
    #[serde(default = "one")]
    pub threads_per_core: u32,
    /// Which CPUs are the threads of one core.
    #[serde(default)]
    pub numbering: Numbering,
    /// Cores of each NUMA domain that has any, in the order of domains: `["0-15", "16-31"]`. Empty: not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numa: Vec<CpuSet>,
    /// Cores of each group that shares an L3 cache. Empty: not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub l3: Vec<CpuSet>,
    /// Cores that the centre keeps for the system; neither they nor their hardware threads are ever given to a process.
    #[serde(default, skip_serializing_if = "CpuSet::is_empty")]
    pub reserved_cores: CpuSet,
    /// Memory for jobs in GiB; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_gib: Option<u64>,
    /// How a job asks for this kind: Slurm's constraint (`cpu`), or what is appended to a PBS chunk (`:model=milan`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
    /// Network interfaces for TCP between nodes; the loopback `lo` need not be listed.
    #[serde(default, rename = "interface", skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<Interface>,
    /// How many there are; absent where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// All "nodes" of a job are this machine.
    #[serde(default)]
    pub single: bool,
}

/// How Linux numbers the hardware threads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Numbering {
    /// Thread t of core c is CPU c + t x cores: the usual one.
    #[default]
    Offset,
    /// The threads of a core have neighbouring numbers.
    Adjacent,
}

/// A network interface of a node.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Its name on the compute nodes, such as `hsn0`.
    pub name: String,
    /// Index into the node's `numa` of the domain next to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numa: Option<u32>,
}

impl Node {
    /// All cores; absent where they are not known.
    pub fn all_cores(&self) -> Option<CpuSet> {
        let cores = self.cores?;
        let step = match self.numbering {
            Numbering::Offset => 1,
            Numbering::Adjacent => self.threads_per_core,
        };
        Some((0..cores).map(|core| core * step).collect())
    }

    /// Cores that jobs may use; absent where the node's cores are not known.
    pub fn usable(&self) -> Option<CpuSet> {
        Some(self.all_cores()?.difference(&self.reserved_cores))
    }

    /// The interface of that name.
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.name == name)
    }
}

fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(numbering: &str) -> Node {
        toml::from_str(&format!("name = \"n\"\ncores = 4\nthreads_per_core = 2\nnumbering = \"{numbering}\"")).unwrap()
    }

    #[test]
    fn both_numberings_of_hardware_threads() {
        assert_eq!(node("offset").all_cores().unwrap().to_list(), "0-3");
        assert_eq!(node("adjacent").all_cores().unwrap().to_list(), "0,2,4,6");
    }
}
