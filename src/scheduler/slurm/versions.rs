//! In what the versions of Slurm that are in use (22.05 to 25.11) differ, as far as jobs and their steps go; from its CHANGELOG and
//! srun(1). The one place that knows: rules ask here, and scripts are written so that no difference matters to them.
//!
//! | | since | a script that runs on all of them |
//! |---|---|---|
//! | `-c` of a step implies `--exact`, beside which no mask is honoured | 22.05 | gives a step masks or `-c`, never both |
//! | a step with `--overlap` shares memory and GRES too, not CPUs alone | 22.05 | gives each step `--mem=0` |
//! | srun takes `SLURM_CPUS_PER_TASK` from the job: up to 21.08, and again | 23.11 | unsets it, gives what it wants |
//! | srun takes `SRUN_CPUS_PER_TASK` | 22.05 to 23.02 | unsets it |
//! | `-c` of a job sets `SLURM_TRES_PER_TASK`, which a step obeys as well | 23.11 | unsets it |
//! | the daemons of mpirun are a step of their own kind (`--external-launcher`), which takes nothing | 23.11 | sets `SLURM_OVERLAP`, which says the same before |
//!
//! What it prints for programs (`--format` of squeue and sinfo with a separator of ours, `sacct --parsable2`) is the same in all of
//! them, and is what the other modules read. `--json` is not: its fields differ from version to version, it needs a plugin that not
//! all sites build, and in 22.05 it prints the jobs of all users whatever else was asked.

use crate::scheduler::Version;

/// Between the fields of a line of squeue or sinfo: a character that no comment, path or feature has.
pub const SEPARATOR: char = '\u{1f}';

/// Whether srun takes the job's --cpus-per-task.
pub fn srun_inherits_cpus(version: Version) -> bool {
    !(Version(22, 5)..Version(23, 11)).contains(&version)
}

/// Whether the daemons of an MPI's launcher, which calls srun, leave their nodes to others.
pub fn has_external_launcher(version: Version) -> bool {
    version >= Version(23, 11)
}
