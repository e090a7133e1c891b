//! Which task of a launch this process is, from what its launcher put into the environment: for all that happens where MPI
//! does not run (yet).

use anyhow::{Result, anyhow};

/// Number in the whole launch. The others come before Slurm: under a Slurm job, mpirun's tasks inherit SLURM_PROCID of the
/// batch script, which is 0 for all of them.
const TASK: &[&str] = &[
    "OMPI_COMM_WORLD_RANK",
    "MV2_COMM_WORLD_RANK",
    "PALS_RANKID",
    "FLUX_TASK_RANK",
    "JSM_NAMESPACE_RANK",
    "PMIX_RANK",
    "PMI_RANK",
    "SLURM_PROCID",
];

/// Number among the tasks of the same node, in the same order of launchers.
const LOCAL: &[&str] = &[
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MV2_COMM_WORLD_LOCAL_RANK",
    "PALS_LOCAL_RANKID",
    "FLUX_TASK_LOCAL_ID",
    "JSM_NAMESPACE_LOCAL_RANK",
    "MPI_LOCALRANKID",
    "SLURM_LOCALID",
];

/// This process's place in its launch; 0 and 0 without a launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    pub index: u32,
    pub local_index: u16,
}

/// Reads the place from this process's environment; `first_of_node` is the number of this node's first task, where the launch is
/// one of several and its own numbers begin anew.
pub fn task(first_of_node: Option<u32>) -> Result<Task> {
    task_in(&|name| std::env::var(name).ok(), first_of_node)
}

/// This process's number among the tasks of its node; absent where no launcher says.
pub fn local_index() -> Result<Option<u16>> {
    first_number(&|name| std::env::var(name).ok(), LOCAL)
}

/// Whether this process speaks for all that were started with it; true where no launcher says otherwise.
pub fn is_first() -> bool {
    task(None).map_or(true, |task| task.index == 0)
}

/// Waits before an end that the first process explains: launchers end all processes as soon as one has failed, and would
/// end the first one before it has spoken.
pub fn let_the_first_speak() {
    std::thread::sleep(std::time::Duration::from_secs(2));
}

fn task_in(environment: &dyn Fn(&str) -> Option<String>, first_of_node: Option<u32>) -> Result<Task> {
    let local_index: u16 = first_number(environment, LOCAL)?.unwrap_or(0);
    let index = match first_of_node {
        Some(first) => first + u32::from(local_index),
        None => first_number(environment, TASK)?.unwrap_or(0),
    };
    Ok(Task { index, local_index })
}

fn first_number<N: std::str::FromStr>(
    environment: &dyn Fn(&str) -> Option<String>,
    names: &[&str],
) -> Result<Option<N>> {
    let Some((name, value)) = names.iter().find_map(|name| Some((name, environment(name)?))) else { return Ok(None) };
    let wrong = || anyhow!("{name}={value:?} in the environment is no task number: give --index");
    value.trim().parse().map(Some).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_environment(pairs: &[(&str, &str)], index: Option<u32>) -> Result<Task> {
        let find = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        task_in(&find, index)
    }

    #[test]
    fn mpirun_in_a_slurm_job_wins_over_the_batch_scripts_task() {
        let pairs = [("SLURM_PROCID", "0"), ("SLURM_LOCALID", "0"), ("OMPI_COMM_WORLD_RANK", "5")];
        let task = in_environment(&pairs, None).unwrap();
        assert_eq!(task, Task { index: 5, local_index: 0 });
        let pairs = [("SLURM_PROCID", "7"), ("SLURM_LOCALID", "1")];
        assert_eq!(in_environment(&pairs, None).unwrap(), Task { index: 7, local_index: 1 });
    }

    #[test]
    fn the_flag_overrides_and_nothing_means_zero() {
        assert_eq!(in_environment(&[], None).unwrap(), Task { index: 0, local_index: 0 });
        assert_eq!(in_environment(&[("PMI_RANK", "4")], Some(2)).unwrap().index, 2);
        assert_eq!(in_environment(&[("PMI_RANK", "0"), ("MPI_LOCALRANKID", "1")], Some(6)).unwrap().index, 7);
        let error = in_environment(&[("PMI_RANK", "four")], None).unwrap_err().to_string();
        assert!(error.contains("PMI_RANK=\"four\"") && error.contains("--index"), "{error}");
    }
}
