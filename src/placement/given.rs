//! Masks that the user gave: held against the node and against each other.

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};

use super::Demand;
use super::topology::Free;
use crate::record::cpus::CpuSet;
use crate::record::placement::{NodeShape, Placement};

/// Takes the user's CPUs: `db` for the servers of a node, dealt evenly among them, and one set for each rank of a node.
/// Servers without CPUs from the user get what the ranks leave.
///
/// # Errors
/// Another number of masks than ranks, masks of another size than the axes say (the results would be labelled wrongly), CPUs
/// that do not exist, are reserved, or have two owners.
pub fn place(demand: &Demand<'_>, placement: &mut Placement, db: Option<&CpuSet>, ranks: &[CpuSet]) -> Result<()> {
    let ranks = one_for_each_rank(demand, ranks)?;
    let mut claims = Claims::default();
    for (local, cpus) in ranks.iter().enumerate() {
        let who = format!("rank {local}");
        check(&placement.client_node, &who, cpus)?;
        let cores = placement.client_node.cores_of(cpus).len();
        let asked = demand.job.client_cpus;
        ensure!(
            cores == asked,
            "{who} of a node gets {cores} cores by {cpus}, and --client-cpus says {asked}: give --client-cpus {cores}"
        );
        claims.add(&placement.client_node, &who, cpus);
    }
    if placement.db_node.is_some() {
        claims.check(demand.oversubscribe)?;
        claims = Claims::default();
    }
    let servers = match db {
        Some(db) => deal(demand, placement.server_node(), db)?,
        None => of_the_rest(demand, placement, &ranks)?,
    };
    for (local, cpus) in servers.iter().enumerate() {
        claims.add(placement.server_node(), &format!("server {local}"), cpus);
    }
    claims.check(demand.oversubscribe)?;
    placement.servers = servers;
    placement.ranks = ranks;
    Ok(())
}

/// With oversubscription the masks start anew, as Slurm's do; else there must be one for each rank.
fn one_for_each_rank(demand: &Demand<'_>, given: &[CpuSet]) -> Result<Vec<CpuSet>> {
    let (masks, ranks) = (given.len(), demand.job.ranks_per_node() as usize);
    ensure!(
        masks == ranks || (demand.oversubscribe && masks < ranks),
        "--cpu-bind has the CPUs of {masks} ranks, and a node has {ranks} (--clients-per-node): give one for each rank{}",
        if masks < ranks { ", or --oversubscribe to use them again from the first" } else { "" }
    );
    Ok(given.iter().cycle().take(ranks).cloned().collect())
}

/// CPUs of a process must exist and not be reserved. On an unknown node all exist.
fn check(node: &NodeShape, who: &str, cpus: &CpuSet) -> Result<()> {
    ensure!(!cpus.is_empty(), "the mask of {who} has no CPU");
    for cpu in cpus.iter() {
        let Some(core) = node.core_of(cpu) else {
            bail!("CPU {cpu}, given to {who}, does not exist: the node has CPUs {}", node.cpus());
        };
        ensure!(
            !node.reserved.contains(core),
            "CPU {cpu}, given to {who}, is {}, which the site reserves (cores {})",
            if cpu == core { format!("core {core}") } else { format!("a hardware thread of core {core}") },
            node.reserved
        );
    }
    Ok(())
}

/// Deals the cores of `db=` evenly to the servers of a node, in ascending order, each with the threads that were given.
fn deal(demand: &Demand<'_>, node: &NodeShape, db: &CpuSet) -> Result<Vec<CpuSet>> {
    let servers = demand.servers_per_node();
    ensure!(servers > 0, "db={db} pins servers, and this job starts none");
    check(node, "the server (db=)", db)?;
    let cores: Vec<u32> = node.cores_of(db).iter().collect();
    let (asked, per_server) = (demand.job.db_cpus as usize, demand.job.db_cpus);
    ensure!(
        cores.len() == servers as usize * asked,
        "db= names {} cores ({db}), and --db-cpus says {}{per_server}: the two must agree, or results would be labelled wrongly",
        cores.len(),
        if servers > 1 { format!("{servers} servers x ") } else { String::new() }
    );
    let threads =
        |cores: &[u32]| db.iter().filter(|cpu| node.core_of(*cpu).is_some_and(|core| cores.contains(&core))).collect();
    Ok(cores.chunks(asked).map(threads).collect())
}

