//! From axes to permutations: lists multiply, in the order in which the axes stand in a name.

use std::collections::HashSet;

use anyhow::{Result, ensure};

use super::Study;
use crate::record::binding::CpuBind;
use crate::record::manifest::{Job, Sweep};
use crate::record::vocabulary::{DbFrom, Deployment, Distribution, KeyPlacement, Store, Transport};

/// More than a person meant: a slip of the keyboard, not a study.
pub const MAX_PERMUTATIONS: usize = 100_000;

/// One permutation before a site has been asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub name: String,
    pub job: Job,
}

/// One axis of a study: how many values it has, and how one of them gets into a job.
struct Axis<'a> {
    values: usize,
    set: Setter<'a>,
}

/// Puts the value of that index into a job.
type Setter<'a> = Box<dyn Fn(&mut Job, usize) + 'a>;

/// The axis `$field` of the study, which sets the field of the same name in a job.
macro_rules! axis {
    ($study:ident.$list:ident) => {
        axis!($study.$list => $list)
    };
    ($study:ident.$list:ident => $field:ident) => {
        Axis { values: $study.$list.len(), set: Box::new(|job, index| job.$field = $study.$list[index].clone()) }
    };
}

impl Study {
    /// All permutations, in the order of the lists.
    ///
    /// # Errors
    /// More than [`MAX_PERMUTATIONS`].
    pub fn points(&self) -> Result<Vec<Point>> {
        let axes: Vec<_> = self.deployment.iter().map(|deployment| (*deployment, self.axes(*deployment))).collect();
        let all = axes.iter().fold(0usize, |sum, (_, axes)| sum.saturating_add(count(axes)));
        ensure!(
            all <= MAX_PERMUTATIONS,
            "the axes make {all} permutations, more than {MAX_PERMUTATIONS}: shorten a list or split the study"
        );
        let mut points = Vec::new();
        let mut known = HashSet::new();
        for (deployment, axes) in &axes {
            for number in 0..count(axes) {
                let point = Point::new(job(*deployment, axes, number));
                if known.insert(point.name.clone()) {
                    points.push(point);
                }
            }
        }
        Ok(points)
    }

    /// The axes of a deployment; the last varies fastest.
    fn axes(&self, deployment: Deployment) -> Vec<Axis<'_>> {
        let mut axes = match deployment {
            Deployment::Standard => vec![
                Axis {
                    values: self.db_nodes.len(),
                    set: Box::new(|job, index| job.db_nodes = Some(self.db_nodes[index])),
                },
                axis!(self.net_ifname),
            ],
            Deployment::Colocated => vec![
                axis!(self.transport),
                // a socket has no interface: `lo` stands for "does not leave the node"
                Axis {
                    values: self.colocated_ifname.len(),
                    set: Box::new(|job, index| {
                        if job.transport != Transport::Uds {
                            job.net_ifname = self.colocated_ifname[index].clone();
                        }
                    }),
                },
            ],
        };
        axes.extend([
            axis!(self.client_nodes),
            axis!(self.clients_per_node),
            axis!(self.client_cpus),
            axis!(self.db_cpus),
            axis!(self.cpu_bind),
            axis!(self.distribution),
            axis!(self.store),
            axis!(self.io_threads),
            axis!(self.keys),
            Axis { values: self.repeats as usize, set: Box::new(|job, index| job.repeat = index as u32 + 1) },
        ]);
        axes
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
}

/// How many jobs the product of `axes` has.
fn count(axes: &[Axis<'_>]) -> usize {
    axes.iter().fold(1, |product, axis| product.saturating_mul(axis.values))
}

/// Job `number` of the product of `axes`.
fn job(deployment: Deployment, axes: &[Axis<'_>], number: usize) -> Job {
    let mut job = Job {
        deployment,
        client_nodes: 1,
        clients_per_node: 1,
        client_cpus: 1,
        db_nodes: None,
        db_cpus: 1,
        cpu_bind: CpuBind::None,
        distribution: Distribution::Packed,
        net_ifname: "lo".to_owned(),
        transport: Transport::Tcp,
        store: Store::Redis,
        io_threads: 1,
        keys: KeyPlacement::Hash,
        repeat: 1,
        db_from: DbFrom::Allocation,
        client_node_type: None,
        db_node_type: None,
    };
    let mut below = count(axes);
    for axis in axes {
        below /= axis.values;
        (axis.set)(&mut job, number / below % axis.values);
    }
    job
}

impl Point {
    fn new(job: Job) -> Point {
        Point { name: super::name(&job), job }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::Axes;
    use proptest::prelude::*;

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
