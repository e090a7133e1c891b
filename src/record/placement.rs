//! The part of a manifest that says which CPUs each process of a node is to have, and what such a node looks like.
//!
//! `gen` works it out, scripts pass it on, `collect` holds what the processes had against it.

use serde::{Deserialize, Serialize};

use super::cpus::CpuSet;

/// CPUs of the processes of a node; the same on every node of its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// CPUs of the servers of a node, by local index; empty: they are free.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<CpuSet>,
    /// CPUs of the ranks of a node, by local rank; empty: they are free.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<CpuSet>,
    /// The client's nodes.
    pub client_node: NodeShape,
    /// The servers' nodes where they are not the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub db_node: Option<NodeShape>,
}

impl Placement {
    /// The nodes that the servers run on.
    pub fn server_node(&self) -> &NodeShape {
        self.db_node.as_ref().unwrap_or(&self.client_node)
    }
}

/// A node as far as masks and drawings need it. Cores are named by their first CPU. Without cores it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeShape {
    #[serde(default, skip_serializing_if = "CpuSet::is_empty")]
    pub cores: CpuSet,
    #[serde(default, skip_serializing_if = "CpuSet::is_empty")]
    pub reserved: CpuSet,
    /// Cores of each NUMA domain; empty: not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numa: Vec<CpuSet>,
    /// Cores of each L3 group; empty: not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub l3: Vec<CpuSet>,
    /// Hardware threads of a core: thread t of core c is CPU c + t x `sibling_step`.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub threads_per_core: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sibling_step: u32,
}

impl Default for NodeShape {
    /// A node of which nothing is known.
    fn default() -> NodeShape {
        NodeShape {
            cores: CpuSet::default(),
            reserved: CpuSet::default(),
            numa: Vec::new(),
            l3: Vec::new(),
            threads_per_core: 1,
            sibling_step: 0,
        }
    }
}

fn one() -> u32 {
    1
}

fn is_one(number: &u32) -> bool {
    *number == 1
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl NodeShape {
    pub fn is_known(&self) -> bool {
        !self.cores.is_empty()
    }

    /// Cores that jobs may use.
    pub fn usable(&self) -> CpuSet {
        self.cores.difference(&self.reserved)
    }

    /// The core that CPU `cpu` belongs to; absent where the node has no such CPU. On an unknown node a CPU is its own core.
    pub fn core_of(&self, cpu: u32) -> Option<u32> {
        if !self.is_known() {
            return Some(cpu);
        }
        let first_of = |thread: u32| cpu.checked_sub(thread * self.sibling_step);
        (0..self.threads_per_core).filter_map(first_of).find(|core| self.cores.contains(*core))
    }

    /// The cores that `cpus` belong to; CPUs that the node does not have are left out.
    pub fn cores_of(&self, cpus: &CpuSet) -> CpuSet {
        cpus.iter().filter_map(|cpu| self.core_of(cpu)).collect()
    }

    /// All CPUs: every hardware thread of every core.
    pub fn cpus(&self) -> CpuSet {
        let threads = |core| (0..self.threads_per_core).map(move |thread| core + thread * self.sibling_step);
        self.cores.iter().flat_map(threads).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(cores: &str, threads_per_core: u32, sibling_step: u32) -> NodeShape {
        NodeShape { cores: cores.parse().unwrap(), threads_per_core, sibling_step, ..NodeShape::default() }
    }

    #[test]
    fn every_cpu_has_its_core() {
        let offset = shape("0-63", 2, 64);
        assert_eq!((offset.core_of(3), offset.core_of(67), offset.core_of(128)), (Some(3), Some(3), None));
        assert_eq!(offset.cpus().to_list(), "0-127");
        let adjacent = shape("0,2,4,6", 2, 1);
        assert_eq!((adjacent.core_of(5), adjacent.core_of(6), adjacent.core_of(8)), (Some(4), Some(6), None));
        assert_eq!(adjacent.cores_of(&"1-4".parse().unwrap()).to_list(), "0,2,4");
        assert_eq!(NodeShape::default().core_of(99), Some(99));
    }

    #[test]
    fn a_placement_reads_back_and_holds_nothing_that_is_not_known() {
        let free = Placement::default();
        let text = toml::to_string(&free).unwrap();
        assert_eq!(text.trim(), "[client_node]");
        assert_eq!(toml::from_str::<Placement>(&text).unwrap(), free);
        let pinned = Placement { ranks: vec!["1-7,9".parse().unwrap()], client_node: shape("0-63", 2, 64), ..free };
        assert_eq!(toml::from_str::<Placement>(&toml::to_string(&pinned).unwrap()).unwrap(), pinned);
    }
}
