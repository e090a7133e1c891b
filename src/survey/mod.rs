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
    Findings {
        host: ask::output("hostname", &["-s"]).map_or_else(|| "this-host".to_owned(), |name| name.trim().to_owned()),
        date: Zoned::now().date().to_string(),
        in_job: set("SLURM_JOB_ID") || set("PBS_JOBID"),
        slurm: slurm::ask(),
        pbs: pbs::ask(),
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
