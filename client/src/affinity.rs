//! Binding this process to CPUs, for launchers that cannot: `--cpus` of `run` and `serve`.
//!
//! On a node that other jobs share nobody knows the CPUs before the job runs. There the lists count the cores that the job got,
//! which are those that the kernel grants to its processes before they bind themselves.

use std::io;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::Pid;
use shardscale::record::cpus::CpuSet;

use crate::launcher;
use crate::node::{self, Root};

/// CPUs as the kernel takes them.
pub type KernelSet = nix::sched::CpuSet;

/// CPUs of the processes of a node, one list for each local index: `0-7;8;9`; or, as `job:0-7;8;9`, cores among those that the job
/// got of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuLists {
    lists: Vec<CpuSet>,
    in_job: bool,
}

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
        let (lists, in_job) = text.strip_prefix("job:").map_or((text, false), |lists| (lists, true));
        Ok(CpuLists { lists: lists.split(';').map(list).collect::<Result<_, _>>()?, in_job })
    }
}

impl CpuLists {
    /// The list of the process at `local_index` of its node; absent where the launcher does not say, which one list admits.
    pub fn of(&self, local_index: Option<u16>) -> Result<&CpuSet> {
        let lists = self.lists.len();
        match (local_index, &self.lists[..]) {
            (None, [only]) => Ok(only),
            (None, _) => {
                bail!("--cpus has {lists} lists, and the launcher does not tell which process of the node this is")
            }
            (Some(local), _) => self.lists.get(local as usize).with_context(|| {
                format!("--cpus has {lists} lists, and this is process {local} of the node, counted from 0")
            }),
        }
    }

    /// The CPUs of this process.
    pub fn own(&self) -> Result<CpuSet> {
        let list = self.of(launcher::local_index()?)?;
        if !self.in_job {
            return Ok(list.clone());
        }
        let granted: CpuSet = node::affinity(std::process::id())?.parse().map_err(anyhow::Error::msg)?;
        let of_job = std::env::var("SLURM_CPUS_ON_NODE").ok().and_then(|count| count.parse().ok());
        within(list, &granted, &node::cores(&Root::real(), &granted), of_job)
    }
}

/// The CPUs of the `list`ed ones among the `cores` that the job got, each named by its first CPU. `granted`: all CPUs on which the
/// kernel lets this process run. `of_job`: how many CPUs the scheduler says that the job has here.
fn within(list: &CpuSet, granted: &CpuSet, cores: &[u32], of_job: Option<usize>) -> Result<CpuSet> {
    ensure!(
        of_job.is_none_or(|count| cores.len() <= count),
        "--cpus job:.. needs to know which CPUs of this node are the job's: it has {}, and the kernel lets its processes run on all \
         of {granted}. Slurm confines jobs with task/cgroup and ConstrainCores=yes; without that give --cpu-bind scheduler, or a \
         queue with whole nodes (--queue)",
        of_job.unwrap_or_default()
    );
    let core = |number: u32| {
        cores.get(number as usize).copied().with_context(|| {
            format!(
                "--cpus job:.. names core {number}, counted from 0, and the job got {} of this node (CPUs {granted}): ask for as \
                 many as the script does (gen writes --ntasks-per-node)",
                cores.len()
            )
        })
    };
    list.iter().map(core).collect()
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
    bind(&kernel_set(&asked)?)
        .with_context(|| format!("the kernel does not grant CPUs {asked} (--cpus) to this process"))?;
    let got: CpuSet = node::affinity(std::process::id())?.parse().map_err(anyhow::Error::msg)?;
    ensure!(
        got == asked,
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
    fn lists_of_a_job_count_the_cores_that_it_got() {
        let lists: CpuLists = "job:0;1-2".parse().unwrap();
        assert!(lists.in_job);
        let set = |list: &str| list.parse::<CpuSet>().unwrap();
        let granted = set("8-11,72-75");
        let cpus = |list: &CpuSet, of_job| within(list, &granted, &[8, 9, 10, 11], of_job);
        assert_eq!(cpus(lists.of(Some(1)).unwrap(), Some(8)).unwrap().to_list(), "9-10");
        assert_eq!(cpus(&set("3"), None).unwrap().to_list(), "11");
        let error = cpus(&set("4"), Some(8)).unwrap_err().to_string();
        assert!(error.contains("names core 4") && error.contains("got 4 of this node (CPUs 8-11,72-75)"), "{error}");
        let error = cpus(&set("0"), Some(2)).unwrap_err().to_string();
        assert!(error.contains("it has 2, and the kernel") && error.contains("ConstrainCores"), "{error}");
    }

    #[test]
    fn nonsense_is_named() {
        for wrong in ["a", "0;", ";", "", "3-1", "0x3", "job:", "job:1;job:2"] {
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
