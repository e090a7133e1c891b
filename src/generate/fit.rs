//! Whether a permutation fits its site: nodes, interfaces, binding, memory, and texts that schedulers can hold.

use std::collections::{BTreeSet, HashSet};
use std::net::Ipv6Addr;
use std::num::NonZeroU16;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::directives;
use super::request::Request;
use crate::placement::{self, Demand};
use crate::record::manifest::{Job, Sweep};
use crate::record::placement::Placement;
use crate::record::vocabulary::{DbFrom, Deployment, Store};
use crate::scheduler;
use crate::site::{Node, Site, Walltime};
use crate::study::{Settings, Study};

/// The kinds of nodes that run the client and the servers.
pub fn nodes<'a>(site: &'a Site, job: &Job) -> Result<(&'a Node, &'a Node)> {
    let kinds = site.node_types_of(job)?;
    Ok((kinds[0], kinds[kinds.len() - 1]))
}

/// The job with what holds for every job of the study: kinds of nodes, and where the servers come from.
///
/// # Errors
/// Settings that contradict the job.
pub fn with_settings(mut job: Job, settings: &Settings) -> Result<Job> {
    job.client_node_type.clone_from(&settings.client_node_type);
    if !job.store.has_servers() {
        return Ok(job);
    }
    job.load_module.clone_from(&settings.load_module);
    if let Some(inference) = &job.workload.inference {
        job.load_module = inference.modules(&job.load_module).map_err(anyhow::Error::msg)?;
    }
    if job.deployment == Deployment::Colocated {
        return Ok(job);
    }
    job.db_node_type.clone_from(&settings.db_node_type);
    let hosts = settings.db_hosts.clone().unwrap_or_default();
    let addresses = settings.db_address.clone().unwrap_or_default();
    let implied = match (hosts.is_empty(), addresses.is_empty()) {
        (false, _) => DbFrom::Hosts,
        (_, false) => DbFrom::Running,
        _ => DbFrom::Allocation,
    };
    job.db_from = settings.db_from.unwrap_or(implied);
    match job.db_from {
        DbFrom::Hosts => {
            let wanted = job.db_nodes.unwrap_or(0) as usize;
            ensure!(!hosts.is_empty(), "--db-from hosts needs --db-hosts");
            ensure!(hosts.len() == wanted, "--db-hosts names {} hosts, and there are {wanted} DB nodes", hosts.len());
            job.db_hosts = hosts;
        }
        DbFrom::Running => {
            ensure!(!addresses.is_empty(), "--db-from running needs --db-address");
            ensure!(
                job.load_module.is_empty(),
                "--load-module is for servers that jobs start, and --db-address names a store that runs already"
            );
            job.db_nodes = u32::try_from(addresses.len()).ok();
            job.servers_per_node = 1;
            job.db_address = addresses;
        }
        DbFrom::Allocation | DbFrom::Job => ensure!(
            job.db_from == implied || implied == DbFrom::Allocation,
            "--db-from {} contradicts --db-hosts or --db-address",
            job.db_from
        ),
    }
    Ok(job)
}

/// Refuses what the command line alone shows to be wrong: a value by itself, one that stands there twice, an empty path.
pub fn alone(request: &Request) -> Result<()> {
    request.axes.clone().each()?;
    names(&request.settings)?;
    text(&request.client, "--client")?;
    request.settings.directives.iter().try_for_each(|line| directives::shape(line))?;
    once("set", request.answers.iter().map(|(name, _)| name))
}

/// Refuses a list that has a value twice.
fn once<'a>(flag: &str, values: impl IntoIterator<Item = &'a String>) -> Result<()> {
    let mut seen = HashSet::new();
    let twice = values.into_iter().find(|value| !seen.insert(*value));
    twice.map_or(Ok(()), |value| bail!("--{flag} has {value:?} twice: name it once"))
}

/// Refuses packs that end before the first of their runs may: none would ever be measured in one.
pub fn pack_walltime(pack: Option<Walltime>, run: Option<Walltime>) -> Result<()> {
    if let (Some(pack), Some(run)) = (pack, run) {
        ensure!(
            pack >= run,
            "--pack-walltime {pack} is below {run}, which each run may take (--walltime): give at least that, or lower --walltime"
        );
    }
    Ok(())
}

