//! From axes to permutations: lists multiply, in the order in which the axes stand in a name; rules pair, cut and add.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};

use super::Study;
use super::rules::Rules;
use crate::record::manifest::{Job, Sweep};
use crate::record::vocabulary::{Deployment, Transport, WorkloadKind};

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
    key: &'static str,
    values: usize,
    set: Setter<'a>,
}

/// Puts the value of that index into a job.
type Setter<'a> = Box<dyn Fn(&mut Job, usize) + 'a>;

/// Axes that vary together: one axis, or several that `zip` pairs.
struct Dimension<'a> {
    values: usize,
    axes: Vec<Axis<'a>>,
}

/// The axis `$list` of the study, which sets the field of the same name in a job, or in a part of it.
macro_rules! axis {
    ($study:ident.$list:ident => $part:ident) => {
        Axis {
            key: stringify!($list),
            values: $study.$list.len(),
            set: Box::new(|job, index| job.$part.$list = $study.$list[index].clone()),
        }
    };
    ($study:ident.$list:ident) => {
        Axis {
            key: stringify!($list),
            values: $study.$list.len(),
            set: Box::new(|job, index| job.$list = $study.$list[index].clone()),
        }
    };
}

/// The axis `$list` of the study, which sets the field of the same name in how a job uses files.
macro_rules! file_axis {
    ($study:ident.$list:ident) => {
        Axis {
            key: stringify!($list),
            values: $study.$list.len(),
            set: Box::new(|job, index| job.files.get_or_insert_default().$list = $study.$list[index]),
        }
    };
}

/// The axis `$list` of the study, which sets the field of the same name in an inference.
macro_rules! model_axis {
    ($study:ident.$list:ident) => {
        Axis {
            key: stringify!($list),
            values: $study.$list.len(),
            set: Box::new(|job, index| {
                job.workload.inference.get_or_insert_default().$list = $study.$list[index].clone();
            }),
        }
    };
}

/// The axis `$list` of the study, which sets the field of the same name in the roles of an aggregation.
macro_rules! role_axis {
    ($study:ident.$list:ident) => {
        Axis {
            key: stringify!($list),
            values: $study.$list.len(),
            set: Box::new(|job, index| job.workload.aggregation.get_or_insert_default().$list = $study.$list[index]),
        }
    };
}

impl Study {
    /// All permutations, in the order of the lists; what `rules` include comes last. No name stands in it twice.
    ///
    /// # Errors
    /// More than [`MAX_PERMUTATIONS`], or rules that do not fit the axes.
    pub fn points(&self, rules: &Rules) -> Result<Vec<Point>> {
        rules.check()?;
        let mut points = Points::default();
        let filter = rules.filter(self)?;
        filter.study.expand(&rules.zip, &mut points, |job, own| filter.keeps(job, own))?;
        for (index, include) in rules.include.iter().enumerate() {
            let what = || format!("include {} of the study", index + 1);
            let study = include.clone().or(self.to_axes()).resolve().with_context(what)?;
            study.expand(&rules.zip, &mut points, |_, _| true).with_context(what)?;
        }
        Ok(points.list)
    }

    fn expand(&self, zip: &[Vec<String>], points: &mut Points, keep: impl Fn(&Job, &Job) -> bool) -> Result<()> {
        for deployment in self.deployment.iter().copied() {
            let dimensions = zipped(self.axes(deployment), zip)?;
            let count = dimensions.iter().fold(1usize, |product, one| product.saturating_mul(one.values));
            let all = count.saturating_add(points.list.len());
            ensure!(
                all <= MAX_PERMUTATIONS,
                "the axes make {all} permutations or more, above {MAX_PERMUTATIONS}: shorten a list or split the study"
            );
            for number in 0..count {
                let job = job(deployment, &dimensions, number);
                let own = job.clone().without_idle_axes();
                if keep(&job, &own) {
                    points.add(own);
                }
            }
        }
        Ok(())
    }

