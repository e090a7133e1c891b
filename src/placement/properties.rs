//! What must hold on every node for every demand.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::examples::plain;
use super::{Demand, place};
use crate::record::binding::CpuBind;
use crate::record::cpus::CpuSet;
use crate::record::manifest::{Job, example};
use crate::record::placement::{NodeShape, Placement};
use crate::record::vocabulary::{DbFrom, Deployment, Distribution};
use crate::site::{Interface, Node, Numbering};

/// Divides cores into `parts`: contiguous blocks, or dealt in turn as sockets with alternating numbers are.
fn parts(cores: &CpuSet, parts: usize, in_turn: bool) -> Vec<CpuSet> {
    let cores: Vec<u32> = cores.iter().collect();
    let size = cores.len().div_ceil(parts.max(1)).max(1);
    let part = |part: usize| -> CpuSet {
        let mine = |place: &usize| if in_turn { place % parts == part } else { place / size == part };
        (0..cores.len()).filter(mine).map(|place| cores[place]).collect()
    };
    (0..parts).map(part).filter(|part| !part.is_empty()).collect()
}

prop_compose! {
    fn nodes()(
        cores in 1u32..160,
        threads_per_core in 1u32..=4,
        adjacent in any::<bool>(),
        (numa, l3) in (0usize..9, 0usize..33),
        in_turn in any::<bool>(),
        reserved in prop::collection::btree_set(0usize..160, 0..12),
        near in prop::option::of(0u32..12),
        single in any::<bool>(),
    ) -> Node {
        let numbering = if adjacent { Numbering::Adjacent } else { Numbering::Offset };
        let interfaces = vec![Interface { name: "hsn0".into(), numa: near }];
        let mut node = Node { threads_per_core, numbering, interfaces, single, ..plain(cores) };
        let all = node.all_cores().unwrap();
        node.numa = parts(&all, numa, in_turn);
        node.l3 = node.numa.iter().flat_map(|domain| parts(domain, l3, false)).collect();
        if node.numa.is_empty() {
            node.l3 = parts(&all, l3, in_turn);
        }
        node.reserved_cores = all.iter().enumerate().filter(|(place, _)| reserved.contains(place)).map(|(_, core)| core).collect();
        node
    }
}

prop_compose! {
    fn jobs()(
        standard in any::<bool>(),
        (clients_per_node, client_cpus, db_cpus) in (1u32..80, 1u32..6, 1u32..40),
        (db_nodes, servers_per_node) in (1u32..4, 1u32..4),
        spread in any::<bool>(),
        running in prop::bool::weighted(0.1),
        bind in prop::sample::select(vec![CpuBind::None, CpuBind::Scheduler, CpuBind::Mask, CpuBind::MaskDb, CpuBind::MaskApp]),
    ) -> Job {
        Job {
            deployment: if standard { Deployment::Standard } else { Deployment::Colocated },
            db_nodes: standard.then_some(db_nodes),
            servers_per_node,
            clients_per_node,
            client_cpus,
            db_cpus,
            cpu_bind: bind,
            distribution: if spread { Distribution::Spread } else { Distribution::Packed },
            db_from: if running { DbFrom::Running } else { DbFrom::Allocation },
            ..example().job
        }
    }
}

/// Every core is usable and, unless cores may be shared, has one owner; each process has as many cores as it asked for.
fn check_sets(shape: &NodeShape, sets: &[(&CpuSet, u32)], shared: bool) -> Result<(), TestCaseError> {
    let mut owned = BTreeSet::new();
    for (set, asked) in sets {
        prop_assert_eq!(set.len(), *asked);
        prop_assert_eq!(shape.cores_of(set).len(), *asked, "two threads of one core");
        for core in shape.cores_of(set).iter() {
            prop_assert!(shape.usable().contains(core), "core {} is reserved", core);
            prop_assert!(owned.insert(core) || shared, "core {} has two owners", core);
        }
    }
    Ok(())
}

