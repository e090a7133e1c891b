//! How thousands of ranks come to their servers without a storm: one after another, and patiently.
//!
//! Ranks that connect at the same moment overflow the queue of connections that wait to be accepted (net.core.somaxconn,
//! tcp-backlog). The kernel then drops what comes, and TCP tries again after 1, 3 and 7 seconds. So each rank waits for a turn
//! of its own, and what is refused nevertheless is tried again until the connect time-out. A server that refuses in words
//! (a wrong password, too many clients) is believed at once.

use std::io::{self, ErrorKind};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// New connections a second that each server is offered. Redis accepts and authenticates several times as many on one core,
/// and the shortest queue in use (128) holds those of 25 ms.
pub const OFFERED_PER_S: u32 = 5000;

/// First pause before a connection is tried again; it doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// When the connection that comes `position`-th to its server (from 0) has its turn.
pub fn turn(position: u64) -> Duration {
    Duration::from_nanos(position.saturating_mul(1_000_000_000 / u64::from(OFFERED_PER_S)))
}

/// A connection and what it took.
#[derive(Debug)]
pub struct Reached<T> {
    pub connection: T,
    /// Attempts that failed before.
    pub retries: u32,
}

/// Calls `open` with the time that is left, until it succeeds, fails for good, or `limit` is over.
///
/// # Errors
/// The last failure, with the number of attempts where there were several.
pub fn patiently<T>(limit: Duration, mut open: impl FnMut(Duration) -> Result<T>) -> Result<Reached<T>> {
    let deadline = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    for retries in 0.. {
        let left = deadline.saturating_duration_since(Instant::now()).max(FIRST_PAUSE);
        match open(left) {
            Ok(connection) => return Ok(Reached { connection, retries }),
            Err(error) if is_passing(&error) && Instant::now() + pause < deadline => {
                // ranks that were refused together must not come back together
                thread::sleep(pause.mul_f64(0.5 + 0.5 * jitter()));
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) if retries == 0 => return Err(error),
            Err(error) => {
                let attempts = retries + 1;
                let seconds = limit.as_secs();
                return Err(error).with_context(|| {
                    format!("{attempts} attempts within the {seconds} s of --connect-timeout failed, the last one so")
                });
            }
        }
    }
    unreachable!("the attempts end with the time")
}

/// Whether a full queue or a server that is just starting explains the failure.
fn is_passing(error: &anyhow::Error) -> bool {
    let kind = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    matches!(
        kind,
        Some(
            ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                // a UNIX socket whose queue is full
                | ErrorKind::WouldBlock
        )
    )
}

/// Between 0 and 1, another one in each process and at each call.
fn jitter() -> f64 {
    let mut bytes = [0u8; 2];
    // without randomness the pauses are merely equal
    let _ = getrandom::fill(&mut bytes);
    f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    fn refused() -> anyhow::Error {
        anyhow!(io::Error::from(ErrorKind::ConnectionRefused)).context("cannot connect to 10.0.0.1:6780")
    }

    #[test]
    fn turns_keep_to_the_rate() {
        assert_eq!(turn(0), Duration::ZERO);
        assert_eq!(turn(u64::from(OFFERED_PER_S)), Duration::from_secs(1));
    }

    #[test]
    fn what_passes_is_tried_again_and_counted() {
        let mut left = 3;
        let reached = patiently(Duration::from_secs(5), |_| {
            left -= 1;
            if left > 0 { Err(refused()) } else { Ok("there") }
        });
        let reached = reached.unwrap();
        assert_eq!((reached.connection, reached.retries), ("there", 2));
    }

    #[test]
    fn words_of_the_server_are_believed_at_once() {
        let mut calls = 0;
        let error = patiently(Duration::from_secs(5), |_| -> Result<()> {
            calls += 1;
            Err(anyhow!("WRONGPASS invalid username-password pair"))
        });
        assert_eq!((calls, error.unwrap_err().to_string().starts_with("WRONGPASS")), (1, true));
    }

    #[test]
    fn the_time_limit_holds_and_the_last_cause_is_told() {
        let begun = Instant::now();
        let error = patiently(Duration::from_millis(300), |_| -> Result<()> { Err(refused()) }).unwrap_err();
        let text = format!("{error:#}");
        assert!(begun.elapsed() < Duration::from_secs(2));
        assert!(text.contains("attempts within") && text.contains("cannot connect to 10.0.0.1:6780"), "{text}");
    }
}
