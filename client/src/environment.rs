//! Under what conditions the ranks run: every rank says its part, rank 0 writes `environment.json`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};
use shardscale::record::environment::{
    self, ConnectionFacts, Environment, HostGroup, Phase, RankMemory, Route, list_ranks,
};
use shardscale::record::host::HostFacts;
use shardscale::record::{SCHEMA, files};

use crate::clock::now_ns;
use crate::comm::Comm;
use crate::connecting::OFFERED_PER_S;
use crate::connection::Timeouts;
use crate::hosts::Hosts;
use crate::mpi_facts;
use crate::node::{self, Root, interface};

/// How this rank reached the store.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Reach {
    /// Address that its first connection leaves from; absent for a UNIX socket.
    pub source: Option<IpAddr>,
    /// When its turn to connect came, in ns from the beginning.
    pub turn_ns: u64,
    pub connect_ns: u64,
    pub retries: u32,
    /// Bytes of the first connection's send and receive buffers, as the kernel says.
    pub buffers: Option<(u64, u64)>,
}

/// What one rank tells rank 0.
#[derive(Serialize, Deserialize)]
struct Part {
    reach: Reach,
    interface: Option<String>,
    /// Of its host, from the first rank there.
    facts: Option<HostFacts>,
}

/// Measures the parts of the start.
pub struct StartUp {
    last_ns: i64,
    phases: Vec<Phase>,
}

impl StartUp {
    pub fn begin() -> StartUp {
        StartUp { last_ns: now_ns(), phases: Vec::new() }
    }

    /// Ends the part called `name`.
    pub fn mark(&mut self, name: &str) {
        let now = now_ns();
        let ns = (now - std::mem::replace(&mut self.last_ns, now)).max(0).cast_unsigned();
        self.phases.push(Phase { name: name.to_owned(), ns });
    }
}

/// Rank 0's description and where it goes; the other ranks have none.
pub struct Report {
    environment: Option<Environment>,
    path: Option<PathBuf>,
}

impl Report {
    /// Gathers the description and writes it; every rank must call it.
    pub fn start(comm: &Comm, hosts: &Hosts, own: &Reach, timeouts: Timeouts) -> Result<Report> {
        let rank = comm.rank();
        let is_first = hosts.first_rank(hosts.of_rank[rank as usize]) == Some(rank);
        let interfaces = interface::of_this_host().unwrap_or_default();
        let name = own.source.and_then(|address| interface::with_address(&interfaces, address));
        let part = Part {
            reach: own.clone(),
            interface: name.map(str::to_owned),
            facts: is_first.then(|| node::facts(&Root::real(), &interfaces)),
        };
        let environment = comm.collect(&part)?.map(|parts| Environment {
            schema: SCHEMA,
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
            mpi: mpi_facts::facts(&Root::real(), comm.size()),
            connections: connections(&parts, timeouts),
            routes: routes(&parts, hosts),
            start_up: Vec::new(),
            rank_memory: None,
            hosts: HostGroup::group(
                parts
                    .into_iter()
                    .zip(&hosts.of_rank)
                    .filter_map(|(part, host)| Some((hosts.names[*host as usize].clone(), part.facts?))),
            ),
        });
        Ok(Report { environment, path: None })
    }

    /// Writes it to `attempt` with what the start took.
    pub fn write(&mut self, attempt: Option<&Path>, start_up: StartUp) -> Result<()> {
        let Some(environment) = &mut self.environment else { return Ok(()) };
        environment.start_up = start_up.phases;
        self.path = attempt.map(|attempt| attempt.join(environment::FILE));
        self.replace()
    }

    /// Adds what only the end knows; every rank must call it.
    pub fn finish(&mut self, comm: &Comm) -> Result<()> {
        let Some(peaks) = comm.collect(&peak_bytes()?)? else { return Ok(()) };
        if let Some(environment) = &mut self.environment {
            environment.rank_memory = memory(&peaks);
        }
        self.replace()
    }