fn check_placement(demand: &Demand<'_>, placement: &Placement) -> Result<(), TestCaseError> {
    let job = demand.job;
    let (servers, ranks) = job.cpu_bind.pins();
    let servers = if servers { demand.servers_per_node() } else { 0 };
    prop_assert_eq!(placement.servers.len(), servers as usize);
    prop_assert_eq!(placement.ranks.len(), if ranks { job.clients_per_node as usize } else { 0 });
    let servers = placement.servers.iter().map(|set| (set, job.db_cpus));
    let ranks = placement.ranks.iter().map(|set| (set, job.client_cpus));
    match &placement.db_node {
        None => check_sets(&placement.client_node, &servers.chain(ranks).collect::<Vec<_>>(), demand.oversubscribe),
        Some(db_node) => {
            check_sets(db_node, &servers.collect::<Vec<_>>(), demand.oversubscribe)?;
            check_sets(&placement.client_node, &ranks.collect::<Vec<_>>(), demand.oversubscribe)
        }
    }
}

fn cores_needed(demand: &Demand<'_>) -> u32 {
    let job = demand.job;
    let (servers, ranks) = (demand.servers_per_node() * job.db_cpus, job.clients_per_node * job.client_cpus);
    if demand.shares_node() { servers + ranks } else { servers.max(ranks) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn masks_are_disjoint_usable_exact_and_stable(node in nodes(), job in jobs(), oversubscribe in any::<bool>()) {
        let demand = Demand { job: &job, client_node: &node, db_node: &node, oversubscribe, part_of_node: false };
        let placed = place(&demand);
        let fits = cores_needed(&demand) <= node.usable().unwrap().len();
        if !oversubscribe {
            prop_assert_eq!(placed.is_ok(), fits, "{:?}", placed);
        }
        if let Ok(placement) = placed {
            let placement = placement.unwrap();
            check_placement(&demand, &placement)?;
            if fits {
                let alone = Demand { oversubscribe: false, ..demand };
                prop_assert_eq!(place(&alone).unwrap().unwrap(), placement, "--oversubscribe changes nothing where there is room");
            }
        }
    }

    #[test]
    fn a_rank_straddles_l3_groups_only_where_no_group_holds_it(node in nodes(), job in jobs()) {
        let job = Job { cpu_bind: CpuBind::Mask, ..job };
        let demand = Demand { job: &job, client_node: &node, db_node: &node, oversubscribe: false, part_of_node: false };
        let Ok(Some(placement)) = place(&demand) else { return Ok(()) };
        let groups: Vec<CpuSet> = super::topology::domains(&placement.client_node).into_iter().flatten().map(|group| group.into_iter().collect()).collect();
        let mut taken = CpuSet::default();
        if placement.db_node.is_none() {
            taken = placement.servers.iter().fold(taken, |sum, set| sum.union(set));
        }
        for rank in &placement.ranks {
            let room = |group: &&CpuSet| group.difference(&taken).intersection(&placement.client_node.usable()).len() >= job.client_cpus;
            let inside = groups.iter().any(|group| rank.is_subset(group));
            prop_assert!(inside || !groups.iter().any(|group| room(&group)), "rank on {} although a group has room", rank);
            taken = taken.union(rank);
        }
    }

    #[test]
    fn what_we_work_out_passes_as_masks_of_the_user(node in nodes(), job in jobs()) {
        let job = Job { cpu_bind: CpuBind::Mask, ..job };
        let Ok(Some(placement)) = place(&Demand { job: &job, client_node: &node, db_node: &node, oversubscribe: false, part_of_node: false }) else { return Ok(()) };
        let db = placement.servers.iter().fold(CpuSet::default(), |sum, set| sum.union(set));
        let db = (!db.is_empty()).then_some(db);
        let given = Job { cpu_bind: CpuBind::Masks { db, ranks: placement.ranks.clone() }, ..job };
        let again = place(&Demand { job: &given, client_node: &node, db_node: &node, oversubscribe: false, part_of_node: false }).unwrap().unwrap();
        prop_assert_eq!(again.ranks, placement.ranks);
        prop_assert_eq!(again.servers.len(), placement.servers.len());
    }
}
