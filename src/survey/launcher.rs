//! Telling launchers apart by what they say of themselves.

use crate::scheduler::ask::ask as ask_program;

/// A program that starts processes on nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launcher {
    Pals,
    OpenMpi,
    Hydra,
}

impl Launcher {
    /// Name of its template.
    pub fn template(self) -> &'static str {
        match self {
            Launcher::Pals => "pals",
            Launcher::OpenMpi => "openmpi",
            Launcher::Hydra => "hydra",
        }
    }
}

/// The launcher behind `mpiexec` or `mpirun`.
pub fn ask() -> Option<Launcher> {
    ["mpiexec", "mpirun"].iter().find_map(|program| which(&ask_program(program, &["--version"]).ok()?))
}

fn which(version: &str) -> Option<Launcher> {
    let says = |word: &str| version.contains(word);
    match () {
        () if says("PALS") => Some(Launcher::Pals),
        () if says("Open MPI") || says("OpenRTE") || says("PRRTE") => Some(Launcher::OpenMpi),
        () if says("HYDRA") || says("Hydra") || says("Intel(R) MPI") => Some(Launcher::Hydra),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_by_what_they_say() {
        // Open MPI 4.1.4 and 5, MPICH 4.0, as installed; PALS after its manual
        assert_eq!(which("mpiexec (OpenRTE) 4.1.4\n\nReport bugs to http://www.open-mpi.org"), Some(Launcher::OpenMpi));
        assert_eq!(which("mpirun (Open MPI) 5.0.3"), Some(Launcher::OpenMpi));
        assert_eq!(
            which("HYDRA build details:\n    Version:                                 4.0.2"),
            Some(Launcher::Hydra)
        );
        assert_eq!(which("PALS version 1.6.1"), Some(Launcher::Pals));
        assert_eq!(which("mpiexec 1.0"), None);
    }
}
