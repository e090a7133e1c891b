//! `shardscale sites new`: starts a site file from the machine that it runs on.
//!
//! Commands of the scheduler and of Linux are run and read here, each by a parser of its own over text; [`draft`] decides
//! what the file says, [`text`] writes it. This module must not know how a script is written.

mod ask;
mod draft;
mod interfaces;
mod pbs;
mod slurm;
mod text;
mod topology;

use anyhow::Result;
use jiff::Zoned;

use crate::site::check_text;
use draft::Draft;

/// What was found out, before it becomes a file.
#[derive(Debug, Default)]
struct Findings {
    /// Host on which this ran.
    host: String,
    /// Day: YYYY-MM-DD.
    date: String,
    /// Inside a job: what Linux says holds for the compute nodes.
    in_job: bool,
    slurm: Option<slurm::Slurm>,
    pbs: Option<pbs::Pbs>,
    launcher: Option<ask::Launcher>,
    topology: Option<topology::Topology>,
    interfaces: Vec<interfaces::Found>,
}

/// The text of a site file for this machine, and what to say about it. `name` is the site's; absent: the cluster's.
///
/// # Errors
/// The file would not pass `shardscale sites check`: a mistake of this program, which the message shows.
pub fn new_site(name: Option<&str>) -> Result<(String, Vec<String>)> {
    let findings = survey();
    let text = Draft::new(name, &findings).to_toml();
    let checked = check_text(&text);
    let problems: Vec<String> = checked.problems.into_iter().chain(checked.uncovered).collect();
    anyhow::ensure!(
        problems.is_empty(),
        "the file that this machine's answers make is wrong; please report it with what `scontrol show partition`, \
         `sinfo -e -o '{}'` or `qstat -Qf` say:\n  {}\n{text}",
        slurm::SINFO_FORMAT,
        problems.join("\n  ")
    );
    Ok((text, findings.remarks()))
}

fn survey() -> Findings {
    let set = |name: &str| std::env::var_os(name).is_some();
    let host = ask::output("hostname", &["-s"]).map_or_else(|| "this-host".to_owned(), |name| name.trim().to_owned());
    Findings {
        date: Zoned::now().date().to_string(),
        in_job: set("SLURM_JOB_ID") || set("PBS_JOBID"),
        slurm: slurm::ask(),
        pbs: pbs::ask(&host),
        host,
        launcher: ask::launcher(),
        topology: topology::ask(),
        interfaces: interfaces::ask(),
    }
}

impl Findings {
    /// What the user should know beside the file.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let scheduler = match (&self.slurm, &self.pbs) {
            (Some(_), _) => Some("srun -N 1"),
            (None, Some(_)) => Some("a job on one node:"),
            (None, None) => None,
        };
        match scheduler {
            None => remarks.push("neither Slurm nor PBS answered: the file describes this machine alone".to_owned()),
            Some(how) if !self.in_job => remarks.push(format!(
                "topology and interfaces are those of {}, which may differ from the compute nodes: {how} shardscale sites new \
                 sees theirs",
                self.host
            )),
            Some(_) => {}
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use super::slurm::{NodeGroup, Partition, Slurm};
    use super::*;
    use crate::site::{Site, Status};

    /// A job's node with 4 GPUs, in a cluster that has CPU nodes with as many cores.
    fn findings(in_job: bool) -> Findings {
        let cpu = NodeGroup {
            partition: "all".into(),
            count: 90,
            sockets: 1,
            cores_per_socket: 4,
            threads_per_core: 1,
            memory_mib: 64 << 10,
            features: vec!["cpu".into()],
        };
        let gpu = NodeGroup { count: 10, memory_mib: 256 << 10, features: vec!["gpu".into()], ..cpu.clone() };
        let partition = Partition {
            name: "all".into(),
            default: true,
            min_nodes: 1,
            max_nodes: 100,
            max_walltime: None,
            exclusive: true,
        };
        let slurm = Slurm {
            partitions: vec![partition],
            nodes: vec![cpu.clone(), gpu.clone()],
            all_nodes: vec![cpu, gpu.clone()],
            here: in_job.then_some(gpu),
            ..Slurm::default()
        };
        let topology = topology::Topology {
            sockets: 1,
            cores: 4,
            threads_per_core: 1,
            numbering: Some(crate::site::Numbering::Offset),
            numa: vec!["0-1".parse().unwrap(), "2-3".parse().unwrap()],
            l3: Vec::new(),
        };
        let interfaces = vec![interfaces::Found { name: "hsn0".into(), numa: Some(1) }];
        let (host, date) = ("gpu7".to_owned(), "2026-11-27".to_owned());
        Findings { host, date, in_job, slurm: Some(slurm), topology: Some(topology), interfaces, ..Findings::default() }
    }

    fn draft(in_job: bool) -> Site {
        let findings = findings(in_job);
        let text = Draft::new(Some("x"), &findings).to_toml();
        let checked = check_text(&text);
        assert!(checked.problems.is_empty() && checked.uncovered.is_empty(), "{checked:?}\n{text}");
        checked.site.unwrap()
    }

    #[test]
    fn a_job_verifies_the_kind_of_its_own_node_alone() {
        let statuses = |site: &Site| {
            let status = |key: &str| site.fact(key).unwrap().status;
            ["gpu.numa", "gpu.interface", "cpu.numa", "cpu.interface"].map(|key| status(&format!("node.{key}")))
        };
        let (verified, inferred, guess) = (Status::Verified, Status::Inferred, Status::Unverified);
        let site = draft(true);
        assert_eq!(statuses(&site), [verified, verified, inferred, guess]);
        let near = |kind: &str| site.nodes.iter().find(|node| node.name == kind).unwrap().interfaces[0].numa;
        assert_eq!((near("gpu"), near("cpu")), (Some(1), None));
        assert_eq!(statuses(&draft(false)), [inferred, guess, inferred, guess]);
    }
}