/// Refuses hosts and addresses that cannot be any: they go into directives and scripts.
pub fn names(settings: &Settings) -> Result<()> {
    let plain = |text: &str, more: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    for host in settings.db_hosts.iter().flatten() {
        ensure!(plain(host, ".-_"), "--db-hosts {host:?} is no host name; allowed: letters, digits and . - _");
    }
    for address in settings.db_address.iter().flatten() {
        let (host, port) = address.rsplit_once(':').unwrap_or_default();
        let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        ensure!(
            v6.map_or(plain(host, ".-_"), |v6| v6.parse::<Ipv6Addr>().is_ok()) && port.parse::<NonZeroU16>().is_ok(),
            "--db-address {address:?} is not HOST:PORT, such as n0012:6780 or [fd00::12]:6780"
        );
    }
    for module in &settings.load_module {
        ensure!(
            module.split_whitespace().next().is_some() && !module.chars().any(char::is_control),
            "--load-module {module:?} is no module: give its path and, in the same word, its arguments, such as \
             \"redisai.so THREADS_PER_QUEUE 2\""
        );
    }
    once("db-hosts", settings.db_hosts.iter().flatten())?;
    once("db-address", settings.db_address.iter().flatten())?;
    constraint(settings.client_constraint.as_deref(), "--client-constraint")?;
    constraint(settings.db_constraint.as_deref(), "--db-constraint")
}

/// Refuses a database that the nodes of its servers cannot hold.
pub fn memory(site: &Site, job: &Job, study: &Study) -> Result<()> {
    let (client_node, db_node) = nodes(site, job)?;
    let largest = study.tensor_bytes.iter().copied().max().unwrap_or(0);
    let (demand, tensors) = (
        Demand { job, client_node, db_node, oversubscribe: false, part_of_node: false },
        u64::from(job.workload.tensors),
    );
    placement::check_consumers(&demand, largest, tensors)?;
    if !job.store.has_servers() {
        return Ok(());
    }
    placement::check_memory(&demand, largest, tensors)
}

/// Why an aggregation needs a node more.
fn own_node(job: &Job) -> &'static str {
    match &job.workload.aggregation {
        Some(aggregation) if aggregation.consumer_nodes > 0 => {
            ": consumers have nodes of their own (--consumer-nodes), 0 lets them share those of the producers"
        }
        _ => "",
    }
}

/// Whether a job may ask for nodes of several kinds; a scheduler that only a template knows may.
pub fn picks_nodes(site: &Site) -> bool {
    scheduler::find(&site.scheduler.kind).is_none_or(|scheduler| scheduler.picks_nodes())
}

/// Refuses a job that the site's nodes, interfaces or launcher cannot run.
pub fn job(site: &Site, job: &Job) -> Result<()> {
    let (node, db_node) = nodes(site, job)?;
    ensure!(
        !node.single || job.launch_nodes() == 1,
        "site {} has one node, not {}{}",
        site.name,
        job.launch_nodes(),
        own_node(job)
    );
    ensure!(
        job.db_from != DbFrom::Job || scheduler::find(&site.scheduler.kind).is_some(),
        "--db-from job needs a scheduler whose jobs can wait for each other, and {} has {:?}; possible with: {}",
        site.name,
        site.scheduler.kind,
        scheduler::all().map(|scheduler| scheduler.kind()).collect::<Vec<_>>().join(", ")
    );
    ensure!(
        job.db_from != DbFrom::Hosts || picks_nodes(site),
        "--db-hosts needs a scheduler that gives named hosts among others, and {} has {:?}; give --db-from job, or --db-address",
        site.name,
        site.scheduler.kind
    );
    let between_nodes = job.store.has_servers()
        && job.deployment == Deployment::Standard
        && job.db_from != DbFrom::Running
        && !node.single;
    for name in job.interfaces() {
        site.check_interface(db_node, name, between_nodes)?;
    }
    let (most, interfaces) = (if node.single { job.servers() } else { job.servers_per_node }, job.interfaces().count());
    ensure!(
        interfaces as u64 <= u64::from(most.max(1)) || job.db_from == DbFrom::Running,
        "{} are {interfaces} interfaces for {most} server(s) of a node: name as many as there are servers, or fewer",
        job.net_ifname
    );
    ensure!(
        site.launch.launcher != "ibrun" || job.servers_per_node <= job.ranks_per_node(),
        "ibrun starts no more processes on a node than the job asked for, {} (--clients-per-node), and {} servers are to run on one: fewer \
         of these, or more ranks",
        job.ranks_per_node(),
        job.servers_per_node
    );
    ensure!(
        job.deployment == Deployment::Standard || job.servers_per_node <= job.clients_per_node,
        "--servers-per-node {} leaves servers without a rank: a node has {} (--clients-per-node)",
        job.servers_per_node,
        job.clients_per_node
    );
    if let Some(aggregation) = &job.workload.aggregation {
        let here = aggregation.consumers_per_node(job.client_nodes);
        ensure!(
            aggregation.consumer_nodes == 0 || here <= job.clients_per_node,
            "--consumers {} on --consumer-nodes {} are {here} a node, and the launch has {} ranks on each (--clients-per-node): more \
             consumer nodes, or fewer consumers",
            aggregation.consumers,
            aggregation.consumer_nodes,
            job.clients_per_node
        );
    }
    ensure!(
        job.workload.inference.is_none() || job.store.has_servers(),
        "--workload inference needs a store that runs models, and --store files runs nothing: name a server with RedisAI (--load-module)"
    );
    let allowed = &site.launch.cpu_bind;
    ensure!(
        allowed.contains(&job.cpu_bind.kind()),
        "site {} cannot bind with {:?}; allowed: {}",
        site.name,
        job.cpu_bind.to_string(),
        allowed.iter().map(|bind| bind.as_str()).collect::<Vec<_>>().join(", ")
    );
    match site.lacks(job)? {
        Some(reason) => bail!(reason),
        None => Ok(()),
    }
}

