//! What this node is: its kernel's settings, limits and interfaces, as ranks, servers and `doctor` record them.
//!
//! The kernel's files are read below a root that tests replace. Nothing here judges, and nothing here knows stores or MPI.

pub mod interface;

use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result};
use shardscale::record::cpus::CpuSet;
use shardscale::record::host::{HostFacts, Limit};

use interface::Interfaces;

/// The folder below which `proc` and `sys` lie.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Root {
    /// This machine's.
    pub fn real() -> Root {
        Root("/".into())
    }

    /// A copy, for tests.
    pub fn at(folder: impl Into<PathBuf>) -> Root {
        Root(folder.into())
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.join(path)
    }

    /// The trimmed text of a file; `None` where there is none, or none for us.
    pub fn text(&self, path: &str) -> Option<String> {
        let bytes = fs::read(self.path(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    /// A file that holds one value.
    pub fn value<T: FromStr>(&self, path: &str) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    /// Names in a folder, sorted; none where there is no folder.
    pub fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// All that the kernel tells; `interfaces` are those of this node.
pub fn facts(root: &Root, interfaces: &Interfaces) -> HostFacts {
    let numbers = |path: &str| root.text(path).map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let kernel = ["ostype", "osrelease"].map(|name| root.text(&format!("proc/sys/kernel/{name}")).unwrap_or_default());
    HostFacts {
        kernel: kernel.join(" ").trim().to_owned(),
        clock_source: root.text("sys/devices/system/clocksource/clocksource0/current_clocksource"),
        cpus_online: root.text("sys/devices/system/cpu/online"),
        numa_cpus: numa_cpus(root),
        memory_bytes: memory(root, "MemTotal"),
        somaxconn: root.value("proc/sys/net/core/somaxconn"),
        tcp_max_syn_backlog: root.value("proc/sys/net/ipv4/tcp_max_syn_backlog"),
        tcp_rmem: numbers("proc/sys/net/ipv4/tcp_rmem"),
        tcp_wmem: numbers("proc/sys/net/ipv4/tcp_wmem"),
        tcp_congestion_control: root.text("proc/sys/net/ipv4/tcp_congestion_control"),
        rmem_max: root.value("proc/sys/net/core/rmem_max"),
        wmem_max: root.value("proc/sys/net/core/wmem_max"),
        transparent_hugepages: root.text("sys/kernel/mm/transparent_hugepage/enabled").and_then(|text| chosen(&text)),
        overcommit_memory: root.value("proc/sys/vm/overcommit_memory"),
        open_files: limit(root, "Max open files"),
        interfaces: interface::facts_of_usable(root, interfaces),
    }
}

/// The cores that `cpus` belong to, each named by the first of them. A kernel that does not tell siblings has one CPU a core.
pub fn cores(root: &Root, cpus: &CpuSet) -> Vec<u32> {
    let is_first = |cpu: &u32| {
        let siblings = root.value::<CpuSet>(&format!("sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"));
        siblings.and_then(|siblings| siblings.intersection(cpus).iter().next()).is_none_or(|first| first == *cpu)
    };
    cpus.iter().filter(is_first).collect()
}

/// CPUs on which process `pid` may run, as a list such as `0-7,64-71`: what sched_getaffinity says.
///
/// /proc lists CPUs as well that are not there, as many virtual machines and some nodes have them; it serves where a node
/// has more CPUs than a set of the C library holds.
pub fn affinity(pid: u32) -> Result<String> {
    if let Ok(set) = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(pid.cast_signed())) {
        let has = |cpu: &u32| set.is_set(*cpu as usize).unwrap_or(false);
        let cpus: CpuSet = (0..nix::sched::CpuSet::count() as u32).filter(has).collect();
        return Ok(cpus.to_list());
    }
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let list = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    Ok(list.with_context(|| format!("{path} does not list the allowed CPUs"))?.trim().to_owned())
}

/// A line of /proc/meminfo, in bytes.
pub fn memory(root: &Root, name: &str) -> Option<u64> {
    let text = root.text("proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// A row of this process's limits, such as `Max open files`.
pub fn limit(root: &Root, row: &str) -> Option<Limit> {
    let text = root.text("proc/self/limits")?;
    let mut values = text.lines().find_map(|line| line.strip_prefix(row))?.split_whitespace();
    let mut next = || match values.next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    };
    Some(Limit { soft: next()?, hard: next()? })
}

/// CPUs of each NUMA domain, in the order of domains.
fn numa_cpus(root: &Root) -> Vec<String> {
    const NODES: &str = "sys/devices/system/node";
    let number = |name: &String| name.strip_prefix("node")?.parse::<u32>().ok();
    let mut domains: Vec<u32> = root.names(NODES).iter().filter_map(number).collect();
    domains.sort_unstable();
    domains.iter().filter_map(|domain| root.text(&format!("{NODES}/node{domain}/cpulist"))).collect()
}

/// The word in brackets, by which the kernel marks a choice.
fn chosen(text: &str) -> Option<String> {
    Some(text.split_once('[')?.1.split_once(']')?.0.to_owned())
}

/// A root with these files, for tests; it lasts as long as the folder.
/// The name of this host.
///
/// # Errors
/// The kernel's.
pub fn host_name() -> Result<String> {
    let name = nix::unistd::gethostname().context("cannot learn the name of this host")?;
    Ok(name.to_string_lossy().into_owned())
}

#[cfg(test)]
pub fn root(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let root = Root::at(folder.path());
    (folder, root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_understood() {
        let (_folder, root) = root(&[
            ("proc/sys/kernel/ostype", "Linux\n"),
            ("proc/sys/kernel/osrelease", "5.14.21-cray\n"),
            ("proc/meminfo", "MemTotal:       527899012 kB\nMemFree: 1 kB\n"),
            ("proc/sys/net/core/somaxconn", "128\n"),
            ("proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n"),
            (
                "proc/self/limits",
                "Limit Soft Limit Hard Limit Units\nMax open files            1024                 unlimited            files\n",
            ),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
            ("sys/devices/system/node/node0/cpulist", "0-15\n"),
            ("sys/devices/system/node/node10/cpulist", "32-47\n"),
            ("sys/devices/system/node/node2/cpulist", "16-31\n"),
        ]);
        let facts = facts(&root, &Interfaces::new());
        assert_eq!((facts.kernel.as_str(), facts.memory_bytes), ("Linux 5.14.21-cray", Some(527_899_012 * 1024)));
        assert_eq!((facts.somaxconn, facts.tcp_rmem.as_deref()), (Some(128), Some("4096 131072 6291456")));
        assert_eq!(facts.open_files, Some(Limit { soft: Some(1024), hard: None }));
        assert_eq!(facts.transparent_hugepages.as_deref(), Some("madvise"));
        assert_eq!(facts.numa_cpus, ["0-15", "16-31", "32-47"]);
        assert_eq!((facts.clock_source, facts.overcommit_memory), (None, None));
    }

    #[test]
    fn threads_of_a_core_are_one() {
        let siblings = |cpu: u32| format!("sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
        let (one, two) = (siblings(9), siblings(73));
        let (_folder, root) = root(&[(&one, "9,73\n"), (&two, "9,73\n")]);
        let of = |cpus: &str| cores(&root, &cpus.parse().unwrap());
        assert_eq!((of("8-9,73"), of("73")), (vec![8, 9], vec![73]));
    }

    #[test]
    fn an_empty_root_and_odd_files_make_nothing_up() {
        let (_folder, empty) = root(&[]);
        assert_eq!(facts(&empty, &Interfaces::new()), HostFacts::default());
        let odd = [
            ("proc/meminfo", "MemTotal: x kB"),
            ("proc/self/limits", "Max open files"),
            ("proc/sys/vm/overcommit_memory", "-1"),
        ];
        let (_folder, odd) = root(&odd);
        assert_eq!(facts(&odd, &Interfaces::new()), HostFacts::default());
    }

    #[test]
    fn the_kernel_tells_our_cpus() {
        let cpus: CpuSet = affinity(std::process::id()).unwrap().parse().unwrap();
        assert!(!cpus.is_empty());
        assert!(affinity(u32::MAX >> 2).is_err(), "no such process");
    }

    #[test]
    fn this_machine_tells_the_essentials() {
        let facts = facts(&Root::real(), &interface::of_this_host().unwrap());
        assert!(facts.kernel.starts_with("Linux ") && facts.memory_bytes.is_some_and(|bytes| bytes > 1 << 20));
        assert!(facts.open_files.is_some() && facts.somaxconn.is_some(), "{facts:?}");
        assert!(facts.interfaces.iter().any(|interface| interface.name == "lo"), "{facts:?}");
    }
}
