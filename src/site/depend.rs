//! Which values of a site a job depends on, so that guesses among them are said.

use anyhow::{Result, bail};

use super::{Node, Queue, Site, Status};
use crate::record::manifest::Job;
use crate::record::vocabulary::{BindKind, Deployment, Distribution};

impl Site {
    /// The kind of node of that name.
    ///
    /// # Errors
    /// There is none: the message lists those there are.
    fn node_type(&self, name: &str) -> Result<&Node> {
        let Some(node) = self.nodes.iter().find(|node| node.name == name) else {
            let names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
            bail!("site {} has no nodes of type {name:?}; it has: {}", self.name, names.join(", "));
        };
        Ok(node)
    }

    /// The kinds of nodes of a job: the clients' first, and each once.
    ///
    /// # Errors
    /// See [`Site::node_type`].
    pub fn node_types_of(&self, job: &Job) -> Result<Vec<&Node>> {
        let named = |name: &Option<String>, usual| name.as_deref().map_or(Ok(usual), |name| self.node_type(name));
        let client = named(&job.client_node_type, &self.nodes[0])?;
        let db = if job.deployment == Deployment::Standard { named(&job.db_node_type, client)? } else { client };
        Ok(if client.name == db.name { vec![client] } else { vec![client, db] })
    }

    /// Keys of the values that a job's script depends on, for [`Site::warnings`].
    ///
    /// # Errors
    /// See [`Site::node_type`].
    pub fn keys_of(&self, job: &Job, queue: Option<&Queue>) -> Result<Vec<String>> {
        const ALWAYS: [&str; 9] = [
            "scheduler.kind",
            "scheduler.select_ncpus",
            "scheduler.select_suffix",
            "launch.launcher",
            "launch.client_args",
            "launch.server_args",
            "directives.always",
            "environment",
            "scratch.node_local",
        ];
        let mut keys: Vec<String> = ALWAYS.iter().map(|key| (*key).to_owned()).collect();
        if let Some(queue) = queue {
            let values = ["submit_as", "min_nodes", "max_nodes", "min_walltime", "max_walltime", "charge_factor"];
            keys.extend(values.iter().map(|value| format!("queue.{}.{value}", queue.name)));
        }
        for node in self.node_types_of(job)? {
            keys.extend(node_keys(node, job).into_iter().map(|value| format!("node.{}.{value}", node.name)));
        }
        keys.extend(self.charge.iter().map(|_| "charge.per_node_hour".to_owned()));
        Ok(keys)
    }

    /// Why the site file lacks what this job needs, or `None`; the message says what to ask.
    ///
    /// # Errors
    /// See [`Site::node_type`].
    pub fn lacks(&self, job: &Job) -> Result<Option<String>> {
        for node in self.node_types_of(job)? {
            let places = job.cpu_bind.kind() != BindKind::None;
            let spreads = places && job.distribution == Distribution::Spread;
            let absent = [("cores", places && node.cores.is_none()), ("l3", spreads && node.l3.is_empty())];
            for (value, _) in absent.iter().filter(|(_, absent)| *absent) {
                if let Some(reason) = self.refusal(&format!("node.{}.{value}", node.name)) {
                    return Ok(Some(format!("{reason} (needed for --cpu-bind {})", job.cpu_bind)));
                }
            }
        }
        Ok(None)
    }

    /// Refuses an interface that `node` does not have. Where the site file is not sure of its list, the user's word
    /// counts, and [`Site::warnings`] has a line for it.
    ///
    /// # Errors
    /// An unknown interface beside a list that is sure, or the loopback between nodes.
    pub fn check_interface(&self, node: &Node, name: &str, between_nodes: bool) -> Result<()> {
        let list = format!("node.{}.interface", node.name);
        let names: Vec<&str> = node.interfaces.iter().map(|interface| interface.name.as_str()).collect();
        let known = if names.is_empty() { "none that the site file knows".to_owned() } else { names.join(", ") };
        if name == "lo" {
            if !between_nodes {
                return Ok(());
            }
            if let Some(reason) = self.refusal(&list).filter(|_| names.is_empty()) {
                bail!("the database needs an interface that reaches other nodes, and {reason}; give --net-ifname");
            }
            bail!("the loopback interface lo does not reach the shards on other nodes; {} has: {known}", self.name);
        }
        let sure = self.fact(&list).is_none_or(|fact| !matches!(fact.status, Status::Unverified | Status::Missing));
        if sure && !names.contains(&name) {
            bail!("nodes of {} have no interface {name:?}; they have: {known}", self.name);
        }
        Ok(())
    }
}

/// Values of a kind of node that a job depends on.
fn node_keys(node: &Node, job: &Job) -> Vec<String> {
    let mut keys: Vec<String> = ["cores", "constraint"].map(str::to_owned).into();
    let (db, ranks) = job.cpu_bind.pins();
    if db || ranks {
        keys.extend(["threads_per_core", "numbering", "reserved_cores", "numa"].map(str::to_owned));
        keys.extend((!node.l3.is_empty()).then(|| "l3".to_owned()));
    }
    if job.net_ifname != "lo" && !node.single {
        keys.extend(job.interfaces().map(|name| format!("interface.{name}")));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::manifest::example;
    use crate::site::{Fact, load};

    fn unsure(status: Status) -> Site {
        let mut site = load("frontier", None).unwrap();
        let fact = Fact { status, source: None, note: None, ask: Some("run ip -br addr".into()) };
        site.facts.insert("node.compute.interface".into(), fact);
        site
    }

    #[test]
    fn a_users_interface_counts_where_the_list_is_a_guess() {
        let job = example().job;
        let other = crate::record::manifest::Job { net_ifname: "ib0".into(), ..job };
        let sure = load("frontier", None).unwrap();
        let error = sure.check_interface(&sure.nodes[0], "ib0", true).unwrap_err().to_string();
        assert!(error.contains("no interface \"ib0\"; they have: hsn0, hsn1"), "{error}");
        let unsure = unsure(Status::Unverified);
        unsure.check_interface(&unsure.nodes[0], "ib0", true).unwrap();
        let keys = unsure.keys_of(&other, None).unwrap();
        let warnings = unsure.warnings(keys.iter().map(String::as_str));
        assert_eq!(
            warnings,
            ["site frontier: node.compute.interface (ib0) is unverified; to be sure: run ip -br addr"]
        );
    }

    #[test]
    fn a_list_that_is_missing_is_asked_for() {
        let mut site = unsure(Status::Missing);
        site.nodes[0].interfaces.clear();
        let error = site.check_interface(&site.nodes[0], "lo", true).unwrap_err().to_string();
        assert!(
            error.contains("does not know node.compute.interface; to be sure: run ip")
                && error.contains("--net-ifname")
        );
        site.check_interface(&site.nodes[0], "ib0", true).unwrap();
        site.check_interface(&site.nodes[0], "lo", false).unwrap();
    }

    #[test]
    fn an_unknown_kind_of_node_lists_the_known_ones() {
        let site = load("frontier", None).unwrap();
        let error = site.node_type("gpu").unwrap_err().to_string();
        assert_eq!(error, "site frontier has no nodes of type \"gpu\"; it has: compute");
    }
}
