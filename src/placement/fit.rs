//! Is there room: cores for all processes, memory for all tensors. Refusals show the arithmetic.

use anyhow::{Context, Result, ensure};

use super::Demand;
use crate::record::manifest::Job;
use crate::record::units::{count, show_bytes};
use crate::record::vocabulary::{BindKind, Deployment};
use crate::site::Node;

/// Refuses more processes than cores, whoever binds them; silent where the cores of the nodes are not known.
pub fn check(demand: &Demand<'_>) -> Result<()> {
    let job = demand.job;
    let ranks = Part::new(job.ranks_per_node(), "rank", job.client_cpus, "core");
    let servers = match demand.servers_per_node() {
        0 => None,
        1 => Some(Part { cores: job.db_cpus.into(), text: count(job.db_cpus, "DB core"), largest: job.db_cpus }),
        several => Some(Part::new(several, "server", job.db_cpus, "DB core")),
    };
    if let Some(aggregation) = &job.workload.aggregation {
        let here = aggregation.consumers_per_node(job.client_nodes);
        let threads = Part::new(here, "consumer", aggregation.consumer_threads, "thread");
        check_node(demand, demand.client_node, &[threads], "each consumer node")?;
    }
    if demand.shares_node() {
        let parts: Vec<Part> = [Some(ranks), servers].into_iter().flatten().collect();
        return check_node(demand, demand.client_node, &parts, "each node");
    }
    check_node(demand, demand.client_node, &[ranks], "each client node")?;
    match servers {
        Some(servers) => check_node(demand, demand.db_node, &[servers], "each DB node"),
        None => Ok(()),
    }
}

/// Processes of one kind on a node.
struct Part {
    cores: u64,
    /// The product in words: `64 ranks x 1 core`.
    text: String,
    /// Cores of one process.
    largest: u32,
}

impl Part {
    fn new(processes: u32, process: &str, cores: u32, core: &str) -> Part {
        let text = format!("{} x {}", count(processes, process), count(cores, core));
        Part { cores: u64::from(processes) * u64::from(cores), text, largest: cores }
    }
}

fn check_node(demand: &Demand<'_>, node: &Node, parts: &[Part], where_: &str) -> Result<()> {
    let (Some(all), Some(usable)) = (node.all_cores(), node.usable()) else { return Ok(()) };
    let (all, usable) = (all.len(), usable.len());
    let may = match all - usable {
        0 => format!("the node has {usable}"),
        reserved => format!("jobs may use {usable} ({all} cores less {reserved} reserved)"),
    };
    let sum: u64 = parts.iter().map(|part| part.cores).sum();
    let terms: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
    // one server's "8 DB cores" is its own sum
    let sum_text = match terms[..] {
        [only] if !only.contains(" x ") => String::new(),
        _ => format!(" = {}", count(sum, "core")),
    };
    let arithmetic = format!("{}{sum_text} on {where_}, but {may}", terms.join(" + "));
    if !demand.oversubscribe {
        ensure!(sum <= u64::from(usable), "{arithmetic}: fewer of them, or --oversubscribe to let them share cores");
        return Ok(());
    }
    let kind = demand.job.cpu_bind.kind();
    ensure!(
        kind != BindKind::Scheduler || sum <= u64::from(usable),
        "{arithmetic}: --oversubscribe cannot help where the scheduler places, which never lets two processes share a core; bind \
         with none or mask"
    );
    let largest = parts.iter().map(|part| part.largest).max().unwrap_or(0);
    ensure!(
        kind != BindKind::Mask || largest <= usable,
        "one process is to have {largest} cores, but {may}: even with --oversubscribe no mask holds more cores than there are"
    );
    Ok(())
}

