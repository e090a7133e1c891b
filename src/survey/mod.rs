//! `shardscale sites new`: starts a site file from the machine that it runs on.
//!
//! The [`crate::scheduler`] says what it knows; commands of Linux are run and read here, each by a parser of its own over text;
//! [`draft`] decides what the file says, [`text`] writes it. This module must not know how a script is written.

mod draft;
mod interfaces;
mod launcher;
mod text;
mod topology;

use anyhow::Result;
use jiff::Zoned;

use crate::scheduler;
use crate::scheduler::ask::ask;
use crate::scheduler::surveyed::Surveyed;
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
    scheduler: Option<Surveyed>,
    launcher: Option<launcher::Launcher>,
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
        "the file that this machine's answers make is wrong; please report it with what the scheduler says of its queues and \
         nodes (`scontrol show partition`, `sinfo`, `qstat -Qf`, `flux resource list`):\n  {}\n{text}",
        problems.join("\n  ")
    );
    Ok((text, findings.remarks()))
}

fn survey() -> Findings {
    let set = |name: &str| std::env::var_os(name).is_some();
    let host = ask("hostname", &["-s"]).map_or_else(|_| "this-host".to_owned(), |name| name.trim().to_owned());
    Findings {
        date: Zoned::now().date().to_string(),
        in_job: scheduler::all().any(|scheduler| set(scheduler.job_variable())),
        scheduler: scheduler::all().find_map(|scheduler| scheduler.survey(&host)),
        host,
        launcher: launcher::ask(),
        topology: topology::ask(),
        interfaces: interfaces::ask(),
    }
}

impl Findings {
    /// What the user should know beside the file.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        match self.scheduler.as_ref().map(|surveyed| surveyed.on_a_node) {
            None => remarks.push("no scheduler answered: the file describes this machine alone".to_owned()),
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
    use super::*;
    use crate::scheduler::surveyed::{Kind, Row};
    use crate::site::{Site, Status};

    /// A job's node with 4 GPUs, in a cluster that has CPU nodes with as many cores.
    fn findings(in_job: bool) -> Findings {
        let kind = |name: &str, count, memory_gib, own| Kind {
            name: name.into(),
            constraint: Some(name.into()),
            count: Some(count),
            sockets: Some(1),
            cores: Some(4),
            threads_per_core: Some(1),
            memory_gib: Some(memory_gib),
            own,
            ..Kind::default()
        };
        let row = Row {
            name: "all".into(),
            submit_as: "--partition=all".into(),
            min_nodes: 1,
            max_nodes: Some(100),
            min_walltime: None,
            max_walltime: None,
            node_types: vec!["cpu".into(), "gpu".into()],
            on_request: false,
            limits: Vec::new(),
        };
        let scheduler = Surveyed {
            kind: "slurm",
            launcher: Some("srun"),
            cpu_bind: &["none"],
            limits_command: "sacctmgr show assoc",
            always: &["--account={account}"],
            kinds: vec![kind("cpu", 90, 64, false), kind("gpu", 10, 256, in_job)],
            rows: vec![row],
            ..Surveyed::default()
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
        Findings {
            host,
            date,
            in_job,
            scheduler: Some(scheduler),
            topology: Some(topology),
            interfaces,
            ..Findings::default()
        }
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