    /// The axes of a deployment; the last varies fastest.
    fn axes(&self, deployment: Deployment) -> Vec<Axis<'_>> {
        // as a socket in a list is for the colocated runs alone
        let is_possible = |kind: &WorkloadKind| deployment == Deployment::Standard || kind.can_be_colocated();
        let workloads: Vec<WorkloadKind> = self.workload.iter().copied().filter(is_possible).collect();
        let mut axes = match deployment {
            Deployment::Standard => vec![
                Axis {
                    key: "db_nodes",
                    values: self.db_nodes.len(),
                    set: Box::new(|job, index| job.db_nodes = Some(self.db_nodes[index])),
                },
                Axis {
                    key: "shards_per_node",
                    values: self.shards_per_node.len(),
                    set: Box::new(|job, index| job.servers_per_node = self.shards_per_node[index]),
                },
                axis!(self.net_ifname),
            ],
            Deployment::Colocated => vec![
                axis!(self.servers_per_node),
                axis!(self.transport),
                // a socket has no interface: `lo` stands for "does not leave the node"
                Axis {
                    key: "colocated_ifname",
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
            axis!(self.malloc_conf),
            axis!(self.maxmemory),
            file_axis!(self.durability),
            file_axis!(self.file_cache),
            file_axis!(self.fan_out),
            axis!(self.keys),
            Axis {
                key: "workload",
                values: workloads.len(),
                set: Box::new(move |job, index| job.workload.kind = workloads[index]),
            },
            role_axis!(self.consumers),
            role_axis!(self.consumer_nodes),
            role_axis!(self.consumer_threads),
            role_axis!(self.poll_interval),
            model_axis!(self.model),
            model_axis!(self.model_backend),
            model_axis!(self.model_input),
            model_axis!(self.model_output),
            model_axis!(self.script),
            model_axis!(self.function),
            model_axis!(self.device),
            model_axis!(self.devices),
            model_axis!(self.batch_size),
            model_axis!(self.queue_threads),
            axis!(self.dtype => workload),
            axis!(self.shape => workload),
            axis!(self.payload => workload),
            axis!(self.tensors => workload),
            axis!(self.mix => workload),
            axis!(self.access => workload),
            axis!(self.order => workload),
            axis!(self.pipeline => workload),
            axis!(self.rate => workload),
            axis!(self.compute => workload),
            Axis {
                key: "compute_kernel",
                values: self.compute_kernel.len(),
                // one that nobody computes would make two jobs of one measurement
                set: Box::new(|job, index| {
                    if job.workload.compute.is_on() {
                        job.workload.compute_kernel = self.compute_kernel[index];
                    }
                }),
            },
            Axis {
                key: "repeats",
                values: self.repeats as usize,
                set: Box::new(|job, index| job.repeat = index as u32 + 1),
            },
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

/// Permutations, each name once.
#[derive(Default)]
struct Points {
    list: Vec<Point>,
    known: HashSet<String>,
}

impl Points {
    fn add(&mut self, job: Job) {
        let name = super::name(&job);
        if self.known.insert(name.clone()) {
            self.list.push(Point { name, job });
        }
    }
}

/// Puts the axes that a group names into one dimension, at the place of the first of them.
fn zipped<'a>(axes: Vec<Axis<'a>>, groups: &[Vec<String>]) -> Result<Vec<Dimension<'a>>> {
    let group_of = |axis: &Axis<'_>| groups.iter().position(|group| group.iter().any(|key| key == axis.key));
    let mut dimensions: Vec<(Option<usize>, Dimension<'a>)> = Vec::with_capacity(axes.len());
    for axis in axes {
        let group = group_of(&axis);
        match dimensions.iter_mut().find(|(other, _)| group.is_some() && *other == group) {
            Some((_, dimension)) => {
                let first = &dimension.axes[0];
                ensure!(
                    axis.values == dimension.values,
                    "zip pairs {} with {}, but they have {} and {} values: lists that are paired must be of one length",
                    first.key,
                    axis.key,
                    dimension.values,
                    axis.values
                );
                dimension.axes.push(axis);
            }
            None => dimensions.push((group, Dimension { values: axis.values, axes: vec![axis] })),
        }
    }
    Ok(dimensions.into_iter().map(|(_, dimension)| dimension).collect())
}

/// Job `number` of the product of `dimensions`.
fn job(deployment: Deployment, dimensions: &[Dimension<'_>], number: usize) -> Job {
    let mut job = Job::usual(deployment);
    let mut below: usize = dimensions.iter().map(|dimension| dimension.values).product();
    for dimension in dimensions {
        below /= dimension.values;
        for axis in &dimension.axes {
            (axis.set)(&mut job, number / below % dimension.values);
        }
    }
    job
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

    fn names(study: &Study, rules: &str) -> Vec<String> {
        let rules: Rules = toml::from_str(rules).unwrap();
        study.points(&rules).unwrap().into_iter().map(|point| point.name).collect()
    }

    fn error(study: &Study, rules: &str) -> String {
        format!("{:#}", study.points(&toml::from_str(rules).unwrap()).unwrap_err())
    }

    #[test]
    fn colocated_runs_do_not_multiply_with_db_nodes() {
        // standard: 2 client nodes x 3 DB nodes; colocated: 2 client nodes x (tcp, uds)
        assert_eq!(names(&both(vec![4, 8], vec![1, 2, 3]), "").len(), 6 + 4);
    }

    #[test]
    fn a_socket_does_not_multiply_with_interfaces() {
        let study = Study { colocated_ifname: vec!["lo".into(), "hsn0".into()], ..both(vec![4], vec![1]) };
        let names = names(&study, "");
        assert_eq!(names.iter().filter(|name| name.contains("uds")).count(), 1, "{names:?}");
        assert_eq!(names.iter().filter(|name| name.starts_with("colocated") && name.contains("tcp")).count(), 2);
    }

    #[test]
    fn too_many_permutations_are_refused_with_their_number() {
        let mut study = both((1..=1000).collect(), vec![1]);
        study.repeats = 1000;
        assert!(error(&study, "").contains("1000000 permutations"), "{}", error(&study, ""));
    }

    #[test]
    fn zip_pairs_lists_of_one_length_and_refuses_others() {
        let study = both(vec![4, 8, 16], vec![1, 2, 4]);
        let paired = names(&study, "zip = [[\"client_nodes\", \"db_nodes\"]]");
        let standard: Vec<&String> = paired.iter().filter(|name| name.starts_with("standard")).collect();
        assert!(standard.len() == 3 && standard[2].contains("n16x1-db4x1"), "{standard:?}");
        assert_eq!(paired.len(), 3 + 6);
        let error = error(&both(vec![4, 8], vec![1]), "zip = [[\"client_nodes\", \"db_nodes\"]]");
        assert!(error.contains("db_nodes with client_nodes, but they have 1 and 2 values"), "{error}");
    }

    #[test]
    fn exclude_cuts_and_include_adds() {
        let study = both(vec![4, 8], vec![1, 2]);
        let cut = names(
            &study,
            "[[exclude]]\ndeployment = \"colocated\"\n[[exclude]]\nclient_nodes = 8\ndb_nodes = { min = 2 }",
        );
        assert_eq!(cut.len(), 3, "{cut:?}");
        let added = names(
            &study,
            "[[exclude]]\ndeployment = \"colocated\"\n[[include]]\ndeployment = [\"standard\"]\nclient_nodes = [64]\ndb_nodes = [16]",
        );
        assert_eq!(added.len(), 5);
        assert!(added[4].contains("n64x1-db16x1"), "{added:?}");
        assert!(
            error(&study, "[[exclude]]\nclient_node = 4").contains("exclude 1 names \"client_node\", which is no axis")
        );
    }

    #[test]
    fn when_gives_an_axis_other_values_where_its_condition_holds() {
        let study = both(vec![4], vec![1]);
        let names = names(
            &study,
            "[[when]]\nif = { deployment = \"colocated\", transport = \"tcp\" }\nthen = { db_cpus = [8, 16] }",
        );
        let with = |needle: &str| names.iter().filter(|name| name.contains(needle)).count();
        assert_eq!((with("db1x1"), with("db1-none-lo-uds"), with("db8-"), with("db16-")), (1, 1, 1, 1), "{names:?}");
        assert_eq!(names.len(), 4);
        let own = error(&study, "[[when]]\nif = { db_cpus = 1 }\nthen = { db_cpus = [2] }");
        assert!(own.contains("when 1"), "{own}");
        let zip = error(
            &study,
            "zip = [[\"db_cpus\", \"client_nodes\"]]\n[[when]]\nif = { deployment = \"standard\" }\nthen = { db_cpus = [2] }",
        );
        assert!(zip.contains("db_cpus") && zip.contains("zip"), "{zip}");
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
            let of = |nodes: Vec<u32>| -> HashSet<String> { names(&both(nodes, shards.clone()), "").into_iter().collect() };
            let before = of(nodes.clone());
            prop_assert_eq!(before.len(), nodes.len() * (shards.len() + 2));
            let more = [nodes, vec![extra]].concat();
            prop_assert!(before.is_subset(&of(more)));
        }
    }
}