/// Refuses tensors that do not fit into the memory of the servers' nodes; silent where it is not known.
///
/// A server holds, for each of its ranks, `tensors` tensors at rest and one more while it arrives, since all ranks may send at
/// once: ranks of a node's servers x (tensors + 1) x `tensor_bytes`, the ranks spread evenly over the shards. It is a lower
/// bound: what the server needs besides, and what ranks of a colocated client need, comes on top.
pub fn check_memory(demand: &Demand<'_>, tensor_bytes: u64, tensors: u64) -> Result<()> {
    let job = demand.job;
    check_maxmemory(job, tensor_bytes, tensors)?;
    let Some(memory_gib) = demand.server_node().memory_gib else { return Ok(()) };
    let all_ranks = u64::from(job.writers());
    let (ranks, which) = match job.deployment {
        Deployment::Colocated if job.servers_per_node == 1 => {
            (u64::from(job.clients_per_node), "the server of each node")
        }
        Deployment::Colocated => (u64::from(job.clients_per_node), "the servers of each node together"),
        Deployment::Standard if demand.client_node.single => (all_ranks, "the servers together"),
        Deployment::Standard if job.servers_per_node == 1 => {
            (all_ranks.div_ceil(job.db_nodes.unwrap_or(1).into()), "the fullest server")
        }
        Deployment::Standard => {
            (all_ranks.div_ceil(job.db_nodes.unwrap_or(1).into()), "the servers of the fullest node")
        }
    };
    let overflow = || format!("{ranks} ranks x {tensors} tensors x {tensor_bytes} bytes is more than any memory");
    let slots = tensors.checked_add(1).and_then(|slots| slots.checked_mul(ranks)).with_context(overflow)?;
    let bytes = slots.checked_mul(tensor_bytes).with_context(overflow)?;
    ensure!(
        bytes <= memory_gib.saturating_mul(1 << 30),
        "{which} would hold {ranks} ranks x ({tensors} + 1 in flight) tensors x {} = {:.1} GiB, but a node has {memory_gib} GiB of \
         memory: smaller tensors, fewer ranks, or more DB nodes",
        show_bytes(tensor_bytes),
        bytes as f64 / f64::from(1 << 30),
    );
    Ok(())
}

/// Refuses a list that the memory of a consumer's node does not hold; silent where it is not known. A lower bound, too.
pub fn check_consumers(demand: &Demand<'_>, tensor_bytes: u64, tensors: u64) -> Result<()> {
    let (Some(aggregation), Some(memory_gib)) = (&demand.job.workload.aggregation, demand.client_node.memory_gib)
    else {
        return Ok(());
    };
    let here = aggregation.consumers_per_node(demand.job.client_nodes);
    let datasets = u64::from(here) * u64::from(aggregation.share());
    let bytes = datasets.saturating_mul(tensors).saturating_mul(tensor_bytes);
    ensure!(
        bytes <= memory_gib.saturating_mul(1 << 30),
        "the {} of a node would hold {datasets} datasets x {tensors} tensors x {} = {:.1} GiB, but a node has {memory_gib} GiB of memory: \
         smaller tensors, fewer producers, or consumers on more nodes (--consumer-nodes, --consumers)",
        count(here, "consumer"),
        show_bytes(tensor_bytes),
        bytes as f64 / f64::from(1 << 30),
    );
    Ok(())
}

