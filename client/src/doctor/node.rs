//! The node itself: limits, memory, CPUs, clock. Pure but for reading files below a root.

use shardscale::record::cpus::CpuSet;
use shardscale::record::host::{HostFacts, Limit};
use shardscale::record::units::show_bytes;

use super::finding::Finding;
use crate::clock::Quality;
use crate::node::{Root, limit, memory};

/// Ranks a server that are looked after where nobody says how many there will be.
const RANKS_LOOKED_AFTER: u64 = 4096;
/// Files of a server beside its clients, and of its supervisor.
const FILES_BESIDE: u64 = 1024;
/// Fewer processes and threads than that end large launches.
const PROCESSES_WANTED: u64 = 4096;
/// What network libraries lock for their buffers.
const LOCKED_WANTED: u64 = 64 << 20;
/// A node with less is no place for a store.
const MEMORY_WANTED: u64 = 1 << 30;
/// A reading of the clock that costs more goes through the kernel each time.
const CLOCK_COST_NS: u64 = 200;

/// Limits and memory; `ranks` is how many will connect to each server, where that is known.
pub fn check(root: &Root, facts: &HostFacts, ranks: Option<u32>) -> Vec<Finding> {
    vec![
        Finding::ok("kernel", facts.kernel.clone()),
        check_files(facts.open_files, ranks),
        check_processes(limit(root, "Max processes")),
        check_locked(limit(root, "Max locked memory")),
        check_memory(facts.memory_bytes, memory(root, "MemAvailable")),
        check_overcommit(facts.overcommit_memory),
        check_hugepages(facts.transparent_hugepages.as_deref()),
    ]
}

fn check_files(limit: Option<Limit>, ranks: Option<u32>) -> Finding {
    const WHAT: &str = "open files";
    let Some(limit) = limit else { return unknown(WHAT) };
    let needed = ranks.map_or(RANKS_LOOKED_AFTER, u64::from) + FILES_BESIDE;
    match limit.hard.filter(|hard| *hard < needed) {
        None => Finding::ok(WHAT, limit.to_string()),
        Some(hard) => {
            let found = format!("{limit}; a server of {} ranks needs {needed}", needed - FILES_BESIDE);
            let remedy = format!(
                "fewer ranks for each server (at most {}), or ask for a higher hard limit: LimitNOFILE of the job daemon",
                hard.saturating_sub(FILES_BESIDE)
            );
            match ranks {
                Some(_) => Finding::bad(WHAT, found, remedy),
                None => Finding::warn(WHAT, found, remedy),
            }
        }
    }
}

fn check_processes(limit: Option<Limit>) -> Finding {
    const WHAT: &str = "processes";
    let Some(limit) = limit else { return unknown(WHAT) };
    match limit.soft {
        Some(soft) if soft < PROCESSES_WANTED => Finding::warn(
            WHAT,
            limit.to_string(),
            "`ulimit -u` higher in the job, or ask for it: ranks are processes with threads",
        ),
        _ => Finding::ok(WHAT, limit.to_string()),
    }
}

fn check_locked(limit: Option<Limit>) -> Finding {
    const WHAT: &str = "locked memory";
    let Some(limit) = limit else { return unknown(WHAT) };
    let bytes = |bytes: Option<u64>| bytes.map_or("unlimited".to_owned(), show_bytes);
    match limit.hard {
        Some(hard) if hard < LOCKED_WANTED => Finding::warn(
            WHAT,
            bytes(limit.hard),
            "MPI over InfiniBand or Slingshot locks its buffers: ask for LimitMEMLOCK=infinity of the job daemon if MPI fails",
        ),
        _ => Finding::ok(WHAT, bytes(limit.soft)),
    }
}

fn check_memory(total: Option<u64>, available: Option<u64>) -> Finding {
    const WHAT: &str = "memory";
    let (Some(total), Some(available)) = (total, available) else { return unknown(WHAT) };
    let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
    let found = format!("{:.1} GiB, {:.1} GiB available", gib(total), gib(available));
    match available < MEMORY_WANTED {
        true => {
            Finding::warn(WHAT, found, "something else uses this node: ask for whole nodes (--exclusive, place=excl)")
        }
        false => Finding::ok(WHAT, found),
    }
}

fn check_overcommit(overcommit: Option<u32>) -> Finding {
    const WHAT: &str = "overcommit_memory";
    match overcommit {
        None => unknown(WHAT),
        Some(2) => Finding::warn(
            WHAT,
            "2: the kernel refuses memory that is there",
            "ask for `sysctl -w vm.overcommit_memory=1`, or keep maxmemory well below the node's",
        ),
        // 0 hurts servers that fork to save; ours never save
        Some(mode) => Finding::ok(WHAT, mode.to_string()),
    }
}

fn check_hugepages(mode: Option<&str>) -> Finding {
    const WHAT: &str = "transparent huge pages";
    match mode {
        None => unknown(WHAT),
        Some("always") => Finding::warn(
            WHAT,
            "always",
            "servers before Redis 6.2 do not switch them off for themselves and stall: \
             ask for `echo madvise > /sys/kernel/mm/transparent_hugepage/enabled`",
        ),
        Some(mode) => Finding::ok(WHAT, mode),
    }
}