    fn replace(&self) -> Result<()> {
        match (&self.environment, &self.path) {
            (Some(environment), Some(path)) => files::replace_json(path, environment),
            _ => Ok(()),
        }
    }
}

fn connections(parts: &[Part], timeouts: Timeouts) -> ConnectionFacts {
    let least = |of: fn((u64, u64)) -> u64| parts.iter().filter_map(|part| part.reach.buffers.map(of)).min();
    let most = |of: fn(&Reach) -> u64| parts.iter().map(|part| of(&part.reach)).max().unwrap_or_default();
    ConnectionFacts {
        connect_timeout_s: timeouts.connect.as_secs(),
        reply_timeout_s: timeouts.reply.as_secs(),
        offered_per_server_per_s: OFFERED_PER_S,
        spread_ns: most(|reach| reach.turn_ns),
        retries: parts.iter().map(|part| u64::from(part.reach.retries)).sum(),
        slowest_ns: most(|reach| reach.connect_ns),
        send_buffer_bytes: least(|(send, _)| send),
        receive_buffer_bytes: least(|(_, receive)| receive),
    }
}

/// Who leaves a host from which address, in the order of first ranks.
fn routes(parts: &[Part], hosts: &Hosts) -> Vec<Route> {
    let mut found: Vec<(&Part, u32, Vec<u32>)> = Vec::new();
    let mut at = HashMap::new();
    for ((rank, part), host) in (0..).zip(parts).zip(&hosts.of_rank) {
        let index = *at.entry((*host, part.reach.source)).or_insert(found.len());
        if index == found.len() {
            found.push((part, *host, Vec::new()));
        }
        found[index].2.push(rank);
    }
    let route = |(part, host, ranks): (&Part, u32, Vec<u32>)| Route {
        host: hosts.names[host as usize].clone(),
        interface: part.interface.clone(),
        address: part.reach.source.map(|address| address.to_string()),
        ranks: list_ranks(&ranks),
    };
    found.into_iter().map(route).collect()
}

/// The most memory that this process had resident so far.
fn peak_bytes() -> Result<u64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).context("cannot read the memory use")?;
    Ok(u64::try_from(usage.max_rss()).unwrap_or_default() * 1024)
}

fn memory(peaks: &[u64]) -> Option<RankMemory> {
    let (most_rank, most) = (0..).zip(peaks).max_by_key(|(_, peak)| **peak)?;
    let mut sorted = peaks.to_vec();
    sorted.sort_unstable();
    Some(RankMemory { median_bytes: sorted[sorted.len() / 2], most_bytes: *most, most_rank })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn part(source: Option<[u8; 4]>, interface: Option<&str>) -> Part {
        let reach = Reach { source: source.map(IpAddr::from), retries: 1, ..Reach::default() };
        Part { reach, interface: interface.map(str::to_owned), facts: None }
    }

    #[test]
    fn ranks_with_one_address_share_a_route() {
        let hosts = Hosts { names: vec!["cn1".into(), "cn2".into()], of_rank: vec![0, 0, 0, 1] };
        let parts = [
            part(Some([10, 0, 0, 1]), Some("hsn0")),
            part(Some([10, 0, 0, 2]), Some("hsn1")),
            part(Some([10, 0, 0, 1]), Some("hsn0")),
            part(None, None),
        ];
        let routes = routes(&parts, &hosts);
        let text: Vec<_> = routes.iter().map(|r| (r.host.as_str(), r.interface.as_deref(), r.ranks.as_str())).collect();
        assert_eq!(text, [("cn1", Some("hsn0"), "0,2"), ("cn1", Some("hsn1"), "1"), ("cn2", None, "3")]);
        let timeouts = Timeouts { connect: Duration::from_secs(3), reply: Duration::from_secs(4) };
        assert_eq!(connections(&parts, timeouts).retries, 4);
    }

    #[test]
    fn memory_names_the_rank_with_the_most() {
        let found = memory(&[5, 9, 7]).unwrap();
        assert_eq!((found.median_bytes, found.most_bytes, found.most_rank), (7, 9, 1));
        assert!(peak_bytes().unwrap() > 1 << 20);
    }
}