/// Refuses a limit of the server's own that its ranks' tensors do not keep: it would refuse them in the middle of the run.
fn check_maxmemory(job: &Job, tensor_bytes: u64, tensors: u64) -> Result<()> {
    let ranks = u64::from(job.writers().div_ceil(job.servers().max(1)));
    let bytes = ranks.saturating_mul(tensors).saturating_mul(tensor_bytes);
    ensure!(
        job.maxmemory.0 == 0 || bytes <= job.maxmemory.0,
        "--maxmemory {} is less than what a server has to hold, {ranks} ranks x {tensors} tensors x {}: a higher limit, smaller \
         tensors, or fewer ranks a server",
        show_bytes(job.maxmemory.0),
        show_bytes(tensor_bytes),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::examples::{colocated, demand, frontier, single, standard};
    use super::super::place;
    use super::*;
    use crate::record::manifest::Job;

    fn refusal(job: &Job, node: &Node) -> String {
        check(&demand(job, node)).unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_fit_shows_the_arithmetic() {
        assert_eq!(
            refusal(&colocated("none", 64, 8), &frontier()),
            "64 ranks x 1 core + 8 DB cores = 72 cores on each node, but jobs may use 56 (64 cores less 8 reserved): fewer of \
             them, or --oversubscribe to let them share cores"
        );
        let wide = Job { client_cpus: 4, ..standard("scheduler", 15, 8) };
        assert!(
            refusal(&wide, &frontier())
                .starts_with("15 ranks x 4 cores = 60 cores on each client node, but jobs may use 56")
        );
        let db = standard("mask", 56, 57);
        assert!(refusal(&db, &frontier()).starts_with("57 DB cores on each DB node, but jobs may use 56"));
        let several = Job { db_nodes: Some(3), ..standard("none", 4, 2) };
        assert!(
            refusal(&several, &single(8))
                .starts_with("4 ranks x 1 core + 3 servers x 2 DB cores = 10 cores on each node, but the node has 8:")
        );
        assert!(check(&demand(&standard("none", 56, 56), &frontier())).is_ok());
    }

    #[test]
    fn an_unknown_node_is_not_judged() {
        let node = Node { cores: None, ..frontier() };
        let job = colocated("none", 4096, 8);
        assert!(check(&demand(&job, &node)).is_ok());
        assert_eq!(place(&demand(&job, &node)).unwrap(), None);
        let error = place(&demand(&colocated("mask-app", 1, 1), &node)).unwrap_err().to_string();
        assert!(error.contains("--cpu-bind mask-app needs the cores") && error.contains("[[node]]"), "{error}");
    }

    #[test]
    fn oversubscription_is_for_those_who_ask_and_not_for_the_scheduler() {
        let node = frontier();
        let ask = |bind| {
            let job = colocated(bind, 64, 8);
            check(&Demand { oversubscribe: true, ..demand(&job, &node) }).map_err(|error| error.to_string())
        };
        assert_eq!((ask("none"), ask("mask")), (Ok(()), Ok(())));
        assert!(ask("scheduler").unwrap_err().contains("bind with none or mask"));
        let job = colocated("mask", 1, 57);
        let error = check(&Demand { oversubscribe: true, ..demand(&job, &node) }).unwrap_err().to_string();
        assert!(error.contains("57 cores, but jobs may use 56"), "{error}");
    }

    #[test]
    fn a_limit_below_the_tensors_is_refused() {
        let job = Job { maxmemory: crate::record::units::ByteCount(1 << 30), ..colocated("none", 48, 8) };
        assert!(check_memory(&demand(&job, &frontier()), 16 << 20, 1).is_ok());
        let error = check_memory(&demand(&job, &frontier()), 32 << 20, 1).unwrap_err().to_string();
        assert!(error.contains("--maxmemory 1 GiB") && error.contains("48 ranks x 1 tensors x 32 MiB"), "{error}");
    }

    #[test]
    fn memory_is_ranks_by_tensors_and_one_more_in_flight() {
        let node = Node { memory_gib: Some(64), ..frontier() };
        let job = colocated("none", 48, 8);
        assert!(check_memory(&demand(&job, &node), 512 << 20, 1).is_ok());
        let error = check_memory(&demand(&job, &node), 512 << 20, 4).unwrap_err().to_string();
        assert!(
            error.starts_with("the server of each node would hold 48 ranks x (4 + 1 in flight) tensors x 512 MiB = 120.0 GiB, but a node has 64 GiB"),
            "{error}"
        );
        // 4 nodes x 48 ranks over 4 shards are as many; over 16 there is room
        let four = Job { client_nodes: 4, db_nodes: Some(4), ..standard("none", 48, 8) };
        assert!(
            check_memory(&demand(&four, &node), 512 << 20, 4).unwrap_err().to_string().contains("the fullest server")
        );
        let sixteen = Job { db_nodes: Some(16), ..four };
        assert!(check_memory(&demand(&sixteen, &node), 512 << 20, 4).is_ok());
        assert!(
            check_memory(&demand(&sixteen, &node), u64::MAX, 4)
                .unwrap_err()
                .to_string()
                .contains("more than any memory")
        );
        assert!(check_memory(&demand(&sixteen, &frontier()), u64::MAX, 4).is_ok());
    }
}
