//! What the user should know of a plan although it is no error.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::plan::Plan;
use super::planner::Planner;
use super::request::Mode;
use crate::record::manifest::Manifest;
use crate::record::units::count;
use crate::record::vocabulary::DbFrom;
use crate::site::{Counts, Limit, Site};

/// All of them.
pub fn notes(planner: &Planner<'_>, plan: &Plan) -> Vec<String> {
    let mut notes = Vec::new();
    for name in &planner.left_out {
        notes.push(format!(
            "the scripts do not name {name}, which site {} needs ({}): give --set {name}=VALUE, or name it when you submit",
            planner.site.name, planner.site.ask[name].question
        ));
    }
    notes.extend(packing_note(plan));
    notes.extend(of_site(&planner.site, plan));
    if planner.request.mode == Mode::DryRun {
        return notes;
    }
    notes.extend(out_of_sight(&planner.out, &planner.site));
    if !planner.request.client.is_absolute() {
        notes.push(format!(
            "shardscale-client is not beside this program: the scripts look for {:?} in PATH; build it with `cargo build \
             --release -p shardscale-client`, or give --client",
            planner.client
        ));
    } else if !planner.request.client.exists() {
        notes.push(format!("there is no {} yet: the scripts need it when they run", planner.client));
    }
    notes
}

/// A warning where the folder of the study is on this machine alone and its jobs run on others.
fn out_of_sight(out: &Path, site: &Site) -> Option<String> {
    const OWN: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"]; // each node has its own
    let local = OWN.into_iter().chain([site.scratch.node_local.as_str()]).find(|folder| out.starts_with(folder))?;
    let shared = site.scratch.shared.as_deref().map(|folder| format!(", such as {folder}")).unwrap_or_default();
    (site.scheduler.kind != "none").then(|| {
        format!(
            "--out {} lies in {local}, which each node has for itself: choose a folder that all nodes see{shared}",
            out.display()
        )
    })
}

/// What packing saves or costs, in a sentence; `None` where nothing is packed.
pub fn packing_note(plan: &Plan) -> Option<String> {
    if plan.packs.is_empty() {
        return None;
    }
    let (jobs, unpacked) = (plan.jobs(), plan.planned.len());
    let cost = plan
        .charge_unit
        .as_ref()
        .map(|unit| format!(", which may cost up to {:.2} {unit} instead of {:.2}", plan.cost(), plan.cost_unpacked()));
    Some(format!("packed: {} instead of {unpacked}{}", count(jobs, "job"), cost.unwrap_or_default()))
}

/// What the user should know of the site before submitting these jobs.
fn of_site(site: &Site, plan: &Plan) -> Vec<String> {
    let mut notes: Vec<String> = site.limits.iter().filter_map(|limit| limit_note(site, limit, plan)).collect();
    let mut keys = BTreeSet::new();
    let mut asked = HashSet::new();
    for planned in &plan.planned {
        let Manifest { job, expect, .. } = &planned.manifest;
        // what the keys depend on: thousands of permutations share it
        let nodes = (&job.client_node_type, &job.db_node_type, &job.net_ifname);
        if !asked.insert((job.deployment, &job.cpu_bind, job.distribution, nodes, &expect.queue, &expect.db_queue)) {
            continue;
        }
        for name in [&expect.queue, &expect.db_queue] {
            let queue = site.queues.iter().find(|row| Some(&row.name) == name.as_ref());
            keys.extend(site.keys_of(job, queue).unwrap_or_default());
        }
    }
    notes.extend(site.warnings(keys.iter().map(String::as_str)));
    notes
}

fn limit_note(site: &Site, limit: &Limit, plan: &Plan) -> Option<String> {
    if !matches!(limit.counts, Counts::Submitted | Counts::Queued) {
        return None;
    }
    let counts = |queue: &Option<String>| {
        limit.queues.is_empty() || queue.as_ref().is_some_and(|queue| limit.queues.contains(queue))
    };
    let rows = plan.planned.iter().flat_map(|planned| {
        let Manifest { job, expect, .. } = &planned.manifest;
        [(true, &expect.queue), (job.db_from == DbFrom::Job, &expect.db_queue)]
    });
    let jobs = rows.filter(|(is_job, queue)| *is_job && counts(queue)).count();
    (jobs > limit.most as usize).then(|| {
        let of = if limit.queues.is_empty() { String::new() } else { format!(" in {}", limit.queues.join(", ")) };
        format!(
            "{} takes {} {} jobs a {}{of}, and the study has {jobs}: what goes beyond is {}; submit in parts",
            site.name, limit.most, limit.counts, limit.scope, limit.beyond
        )
    })
}