/// Cores for the servers that no rank has.
fn of_the_rest(demand: &Demand<'_>, placement: &Placement, ranks: &[CpuSet]) -> Result<Vec<CpuSet>> {
    let (servers, cores) = (demand.servers_per_node(), demand.job.db_cpus as usize);
    let node = placement.server_node();
    ensure!(
        node.is_known() || servers == 0,
        "the site does not tell the cores of its nodes: name the server's too, as db= in --cpu-bind"
    );
    let mut free = Free::of(node);
    if placement.db_node.is_none() {
        ranks.iter().for_each(|rank| free.remove(&node.cores_of(rank)));
    }
    let (left, needed) = (free.count(), servers as usize * cores);
    if left < needed && demand.oversubscribe {
        let usable = Free::of(node);
        return Ok((0..servers).map(|local| usable.clone().take_near(demand.near(local), cores)).collect());
    }
    ensure!(
        left >= needed,
        "the masks of the ranks leave {left} usable cores, and the servers of a node need {needed} (--db-cpus): fewer CPUs for the \
         ranks, or for the server"
    );
    Ok((0..servers).map(|local| free.take_near(demand.near(local), cores)).collect())
}

/// Who claims which core. Hardware threads of one core are one claim: they share what is to be measured.
#[derive(Default)]
struct Claims {
    of_core: BTreeMap<u32, Vec<(String, CpuSet)>>,
}

impl Claims {
    fn add(&mut self, node: &NodeShape, who: &str, cpus: &CpuSet) {
        for core in node.cores_of(cpus).iter() {
            self.of_core.entry(core).or_default().push((who.to_owned(), cpus.clone()));
        }
    }

