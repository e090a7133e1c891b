//! Where ranks and servers really ran, held against the manifest: pure, answers in words.
//!
//! A run whose processes had other CPUs, hosts or interfaces than its manifest says is not slow but invalid: its figures stand
//! under parameters that they were not measured with.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::cpus::CpuSet;
use crate::record::interfaces;
use crate::record::manifest::Manifest;
use crate::record::placement::{NodeShape, Placement};
use crate::record::samples::{Meta, RankInfo};
use crate::record::server::Server;
use crate::record::vocabulary::{BindKind, DbFrom, Deployment, Transport};

/// A process of the run and what the kernel let it use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// Rank, or number of the server.
    pub index: u32,
    /// Place among the processes of its kind on the host.
    pub local: u32,
    pub host: String,
    /// CPUs that it might run on; empty where the record of them cannot be read.
    pub cpus: CpuSet,
}

/// The seats of the ranks. Where the ranks of a host did not record local ranks, or recorded one twice (a launcher that says
/// nothing leaves what Slurm said of the batch script), each has the place of its number among those of its host.
pub fn seats_of_ranks(meta: &Meta, ranks: &[RankInfo]) -> Vec<Seat> {
    let mut by_host: BTreeMap<u32, Vec<&RankInfo>> = BTreeMap::new();
    for rank in ranks {
        by_host.entry(rank.host).or_default().push(rank);
    }
    let mut seats = Vec::with_capacity(ranks.len());
    for (host, mut ranks) in by_host {
        ranks.sort_by_key(|rank| rank.rank);
        let recorded: BTreeSet<u32> = ranks.iter().filter_map(|rank| rank.local_rank).collect();
        let trusted = recorded.len() == ranks.len();
        for (place, rank) in ranks.into_iter().enumerate() {
            seats.push(Seat {
                index: rank.rank,
                local: rank.local_rank.filter(|_| trusted).unwrap_or(place as u32),
                host: meta.hosts.get(host as usize).cloned().unwrap_or_default(),
                cpus: rank.cpus.parse().unwrap_or_default(),
            });
        }
    }
    seats.sort_by_key(|seat| seat.index);
    seats
}

fn seats_of_servers(servers: &[Server]) -> Vec<Seat> {
    let mut next: BTreeMap<&str, u32> = BTreeMap::new();
    let mut seats = Vec::with_capacity(servers.len());
    for Server { index, local_index, host, cpus, .. } in servers {
        let place = next.entry(host).or_default();
        *place += 1;
        let local = local_index.unwrap_or(*place - 1);
        seats.push(Seat { index: *index, local, host: host.clone(), cpus: cpus.parse().unwrap_or_default() });
    }
    seats
}

/// What the processes had otherwise than the manifest says. Empty where all is as asked, or where too little is recorded to
/// tell, which others note.
pub fn contradictions(manifest: &Manifest, ranks: &[Seat], servers: &[Server]) -> Vec<String> {
    // keepers of files serve nobody: they sleep where there is room
    let servers = if manifest.job.store.has_servers() { servers } else { &[] };
    let seats = seats_of_servers(servers);
    let mut found = Vec::new();
    if ranks.len() == manifest.expect.ranks as usize {
        found.extend(ranks_per_node(manifest, ranks));
        found.extend(hosts(manifest, ranks, &seats));
    }
    found.extend(listened_elsewhere(manifest, servers));
    found.extend(silent_servers(manifest, servers));
    match manifest.job.cpu_bind.kind() {
        BindKind::None => {}
        BindKind::Mask => {
            let placement = manifest.placement.clone().unwrap_or_default();
            found.extend(not_as_pinned("ranks", "rank", ranks, &placement.ranks));
            found.extend(not_as_pinned("servers", "server", &seats, &placement.servers));
            if let Some(part) = &placement.in_job {
                // which cores these were differs from node to node
                let of =
                    |pinned: &[CpuSet], seats: &[Seat]| if pinned.is_empty() { Vec::new() } else { seats.to_vec() };
                found.extend(not_as_counted(manifest, &of(&part.ranks, ranks), &of(&part.servers, &seats)));
            }
        }
        BindKind::Scheduler => found.extend(not_as_counted(manifest, ranks, &seats)),
    }
    found
}

