//! From findings to what a site file says: kinds of nodes, queue rows, a first study.

use super::topology::Topology;
use super::{Findings, slurm::NodeGroup};
use crate::site::{Scope, Status, Walltime};

/// A site file before it is text.
#[derive(Debug)]
pub struct Draft<'a> {
    pub findings: &'a Findings,
    pub name: String,
    pub scheduler: &'static str,
    pub version: Option<String>,
    pub launcher: &'static str,
    pub cpu_bind: &'static [&'static str],
    pub nodes: Vec<Kind>,
    pub queues: Vec<Row>,
    pub study: Study,
}

/// A kind of node.
#[derive(Debug, Clone)]
pub struct Kind {
    pub name: String,
    /// `None`: the scheduler does not say.
    pub count: Option<u32>,
    pub sockets: Option<u32>,
    pub cores: Option<u32>,
    pub threads_per_core: Option<u32>,
    pub memory_gib: Option<u64>,
    pub constraint: Option<String>,
    pub ncpus: Option<u32>,
    /// This machine's inner order, where this machine is of that kind, and how sure that is.
    pub inside: Option<(Topology, Status)>,
    /// This runs in a job on a node of that kind.
    pub here: bool,
    features: Vec<String>,
}

/// A queue row.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: String,
    pub submit_as: String,
    pub min_nodes: u32,
    pub max_nodes: Option<u32>,
    pub min_walltime: Option<Walltime>,
    pub max_walltime: Option<Walltime>,
    pub node_types: Vec<String>,
    pub on_request: bool,
    /// (what counts, for whom, how many).
    pub limits: Vec<(&'static str, Scope, u32)>,
}

/// Axes that fit the first row and kind of node.
#[derive(Debug, Clone)]
pub struct Study {
    pub client_nodes: Vec<u32>,
    pub clients_per_node: u32,
    pub db_cpus: u32,
    pub standard: bool,
    pub bind: &'static str,
    pub interface: Option<String>,
    pub walltime: Walltime,
}

