//! `shardscale submit`, `status` and `rehearse`: hundreds of jobs, a queue with limits, nodes that fail.
//!
//! Everything is found out anew each time, from the run directories, the [`ledger`] of submissions and, where there is one,
//! the [`crate::scheduler`]: no process of ours stays behind, and a folder that was copied elsewhere tells the same. In reading order:
//!
//! - [`folder`]: the jobs of a folder and their runs
//! - [`ledger`]: what was submitted, and as which job
//! - [`queue`], [`logs`]: which jobs in the queue are the folder's, and how those ended that are not there any more
//! - [`standing`]: how each run stands
//! - [`limits`]: which jobs may go to the queue, and behind which others
//! - [`submit`], [`local`], [`status`]: the two commands
//! - [`rehearsal`]: a first small run, and what it says of the large ones
//!
//! Nothing here knows what a script looks like inside, or reads samples.

pub mod folder;
pub mod ledger;
pub mod limits;
pub mod local;
pub mod logs;
pub mod queue;
pub mod rehearsal;
pub mod standing;
pub mod status;
pub mod submit;
