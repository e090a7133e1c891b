//! Whether a permutation fits its site: nodes, interfaces, binding, memory, and texts that schedulers can hold.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::plan::Plan;
use crate::placement::{self, Demand, Placement};
use crate::record::binding::CpuBind;
use crate::record::manifest::Job;
use crate::record::vocabulary::Deployment;
use crate::site::{Counts, Limit, Node, Site, Status};

/// The kind of node that runs the client, and the server too where it is colocated.
pub fn client_node<'a>(site: &'a Site, job: &Job) -> Result<&'a Node> {
    node_type(site, job.client_node_type.as_deref(), "--client-node-type")
}

/// The kind of node that runs the servers.
pub fn db_node<'a>(site: &'a Site, job: &Job) -> Result<&'a Node> {
    match (job.deployment, job.db_node_type.as_deref()) {
        (Deployment::Standard, Some(name)) => node_type(site, Some(name), "--db-node-type"),
        _ => client_node(site, job),
    }
}

fn node_type<'a>(site: &'a Site, name: Option<&str>, flag: &str) -> Result<&'a Node> {
    let Some(name) = name else { return Ok(&site.nodes[0]) };
    let known = || site.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = site.nodes.iter().find(|node| node.name == name);
    found.with_context(|| format!("{flag} {name:?}: site {} has the node types {}", site.name, known()))
}

/// Refuses a job that the site's nodes, interfaces or launcher cannot run.
pub fn job(site: &Site, job: &Job, largest_tensor: Option<u64>) -> Result<()> {
    let (node, db_node) = (client_node(site, job)?, db_node(site, job)?);
    ensure!(!node.single || job.client_nodes == 1, "site {} has one node, not {}", site.name, job.client_nodes);
    interface(site, job, db_node)?;
    let allowed = &site.launch.cpu_bind;
    ensure!(
        allowed.contains(&job.cpu_bind.kind()),
        "site {} cannot bind with {:?}; allowed: {}",
        site.name,
        job.cpu_bind.to_string(),
        allowed.iter().map(|bind| bind.as_str()).collect::<Vec<_>>().join(", ")
    );
    let _ = largest_tensor;
    Ok(())
}

fn interface(site: &Site, job: &Job, node: &Node) -> Result<()> {
    let interfaces: Vec<&str> = node.interfaces.iter().map(|interface| interface.name.as_str()).collect();
    let name = job.net_ifname.as_str();
    ensure!(
        name == "lo" || interfaces.contains(&name),
        "nodes of {} have no interface {name:?}; they have: {}",
        site.name,
        interfaces.join(", ")
    );
    ensure!(
        name != "lo" || job.deployment == Deployment::Colocated || node.single,
        "the loopback interface lo does not reach the shards on other nodes; {} has: {}",
        site.name,
        interfaces.join(", ")
    );
    Ok(())
}

/// Who sits where; absent where nobody is pinned, or nothing is known of the node.
pub fn placement(site: &Site, job: &Job, oversubscribe: bool) -> Result<Option<Placement>> {
    let _ = oversubscribe;
    let node = client_node(site, job)?;
    let Some(usable) = node.usable() else { return Ok(None) };
    let demand = Demand { deployment: job.deployment, clients_per_node: job.clients_per_node, db_cpus: job.db_cpus };
    placement::check(demand, usable.len())?;
    if job.cpu_bind != CpuBind::Mask {
        return Ok(None);
    }
    Ok(Some(placement::place(demand, &usable)?))
}

/// What the user should know of the site before submitting these jobs.
pub fn notes(site: &Site, plan: &Plan) -> Vec<String> {
    let mut notes: Vec<String> = site.limits.iter().filter_map(|limit| limit_note(site, limit, plan)).collect();
    notes.extend(unverified(site, plan));
    notes
}

