//! Who runs where: the hosts of the ranks.

use std::ops::Range;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::comm::Comm;

/// The hosts of all ranks, known to all ranks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hosts {
    /// Each host once, in the order of its first rank.
    pub names: Vec<String>,
    /// Index into `names` for each rank.
    pub of_rank: Vec<u32>,
}

/// Name of this host, as gethostname gives it.
pub fn own_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

impl Hosts {
    /// Tells every rank the host of every other.
    pub fn exchange(comm: &Comm, own: &str) -> Result<Hosts> {
        let hosts = comm.collect(&own.to_owned())?.map(|names| Hosts::from_ranks(&names));
        comm.share(hosts.as_ref())
    }

    /// `names` holds the host of each rank.
    fn from_ranks(names: &[String]) -> Hosts {
        let mut index = std::collections::HashMap::new();
        let mut hosts = Hosts { names: Vec::new(), of_rank: Vec::with_capacity(names.len()) };
        for name in names {
            let next = hosts.names.len() as u32;
            let host = *index.entry(name).or_insert(next);
            if host == next {
                hosts.names.push(name.clone());
            }
            hosts.of_rank.push(host);
        }
        hosts
    }

    /// Which of `servers` run on `host`: every host has equally many, in the order of hosts.
    pub fn servers_of(&self, host: u32, servers: usize) -> Range<usize> {
        let each = servers / self.names.len().max(1);
        host as usize * each..(host as usize + 1) * each
    }

    /// Place of `rank` among those of its host.
    pub fn place_of(&self, rank: u32) -> usize {
        let before = &self.of_rank[..rank as usize];
        before.iter().filter(|host| **host == self.of_rank[rank as usize]).count()
    }

    /// The rank at the same place of the next host, or of a lesser place where that has fewer; on one host the next rank.
    pub fn neighbour(&self, rank: u32) -> u32 {
        let count = self.names.len() as u32;
        if count < 2 {
            return (rank + 1) % self.of_rank.len().max(1) as u32;
        }
        let next = (self.of_rank[rank as usize] + 1) % count;
        let there: Vec<u32> =
            (0..).zip(&self.of_rank).filter(|(_, host)| **host == next).map(|(rank, _)| rank).collect();
        there[self.place_of(rank) % there.len()]
    }

    /// The lowest rank on `host`: the one that speaks for it.
    pub fn first_rank(&self, host: u32) -> Option<u32> {
        self.of_rank.iter().position(|of| *of == host).map(|rank| rank as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_stand_in_the_order_of_their_first_rank() {
        let ranks = ["cn2", "cn1", "cn2", "cn3"].map(String::from);
        let hosts = Hosts::from_ranks(&ranks);
        assert_eq!(hosts.names, ["cn2", "cn1", "cn3"]);
        assert_eq!(hosts.of_rank, [0, 1, 0, 2]);
        assert_eq!([0, 1, 2, 3].map(|rank| hosts.neighbour(rank)), [1, 3, 1, 0]);
        assert_eq!([0, 1].map(|rank| Hosts::from_ranks(&["cn1", "cn1"].map(String::from)).neighbour(rank)), [1, 0]);
        assert_eq!((hosts.place_of(0), hosts.place_of(2), hosts.place_of(3)), (0, 1, 0));
        assert_eq!((hosts.first_rank(1), hosts.first_rank(2), hosts.first_rank(9)), (Some(1), Some(3), None));
    }
}
