//! Placements of a whole study, each worked out and drawn once: thousands of permutations share few of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;

use super::{Demand, draw, place};
use crate::record::binding::CpuBind;
use crate::record::placement::Placement;
use crate::record::vocabulary::Distribution;

/// Who sits where, and a drawing of it.
#[derive(Debug, Default)]
pub struct Seating {
    /// As [`place`] has it.
    pub placement: Option<Placement>,
    /// As [`draw`] has it, in plain text; empty where nothing is known of the nodes.
    pub drawing: Vec<String>,
}

/// The seatings that were asked for so far. For one site and one setting of `oversubscribe`.
#[derive(Debug, Default)]
pub struct Seatings {
    known: Mutex<HashMap<Key, Arc<Seating>>>,
}

/// All that a seating depends on.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    nodes: (String, String),
    /// Servers on a node, whether ranks run there too, and the NUMA domain that servers are to be near.
    servers: (u32, bool, usize),
    ranks: u32,
    cores: (u32, u32),
    bind: CpuBind,
    distribution: Distribution,
}

impl Seatings {
    /// The seating of a demand.
    ///
    /// # Errors
    /// As [`place`].
    pub fn of(&self, demand: &Demand<'_>) -> Result<Arc<Seating>> {
        let key = Key::of(demand);
        // a panic elsewhere leaves a map that is whole
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seating) = known.get(&key) {
            return Ok(Arc::clone(seating));
        }
        let placement = place(demand)?;
        let drawing = placement.as_ref().map(|placement| draw(placement, demand.job).plain()).unwrap_or_default();
        let seating = Arc::new(Seating { placement, drawing });
        known.insert(key, Arc::clone(&seating));
        Ok(seating)
    }
}

impl Key {
    fn of(demand: &Demand<'_>) -> Key {
        let job = demand.job;
        Key {
            nodes: (demand.client_node.name.clone(), demand.db_node.name.clone()),
            servers: (demand.servers_per_node(), demand.shares_node(), demand.near()),
            ranks: job.clients_per_node,
            cores: (job.client_cpus, job.db_cpus),
            bind: job.cpu_bind.clone(),
            distribution: job.distribution,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::examples::{colocated, demand, frontier, standard};
    use super::*;
    use crate::record::manifest::Job;

    #[test]
    fn only_what_matters_makes_another_seating() {
        let (seatings, node) = (Seatings::default(), frontier());
        let of = |job: &Job| seatings.of(&demand(job, &node)).unwrap();
        let first = of(&standard("mask", 8, 4));
        let same = Job { client_nodes: 99, db_nodes: Some(7), repeat: 2, ..standard("mask", 8, 4) };
        assert!(Arc::ptr_eq(&first, &of(&same)));
        let others = [
            Job { net_ifname: "hsn1".into(), ..standard("mask", 8, 4) },
            Job { distribution: Distribution::Spread, ..standard("mask", 8, 4) },
            Job { client_cpus: 2, ..standard("mask", 8, 4) },
            standard("mask-db", 8, 4),
            colocated("mask", 8, 4),
        ];
        for other in others {
            let seating = of(&other);
            assert_eq!(seating.placement, place(&demand(&other, &node)).unwrap());
            assert_ne!(seating.drawing, first.drawing);
        }
        assert!(seatings.of(&demand(&colocated("mask", 64, 8), &node)).is_err());
    }
}
