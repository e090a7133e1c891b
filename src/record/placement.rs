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
    /// In place of the above where jobs get a part of a node, and which part is known when they run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_job: Option<InJob>,
    /// The client's nodes.
    pub client_node: NodeShape,
    /// The servers' nodes where they are not the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub db_node: Option<NodeShape>,
}

/// Cores of the processes of a node, as numbers among the cores that the job got of it: 0 is the first of them. Each process takes
/// the first hardware thread that the job has of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InJob {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<CpuSet>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<CpuSet>,
}

impl Placement {
    /// Some CPUs of the servers' own.
    pub fn pins_servers(&self) -> bool {
        !self.servers.is_empty() || self.in_job.as_ref().is_some_and(|part| !part.servers.is_empty())
    }

    /// The nodes that the servers run on.
    pub fn server_node(&self) -> &NodeShape {
        self.db_node.as_ref().unwrap_or(&self.client_node)
    }
}

/// The server of each rank of a node with several, by local index. Each server gets equally many ranks, or one more; where both
/// sides are pinned and the node is known, those with the least distance to it: the same L3 group, the same NUMA domain, the next one.
/// Else the first ranks have the first server, and so on.
pub fn servers_of_ranks(placement: Option<&Placement>, servers: u32, ranks: u32) -> Vec<u32> {
    let (servers, ranks) = (servers.max(1), ranks);
    let in_blocks =
        || (0..ranks).map(|rank| (u64::from(rank) * u64::from(servers) / u64::from(ranks)) as u32).collect();
    let Some(placement) = placement else { return in_blocks() };
    let pinned = placement.servers.len() == servers as usize && placement.ranks.len() == ranks as usize;
    let node = &placement.client_node;
    if !pinned || placement.db_node.is_some() || (node.numa.is_empty() && node.l3.is_empty()) {
        return in_blocks();
    }
    let place = |cpus: &CpuSet| {
        let within = |groups: &[CpuSet]| groups.iter().position(|group| !group.is_disjoint(&node.cores_of(cpus)));
        (within(&node.l3), within(&node.numa))
    };
    let (of_servers, of_ranks): (Vec<_>, Vec<_>) =
        (placement.servers.iter().map(place).collect(), placement.ranks.iter().map(place).collect());
    let mut pairs = Vec::with_capacity(of_servers.len() * of_ranks.len());
    for (rank, of_rank) in (0..ranks).zip(&of_ranks) {
        for (server, of_server) in (0..servers).zip(&of_servers) {
            let (here, there) = (of_rank.1.unwrap_or(0), of_server.1.unwrap_or(0));
            let near = of_rank.0.is_some() && of_rank.0 == of_server.0;
            // domains are numbered socket by socket, mostly in powers of two: the exclusive or is small within a socket
            pairs.push((if near { 0 } else { 1 + (here ^ there) }, rank, server));
        }
    }
    pairs.sort_unstable();
    let (each, mut with_more) = (ranks / servers, ranks % servers);
    let mut given = vec![None; ranks as usize];
    let mut taken = vec![0; servers as usize];
    for (_, rank, server) in pairs {
        let (seat, load) = (&mut given[rank as usize], &mut taken[server as usize]);
        if seat.is_none() && (*load < each || (*load == each && with_more > 0)) {
            with_more -= u32::from(*load == each);
            *load += 1;
            *seat = Some(server);
        }
    }
    given.into_iter().map(|server| server.unwrap_or(0)).collect()
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
    fn ranks_take_the_server_next_to_them_in_equal_shares() {
        assert_eq!(servers_of_ranks(None, 2, 5), [0, 0, 0, 1, 1]);
        assert_eq!(servers_of_ranks(None, 3, 3), [0, 1, 2]);
        let cpus = |list: &str| -> Vec<CpuSet> { list.split(' ').map(|one| one.parse().unwrap()).collect() };
        let node = NodeShape { numa: cpus("0-3 4-7"), ..shape("0-7", 1, 0) };
        // spread over the domains: neighbours in number are not neighbours on the node
        let spread =
            Placement { servers: cpus("0 4"), ranks: cpus("1 5 2 6"), client_node: node, ..Placement::default() };
        assert_eq!(servers_of_ranks(Some(&spread), 2, 4), [0, 1, 0, 1]);
        let crowded = Placement { ranks: cpus("1 2 3 5"), ..spread.clone() };
        assert_eq!(servers_of_ranks(Some(&crowded), 2, 4), [0, 0, 1, 1], "equal shares before distance");
        let odd = Placement { ranks: cpus("5 6 7"), ..spread };
        assert_eq!(servers_of_ranks(Some(&odd), 2, 3), [1, 1, 0]);
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
