//! What a node's kernel says of itself, as far as it bears on a measurement: the same for ranks and for servers.
//!
//! Every value is absent where this kernel does not tell it. Nothing here is particular to one process but its limit of
//! open files, so that equal nodes have equal descriptions and are described once.

use serde::{Deserialize, Serialize};

/// One node. Names are those of the kernel's own files, so that they can be looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostFacts {
    /// Name and release, such as `Linux 5.14.21`.
    pub kernel: String,
    /// What CLOCK_MONOTONIC is made from: `tsc`, `arch_sys_counter`, `hpet`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_source: Option<String>,
    /// CPUs that are online, as a list such as `0-127`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus_online: Option<String>,
    /// CPUs of each NUMA domain, as lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numa_cpus: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Longest queue of connections that wait to be accepted: net.core.somaxconn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub somaxconn: Option<u32>,
    /// Longest queue of half-open connections: net.ipv4.tcp_max_syn_backlog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_max_syn_backlog: Option<u32>,
    /// Least, first and greatest size of a TCP receive buffer in bytes: net.ipv4.tcp_rmem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_rmem: Option<String>,
    /// The same for sending: net.ipv4.tcp_wmem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_wmem: Option<String>,
    /// What decides how fast TCP sends, where a program does not choose: net.ipv4.tcp_congestion_control.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_congestion_control: Option<String>,
    /// Greatest buffers that a program may ask for, in bytes: net.core.rmem_max and wmem_max.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rmem_max: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wmem_max: Option<u64>,
    /// `always`, `madvise` or `never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transparent_hugepages: Option<String>,
    /// vm.overcommit_memory: 0 by judgement, 1 always, 2 never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overcommit_memory: Option<u32>,
    /// Open files that this process may have: what is in force, and what it could raise that to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_files: Option<Limit>,
    /// Interfaces that are up and have an IPv4 address, without the address, in the order of names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<InterfaceFacts>,
}

impl HostFacts {
    /// What TCP's congestion control does to latencies here, if it does something.
    ///
    /// BBR sends at a rate that it estimates, by timers. Measured over loopback (Linux 6.18, one CPU): put_tensor of 256 KiB takes 57
    /// us in some processes and 100 us in others, where Reno takes 57 us in all (docs/explanation/measurement.md).
    pub fn pacing(&self) -> Option<&'static str> {
        let is_bbr = self.tcp_congestion_control.as_deref().is_some_and(|name| name.starts_with("bbr"));
        is_bbr.then_some(
            "net.ipv4.tcp_congestion_control is bbr, which spaces out what it sends: large tensors take up to twice as long over \
             loopback, in some processes and not in others",
        )
    }
}

/// A resource limit; absent means unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    pub soft: Option<u64>,
    pub hard: Option<u64>,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterfaceFacts {
    pub name: String,
    /// `up`, `down`, or `unknown` where the driver does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// As the driver says; absent for virtual ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_mbit_per_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// NUMA domain of the adapter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numa_domain: Option<u32>,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let show = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |limit| limit.to_string());
        match self.soft == self.hard {
            true => f.write_str(&show(self.soft)),
            false => write!(f, "{} (could be raised to {})", show(self.soft), show(self.hard)),
        }
    }
}