fn ranks_per_node(manifest: &Manifest, ranks: &[Seat]) -> Option<String> {
    let asked = manifest.job.ranks_per_node();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for seat in ranks {
        *counts.entry(&seat.host).or_default() += 1;
    }
    let wrong: Vec<_> = counts.iter().filter(|(_, count)| **count != asked).collect();
    let (host, count) = wrong.first()?;
    Some(format!("{} of {} hosts had not {asked} ranks, such as {host} with {count}", wrong.len(), counts.len()))
}

/// Servers beside the ranks where they are colocated, apart from them where they have nodes of their own.
fn hosts(manifest: &Manifest, ranks: &[Seat], servers: &[Seat]) -> Option<String> {
    let of_ranks: BTreeSet<&str> = ranks.iter().map(|seat| seat.host.as_str()).collect();
    let of_servers: BTreeSet<&str> = servers.iter().map(|seat| seat.host.as_str()).collect();
    let one_machine = manifest.expect.nodes == 1 && manifest.job.db_from == DbFrom::Allocation;
    if servers.is_empty() || one_machine {
        return None;
    }
    match manifest.job.deployment {
        Deployment::Colocated => {
            let alone = of_ranks.symmetric_difference(&of_servers).next();
            let alone = alone.map(|alone| {
                let who = if of_ranks.contains(alone) { "ranks and no server" } else { "a server and no rank" };
                format!("{alone} had {who}, and the store is colocated")
            });
            alone.or_else(|| crowded(servers, manifest.job.servers_per_node))
        }
        Deployment::Standard => {
            let shared = of_ranks.intersection(&of_servers).next();
            let shared =
                shared.map(|host| format!("{host} had ranks and a server, and these were to have nodes of their own"));
            shared.or_else(|| crowded(servers, manifest.job.servers_per_node))
        }
    }
}

/// Hosts with more or fewer servers than each was to have.
fn crowded(servers: &[Seat], asked: u32) -> Option<String> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for seat in servers {
        *counts.entry(&seat.host).or_default() += 1;
    }
    let (host, count) = counts.iter().find(|(_, count)| **count != asked)?;
    let each = if asked == 1 { "one each".to_owned() } else { format!("{asked} each") };
    Some(format!(
        "{} servers ran on {} hosts instead of {each}, such as {count} on {host}",
        servers.len(),
        counts.len()
    ))
}

fn listened_elsewhere(manifest: &Manifest, servers: &[Server]) -> Option<String> {
    let job = &manifest.job;
    let listens = |server: &Server| match (&server.address, &server.socket) {
        (_, Some(_)) => "a UNIX socket".to_owned(),
        (Some(address), None) => format!("{} ({address})", server.ifname),
        (None, None) => "nothing that is recorded".to_owned(),
    };
    let asked = |server: &Server| match server.local_index {
        Some(local) => server.ifname == interfaces::of_local(&job.net_ifname, local),
        None => job.interfaces().any(|name| name == server.ifname),
    };
    let as_asked = |server: &&Server| match job.transport {
        Transport::Uds => server.socket.is_some(),
        Transport::Tcp => server.socket.is_none() && server.address.is_some() && asked(server),
    };
    let wrong: Vec<&Server> = servers.iter().filter(|server| !as_asked(server)).collect();
    let first = wrong.first()?;
    let asked = if job.transport == Transport::Uds { "a UNIX socket" } else { job.net_ifname.as_str() };
    Some(format!(
        "{} of {} servers listened elsewhere, such as server {} on {}: {} instead of {asked}",
        wrong.len(),
        servers.len(),
        first.index,
        first.host,
        listens(first)
    ))
}

/// Servers whose CPUs were to be proved and that left no record.
fn silent_servers(manifest: &Manifest, servers: &[Server]) -> Option<String> {
    let (job, expect) = (&manifest.job, &manifest.expect);
    let pinned = manifest.placement.as_ref().is_some_and(Placement::pins_servers);
    let to_prove = pinned || job.cpu_bind.kind() == BindKind::Scheduler;
    let ours = job.deployment == Deployment::Colocated || matches!(job.db_from, DbFrom::Allocation | DbFrom::Hosts);
    let ours = ours && job.store.has_servers();
    let missing = (0..expect.servers).find(|index| servers.iter().all(|server| server.index != *index))?;
    (to_prove && ours).then(|| format!("the CPUs of server {missing} are not recorded"))
}

