//! From findings to what a site file says: kinds of nodes, queue rows, a first study.

use super::Findings;
use super::launcher::Launcher;
use super::topology::Topology;
use crate::scheduler::surveyed::{Kind, plain};
use crate::site::{Status, Walltime};

/// A site file before it is text.
#[derive(Debug)]
pub struct Draft<'a> {
    pub findings: &'a Findings,
    pub name: String,
    pub launcher: &'static str,
    pub cpu_bind: &'static [&'static str],
    pub nodes: Vec<Node>,
    pub study: Study,
}

/// A kind of node, with what is known from this machine.
#[derive(Debug, Clone)]
pub struct Node {
    pub kind: Kind,
    /// This machine's inner order, where this machine is of that kind, and how sure that is.
    pub inside: Option<(Topology, Status)>,
    /// This runs in a job on a node of that kind.
    pub here: bool,
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
        let surveyed = findings.scheduler.as_ref();
        let cluster = surveyed.and_then(|surveyed| surveyed.cluster.as_deref());
        let own = surveyed.and_then(|surveyed| surveyed.launcher);
        let kinds = surveyed.map_or_else(|| vec![Kind::named("compute")], |surveyed| surveyed.kinds.clone());
        let nodes: Vec<Node> = kinds.into_iter().map(|kind| Node::new(kind, findings)).collect();
        let cores_known = surveyed.is_some() && nodes[0].kind.cores.is_some();
        let mut draft = Draft {
            findings,
            name: plain(name.or(cluster).unwrap_or(&findings.host)),
            launcher: own.or(findings.launcher.map(Launcher::template)).unwrap_or("openmpi"),
            cpu_bind: surveyed.filter(|_| cores_known).map_or(&["none"], |surveyed| surveyed.cpu_bind),
            nodes,
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
        draft.choose_study();
        draft
    }

    /// A study that the first row and the first kind of node admit.
    fn choose_study(&mut self) {
        let study = &mut self.study;
        let names: Vec<&str> = self.findings.interfaces.iter().map(|found| found.name.as_str()).collect();
        let fast = ["hsn", "ib", "ipogif"].iter().find_map(|prefix| names.iter().find(|name| name.starts_with(prefix)));
        study.interface = fast.or(names.first()).map(|name| (*name).to_owned());
        let Some(row) = self.findings.scheduler.as_ref().and_then(|surveyed| surveyed.rows.first()) else { return };
        let most = row.max_nodes.unwrap_or(16);
        study.standard = most >= row.min_nodes + 3 && study.interface.is_some();
        let room = if study.standard { most - 3 } else { most };
        study.client_nodes =
            [1, 2, 4].map(|times| times * row.min_nodes).into_iter().filter(|nodes| *nodes <= room).collect();
        if let Some(cores) = self.nodes[0].kind.cores {
            study.clients_per_node = (cores / 2).max(1);
            study.db_cpus = (cores / 8).max(1);
            study.bind = if self.cpu_bind.contains(&"mask") && cores >= 2 { "mask" } else { "none" };
        }
        let longest = row.max_walltime.unwrap_or(study.walltime);
        study.walltime = study.walltime.min(longest).max(row.min_walltime.unwrap_or(Walltime { seconds: 1 }));
    }
}

impl Node {
    /// What the scheduler does not say of a kind is as here where this machine is like it.
    fn new(mut kind: Kind, findings: &Findings) -> Node {
        let alike = |found: &&Topology| {
            let is = |said: Option<u32>, here: u32| said.is_none_or(|said| said == here);
            is(kind.sockets, found.sockets)
                && is(kind.cores, found.cores)
                && is(kind.threads_per_core, found.threads_per_core)
                && kind.ncpus.is_none_or(|ncpus| [found.cores, found.cores * found.threads_per_core].contains(&ncpus))
                && (kind.cores.is_some() || kind.ncpus.is_some())
        };
        let here = findings.in_job && kind.own;
        // certain where this is one of them, likely where it has as many cores
        let status = if here { Status::Verified } else { Status::Inferred };
        let inside = findings.topology.as_ref().filter(alike).map(|found| (found.clone(), status));
        if let Some((found, _)) = &inside {
            kind.sockets = Some(found.sockets);
            kind.cores = Some(found.cores);
            kind.threads_per_core = Some(found.threads_per_core);
        }
        Node { kind, inside, here }
    }
}
