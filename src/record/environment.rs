//! `environment.json`: under what conditions the client ran, as it found them: never copied from the manifest.
//!
//! Rank 0 writes it before the first sample, and again at the end with what only the end knows.

use serde::{Deserialize, Serialize};

use super::host::HostFacts;
use super::interfaces;

/// Name of the file in an attempt directory.
pub const FILE: &str = "environment.json";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    pub schema: u32,
    pub client_version: String,
    pub mpi: MpiFacts,
    pub connections: ConnectionFacts,
    /// From which address of which host the ranks' first connections leave.
    pub routes: Vec<Route>,
    /// How long rank 0 spent in each part of the start, in order.
    pub start_up: Vec<Phase>,
    /// Peak resident memory over all ranks; absent until the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_memory: Option<RankMemory>,
    /// Hosts with the same description share it.
    pub hosts: Vec<HostGroup>,
}

/// The MPI library that was loaded, and the one that the client was built against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MpiFacts {
    /// What it says of itself, first line.
    pub library: String,
    /// Version of the standard, such as `3.1`.
    pub standard: String,
    /// What the build used, such as `Open MPI 4.1.4`; empty where the build could not tell.
    pub built_against: String,
    /// Files that the process has mapped as its MPI library.
    pub files: Vec<String>,
    pub world_size: u32,
}

/// How ranks reached their servers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionFacts {
    pub connect_timeout_s: u64,
    pub reply_timeout_s: u64,
    /// New connections a second that each server is offered: ranks wait for their turn.
    pub offered_per_server_per_s: u32,
    /// From the first rank's turn to the last one's, in ns.
    pub spread_ns: u64,
    /// Attempts that failed and were repeated, over all ranks.
    pub retries: u64,
    /// The slowest rank, from its first attempt to an authenticated connection, in ns.
    pub slowest_ns: u64,
    /// Buffers of a data connection in bytes, as the kernel had them when it was made: SO_SNDBUF and SO_RCVBUF, of the rank
    /// with the least; those of TCP grow by themselves. Absent in earlier records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_buffer_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_buffer_bytes: Option<u64>,
}

/// Ranks of one host whose first connection leaves from one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    pub host: String,
    /// Absent for a UNIX socket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// A list such as `0-47,96-143`.
    pub ranks: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    pub name: String,
    pub ns: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankMemory {
    pub median_bytes: u64,
    pub most_bytes: u64,
    /// The rank with the most.
    pub most_rank: u32,
}

/// Equal nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostGroup {
    pub hosts: Vec<String>,
    pub facts: HostFacts,
}

impl HostGroup {
    /// Groups (host, facts) by equal facts, in the order of first appearance.
    pub fn group(hosts: impl IntoIterator<Item = (String, HostFacts)>) -> Vec<HostGroup> {
        let mut groups: Vec<HostGroup> = Vec::new();
        for (host, facts) in hosts {
            match groups.iter_mut().find(|group| group.facts == facts) {
                Some(group) => group.hosts.push(host),
                None => groups.push(HostGroup { hosts: vec![host], facts }),
            }
        }
        groups
    }
}

impl Environment {
    /// What a reader of the figures should know; `ifname` is the interface that was asked for, or several.
    pub fn notes(&self, ifname: &str) -> Vec<String> {
        let mut notes = Vec::new();
        let asked = |name: &str| interfaces::of(ifname).any(|it| it == name);
        let other: Vec<_> =
            self.routes.iter().filter(|route| route.interface.as_deref().is_some_and(|it| !asked(it))).collect();
        if let Some(first) = other.first() {
            let more =
                if other.len() > 1 { format!(", and so on {} more routes", other.len() - 1) } else { String::new() };
            notes.push(format!(
                "ranks {} on {} reach the store over {} and not {ifname}{more}",
                first.ranks,
                first.host,
                first.interface.as_deref().unwrap_or_default()
            ));
        }
        if self.connections.retries > 0 {
            notes.push(format!("{} connections were refused and tried again", self.connections.retries));
        }
        let pacing = self.hosts.iter().find_map(|group| group.facts.pacing());
        let uses_tcp = self.routes.iter().any(|route| route.address.is_some());
        notes.extend(pacing.filter(|_| uses_tcp).map(|what| format!("the client's nodes: {what}")));
        if self.hosts.len() > 1 {
            let names: Vec<_> =
                self.hosts.iter().map(|group| format!("{} like {}", group.hosts.len(), group.hosts[0])).collect();
            notes.push(format!("the client's nodes differ ({}): see environment.json", names.join(", ")));
        }
        notes
    }
}

/// Ascending ranks as a list of ranges: `0-47,96`.
pub fn list_ranks(ranks: &[u32]) -> String {
    let ranges = ranks.chunk_by(|a, b| a + 1 == *b).map(|range| match range {
        [one] => one.to_string(),
        [first, .., last] => format!("{first}-{last}"),
        [] => String::new(),
    });
    ranges.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_listed_as_ranges() {
        assert_eq!(list_ranks(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(list_ranks(&[]), "");
    }

    #[test]
    fn pacing_is_noted_where_ranks_use_tcp() {
        let facts = HostFacts { tcp_congestion_control: Some("bbr".into()), ..HostFacts::default() };
        let route = |address: Option<&str>| Route {
            host: "cn1".into(),
            interface: address.map(|_| "lo".to_owned()),
            address: address.map(str::to_owned),
            ranks: "0".into(),
        };
        let mut environment = Environment {
            schema: 2,
            client_version: String::new(),
            mpi: MpiFacts::default(),
            connections: ConnectionFacts::default(),
            routes: vec![route(Some("127.0.0.1"))],
            start_up: Vec::new(),
            rank_memory: None,
            hosts: HostGroup::group([("cn1".to_owned(), facts)]),
        };
        let notes = environment.notes("lo");
        assert!(notes.len() == 1 && notes[0].contains("tcp_congestion_control is bbr"), "{notes:?}");
        // as records were before connections told of their buffers
        let old = serde_json::to_string(&environment).unwrap();
        assert!(!old.contains("buffer_bytes"));
        assert_eq!(serde_json::from_str::<Environment>(&old).unwrap(), environment);
        environment.routes = vec![route(None)];
        assert_eq!(environment.notes("lo"), Vec::<String>::new());
    }

    #[test]
    fn equal_hosts_are_described_once() {
        let facts = |kernel: &str| HostFacts { kernel: kernel.into(), ..HostFacts::default() };
        let hosts = [("cn1", "a"), ("cn2", "b"), ("cn3", "a")].map(|(host, kernel)| (host.to_owned(), facts(kernel)));
        let groups = HostGroup::group(hosts);
        let names: Vec<_> = groups.iter().map(|group| group.hosts.join(" ")).collect();
        assert_eq!(names, ["cn1 cn3", "cn2"]);
    }
}
