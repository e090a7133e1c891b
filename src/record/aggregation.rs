//! The aggregation workload: producers put datasets and append them to a list, consumers fetch the list when it is full, and delete it.
//! SmartSim-Scaling's test, in one launch with one clock.
//!
//! Pure: which rank has which role, and who fetches how much, follows from here for `gen`, the client and `collect`.

use serde::{Deserialize, Serialize};

use super::time::Time;
use super::vocabulary::Role;

/// Most consumers of a launch, and most threads of each.
pub const MOST_CONSUMERS: u32 = 1024;
pub const MOST_THREADS: u32 = 256;

/// Producers, consumers, and where these are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregation {
    /// Ranks that put and append; all others of the launch consume or idle.
    pub producers: u32,
    /// Ranks that fetch, each an equal part of the list.
    pub consumers: u32,
    /// Nodes of their own that the consumers have; 0: they share those of the producers.
    pub consumer_nodes: u32,
    /// Threads of each consumer; each has connections of its own.
    pub consumer_threads: u32,
    /// Time between two looks of a consumer at the length of the list.
    pub poll_interval: Time,
}

impl Default for Aggregation {
    fn default() -> Self {
        Aggregation {
            producers: 0,
            consumers: 1,
            consumer_nodes: 1,
            consumer_threads: 1,
            poll_interval: Time::from_us(1000),
        }
    }
}

/// The ranks of a launch that do not produce; none of them where no workload has roles.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Roles {
    /// In the order of their parts of the list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<u32>,
    /// Ascending.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub idle: Vec<u32>,
}

impl Aggregation {
    /// Nodes of the launch, of which `producer_nodes` have producers.
    pub fn nodes(&self, producer_nodes: u32) -> u32 {
        producer_nodes + self.consumer_nodes
    }

    /// Ranks on each node of the launch, where `producers` are on each that has any: consumers have no more on nodes of their own.
    pub fn ranks_per_node(&self, producer_nodes: u32, producers: u32) -> u32 {
        let beside = if self.consumer_nodes == 0 { self.consumers_per_node(producer_nodes) } else { 0 };
        producers + beside
    }

    /// Who consumes and who idles, where rank r is on host number `host_of_rank[r]`; hosts count in the order of their first rank.
    ///
    /// # Errors
    /// Fewer hosts than the consumers' nodes and one more, or another number of producers than was asked for.
    pub fn roles(&self, host_of_rank: &[u32]) -> Result<Roles, String> {
        let hosts = host_of_rank.iter().max().map_or(0, |last| last + 1);
        if hosts <= self.consumer_nodes {
            return Err(format!(
                "{} node(s) are the consumers' own (--consumer-nodes) and the launch has {hosts}: no producer has one; 0 shares nodes",
                self.consumer_nodes
            ));
        }
        let producer_hosts = hosts - self.consumer_nodes;
        let (each, left) = (self.producers / producer_hosts, self.producers % producer_hosts);
        let mut places = vec![0; hosts as usize];
        // (place among its host's ranks that do not produce, host, rank): consumers are dealt to the hosts in turn
        let mut others = Vec::new();
        for (rank, host) in (0..).zip(host_of_rank) {
            let place: &mut u32 = &mut places[*host as usize];
            let produces = *host < producer_hosts && *place < each + u32::from(*host < left);
            if !produces && (self.consumer_nodes == 0 || *host >= producer_hosts) {
                others.push((*place, *host, rank));
            } else if !produces {
                return Err(format!("host {host} has more ranks than its share of {} producers", self.producers));
            }
            *place += 1;
        }
        let producers = host_of_rank.len() - others.len();
        if producers != self.producers as usize || others.len() < self.consumers as usize {
            return Err(format!(
                "the launch has {} ranks, room for {producers} producers and {} consumers, and {} and {} are asked for",
                host_of_rank.len(),
                others.len(),
                self.producers,
                self.consumers
            ));
        }
        let first = if self.consumer_nodes == 0 { each } else { 0 };
        others.sort_by_key(|(place, host, _)| (place.saturating_sub(first), *host));
        let mut idle: Vec<u32> = others.split_off(self.consumers as usize).iter().map(|(.., rank)| *rank).collect();
        idle.sort_unstable();
        Ok(Roles { consumers: others.iter().map(|(.., rank)| *rank).collect(), idle })
    }

