//! Deals the free cores of a node to servers and ranks.

use super::Demand;
use super::topology::Free;
use crate::record::cpus::CpuSet;
use crate::record::placement::NodeShape;
use crate::record::vocabulary::Distribution;

/// The cores of each server of a node, near its interface. Where there are too few, they start anew (oversubscription: the
/// check of the demand has let it pass).
pub fn servers(free: &mut Free, demand: &Demand<'_>) -> Vec<CpuSet> {
    let cores = demand.job.db_cpus as usize;
    let all = free.clone();
    let server = |local| {
        if free.count() < cores {
            *free = all.clone();
        }
        free.take_near(demand.near(local), cores)
    };
    (0..demand.servers_per_node()).map(server).collect()
}

/// The cores of each rank of a client node, out of those that the servers left `free`. Where there are too few, ranks start
/// anew on the same cores, and only where even these do not hold one rank, on the servers' too.
pub fn ranks(mut free: Free, shape: &NodeShape, demand: &Demand<'_>) -> Vec<CpuSet> {
    let cores = demand.job.client_cpus as usize;
    let again = if free.count() < cores { Free::of(shape) } else { free.clone() };
    let rank = |_| {
        if free.count() < cores {
            free = again.clone();
        }
        match demand.job.distribution {
            Distribution::Packed => free.take_packed(cores),
            Distribution::Spread => free.take_spread(cores),
        }
    };
    (0..demand.job.ranks_per_node()).map(rank).collect()
}