    fn check(&self, oversubscribe: bool) -> Result<()> {
        let twice = self.of_core.iter().find(|(_, owners)| owners.len() > 1).filter(|_| !oversubscribe);
        let Some((core, owners)) = twice else { return Ok(()) };
        let ((first, cpus), (second, others)) = (&owners[0], &owners[1]);
        let threads = if cpus.is_disjoint(others) { " by hardware threads of it" } else { "" };
        bail!(
            "core {core} is used twice{threads}: {first} has CPUs {cpus}, {second} has {others}; --oversubscribe would let them share"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::{aurora, colocated, demand, frontier, plain, set, single, standard};
    use super::super::{Demand, place};
    use crate::record::manifest::Job;
    use crate::record::placement::Placement;
    use crate::site::Node;

    fn placed(job: &Job, node: &Node) -> Placement {
        place(&demand(job, node)).unwrap().unwrap()
    }

    fn refusal(job: &Job, node: &Node) -> String {
        format!("{:#}", place(&demand(job, node)).unwrap_err())
    }

    #[test]
    fn masks_are_taken_as_given_and_the_server_gets_the_rest() {
        let placement = placed(&colocated("map:1,2,3", 3, 4), &frontier());
        assert_eq!(placement.ranks, [set("1"), set("2"), set("3")]);
        assert_eq!(placement.servers, [set("4-7")]);
        // both threads of a core are one core
        let placement = placed(&colocated("mask:db=0x60000,0x6,0x18", 2, 2).with_client_cpus(2), &aurora());
        assert_eq!((placement.servers, placement.ranks), (vec![set("17-18")], vec![set("1-2"), set("3-4")]));
        let threads = "map:db=1-2+65-66,3".parse().unwrap();
        let placement = placed(&Job { cpu_bind: threads, ..colocated("none", 1, 2) }, &frontier());
        assert_eq!(placement.servers, [set("1-2,65-66")]);
    }

    #[test]
    fn servers_that_share_a_machine_share_db_evenly() {
        let job = Job { db_nodes: Some(3), ..standard("map:db=0-5,6,7", 2, 2) };
        assert_eq!(placed(&job, &single(8)).servers, [set("0-1"), set("2-3"), set("4-5")]);
        let job = Job { db_nodes: Some(3), ..standard("map:db=0-4,6,7", 2, 2) };
        assert!(refusal(&job, &single(8)).contains("db= names 5 cores (0-4), and --db-cpus says 3 servers x 2"));
    }

    #[test]
    fn on_nodes_of_their_own_servers_may_have_the_same_numbers() {
        let placement = placed(&standard("map:db=1,1,2", 2, 1), &frontier());
        assert_eq!((placement.servers, placement.ranks), (vec![set("1")], vec![set("1"), set("2")]));
    }

    #[test]
    fn a_refusal_names_the_cores_and_the_reason() {
        let of = |bind: &str, ranks| refusal(&colocated(bind, ranks, 1), &frontier());
        assert_eq!(
            of("map:1,8", 2),
            "CPU 8, given to rank 1, is core 8, which the site reserves (cores 0,8,16,24,32,40,48,56)"
        );
        assert!(of("map:1,72", 2).starts_with("CPU 72, given to rank 1, is a hardware thread of core 8, which"));
        assert_eq!(of("map:1,128", 2), "CPU 128, given to rank 1, does not exist: the node has CPUs 0-127");
        assert_eq!(
            of("map:1,2,1", 3),
            "core 1 is used twice: rank 0 has CPUs 1, rank 2 has 1; --oversubscribe would let them share"
        );
        assert!(
            of("map:1,65", 2)
                .starts_with("core 1 is used twice by hardware threads of it: rank 0 has CPUs 1, rank 1 has 65")
        );
        assert!(of("map:db=1,1,2", 2).contains("rank 0 has CPUs 1, server 0 has 1"));
        assert_eq!(of("mask:0x2,0x0", 2), "the mask of rank 1 has no CPU");
        assert!(
            of("map:db=16,1,2", 2)
                .starts_with("CPU 16, given to the server (db=), is core 16, which the site reserves")
        );
        assert_eq!(
            of("map:1,2,3", 4),
            "--cpu-bind has the CPUs of 3 ranks, and a node has 4 (--clients-per-node): give one for each rank, or --oversubscribe \
             to use them again from the first"
        );
        assert!(of("map:1,2,3", 2).ends_with("give one for each rank"));
        assert!(
            of("mask:0x6,0x18", 2)
                .ends_with("rank 0 of a node gets 2 cores by 1-2, and --client-cpus says 1: give --client-cpus 2")
        );
        assert!(of("map:db=1-2,3", 1).contains("db= names 2 cores (1-2), and --db-cpus says 1"));
        let full = refusal(&colocated("map:0,1,2", 3, 1), &plain(3));
        assert!(full.contains("3 ranks x 1 core + 1 DB core = 4 cores"), "{full}");
    }

    #[test]
    fn shared_cores_for_those_who_ask() {
        let node = plain(4);
        let job = colocated("map:0,1", 5, 3);
        let demand = Demand { oversubscribe: true, ..demand(&job, &node) };
        let placement = place(&demand).unwrap().unwrap();
        assert_eq!(placement.ranks, [set("0"), set("1"), set("0"), set("1"), set("0")]);
        assert_eq!(placement.servers, [set("0-2")]);
    }

    #[test]
    fn an_unknown_node_has_every_cpu() {
        let node = Node { cores: None, ..plain(1) };
        let placement = placed(&colocated("map:db=9,7,8", 2, 1), &node);
        assert_eq!((placement.servers, placement.ranks), (vec![set("9")], vec![set("7"), set("8")]));
        assert!(refusal(&colocated("map:7,8", 2, 1), &node).contains("name the server's too"));
        assert!(refusal(&colocated("map:db=7,7,8", 2, 1), &node).contains("core 7 is used twice"));
    }

    trait WithClientCpus {
        fn with_client_cpus(self, cores: u32) -> Self;
    }

    impl WithClientCpus for Job {
        fn with_client_cpus(self, client_cpus: u32) -> Job {
            Job { client_cpus, ..self }
        }
    }
}