/// CPUs that a process started like this one may use, and the NUMA domains that they lie in.
pub fn check_cpus(facts: &HostFacts, allowed: Option<&str>) -> Option<Finding> {
    const WHAT: &str = "CPUs";
    let allowed: CpuSet = allowed?.parse().ok()?;
    let Some(online) = facts.cpus_online.as_deref().and_then(|list| list.parse::<CpuSet>().ok()) else {
        return Some(Finding::ok(WHAT, format!("{} allowed: {}", allowed.len(), allowed.to_list())));
    };
    let meets = |(domain, list): (usize, &String)| {
        let cpus: CpuSet = list.parse().ok()?;
        (!cpus.is_disjoint(&allowed)).then(|| domain.to_string())
    };
    let domains: Vec<String> = facts.numa_cpus.iter().enumerate().filter_map(meets).collect();
    let found = format!(
        "{} of {} allowed: {}; NUMA {} of {}",
        allowed.len(),
        online.len(),
        allowed.to_list(),
        domains.join(","),
        facts.numa_cpus.len().max(1)
    );
    Some(match allowed.len() < online.len() {
        true => Finding::warn(
            WHAT,
            found,
            "a launcher or a cpuset bound this process: right for a rank; for a look at the node start doctor with all its CPUs",
        ),
        false => Finding::ok(WHAT, found),
    })
}

/// Whether timing a call is cheap against the call.
pub fn check_clock(facts: &HostFacts, quality: Quality) -> Finding {
    const WHAT: &str = "clock";
    let source = facts.clock_source.as_deref().unwrap_or("unknown source");
    let found = format!("{source}, a reading costs {} ns, step {} ns", quality.overhead_ns, quality.resolution_ns);
    match quality.overhead_ns > CLOCK_COST_NS {
        true => Finding::warn(
            WHAT,
            found,
            "the kernel reads this source by a system call, which small tensors will show: ask why it is not tsc \
             (dmesg | grep -i clocksource)",
        ),
        false => Finding::ok(WHAT, found),
    }
}

fn unknown(what: &str) -> Finding {
    Finding::ok(what, "not told by this kernel")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::finding::Level;
    use super::*;
    use crate::node::{self, interface::Interfaces};

    fn level(findings: &[Finding], what: &str) -> Level {
        findings.iter().find(|finding| finding.what == what).unwrap().level
    }

    /// A node below a folder; `limits` are rows of /proc/self/limits.
    fn findings(limits: &str, files: &[(&str, &str)], ranks: Option<u32>) -> Vec<Finding> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files.iter().chain(&[("proc/self/limits", limits)]) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = Root::at(folder.path());
        check(&root, &node::facts(&root, &Interfaces::new()), ranks)
    }

    #[test]
    fn a_generous_node_is_fine() {
        let limits = "Max processes             unlimited unlimited processes\n\
                      Max open files            131072 131072 files\n\
                      Max locked memory         unlimited unlimited bytes\n";
        let files = [
            ("proc/meminfo", "MemTotal: 527899012 kB\nMemAvailable: 500000000 kB\n"),
            ("proc/sys/vm/overcommit_memory", "0\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        ];
        let found = findings(limits, &files, Some(16384));
        assert!(found.iter().all(|finding| finding.level == Level::Ok && finding.remedy.is_empty()), "{found:?}");
    }

    #[test]
    fn each_problem_has_a_remedy() {
        let limits = "Max processes             1024 1024 processes\n\
                      Max open files            1024 4096 files\n\
                      Max locked memory         65536 65536 bytes\n";
        let files = [
            ("proc/meminfo", "MemTotal: 2000000 kB\nMemAvailable: 90000 kB\n"),
            ("proc/sys/vm/overcommit_memory", "2\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"),
        ];
        let found = findings(limits, &files, None);
        for what in
            ["open files", "processes", "locked memory", "memory", "overcommit_memory", "transparent huge pages"]
        {
            assert_eq!(level(&found, what), Level::Warn, "{what}");
        }
        assert!(found.iter().all(|finding| finding.level == Level::Ok || !finding.remedy.is_empty()), "{found:?}");
        let files = &findings(limits, &[], Some(4608))[1];
        assert_eq!(files.level, Level::Bad);
        assert!(files.found.contains("4608 ranks needs 5632") && files.remedy.contains("at most 3072"), "{files:?}");
    }

    #[test]
    fn a_kernel_that_tells_nothing_is_no_problem() {
        let found = findings("", &[], Some(1));
        assert!(found.iter().all(|finding| finding.level == Level::Ok), "{found:?}");
    }

    #[test]
    fn bound_processes_and_slow_clocks_are_seen() {
        let facts = HostFacts {
            cpus_online: Some("0-63".into()),
            numa_cpus: vec!["0-31".into(), "32-63".into()],
            clock_source: Some("hpet".into()),
            ..HostFacts::default()
        };
        let bound = check_cpus(&facts, Some("32-39")).unwrap();
        assert_eq!((bound.level, bound.found.as_str()), (Level::Warn, "8 of 64 allowed: 32-39; NUMA 1 of 2"));
        assert_eq!(check_cpus(&facts, Some("0-63")).unwrap().level, Level::Ok);
        let slow = check_clock(&facts, Quality { resolution_ns: 70, overhead_ns: 1200 });
        assert!(slow.level == Level::Warn && slow.found.contains("hpet"), "{slow:?}");
        assert_eq!(check_clock(&facts, Quality { resolution_ns: 20, overhead_ns: 23 }).level, Level::Ok);
    }
}
