//! The placement of a run as cells: cores by NUMA domain and L3 group, and who sits on each.

use serde::Serialize;

use crate::record::cpus::CpuSet;
use crate::record::placement::{NodeShape, Placement};

/// A core: its first CPU, what it is for, who sits on it.
type Core = (u32, &'static str, String);

/// A kind of node.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    title: &'static str,
    /// NUMA domain, L3 group in it, core.
    numa: Vec<Vec<Vec<Core>>>,
}

/// The nodes of a placement whose cores are known.
pub fn nodes(placement: &Placement) -> Vec<Node> {
    let own_nodes = placement.db_node.is_some();
    let servers: &[CpuSet] = if own_nodes { &[] } else { &placement.servers };
    let title = if own_nodes { "client node" } else { "node of clients and store" };
    let client = node(title, &placement.client_node, servers, &placement.ranks);
    let store = placement.db_node.as_ref().and_then(|shape| node("store node", shape, &placement.servers, &[]));
    client.into_iter().chain(store).collect()
}

fn node(title: &'static str, shape: &NodeShape, servers: &[CpuSet], ranks: &[CpuSet]) -> Option<Node> {
    if !shape.is_known() || (servers.is_empty() && ranks.is_empty()) {
        return None;
    }
    let holders = |sets: &[CpuSet], core: u32| -> Vec<usize> {
        sets.iter()
            .enumerate()
            .filter(|(_, cpus)| shape.cores_of(cpus).contains(core))
            .map(|(index, _)| index)
            .collect()
    };
    let core = |core: u32| {
        let (db, here) = (holders(servers, core), holders(ranks, core));
        let numbers = |of: &[usize]| of.iter().map(usize::to_string).collect::<Vec<_>>().join("+");
        match (db.is_empty(), here.is_empty()) {
            (false, true) => (core, "db", format!("server {}", numbers(&db))),
            (false, false) => (core, "db", format!("server {} and rank {}", numbers(&db), numbers(&here))),
            (true, false) => (core, "rank", format!("rank {}", numbers(&here))),
            (true, true) if shape.reserved.contains(core) => (core, "reserved", "reserved for the system".to_owned()),
            (true, true) => (core, "idle", "idle".to_owned()),
        }
    };
    let within = |groups: &[CpuSet], whole: &CpuSet| -> Vec<CpuSet> {
        let parts: Vec<CpuSet> =
            groups.iter().map(|group| group.iter().filter(|core| whole.contains(*core)).collect()).collect();
        let parts: Vec<CpuSet> = parts.into_iter().filter(|part: &CpuSet| !part.is_empty()).collect();
        if parts.is_empty() { vec![whole.clone()] } else { parts }
    };
    let numa = within(&shape.numa, &shape.cores)
        .iter()
        .map(|domain| within(&shape.l3, domain).iter().map(|group| group.iter().map(core).collect()).collect())
        .collect();
    Some(Node { title, numa })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(text: &str) -> CpuSet {
        text.parse().unwrap()
    }

    #[test]
    fn a_colocated_node_shows_server_ranks_reserved_and_idle_cores_by_domain_and_cache() {
        let client_node = NodeShape {
            cores: cpus("0-7"),
            reserved: cpus("0"),
            numa: vec![cpus("0-3"), cpus("4-7")],
            l3: vec![cpus("0-1"), cpus("2-3"), cpus("4-7")],
            threads_per_core: 2,
            sibling_step: 8,
        };
        let placement = Placement {
            servers: vec![cpus("1")],
            ranks: vec![cpus("2"), cpus("11")],
            client_node,
            ..Placement::default()
        };
        let nodes = nodes(&placement);
        let kinds: Vec<Vec<Vec<_>>> = nodes[0]
            .numa
            .iter()
            .map(|domain| domain.iter().map(|group| group.iter().map(|core| core.1).collect()).collect())
            .collect();
        assert_eq!(
            kinds,
            [vec![vec!["reserved", "db"], vec!["rank", "rank"]], vec![vec!["idle", "idle", "idle", "idle"]]]
        );
        // CPU 11 is the second thread of core 3
        assert_eq!(nodes[0].numa[0][1][1].2, "rank 1");
    }

    #[test]
    fn what_is_not_known_is_not_drawn() {
        assert_eq!(nodes(&Placement { ranks: vec![cpus("1")], ..Placement::default() }), []);
    }
}
