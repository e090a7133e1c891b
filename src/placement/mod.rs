//! Who sits on which CPU of a node: the store's server and the ranks, on cores that the site leaves to jobs.
//!
//! This module is arithmetic on sets of cores. It must not know launchers (how a mask is written on a command line) or
//! files. Cores are numbered as Linux numbers the first hardware thread of each; SMT siblings are left idle.

use anyhow::{Result, ensure};

use crate::record::cpus::CpuSet;
use crate::record::vocabulary::Deployment;

/// What has to find room on the nodes of a job.
#[derive(Debug, Clone, Copy)]
pub struct Demand {
    pub deployment: Deployment,
    pub clients_per_node: u32,
    pub db_cpus: u32,
}

/// CPUs of each process of a node; the same on every node of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub server: CpuSet,
    /// One set for each rank of a client node, in order of local rank.
    pub ranks: Vec<CpuSet>,
}

/// Refuses what does not fit on a node with `usable` cores, with the arithmetic shown.
pub fn check(demand: Demand, usable: u32) -> Result<()> {
    let Demand { deployment, clients_per_node, db_cpus } = demand;
    match deployment {
        Deployment::Colocated => ensure!(
            clients_per_node + db_cpus <= usable,
            "{clients_per_node} ranks + {db_cpus} DB CPUs = {} cores on each node, but jobs may use {usable}",
            clients_per_node + db_cpus
        ),
        Deployment::Standard => {
            ensure!(
                clients_per_node <= usable,
                "{clients_per_node} ranks on each client node, but jobs may use {usable} cores"
            );
            ensure!(db_cpus <= usable, "{db_cpus} DB CPUs on each DB node, but jobs may use {usable} cores");
        }
    }
    Ok(())
}

/// Gives the server the first cores and each rank an equal share of the others, contiguous.
///
/// `usable` are the cores that jobs may use. The shares are disjoint; what does not divide evenly stays idle.
///
/// # Errors
/// As [`check`].
pub fn place(demand: Demand, usable: &CpuSet) -> Result<Placement> {
    check(demand, usable.len())?;
    let cores: Vec<u32> = usable.iter().collect();
    let (db_cpus, ranks) = (demand.db_cpus as usize, demand.clients_per_node as usize);
    let for_ranks = match demand.deployment {
        Deployment::Colocated => &cores[db_cpus..],
        Deployment::Standard => &cores[..],
    };
    let share = for_ranks.len() / ranks;
    Ok(Placement {
        server: cores[..db_cpus].iter().copied().collect(),
        ranks: for_ranks.chunks_exact(share).take(ranks).map(|chunk| chunk.iter().copied().collect()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn demand(deployment: Deployment, clients_per_node: u32, db_cpus: u32) -> Demand {
        Demand { deployment, clients_per_node, db_cpus }
    }

    #[test]
    fn frontier_leaves_reserved_cores_alone() {
        let usable: CpuSet = (0..64).filter(|core| core % 8 != 0).collect();
        let placement = place(demand(Deployment::Colocated, 48, 8), &usable).unwrap();
        assert_eq!(placement.server.to_list(), "1-7,9");
        assert_eq!(placement.ranks.len(), 48);
        assert_eq!(placement.ranks[0].to_list(), "10");
        assert_eq!(placement.ranks[47].to_list(), "63");
    }

    #[test]
    fn what_does_not_fit_shows_the_arithmetic() {
        let error = check(demand(Deployment::Colocated, 56, 8), 56).unwrap_err().to_string();
        assert_eq!(error, "56 ranks + 8 DB CPUs = 64 cores on each node, but jobs may use 56");
        assert!(check(demand(Deployment::Standard, 56, 8), 56).is_ok());
    }

    proptest! {
        #[test]
        fn sets_are_disjoint_usable_and_of_equal_size(cores in 1u32..200, ranks in 1u32..200, db in 1u32..200, stride in 2u32..9) {
            let usable: CpuSet = (0..cores).filter(|core| core % stride != 0).collect();
            for deployment in Deployment::ALL.iter().copied() {
                let Ok(placement) = place(demand(deployment, ranks, db), &usable) else { continue };
                prop_assert_eq!(placement.server.len(), db);
                prop_assert_eq!(placement.ranks.len(), ranks as usize);
                let mut taken: Vec<u32> = placement.ranks.iter().flat_map(CpuSet::iter).collect();
                if deployment == Deployment::Colocated {
                    taken.extend(placement.server.iter());
                }
                prop_assert!(taken.iter().all(|cpu| usable.contains(*cpu)));
                let before = taken.len();
                taken.sort_unstable();
                taken.dedup();
                prop_assert_eq!(taken.len(), before);
                prop_assert!(placement.ranks.iter().all(|set| set.len() == placement.ranks[0].len() && !set.is_empty()));
            }
        }
    }
}
