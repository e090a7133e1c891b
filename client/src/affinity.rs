//! Binding this process to CPUs, for launchers that cannot: `--cpus` of `run` and `serve`.

use std::io;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::Pid;
use shardscale::record::cpus::CpuSet;

use crate::{launcher, node};

/// CPUs as the kernel takes them.
pub type KernelSet = nix::sched::CpuSet;

/// CPUs of the processes of a node, one list for each local index: `0-7;8;9`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuLists(Vec<CpuSet>);

impl FromStr for CpuLists {
    type Err = String;

    fn from_str(text: &str) -> Result<CpuLists, String> {
        let list = |list: &str| {
            let cpus: CpuSet = list.parse()?;
            let too_high = cpus.iter().find(|cpu| *cpu as usize >= KernelSet::count());
            match too_high {
                Some(cpu) => Err(format!("CPU {cpu} in {list:?} is above {}", KernelSet::count() - 1)),
                None if cpus.is_empty() => Err(format!("{text:?} has an empty list; write for example 0-7;8;9-10")),
                None => Ok(cpus),
            }
        };
        text.split(';').map(list).collect::<Result<_, _>>().map(CpuLists)
    }
}

impl CpuLists {
    /// The list of the process at `local_index` of its node; absent where the launcher does not say, which one list admits.
    pub fn of(&self, local_index: Option<u16>) -> Result<&CpuSet> {
        let lists = self.0.len();
        match (local_index, &self.0[..]) {
            (None, [only]) => Ok(only),
            (None, _) => {
                bail!("--cpus has {lists} lists, and the launcher does not tell which process of the node this is")
            }
            (Some(local), _) => self.0.get(local as usize).with_context(|| {
                format!("--cpus has {lists} lists, and this is process {local} of the node, counted from 0")
            }),
        }
    }

    /// The list of this process.
    pub fn own(&self) -> Result<&CpuSet> {
        self.of(launcher::local_index()?)
    }
}

/// `cpus` for the kernel.
///
/// # Errors
/// A CPU number that the kernel's call cannot hold.
pub fn kernel_set(cpus: &CpuSet) -> Result<KernelSet> {
    let mut set = KernelSet::new();
    for cpu in cpus.iter() {
        set.set(cpu as usize).with_context(|| format!("CPU {cpu} is above {}", KernelSet::count() - 1))?;
    }
    Ok(set)
}

/// Binds the calling thread, and with it all that it starts from now on; safe between fork and exec.
pub fn bind(cpus: &KernelSet) -> io::Result<()> {
    nix::sched::sched_setaffinity(Pid::from_raw(0), cpus).map_err(io::Error::from)
}

/// Binds this process to its list, before it has started any thread.
///
/// # Errors
/// No list for it, or CPUs that it cannot have: the kernel leaves out silently what a cpuset of the job does not grant.
pub fn bind_self(lists: &CpuLists) -> Result<()> {
    let asked = lists.own()?;
    bind(&kernel_set(asked)?)
        .with_context(|| format!("the kernel does not grant CPUs {asked} (--cpus) to this process"))?;
    let got: CpuSet = node::affinity(std::process::id())?.parse().map_err(anyhow::Error::msg)?;
    ensure!(
        got == *asked,
        "of CPUs {asked} (--cpus) the job's cpuset grants {got} alone: ask the scheduler for whole nodes"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_has_its_list() {
        let lists: CpuLists = "0-7;8;9-10".parse().unwrap();
        assert_eq!(lists.of(Some(0)).unwrap().to_list(), "0-7");
        assert_eq!(lists.of(Some(2)).unwrap().to_list(), "9-10");
        let error = lists.of(Some(3)).unwrap_err().to_string();
        assert!(error.contains("3 lists") && error.contains("process 3"), "{error}");
        assert!(lists.of(None).unwrap_err().to_string().contains("does not tell"));
        let one: CpuLists = "4".parse().unwrap();
        assert_eq!(one.of(None).unwrap().to_list(), "4");
    }

    #[test]
    fn nonsense_is_named() {
        for wrong in ["a", "0;", ";", "", "3-1", "0x3"] {
            assert!(wrong.parse::<CpuLists>().is_err(), "{wrong:?}");
        }
        assert!("0-1;5000".parse::<CpuLists>().unwrap_err().contains("CPU 5000"));
    }

    #[test]
    fn a_thread_is_bound_to_what_was_asked() {
        let all: CpuSet = node::affinity(std::process::id()).unwrap().parse().unwrap();
        let last = all.iter().last().unwrap();
        // a thread of its own, so that the other tests keep their CPUs
        let bound = std::thread::spawn(move || {
            bind(&kernel_set(&CpuSet::from_iter([last])).unwrap()).unwrap();
            let own = nix::sched::sched_getaffinity(Pid::from_raw(0)).unwrap();
            (0..KernelSet::count()).filter(|cpu| own.is_set(*cpu).unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(bound.join().unwrap(), [last as usize]);
        let absent = kernel_set(&CpuSet::from_iter([1023])).unwrap();
        assert!(bind(&absent).is_err(), "no machine of ours has CPU 1023");
    }
}