    /// Consumers on a node that has any, at most.
    pub fn consumers_per_node(&self, producer_nodes: u32) -> u32 {
        let nodes = if self.consumer_nodes == 0 { producer_nodes } else { self.consumer_nodes };
        self.consumers.div_ceil(nodes.max(1))
    }

    /// Datasets of the list that each consumer fetches.
    pub fn share(&self) -> u32 {
        self.producers / self.consumers.max(1)
    }
}

impl Roles {
    /// Whether any rank has one of its own.
    fn are_many(&self) -> bool {
        !self.consumers.is_empty()
    }

    pub fn of(&self, rank: u32) -> Role {
        match () {
            () if !self.are_many() => Role::Application,
            () if self.consumers[0] == rank => Role::Leader,
            () if self.consumers.contains(&rank) => Role::Consumer,
            () if self.idle.binary_search(&rank).is_ok() => Role::Idle,
            () => Role::Producer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(producers: u32, consumers: u32, consumer_nodes: u32) -> Aggregation {
        Aggregation { producers, consumers, consumer_nodes, ..Aggregation::default() }
    }

    #[test]
    fn consumers_have_the_last_hosts_or_share_all() {
        let own = of(4, 1, 1).roles(&[0, 0, 1, 1, 2, 2]).unwrap();
        assert_eq!(own, Roles { consumers: vec![4], idle: vec![5] });
        assert_eq!([0, 4, 5].map(|rank| own.of(rank)), [Role::Producer, Role::Leader, Role::Idle]);
        let shared = of(4, 3, 0).roles(&[0, 0, 0, 0, 1, 1, 1, 1]).unwrap();
        assert_eq!(shared, Roles { consumers: vec![2, 6, 3], idle: vec![7] });
        let two = of(2, 2, 2).roles(&[0, 0, 1, 1, 2, 2]).unwrap();
        assert_eq!(two, Roles { consumers: vec![2, 4], idle: vec![3, 5] });
        assert_eq!(Roles::default().of(3), Role::Application);
    }

    #[test]
    fn a_launch_of_another_size_is_refused() {
        for (aggregation, hosts, needle) in [
            (of(2, 1, 1), &[0, 0][..], "0 shares nodes"),
            (of(2, 1, 1), &[0, 0, 0, 1], "more ranks than its share"),
            (of(4, 1, 0), &[0, 0, 0, 0], "room for 4 producers and 0 consumers"),
            (of(5, 1, 0), &[0, 0, 0, 0], "room for 4 producers"),
        ] {
            let error = aggregation.roles(hosts).unwrap_err();
            assert!(error.contains(needle), "{error}");
        }
    }

    proptest! {
        #[test]
        fn every_rank_of_a_launch_has_one_role(
            nodes in 1u32..6, each in 1u32..6, consumers in 1u32..8, own in 0u32..3, cyclic: bool,
        ) {
            let aggregation = of(nodes * each, consumers, own);
            let (hosts, per_host) = (aggregation.nodes(nodes), aggregation.ranks_per_node(nodes, each));
            prop_assume!(own == 0 || consumers <= own * each);
            let ranks = hosts * per_host;
            let host = |rank| if cyclic { rank % hosts } else { rank / per_host };
            let roles = aggregation.roles(&(0..ranks).map(host).collect::<Vec<_>>()).unwrap();
            let count = |role| (0..ranks).filter(|rank| roles.of(*rank) == role).count() as u32;
            prop_assert_eq!(count(Role::Producer), nodes * each);
            prop_assert_eq!((count(Role::Leader), count(Role::Consumer)), (1, consumers - 1));
            prop_assert!(count(Role::Idle) < per_host * own.max(1) + hosts);
        }
    }
}
