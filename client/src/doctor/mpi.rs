//! MPI: what was built against, what is loaded, which launcher started this process; and, if asked, whether it starts.

use super::finding::Finding;
use crate::comm::Comm;
use crate::mpi_facts::{self, family};
use crate::node::Root;

/// Variables by which launchers tell how many tasks there are.
const SIZES: &[(&str, &str)] = &[
    ("OMPI_COMM_WORLD_SIZE", "Open MPI's mpirun"),
    ("PALS_SIZE", "PALS mpiexec"),
    ("PMI_SIZE", "a launcher with PMI"),
    ("SLURM_NTASKS", "srun"),
];

/// `start` starts MPI, which without a launcher may wait for ever.
pub fn check(start: bool) -> Vec<Finding> {
    let facts = mpi_facts::facts(&Root::real(), 0);
    let mut findings = vec![judge_library(&facts.built_against, &facts.library, &facts.files)];
    let launcher = launcher(&|name| std::env::var(name).ok());
    findings.push(match &launcher {
        Some((name, tasks)) => Finding::ok("launcher", format!("{name}, {tasks} tasks")),
        None => Finding::ok("launcher", "none: this process was not started by one"),
    });
    if start {
        findings.push(judge_start(launcher.map(|(_, tasks)| tasks)));
    }
    findings
}

fn judge_library(built: &str, library: &str, files: &[String]) -> Finding {
    const WHAT: &str = "MPI library";
    let place = if files.is_empty() { String::new() } else { format!(" ({})", files.join(", ")) };
    let built = if built.is_empty() { "an unknown one" } else { built };
    let found = format!("{library}{place}; built against {built}");
    match (family(built), family(library)) {
        (Some(one), Some(other)) if one != other => Finding::bad(
            WHAT,
            found,
            format!("the client needs {one} and got {other}: load its module, or build the client again"),
        ),
        _ => Finding::ok(WHAT, found),
    }
}

fn judge_start(tasks: Option<u32>) -> Finding {
    const WHAT: &str = "MPI start";
    let comm = match Comm::init() {
        Ok(comm) => comm,
        Err(error) => return Finding::bad(WHAT, format!("{error:#}"), "start doctor by the launcher that jobs use"),
    };
    let found = format!("a communicator of {} ranks, this is rank {}", comm.size(), comm.rank());
    match tasks.filter(|tasks| *tasks != comm.size()) {
        Some(tasks) => Finding::bad(
            WHAT,
            format!("{found}; the launcher started {tasks}"),
            "the launcher does not speak this MPI's protocol: `srun --mpi=list`, or the mpirun of the library that is loaded",
        ),
        None => Finding::ok(WHAT, found),
    }
}

fn launcher(environment: &dyn Fn(&str) -> Option<String>) -> Option<(&'static str, u32)> {
    SIZES.iter().find_map(|(variable, name)| Some((*name, environment(variable)?.trim().parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn another_family_than_the_build_is_bad() {
        let judge = |built: &str, library: &str| judge_library(built, library, &[]).level;
        assert_eq!(judge("Open MPI 4.1.4", "Open MPI v5.0.3"), Level::Ok);
        assert_eq!(judge("Cray MPICH 8.1.28", "MPICH Version: 4.1"), Level::Ok);
        assert_eq!(judge("Open MPI 4.1.4", "MPI VERSION : CRAY MPICH version 8.1.28"), Level::Bad);
        assert_eq!(judge("", "Open MPI v4.1.4"), Level::Ok);
    }

    #[test]
    fn mpirun_in_a_slurm_job_is_the_launcher() {
        let environment = |name: &str| match name {
            "SLURM_NTASKS" => Some("1".to_owned()),
            "OMPI_COMM_WORLD_SIZE" => Some("8".to_owned()),
            _ => None,
        };
        assert_eq!(launcher(&environment), Some(("Open MPI's mpirun", 8)));
        assert_eq!(launcher(&|_| None), None);
    }
}