/// `asked` has the CPUs for each local index; nobody is pinned where it is empty.
fn not_as_pinned(plural: &str, singular: &str, seats: &[Seat], asked: &[CpuSet]) -> Option<String> {
    if asked.is_empty() {
        return None;
    }
    let wrong: Vec<&Seat> = seats.iter().filter(|seat| asked.get(seat.local as usize) != Some(&seat.cpus)).collect();
    let first = wrong.first()?;
    let asked = asked.get(first.local as usize).map_or("none".to_owned(), |cpus| format!("CPUs {cpus}"));
    Some(format!(
        "{} of {} {plural} had other CPUs than were pinned, such as {singular} {} on {}: CPUs {} instead of {asked}",
        wrong.len(),
        seats.len(),
        first.index,
        first.host,
        shown(&first.cpus)
    ))
}

fn shown(cpus: &CpuSet) -> String {
    if cpus.is_empty() { "that cannot be read".to_owned() } else { cpus.to_string() }
}

/// Where the scheduler chooses we do not know which cores a process gets, but how many, and that nobody shares one.
fn not_as_counted(manifest: &Manifest, ranks: &[Seat], servers: &[Seat]) -> Vec<String> {
    let job = &manifest.job;
    let placement = manifest.placement.clone().unwrap_or_default();
    let (client_node, server_node) = (&placement.client_node, placement.server_node());
    let mut found: Vec<String> = Vec::new();
    found.extend(not_so_many("ranks", "rank", ranks, (job.client_cpus, client_node)));
    found.extend(not_so_many("servers", "server", servers, (job.db_cpus, server_node)));
    let of_ranks = ranks.iter().map(|seat| ("rank", seat, client_node));
    let of_servers = servers.iter().map(|seat| ("server", seat, server_node));
    let mut owners: BTreeMap<(&str, u32), (&str, u32)> = BTreeMap::new();
    for (kind, seat, node) in of_ranks.chain(of_servers) {
        for core in node.cores_of(&seat.cpus).iter() {
            if let Some((other, index)) = owners.insert((&seat.host, core), (kind, seat.index)) {
                let (host, index_here) = (&seat.host, seat.index);
                found.push(format!("on {host} {other} {index} and {kind} {index_here} shared core {core}"));
                return found;
            }
        }
    }
    found
}