/// Refuses one server program, or one running store, for several products; `jobs` are all that the study has.
pub fn products<'a>(site: &Site, settings: &Settings, jobs: impl Iterator<Item = &'a Job>) -> Result<()> {
    let stores: BTreeSet<Store> = jobs.map(|job| job.store).filter(|store| store.has_servers()).collect();
    let stores: Vec<Store> = stores.into_iter().collect();
    let running = settings.db_address.iter().flatten().next();
    if let (Some(address), [_, _, ..]) = (running, &stores[..]) {
        let names: Vec<&str> = stores.iter().map(|store| store.as_str()).collect();
        bail!("--db-address {address} is one store, and the study has the stores {}: name one", names.join(", "));
    }
    let given = settings.store_server.as_ref().map(|programs| ("--store-server", programs));
    let of_site = || site.store.server.as_ref().map(|programs| ("the site's store.server", programs));
    let Some((what, programs)) = given.or_else(of_site) else { return Ok(()) };
    programs.check(what, &stores).map_err(anyhow::Error::msg)
}

/// Cores that a job needs on a node of the client.
pub fn cores_of_client_node(job: &Job) -> u32 {
    let ranks = job.ranks_per_node() * job.client_cpus;
    match job.deployment {
        Deployment::Colocated => ranks + job.servers_per_node * job.db_cpus,
        Deployment::Standard if matches!(job.db_from, DbFrom::Allocation | DbFrom::Hosts) => {
            ranks.max(job.servers_per_node * job.db_cpus)
        }
        Deployment::Standard => ranks,
    }
}

/// Refuses a workload that the client would refuse.
pub fn workload(job: &Job, sweep: &Sweep) -> Result<()> {
    let workload = &job.workload;
    for (flag, file) in workload.inference.iter().flat_map(|it| [("--model", &it.model), ("--script", &it.script)]) {
        ensure!(
            file.is_empty() || file.starts_with('/'),
            "{flag} {file:?} is a path from the folder that a job happens to start in: give it from the root, as the compute nodes see it"
        );
    }
    ensure!(
        workload.inference.is_none() || !sweep.verify,
        "--verify knows what was put and not what a model makes of it: leave it out where --workload has inference"
    );
    let checked = workload
        .check()
        .and_then(|()| workload.check_in(job.deployment == Deployment::Colocated, sweep.barrier))
        .and_then(|()| workload.check_sizes(&sweep.tensor_bytes));
    checked.map_err(anyhow::Error::msg)
}

/// Refuses a wall time that does not hold what ranks compute, whatever the store does.
pub fn computing(job: &Job, sweep: &Sweep, walltime: Option<Walltime>) -> Result<()> {
    let Some(walltime) = walltime else { return Ok(()) };
    let (sizes, iterations) = (sweep.tensor_bytes.len(), sweep.iterations.saturating_add(sweep.warmup));
    let ns = job.workload.computing_ns(iterations).saturating_mul(sizes as u64);
    let seconds = u32::try_from(ns / 1_000_000_000).unwrap_or(u32::MAX);
    ensure!(
        seconds < walltime.seconds,
        "--compute {} alone takes {} for {iterations} iterations of each of {sizes} tensor sizes, and the wall time is {walltime}: \
         give a longer --walltime, fewer --iterations or --tensor-bytes, or a shorter --compute",
        job.workload.compute,
        Walltime { seconds }
    );
    Ok(())
}

/// Who sits where; absent where nobody is pinned and nothing is known of the nodes.
pub fn placement(site: &Site, job: &Job, oversubscribe: bool, part_of_node: bool) -> Result<Option<Placement>> {
    let (client_node, db_node) = nodes(site, job)?;
    placement::place(&Demand { job, client_node, db_node, oversubscribe, part_of_node })
}

/// Refuses what cannot be the name of a feature, or several joined by `&` and `|`.
fn constraint(text: Option<&str>, flag: &str) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-&|=:".contains(c);
    ensure!(
        !text.is_empty() && text.chars().all(plain),
        "{flag} {text:?} is no feature of nodes; allowed: letters, digits and _ . - & | = :, such as SK48 or gpu&hbm80g"
    );
    Ok(())
}

/// A path as text that fits on one line.
pub fn text(path: &Path, flag: &str) -> Result<String> {
    let text = path.to_str().with_context(|| format!("{flag} {} is not UTF-8: choose another path", path.display()))?;
    ensure!(!text.is_empty(), "{flag} is empty: name a path, or leave it out");
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
