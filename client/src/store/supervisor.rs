//! Looks after one server until its end, and knows whether that end was wanted.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use shardscale::record::server::{Server, ServerExit};
use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGTERM};

use super::bus;
use super::daemon::Daemon;
use super::link::Link;
use crate::node::{Root, interface};

/// Longest wait for the first PONG of a server that has nothing to load.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// From TERM to KILL; shorter than the 30 s that schedulers grant.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How often the server is looked after.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);
/// How often a shared file system is asked whether the run stops: thousands of supervisors may ask.
const STOPPING_INTERVAL: Duration = Duration::from_secs(1);
/// A launcher's TERM reaches server and supervisor in any order, and `stopping` is older than the SHUTDOWN that follows it.
const REASON_GRACE: Duration = Duration::from_millis(500);

/// Whether somebody wants the end: a signal to this process, or `stopping` in the attempt.
pub struct Stop {
    signalled: Arc<AtomicBool>,
    attempt: PathBuf,
    looked: Option<Instant>,
}

impl Stop {
    pub fn listen(attempt: &Path) -> Result<Stop> {
        let signalled = Arc::new(AtomicBool::new(false));
        // HUP and ALRM are Flux's words for a cancelled job and one whose time is over
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGALRM] {
            signal_hook::flag::register(signal, Arc::clone(&signalled)).context("cannot listen to signals")?;
        }
        Ok(Stop { signalled, attempt: attempt.to_owned(), looked: None })
    }

    /// The signal as of now, the file as of at most [`STOPPING_INTERVAL`] ago.
    pub fn wanted(&mut self) -> bool {
        self.signalled.load(Ordering::Relaxed) || {
            let due = self.looked.is_none_or(|looked| looked.elapsed() >= STOPPING_INTERVAL);
            due && {
                self.looked = Some(Instant::now());
                super::stop_wanted(&self.attempt)
            }
        }
    }

    /// Whether an end that just happened was wanted.
    fn was_wanted(&mut self) -> bool {
        let deadline = Instant::now() + REASON_GRACE;
        while Instant::now() < deadline {
            self.looked = None;
            if self.wanted() {
                return true;
            }
            thread::sleep(WATCH_INTERVAL);
        }
        false
    }
}

/// A server and whatever may want its end.
pub struct Supervisor {
    pub daemon: Daemon,
    pub stop: Stop,
}

impl Supervisor {
    /// Waits until the server answers and returns a connection to it; `None` where the end was wanted first.
    pub fn await_start(&mut self, link: &Link) -> Result<Option<redis::Connection>> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if self.stop.wanted() {
                self.daemon.stop(STOP_GRACE)?;
                return Ok(None);
            }
            if let Some(status) = self.daemon.ended()? {
                if self.stop.was_wanted() {
                    return Ok(None);
                }
                bail!("it did not start ({status}); {}", self.daemon.last_words(Some(status)));
            }
            match link.open() {
                Ok(connection) => return Ok(Some(connection)),
                Err(error) if Instant::now() > deadline => {
                    let words = self.daemon.last_words(None);
                    bail!("it does not answer after {} s ({error:#}); {words}", START_TIMEOUT.as_secs());
                }
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Looks after the server until it has ended, and records how; a shard meanwhile tries the others' buses when asked to.
    pub fn watch(mut self, mut server: Server, is_shard: bool) -> Result<()> {
        let mut looked = Instant::now();
        let ifname = server.ifname.clone();
        let traffic = || interface::traffic(&Root::real(), &ifname);
        let before = traffic();
        let (status, asked) = loop {
            if is_shard && server.bus.is_none() && looked.elapsed() >= STOPPING_INTERVAL {
                looked = Instant::now();
                server.bus = bus::answer(&self.stop.attempt, server.index)?;
                if server.bus.is_some() {
                    server.write(&self.stop.attempt)?;
                }
            }
            if let Some(status) = self.daemon.ended()? {
                break (status, self.stop.was_wanted());
            }
            if self.stop.wanted() {
                break (self.daemon.stop(STOP_GRACE)?, true);
            }
            thread::sleep(WATCH_INTERVAL);
        };
        let since = |(before, after): ((u64, u64), (u64, u64))| {
            (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1))
        };
        let interface_bytes = before.zip(traffic()).map(since);
        let exit = ServerExit { interface_bytes, asked, code: status.code(), signal: status.signal() };
        let attempt = &self.stop.attempt;
        Server { exit: Some(exit), ..server }.write(attempt)?;
        ensure!(asked, "it ended unasked ({status}); {}", self.daemon.last_words(Some(status)));
        Ok(())
    }
}
