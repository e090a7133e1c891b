//! Nodes and jobs for the tests of this module.

use super::Demand;
use crate::record::cpus::CpuSet;
use crate::record::manifest::{Job, example};
use crate::record::vocabulary::Deployment;
use crate::site::{Interface, Node, Numbering};

pub fn set(list: &str) -> CpuSet {
    list.parse().unwrap()
}

/// A node with `cores` cores of one thread, of which nothing else is known.
pub fn plain(cores: u32) -> Node {
    Node {
        name: "compute".into(),
        cores: Some(cores),
        sockets: 1,
        threads_per_core: 1,
        numbering: Numbering::Offset,
        numa: vec![],
        l3: vec![],
        reserved_cores: CpuSet::default(),
        memory_gib: None,
        constraint: None,
        interfaces: vec![Interface { name: "hsn0".into(), numa: None }],
        count: None,
        single: false,
    }
}

/// The one node of a machine without scheduler.
pub fn single(cores: u32) -> Node {
    Node { single: true, ..plain(cores) }
}

fn blocks(count: u32, of: u32) -> Vec<CpuSet> {
    (0..count).map(|block| (block * of..(block + 1) * of).collect()).collect()
}

/// 64 cores, SMT2, 4 NUMA domains, 8 L3 groups, the first core of each group reserved; hsn1 is next to domain 1.
pub fn frontier() -> Node {
    let interface = |name: &str, numa| Interface { name: name.into(), numa };
    Node {
        threads_per_core: 2,
        numa: blocks(4, 16),
        l3: blocks(8, 8),
        reserved_cores: set("0-56:8"),
        interfaces: vec![interface("hsn0", None), interface("hsn1", Some(1))],
        ..plain(64)
    }
}

/// 128 cores, SMT2, 8 NUMA domains, 32 L3 groups of 4.
pub fn archer2() -> Node {
    Node { sockets: 2, threads_per_core: 2, numa: blocks(8, 16), l3: blocks(32, 4), ..plain(128) }
}

/// 2 x 52 cores, SMT2, no L3 known, cores 0 and 52 reserved.
pub fn aurora() -> Node {
    Node { sockets: 2, threads_per_core: 2, numa: blocks(2, 52), reserved_cores: set("0,52"), ..plain(104) }
}

/// 4 x 72 cores without SMT.
pub fn daint() -> Node {
    Node { sockets: 4, numa: blocks(4, 72), ..plain(288) }
}

/// 2 x 28 cores whose numbers alternate between the sockets.
pub fn frontera() -> Node {
    Node { sockets: 2, threads_per_core: 2, numa: vec![set("0-54:2"), set("1-55:2")], ..plain(56) }
}

pub fn colocated(bind: &str, clients_per_node: u32, db_cpus: u32) -> Job {
    let job = example().job;
    Job {
        deployment: Deployment::Colocated,
        db_nodes: None,
        clients_per_node,
        db_cpus,
        cpu_bind: bind.parse().unwrap(),
        net_ifname: "lo".into(),
        ..job
    }
}

pub fn standard(bind: &str, clients_per_node: u32, db_cpus: u32) -> Job {
    Job { clients_per_node, db_cpus, cpu_bind: bind.parse().unwrap(), ..example().job }
}

pub fn demand<'a>(job: &'a Job, node: &'a Node) -> Demand<'a> {
    Demand { job, client_node: node, db_node: node, oversubscribe: false, part_of_node: false }
}