fn not_so_many(plural: &str, singular: &str, seats: &[Seat], (asked, node): (u32, &NodeShape)) -> Option<String> {
    let all = node.cpus();
    let as_asked = |cpus: &CpuSet| {
        let cores = node.cores_of(cpus);
        // threads of an unknown node cannot be told from cores
        let enough = if node.is_known() { cores.len() == asked && cpus.is_subset(&all) } else { cpus.len() >= asked };
        enough && cores.is_disjoint(&node.reserved)
    };
    let wrong: Vec<&Seat> = seats.iter().filter(|seat| !as_asked(&seat.cpus)).collect();
    let first = wrong.first()?;
    let cores = if asked == 1 { "1 core".to_owned() } else { format!("{asked} cores") };
    let reserved =
        if node.reserved.is_empty() { String::new() } else { format!(" outside of the reserved {}", node.reserved) };
    Some(format!(
        "{} of {} {plural} had not the {cores} that they were to have, such as {singular} {} on {}: CPUs {} instead of {cores}{reserved}",
        wrong.len(),
        seats.len(),
        first.index,
        first.host,
        shown(&first.cpus)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::SCHEMA;
    use crate::record::manifest::example;
    use crate::record::placement::InJob;

    /// 2 nodes x 2 ranks of 1 core, a server of 2 cores on each; SMT2, core 0 reserved.
    fn colocated(bind: &str) -> Manifest {
        let mut manifest = example();
        manifest.job.deployment = Deployment::Colocated;
        manifest.job.db_nodes = None;
        manifest.job.db_cpus = 2;
        manifest.job.cpu_bind = bind.parse().unwrap();
        (manifest.expect.nodes, manifest.expect.servers) = (2, 2);
        let client_node = NodeShape {
            cores: "0-7".parse().unwrap(),
            reserved: "0".parse().unwrap(),
            threads_per_core: 2,
            sibling_step: 8,
            ..NodeShape::default()
        };
        manifest.placement = Some(Placement { client_node, ..Placement::default() });
        manifest
    }

    fn pinned() -> Manifest {
        let mut manifest = colocated("mask");
        let placement = manifest.placement.as_mut().unwrap();
        placement.ranks = vec!["3".parse().unwrap(), "4".parse().unwrap()];
        placement.servers = vec!["1-2".parse().unwrap()];
        manifest
    }

    fn rank(index: u32, host: &str, cpus: &str) -> Seat {
        Seat { index, local: index % 2, host: host.into(), cpus: cpus.parse().unwrap() }
    }

    fn ranks() -> Vec<Seat> {
        vec![rank(0, "cn1", "3"), rank(1, "cn1", "4"), rank(2, "cn2", "3"), rank(3, "cn2", "4")]
    }

    fn server(index: u32, host: &str, cpus: &str) -> Server {
        Server {
            schema: SCHEMA,
            index,
            local_index: Some(0),
            host: host.into(),
            address: Some("10.78.0.1".into()),
            port: Some(6780),
            socket: None,
            folder: None,
            ifname: "hsn0".into(),
            pid: 1,
            cpus: cpus.into(),
            version: "redis 7.0.15".into(),
            in_force: None,
            bus: None,
            exit: None,
        }
    }

    fn servers() -> Vec<Server> {
        vec![server(0, "cn1", "1-2"), server(1, "cn2", "1-2")]
    }

    #[test]
    fn what_is_as_asked_is_no_contradiction() {
        for manifest in [pinned(), colocated("none"), colocated("scheduler")] {
            assert_eq!(
                contradictions(&manifest, &ranks(), &servers()),
                Vec::<String>::new(),
                "{}",
                manifest.job.cpu_bind
            );
        }
    }

    #[test]
    fn on_a_part_of_a_node_cores_are_counted() {
        let mut manifest = pinned();
        let placement = manifest.placement.as_mut().unwrap();
        let (servers_cpus, ranks_cpus) = (std::mem::take(&mut placement.servers), std::mem::take(&mut placement.ranks));
        placement.in_job = Some(InJob { servers: servers_cpus, ranks: ranks_cpus });
        // other cores than on cn1, as other jobs left them
        let mut seats = ranks();
        (seats[2], seats[3]) = (rank(2, "cn2", "5"), rank(3, "cn2", "6"));
        assert_eq!(contradictions(&manifest, &seats, &servers()), Vec::<String>::new());
        seats[3] = rank(3, "cn2", "2");
        let found = contradictions(&manifest, &seats, &[server(0, "cn1", "1"), server(1, "cn2", "1-2")]);
        let few = "1 of 2 servers had not the 2 cores that they were to have, such as server 0 on cn1: CPUs 1 instead of 2 cores \
                   outside of the reserved 0";
        assert_eq!(found, [few, "on cn2 rank 3 and server 1 shared core 2"]);
        assert_eq!(
            contradictions(&manifest, &ranks(), &servers()[..1]),
            ["cn2 had ranks and no server, and the store is colocated", "the CPUs of server 1 are not recorded"]
        );
    }

    #[test]
    fn other_cpus_than_pinned_name_the_first_process_host_and_cpus() {
        let mut seats = ranks();
        seats[2] = rank(2, "cn2", "0-7");
        seats[3] = rank(3, "cn2", "3");
        let found = contradictions(&pinned(), &seats, &[server(0, "cn1", "1-2"), server(1, "cn2", "1")]);
        assert_eq!(
            found,
            [
                "2 of 4 ranks had other CPUs than were pinned, such as rank 2 on cn2: CPUs 0-7 instead of CPUs 3",
                "1 of 2 servers had other CPUs than were pinned, such as server 1 on cn2: CPUs 1 instead of CPUs 1-2"
            ]
        );
        // a side that was left free may have any
        let mut free = pinned();
        free.placement.as_mut().unwrap().ranks.clear();
        assert!(contradictions(&free, &seats, &servers()).is_empty());
    }

    #[test]
    fn the_scheduler_is_held_to_numbers_and_to_sharing_nothing() {
        let manifest = colocated("scheduler");
        let of = |seats: &[Seat]| contradictions(&manifest, seats, &servers());
        // both threads of one core are one core
        assert!(
            of(&[rank(0, "cn1", "3,11"), rank(1, "cn1", "4"), rank(2, "cn2", "5"), rank(3, "cn2", "7,15")]).is_empty()
        );
        let mut seats = ranks();
        seats[1] = rank(1, "cn1", "4-5");
        assert_eq!(
            of(&seats),
            [
                "1 of 4 ranks had not the 1 core that they were to have, such as rank 1 on cn1: CPUs 4-5 instead of 1 core outside of the reserved 0"
            ]
        );
        seats[1] = rank(1, "cn1", "8");
        assert!(of(&seats)[0].contains("CPUs 8 instead of 1 core outside of the reserved 0"));
        // the other thread of a core of the server
        seats[1] = rank(1, "cn1", "10");
        assert_eq!(of(&seats), ["on cn1 rank 1 and server 0 shared core 2"]);
        seats[1] = rank(1, "cn1", "99");
        assert!(of(&seats)[0].contains("CPUs 99"));
    }

    #[test]
    fn hosts_and_interfaces_are_as_asked() {
        let manifest = colocated("none");
        let mut seats = ranks();
        seats[1] = rank(1, "cn2", "4");
        assert_eq!(contradictions(&manifest, &seats, &servers()), ["2 of 2 hosts had not 2 ranks, such as cn1 with 1"]);
        let moved = [server(0, "cn1", "1-2"), server(1, "cn3", "1-2")];
        assert_eq!(
            contradictions(&manifest, &ranks(), &moved),
            ["cn2 had ranks and no server, and the store is colocated"]
        );
        let elsewhere = [server(0, "cn1", "1-2"), Server { ifname: "eth0".into(), ..server(1, "cn2", "1-2") }];
        assert_eq!(
            contradictions(&manifest, &ranks(), &elsewhere),
            ["1 of 2 servers listened elsewhere, such as server 1 on cn2: eth0 (10.78.0.1) instead of hsn0"]
        );
        let mut standard = example();
        standard.expect.servers = 2;
        assert_eq!(
            contradictions(&standard, &ranks(), &servers()),
            ["cn1 had ranks and a server, and these were to have nodes of their own"]
        );
        let apart = [server(0, "cn3", "1-2"), server(1, "cn3", "1-2")];
        assert_eq!(
            contradictions(&standard, &ranks(), &apart),
            ["2 servers ran on 1 hosts instead of one each, such as 2 on cn3"]
        );
        (standard.job.servers_per_node, standard.job.net_ifname) = (2, "hsn0+hsn1".into());
        assert!(contradictions(&standard, &ranks(), &apart).is_empty(), "no record of who was to take which");
        let [first, second] = apart;
        let apart = [first, Server { local_index: Some(1), ..second }];
        assert_eq!(
            contradictions(&standard, &ranks(), &apart),
            ["1 of 2 servers listened elsewhere, such as server 1 on cn3: hsn0 (10.78.0.1) instead of hsn0+hsn1"]
        );
        standard.expect.nodes = 1;
        assert!(contradictions(&standard, &ranks(), &servers()).is_empty(), "one machine holds all");
    }

    #[test]
    fn a_server_without_a_record_proves_nothing() {
        let found = contradictions(&pinned(), &ranks(), &servers()[..1]);
        assert!(found.contains(&"the CPUs of server 1 are not recorded".to_owned()), "{found:?}");
    }

    #[test]
    fn local_ranks_are_counted_where_they_are_not_recorded() {
        let meta = crate::record::samples::example_meta();
        let info = |rank, host| RankInfo { rank, host, cpus: "0-1".into(), ..crate::record::samples::example_rank() };
        let seats = seats_of_ranks(&meta, &[info(3, 1), info(0, 0), info(1, 1), info(2, 0)]);
        let places: Vec<_> = seats.iter().map(|seat| (seat.index, seat.local, seat.host.as_str())).collect();
        assert_eq!(places, [(0, 0, "cn4"), (1, 0, "cn5"), (2, 1, "cn4"), (3, 1, "cn5")]);
        let told = |rank, local| RankInfo { local_rank: Some(local), ..info(rank, 0) };
        let locals =
            |ranks: &[RankInfo]| seats_of_ranks(&meta, ranks).iter().map(|seat| seat.local).collect::<Vec<_>>();
        assert_eq!(locals(&[told(0, 1), told(1, 0)]), [1, 0]);
        assert_eq!(locals(&[told(0, 0), told(1, 0)]), [0, 1], "every rank says what the batch script was told");
    }
}