/// One line for each fact that nobody has verified and on which a script depends.
fn unverified(site: &Site, plan: &Plan) -> Vec<String> {
    let mut lines = BTreeSet::new();
    for key in keys_in_use(site, plan) {
        let Some(fact) = site.fact(&key).filter(|fact| fact.status == Status::Unverified) else { continue };
        let why = fact.ask.as_ref().or(fact.note.as_ref()).map(|text| format!(": {text}")).unwrap_or_default();
        lines.insert(format!("site {}: {key} is unverified{why}", site.name));
    }
    lines.into_iter().collect()
}

fn limit_note(site: &Site, limit: &Limit, plan: &Plan) -> Option<String> {
    if !matches!(limit.counts, Counts::Submitted | Counts::Queued) {
        return None;
    }
    let counts = |queue: &Option<String>| {
        limit.queues.is_empty() || queue.as_ref().is_some_and(|queue| limit.queues.contains(queue))
    };
    let jobs = plan.planned.iter().filter(|planned| counts(&planned.manifest.expect.queue)).count();
    (jobs > limit.most as usize).then(|| {
        let of = if limit.queues.is_empty() { String::new() } else { format!(" in {}", limit.queues.join(", ")) };
        format!(
            "{} takes {} {} jobs a {}{of}, and the study has {jobs}: what goes beyond is {}; submit in parts",
            site.name, limit.most, limit.counts, limit.scope, limit.beyond
        )
    })
}

/// Refuses a directive from the user that the centre does not take.
pub fn directive(line: &str, site: &Site) -> Result<()> {
    for forbidden in &site.directives.forbidden {
        ensure!(
            !line.trim_start().starts_with(&forbidden.line),
            "--directive {line:?}: {} does not take {} ({})",
            site.name,
            forbidden.line,
            forbidden.why
        );
    }
    Ok(())
}

/// A path as text that fits on one line.
pub fn text(path: &Path, flag: &str) -> Result<String> {
    let text = path.to_str().with_context(|| format!("{flag} {} is not UTF-8: choose another path", path.display()))?;
    ensure!(
        !text.chars().any(char::is_control),
        "{flag} {text:?} has a line break or control character: choose another path"
    );
    Ok(text.to_owned())
}

/// Schedulers take the log's path from a directive, where nothing can be quoted.
pub fn path(out: &Path, site: &Site) -> Result<()> {
    let text = text(out, "--out")?;
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._+=@,:-".contains(c));
    ensure!(
        site.scheduler.kind == "none" || plain,
        "--out {text:?}: a scheduler's directives can hold only paths of the characters a-z A-Z 0-9 / . _ + = @ , : -; choose \
         another folder"
    );
    Ok(())
}

/// Keys of the site file on which the scripts of a plan depend, for warnings about values that nobody has verified.
fn keys_in_use(site: &Site, plan: &Plan) -> BTreeSet<String> {
    let mut keys: BTreeSet<String> =
        ["scheduler.kind", "launch.launcher", "directives.always", "environment", "scratch.node_local"]
            .map(String::from)
            .into();
    for planned in &plan.planned {
        let job = &planned.manifest.job;
        let nodes = [client_node(site, job), db_node(site, job)];
        for node in nodes.into_iter().flatten() {
            keys.insert(format!("node.{}.cores", node.name));
            keys.insert(format!("node.{}.reserved_cores", node.name));
            if job.cpu_bind.pins() != (false, false) {
                for what in ["numa", "l3", "threads_per_core", "numbering"] {
                    keys.insert(format!("node.{}.{what}", node.name));
                }
            }
            if job.net_ifname != "lo" {
                keys.insert(format!("node.{}.interface.{}", node.name, job.net_ifname));
            }
        }
        if let Some(queue) = &planned.manifest.expect.queue {
            for what in ["submit_as", "min_nodes", "max_nodes", "max_walltime"] {
                keys.insert(format!("queue.{queue}.{what}"));
            }
        }
    }
    keys
}