impl<'a> Draft<'a> {
    pub fn new(name: Option<&str>, findings: &'a Findings) -> Draft<'a> {
        let cluster = findings.slurm.as_ref().and_then(|slurm| slurm.cluster.clone());
        let name = name.map_or_else(|| plain(cluster.as_deref().unwrap_or(&findings.host)), plain);
        let launcher = findings.launcher.map_or("openmpi", super::ask::Launcher::template);
        let mut draft = Draft {
            findings,
            name,
            scheduler: "none",
            version: None,
            launcher,
            cpu_bind: &["none"],
            nodes: Vec::new(),
            queues: Vec::new(),
            study: Study {
                client_nodes: vec![1],
                clients_per_node: 2,
                db_cpus: 1,
                standard: true,
                bind: "none",
                interface: None,
                walltime: Walltime { seconds: 1800 },
            },
        };
        if findings.slurm.is_some() {
            draft.slurm();
        } else if findings.pbs.is_some() {
            draft.pbs();
        } else {
            draft.nodes.push(Kind::named("compute"));
        }
        draft.choose_study();
        draft
    }

    fn slurm(&mut self) {
        let Some(slurm) = &self.findings.slurm else { return };
        self.scheduler = "slurm";
        self.version.clone_from(&slurm.version);
        self.launcher = "srun";
        if slurm.binds {
            self.cpu_bind = &["none", "scheduler", "mask"];
        }
        self.nodes = kinds_of(&slurm.all_nodes);
        let only = self.nodes.len() == 1;
        for kind in &mut self.nodes {
            let own = only || slurm.here.as_ref().is_some_and(|group| kind.is_of(group));
            kind.here = self.findings.in_job && own;
            kind.inside = inside(self.findings, kind.here, |found| {
                Some(found.sockets) == kind.sockets
                    && Some(found.cores) == kind.cores
                    && Some(found.threads_per_core) == kind.threads_per_core
            });
        }
        let has_default = slurm.partitions.iter().any(|partition| partition.default);
        let several = self.nodes.len() > 1;
        for partition in &slurm.partitions {
            let here: Vec<&NodeGroup> = slurm.nodes.iter().filter(|group| group.partition == partition.name).collect();
            let is_here = |kind: &&Kind| here.iter().any(|group| kind.is_of(group));
            let node_types =
                self.nodes.iter().filter(is_here).map(|kind| kind.name.clone()).filter(|_| several).collect();
            self.queues.push(Row {
                name: plain(&partition.name),
                submit_as: format!("--partition={}", partition.name),
                min_nodes: partition.min_nodes.min(partition.max_nodes),
                max_nodes: Some(partition.max_nodes),
                min_walltime: None,
                max_walltime: partition.max_walltime,
                node_types,
                on_request: has_default && !partition.default,
                limits: Vec::new(),
            });
        }
        self.queues.sort_by_key(|row| row.on_request);
    }

    fn pbs(&mut self) {
        let Some(pbs) = &self.findings.pbs else { return };
        self.scheduler = "pbs";
        self.version.clone_from(&pbs.version);
        for (i, nodes) in pbs.nodes.iter().enumerate() {
            let own = pbs.nodes.len() == 1 || pbs.here.as_ref().is_some_and(|own| own.is_like(nodes));
            let here = self.findings.in_job && own;
            let inside = inside(self.findings, here, |found| {
                [found.cores, found.cores * found.threads_per_core].contains(&nodes.ncpus)
            });
            let found = inside.as_ref().map(|(found, _)| found);
            self.nodes.push(Kind {
                count: Some(nodes.count),
                sockets: found.map(|found| found.sockets),
                cores: found.map(|found| found.cores),
                threads_per_core: found.map(|found| found.threads_per_core),
                memory_gib: (nodes.memory_gib > 0).then_some(nodes.memory_gib),
                ncpus: Some(nodes.ncpus),
                inside,
                here,
                ..Kind::named(&if i == 0 {
                    "compute".to_owned()
                } else {
                    format!("n{}-{}g", nodes.ncpus, nodes.memory_gib)
                })
            });
        }
        if self.nodes.is_empty() {
            self.nodes.push(Kind::named("compute"));
        }
        if self.nodes[0].cores.is_some() {
            self.cpu_bind = &["none", "mask"];
        }
        let total: u32 = self.nodes.iter().filter_map(|kind| kind.count).sum();
        for queue in pbs.queues.iter().filter(|queue| !queue.from_route_only) {
            let targets: Vec<_> =
                pbs.queues.iter().filter(|target| queue.destinations.contains(&target.name)).collect();
            let rows = if targets.is_empty() { vec![queue] } else { targets };
            for target in rows {
                let name = if target.name == queue.name {
                    plain(&queue.name)
                } else {
                    plain(&format!("{}-{}", queue.name, target.name))
                };
                let limit = |counts, limit: Option<(Scope, u32)>| limit.map(|(scope, most)| (counts, scope, most));
                let max_nodes = target.max_nodes.map(|most| if total > 0 { most.min(total) } else { most });
                self.queues.push(Row {
                    name,
                    submit_as: format!("-q {}", queue.name),
                    min_nodes: target.min_nodes.unwrap_or(1).max(1),
                    max_nodes: max_nodes.map(|most| most.max(target.min_nodes.unwrap_or(1))),
                    min_walltime: target.min_walltime,
                    max_walltime: target.max_walltime,
                    node_types: Vec::new(),
                    on_request: false,
                    limits: [limit("running", target.max_run), limit("queued", target.max_queued)]
                        .into_iter()
                        .flatten()
                        .collect(),
                });
            }
        }
    }

    /// A study that the first row and the first kind of node admit.
    fn choose_study(&mut self) {
        let study = &mut self.study;
        let names: Vec<&str> = self.findings.interfaces.iter().map(|found| found.name.as_str()).collect();
        let fast = ["hsn", "ib", "ipogif"].iter().find_map(|prefix| names.iter().find(|name| name.starts_with(prefix)));
        study.interface = fast.or(names.first()).map(|name| (*name).to_owned());
        let Some(row) = self.queues.first() else { return };
        let most = row.max_nodes.unwrap_or(16);
        study.standard = most >= row.min_nodes + 3 && study.interface.is_some();
        let room = if study.standard { most - 3 } else { most };
        study.client_nodes =
            [1, 2, 4].map(|times| times * row.min_nodes).into_iter().filter(|nodes| *nodes <= room).collect();
        if let Some(cores) = self.nodes[0].cores {
            study.clients_per_node = (cores / 2).max(1);
            study.db_cpus = (cores / 8).max(1);
            study.bind = if self.cpu_bind.contains(&"mask") && cores >= 2 { "mask" } else { "none" };
        }
        let longest = row.max_walltime.unwrap_or(study.walltime);
        study.walltime = study.walltime.min(longest).max(row.min_walltime.unwrap_or(Walltime { seconds: 1 }));
    }
}

impl Kind {
    fn named(name: &str) -> Kind {
        Kind {
            name: name.to_owned(),
            count: None,
            sockets: None,
            cores: None,
            threads_per_core: None,
            memory_gib: None,
            constraint: None,
            ncpus: None,
            inside: None,
            here: false,
            features: Vec::new(),
        }
    }

