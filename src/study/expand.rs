//! From axes to permutations: lists multiply, in the order in which the axes stand in a name.

use anyhow::{Result, ensure};

use super::Study;
use crate::record::manifest::{Job, Sweep};
use crate::record::vocabulary::{CpuBind, Deployment, KeyPlacement, Store, Transport};

/// More than a person meant: a slip of the keyboard, not a study.
pub const MAX_PERMUTATIONS: usize = 100_000;

/// One permutation before a site has been asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub name: String,
    pub job: Job,
}

/// Where the store is: what the two deployments vary differently.
#[derive(Clone)]
struct Place {
    deployment: Deployment,
    db_nodes: Option<u32>,
    net_ifname: String,
    transport: Transport,
}

impl Study {
    /// All permutations, in the order of the lists.
    ///
    /// # Errors
    /// More than [`MAX_PERMUTATIONS`].
    pub fn points(&self) -> Result<Vec<Point>> {
        let places = self.places();
        let lengths = [
            places.len(),
            self.client_nodes.len(),
            self.clients_per_node.len(),
            self.db_cpus.len(),
            self.cpu_bind.len(),
            self.store.len(),
            self.io_threads.len(),
            self.keys.len(),
            self.repeats as usize,
        ];
        let count = lengths.iter().fold(1usize, |product, length| product.saturating_mul(*length));
        ensure!(
            count <= MAX_PERMUTATIONS,
            "the axes make {count} permutations, more than {MAX_PERMUTATIONS}: shorten a list or split the study"
        );
        let mut points = Vec::with_capacity(count);
        for place in &places {
            for (client_nodes, clients_per_node, db_cpus) in
                triples(&self.client_nodes, &self.clients_per_node, &self.db_cpus)
            {
                for (cpu_bind, store, io_threads, keys) in self.settings() {
                    for repeat in 1..=self.repeats {
                        let place = place.clone();
                        points.push(Point::new(Job {
                            deployment: place.deployment,
                            client_nodes,
                            clients_per_node,
                            db_nodes: place.db_nodes,
                            db_cpus,
                            cpu_bind,
                            net_ifname: place.net_ifname,
                            transport: place.transport,
                            store,
                            io_threads,
                            keys,
                            repeat,
                        }));
                    }
                }
            }
        }
        Ok(points)
    }

    /// What each launch of the client goes through.
    pub fn sweep(&self) -> Sweep {
        Sweep {
            wire: self.wire,
            tensor_bytes: self.tensor_bytes.clone(),
            iterations: self.iterations,
            warmup: self.warmup,
            barrier: self.barrier,
            verify: self.verify,
        }
    }

    fn places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        for deployment in self.deployment.iter().copied() {
            match deployment {
                Deployment::Standard => {
                    for (db_nodes, net_ifname) in pairs(&self.db_nodes, &self.net_ifname) {
                        let transport = Transport::Tcp;
                        places.push(Place { deployment, db_nodes: Some(db_nodes), net_ifname, transport });
                    }
                }
                Deployment::Colocated => {
                    for transport in self.transport.iter().copied() {
                        // a socket has no interface: `lo` stands for "does not leave the node"
                        let lo = ["lo".to_owned()];
                        let interfaces = if transport == Transport::Uds { &lo[..] } else { &self.colocated_ifname };
                        for net_ifname in interfaces.iter().cloned() {
                            places.push(Place { deployment, db_nodes: None, net_ifname, transport });
                        }
                    }
                }
            }
        }
        places
    }

    fn settings(&self) -> Vec<(CpuBind, Store, u32, KeyPlacement)> {
        let mut settings = Vec::new();
        for (cpu_bind, store, io_threads) in triples(&self.cpu_bind, &self.store, &self.io_threads) {
            settings.extend(self.keys.iter().map(|keys| (cpu_bind, store, io_threads, *keys)));
        }
        settings
    }
}

impl Point {
    fn new(job: Job) -> Point {
        Point { name: super::name(&job), job }
    }
}

fn pairs<A: Clone, B: Clone>(first: &[A], second: &[B]) -> Vec<(A, B)> {
    first.iter().flat_map(|a| second.iter().map(|b| (a.clone(), b.clone()))).collect()
}

fn triples<A: Clone, B: Clone, C: Clone>(first: &[A], second: &[B], third: &[C]) -> Vec<(A, B, C)> {
    pairs(first, &pairs(second, third)).into_iter().map(|(a, (b, c))| (a, b, c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::Axes;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn both(client_nodes: Vec<u32>, db_nodes: Vec<u32>) -> Study {
        let axes = Axes {
            deployment: Some(Deployment::ALL.to_vec()),
            transport: Some(Transport::ALL.to_vec()),
            client_nodes: Some(client_nodes),
            db_nodes: Some(db_nodes),
            ..Axes::default()
        };
        axes.resolve().unwrap()
    }

    #[test]
    fn colocated_runs_do_not_multiply_with_db_nodes() {
        // standard: 2 client nodes x 3 DB nodes; colocated: 2 client nodes x (tcp, uds)
        assert_eq!(both(vec![4, 8], vec![1, 2, 3]).points().unwrap().len(), 6 + 4);
    }

    #[test]
    fn too_many_permutations_are_refused_with_their_number() {
        let mut study = both((1..=1000).collect(), vec![1]);
        study.repeats = 1000;
        assert!(study.points().unwrap_err().to_string().contains("3000000 permutations"));
    }

    proptest! {
        #[test]
        fn names_are_unique_and_adding_a_value_renames_none(
            nodes in prop::collection::hash_set(1u32..2000, 1..5),
            shards in prop::collection::hash_set(1u32..64, 1..4),
            extra in 2000u32..3000,
        ) {
            let nodes: Vec<u32> = nodes.into_iter().collect();
            let shards: Vec<u32> = shards.into_iter().collect();
            let names = |nodes: Vec<u32>| -> HashSet<String> {
                both(nodes, shards.clone()).points().unwrap().into_iter().map(|point| point.name).collect()
            };
            let before = names(nodes.clone());
            prop_assert_eq!(before.len(), nodes.len() * (shards.len() + 2));
            let more = [nodes, vec![extra]].concat();
            prop_assert!(before.is_subset(&names(more)));
        }
    }
}
