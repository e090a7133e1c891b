//! A rank's way in: MPI_Init, or an end of the launch where it does not return.
//!
//! MPI_Init waits for all ranks. Where one never starts (a node on which the launcher fails, a program that does not load there)
//! launchers may leave the others waiting, and a job would wait out its wall time.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;

use crate::comm::Comm;
use crate::failure::{Failure, Reporter};
use crate::launcher;

const OP: &str = "start MPI";

/// Starts MPI; ends the launch if that fails, or takes longer than `patience`.
pub fn within(patience: Duration, who: &Reporter) -> Comm {
    let (entered, waits) = mpsc::channel::<()>();
    let late = Reporter {
        rank: launcher::task(None).map_or(0, |task| task.index),
        // the first rank may be the one that never came; with a folder, the first message in it is said
        speaks: who.speaks || who.attempt.is_none(),
        ..who.clone()
    };
    thread::spawn(move || {
        if waits.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            late.end(&Failure::new(
                OP,
                anyhow!(
                    "MPI_Init did not return within the {} s of --start-timeout: another rank did not start, or does not \
                     reach this one. See what the launcher said in client.log, and try `shardscale rehearse`",
                    patience.as_secs()
                ),
            ));
        }
    });
    let comm = Comm::init().unwrap_or_else(|error| who.end(&Failure::new(OP, error)));
    drop(entered);
    comm
}