    fn is_of(&self, group: &NodeGroup) -> bool {
        (self.sockets, self.cores, self.threads_per_core, self.memory_gib)
            == (
                Some(group.sockets),
                Some(group.sockets * group.cores_per_socket),
                Some(group.threads_per_core),
                Some((group.memory_mib / 1024).max(1)),
            )
    }
}

/// Groups of sinfo that differ in features alone are one kind; the most numerous comes first.
fn kinds_of(groups: &[NodeGroup]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for group in groups {
        if let Some(kind) = kinds.iter_mut().find(|kind| kind.is_of(group)) {
            kind.count = kind.count.map(|count| count + group.count);
            kind.features.retain(|feature| group.features.contains(feature));
            continue;
        }
        kinds.push(Kind {
            count: Some(group.count),
            sockets: Some(group.sockets),
            cores: Some(group.sockets * group.cores_per_socket),
            threads_per_core: Some(group.threads_per_core),
            memory_gib: Some((group.memory_mib / 1024).max(1)),
            features: group.features.clone(),
            ..Kind::named("")
        });
    }
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
    let features: Vec<Vec<String>> = kinds.iter().map(|kind| kind.features.clone()).collect();
    for (i, kind) in kinds.iter_mut().enumerate() {
        let others = features.iter().enumerate().filter(|(other, _)| *other != i).map(|(_, features)| features);
        let own =
            |feature: &&String| others.clone().all(|other| !other.contains(feature)) && plain(feature) == **feature;
        kind.constraint = kind.features.iter().find(own).filter(|_| features.len() > 1).cloned();
        kind.name = match (&kind.constraint, features.len()) {
            (_, 1) => "compute".to_owned(),
            (Some(feature), _) => feature.clone(),
            (None, _) => format!("c{}-{}g", kind.cores.unwrap_or(0), kind.memory_gib.unwrap_or(0)),
        };
    }
    // two kinds may differ in sockets or threads alone
    for i in 1..kinds.len() {
        if kinds[..i].iter().any(|kind| kind.name == kinds[i].name) {
            kinds[i].name = format!("{}-{}", kinds[i].name, i + 1);
        }
    }
    kinds
}

/// This machine's inner order if it is like the nodes: certain where it is one of them, likely where it has as many cores.
fn inside(findings: &Findings, here: bool, alike: impl Fn(&Topology) -> bool) -> Option<(Topology, Status)> {
    let found = findings.topology.as_ref().filter(|found| alike(found))?;
    Some((found.clone(), if here { Status::Verified } else { Status::Inferred }))
}

/// A name with the characters that names in a site file may have.
fn plain(name: &str) -> String {
    let text: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' }).collect();
    let text = text.trim_start_matches('-');
    if text.is_empty() { "mysite".to_owned() } else { text.to_owned() }
}
