//! A rank's way out when all is on disk: MPI_Finalize, or without it where it does not return.
//!
//! MPICH 4.0.2, among others, may hang there with ranks on several nodes, and a job would wait out its wall time.
//! All ranks come here from one barrier, so that they leave within moments of each other; a launcher that calls that a failure
//! ends nobody who still works, and the job's script goes by the samples.

use std::thread;
use std::time::Duration;

use shardscale::record::SCHEMA;
use shardscale::record::attempt::Left;

use crate::failure::Reporter;
use crate::say::say;

/// Ends this process with status 0 in `patience`, unless it has ended by then.
pub fn at_the_latest_in(patience: Duration, who: &Reporter) {
    let who = who.clone();
    thread::spawn(move || {
        thread::sleep(patience);
        let left = Left { schema: SCHEMA, rank: who.rank, host: who.host, after_s: patience.as_secs() };
        // one speaks for all
        if who.attempt.map_or(who.rank == 0, |attempt| left.leave(&attempt).unwrap_or(true)) {
            say(&left);
        }
        // SAFETY: it ends the process and runs nothing of ours or of MPI, whose exit handlers may hang as well
        unsafe { nix::libc::_exit(0) }
    });
}
