//! Who sits on which CPU of a node: the store's servers and the ranks, on cores that the site leaves to jobs.
//!
//! This module is arithmetic on sets of cores: [`fit`] (is there room), [`topology`] (what is near what), [`deal`] (who gets
//! which cores), [`given`] (masks that the user gave), [`mod@draw`] (a picture of a node). It must not know launchers (how a mask
//! is written on a command line) or files.
//!
//! A core is named by its first CPU. A process gets the first hardware thread of each of its cores and the other threads stay
//! idle, unless the user's own masks say otherwise.

mod deal;
mod draw;
#[cfg(test)]
mod examples;
mod fit;
mod given;
#[cfg(test)]
mod properties;
mod topology;

pub use draw::{Drawing, draw};
pub use fit::{check_consumers, check_memory};

use anyhow::{Result, ensure};

use crate::record::binding::CpuBind;
use crate::record::cpus::CpuSet;
use crate::record::interfaces;
use crate::record::manifest::Job;
use crate::record::placement::{InJob, NodeShape, Placement};
use crate::record::vocabulary::{DbFrom, Deployment, Transport};
use crate::site::Node;
use topology::Free;

/// What has to find room, and where.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    pub job: &'a Job,
    /// The client's nodes; a colocated store's too.
    pub client_node: &'a Node,
    /// The nodes of a standard deployment's servers.
    pub db_node: &'a Node,
    /// Processes may share cores where there are too few.
    pub oversubscribe: bool,
    /// Jobs get a part of a node, and learn which when they run.
    pub part_of_node: bool,
}

impl Demand<'_> {
    /// Servers and ranks run on the same nodes.
    fn shares_node(&self) -> bool {
        self.job.deployment == Deployment::Colocated || self.client_node.single
    }

    /// Servers of this job on each node that has any; none where they run already.
    fn servers_per_node(&self) -> u32 {
        match self.job.deployment {
            _ if !self.job.store.has_servers() => 0,
            Deployment::Standard if self.job.db_from == DbFrom::Running => 0,
            Deployment::Standard if self.client_node.single => self.job.servers(),
            _ => self.job.servers_per_node,
        }
    }

    /// The nodes that the servers run on.
    fn server_node(&self) -> &Node {
        if self.shares_node() { self.client_node } else { self.db_node }
    }

    /// Index of the NUMA domain that server number `local` of a node should be near: that of its interface; where nothing is known of
    /// that, or no network takes part, the servers take the domains in turn.
    fn near(&self, local: u32) -> usize {
        let interface = self.server_node().interface(interfaces::of_local(&self.job.net_ifname, local));
        let network = self.job.transport == Transport::Tcp;
        let of_interface = interface.filter(|_| network).and_then(|interface| interface.numa);
        of_interface.unwrap_or_else(|| local % self.server_node().numa.len().max(1) as u32) as usize
    }
}

/// The CPUs of each process of a node, with the shapes of the nodes; nothing where the nodes are not known and nobody is pinned.
///
/// Servers get cores near the interface's NUMA domain, whole L3 groups first. Each rank gets exactly `client_cpus` cores of
/// what they leave, within one L3 group where they fit, packed or spread over the groups. The result depends on nothing but the
/// demand. A side that `mask-db` or `mask-app` leaves free is empty, and there is room for it all the same.
///
/// # Errors
/// More processes than cores, with the arithmetic; masks of the user that name cores that are reserved, absent, or used twice;
/// a node whose cores are not known.
pub fn place(demand: &Demand<'_>) -> Result<Option<Placement>> {
    fit::check(demand)?;
    let bind = &demand.job.cpu_bind;
    let client_node = topology::shape(demand.client_node);
    let apart = !demand.shares_node() && demand.servers_per_node() > 0;
    let db_node = apart.then(|| topology::shape(demand.db_node));
    let mut placement = Placement { client_node, db_node, ..Placement::default() };
    match bind {
        CpuBind::None | CpuBind::Scheduler => {}
        CpuBind::Mask | CpuBind::MaskDb | CpuBind::MaskApp if demand.part_of_node => {
            placement.in_job = Some(in_a_row(demand));
        }
        CpuBind::Mask | CpuBind::MaskDb | CpuBind::MaskApp => ours(demand, &mut placement)?,
        CpuBind::Masks { db, ranks } => given::place(demand, &mut placement, db.as_ref(), ranks)?,
        CpuBind::Map { db, ranks } => {
            let ranks: Vec<CpuSet> = ranks.iter().map(|cpu| CpuSet::from_iter([*cpu])).collect();
            given::place(demand, &mut placement, db.as_ref(), &ranks)?;
        }
    }
    let known = placement.client_node.is_known() || placement.db_node.as_ref().is_some_and(NodeShape::is_known);
    let pinned = !placement.servers.is_empty() || !placement.ranks.is_empty() || placement.in_job.is_some();
    Ok((known || pinned).then_some(placement))
}

/// Masks that we work out.
fn ours(demand: &Demand<'_>, placement: &mut Placement) -> Result<()> {
    for node in [Some(&placement.client_node), placement.db_node.as_ref()].into_iter().flatten() {
        ensure!(
            node.is_known(),
            "--cpu-bind {} needs the cores of the nodes, and the site does not tell them: give `cores` under [[node]] in the \
             site's file, or masks of your own (mask:0x..), or --cpu-bind none",
            demand.job.cpu_bind
        );
    }
    let (pin_servers, pin_ranks) = demand.job.cpu_bind.pins();
    let mut free = Free::of(placement.server_node());
    let servers = deal::servers(&mut free, demand);
    if placement.db_node.is_some() || demand.servers_per_node() == 0 {
        free = Free::of(&placement.client_node);
    }
    let ranks = deal::ranks(free, &placement.client_node, demand);
    if pin_servers {
        placement.servers = servers;
    }
    if pin_ranks {
        placement.ranks = ranks;
    }
    Ok(())
}

/// The servers of a node and then its ranks, one after another: nothing is known of the cores that a job gets but their number.
fn in_a_row(demand: &Demand<'_>) -> InJob {
    let row = |first: u32, processes: u32, cores: u32| -> Vec<CpuSet> {
        (0..processes).map(|i| (first + i * cores..first + (i + 1) * cores).collect()).collect()
    };
    let (job, servers) = (demand.job, demand.servers_per_node());
    let of_servers = if demand.shares_node() { servers * job.db_cpus } else { 0 };
    let (pin_servers, pin_ranks) = job.cpu_bind.pins();
    InJob {
        servers: row(0, if pin_servers { servers } else { 0 }, job.db_cpus),
        ranks: row(of_servers, if pin_ranks { job.ranks_per_node() } else { 0 }, job.client_cpus),
    }
}
