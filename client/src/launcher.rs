//! What the launcher says in the environment, for the moments at which MPI does not run (yet).

use std::env;

/// Names under which launchers tell a process its rank; the ones that belong to an MPI library come first, because a
/// launcher inside a Slurm job inherits the SLURM_PROCID of the job script.
const RANK_VARIABLES: [&str; 5] = ["PMIX_RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "PALS_RANKID", "SLURM_PROCID"];

/// Whether this process speaks for all that were started with it; true where no launcher says otherwise.
pub fn is_first() -> bool {
    first_among(|name| env::var(name).ok())
}

/// Waits before an end that the first process explains: launchers end all processes as soon as one has failed, and would
/// end the first one before it has spoken.
pub fn let_the_first_speak() {
    std::thread::sleep(std::time::Duration::from_secs(2));
}

fn first_among(variable: impl Fn(&str) -> Option<String>) -> bool {
    RANK_VARIABLES.iter().find_map(|name| variable(name)?.parse::<u32>().ok()).is_none_or(|rank| rank == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mpi_library_is_believed_before_slurm() {
        assert!(first_among(|_| None));
        assert!(first_among(|name| (name == "PMI_RANK").then(|| "0".into())));
        assert!(!first_among(|name| (name == "SLURM_PROCID").then(|| "3".into())));
        let nested = |name: &str| match name {
            "OMPI_COMM_WORLD_RANK" => Some("5".into()),
            "SLURM_PROCID" => Some("0".into()),
            _ => None,
        };
        assert!(!first_among(nested));
    }
}
