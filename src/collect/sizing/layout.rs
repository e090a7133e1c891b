//! Who shares what: from ranks, nodes and servers to the load of each station.

use super::law::Load;
use crate::record::slots;

/// How ranks find their server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// By the slots of their keys' names, which begin so: some servers get more ranks than others.
    Hash(&'static str),
    /// In equal shares.
    Equal,
}

/// Which rank a figure is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Whose {
    /// This part of all samples, 0 to 1, is faster.
    Quantile(f64),
    /// The ranks of the fullest server, which end last.
    Last,
}

/// Ranks and servers of one run, measured or asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub ranks: u32,
    pub clients_per_node: u32,
    /// Nodes of the store; absent where its servers are beside the ranks, or where it has none.
    pub db_nodes: Option<u32>,
    pub servers_per_node: u32,
    /// The store has a server on every node of the application.
    pub is_colocated: bool,
    pub keys: Keys,
}

impl Layout {
    /// Nodes of the application.
    pub fn client_nodes(&self) -> u32 {
        self.ranks.div_ceil(self.clients_per_node.max(1))
    }

    /// Ranks of each server, or of each of one node where every node has the same.
    pub fn ranks_per_server(&self) -> Vec<u32> {
        if self.is_colocated {
            return equal(self.clients_per_node.min(self.ranks), self.servers_per_node);
        }
        let servers = self.db_nodes.unwrap_or(1).saturating_mul(self.servers_per_node);
        match (u16::try_from(servers), self.keys) {
            (Ok(servers @ 2..=slots::SLOTS), Keys::Hash(name)) => {
                slots::deal(slots::of_ranks(name, 0..self.ranks), servers)
            }
            _ => equal(self.ranks, servers),
        }
    }

    /// The load of each station, for those whose figure it is; `ranks_per_server` in any order.
    pub fn load(&self, ranks_per_server: &[u32], whose: Whose) -> Load {
        let ranks = f64::from(self.ranks.max(1));
        let per_node = f64::from(self.clients_per_node.min(self.ranks).max(1));
        let db_node = match (self.is_colocated, self.db_nodes) {
            (false, Some(nodes)) => ranks / f64::from(nodes.max(1)),
            (true, _) => per_node,
            (false, None) => ranks,
        };
        [1.0, of_server(ranks_per_server, whose), db_node.max(1.0), per_node, ranks]
    }
}

fn equal(ranks: u32, servers: u32) -> Vec<u32> {
    let servers = servers.max(1);
    (0..servers).map(|server| ranks / servers + u32::from(server < ranks % servers)).collect()
}

/// How many ranks share the server of the rank in question: at a quantile the one that so many ranks have at most.
fn of_server(ranks_per_server: &[u32], whose: Whose) -> f64 {
    let mut counts = ranks_per_server.to_vec();
    counts.sort_unstable();
    let all: f64 = counts.iter().map(|count| f64::from(*count)).sum();
    let at = match whose {
        Whose::Last => counts.last(),
        Whose::Quantile(part) => {
            let mut below = 0.0;
            counts.iter().find(|count| {
                below += f64::from(**count);
                below >= part * all
            })
        }
    };
    f64::from(at.copied().unwrap_or(1).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDARD: Layout = Layout {
        ranks: 48,
        clients_per_node: 24,
        db_nodes: Some(4),
        servers_per_node: 4,
        is_colocated: false,
        keys: Keys::Equal,
    };

    #[test]
    fn stations_are_shared_by_those_that_use_them() {
        let load = |of: Layout| of.load(&of.ranks_per_server(), Whose::Quantile(0.5));
        assert_eq!(load(STANDARD), [1.0, 3.0, 12.0, 24.0, 48.0]);
        let colocated = Layout { db_nodes: None, is_colocated: true, servers_per_node: 2, ..STANDARD };
        assert_eq!(load(colocated), [1.0, 12.0, 24.0, 24.0, 48.0]);
        let files = Layout { db_nodes: None, servers_per_node: 1, ..STANDARD };
        assert_eq!(load(files), [1.0, 48.0, 48.0, 24.0, 48.0]);
        assert_eq!(load(Layout { ranks: 1, clients_per_node: 1, ..STANDARD }), [1.0; 5]);
    }

    #[test]
    fn names_of_keys_load_servers_unevenly() {
        // SmartSim-Scaling's names: the fullest of 16 shards has 2.67 times its share of 48 ranks
        let hash = Layout { keys: Keys::Hash(slots::THROUGHPUT), ..STANDARD };
        let counts = hash.ranks_per_server();
        assert_eq!(counts.iter().sum::<u32>(), 48);
        assert_eq!(hash.load(&counts, Whose::Last)[1], 8.0);
        let (half, most) = (Whose::Quantile(0.5), Whose::Quantile(0.99));
        assert!(hash.load(&counts, half)[1] < 8.0 && hash.load(&counts, most)[1] == 8.0);
    }
}
