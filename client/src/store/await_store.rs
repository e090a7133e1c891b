//! `await-store`: waits until all servers serve, and makes one cluster of them where they are shards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use shardscale::record::cause::Cause;
use shardscale::record::server::Server;
use shardscale::record::{files, jobs};

use super::bus;
use super::cluster::Cluster;
use super::link::Link;
use crate::say::line;

const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// How often servers that announced themselves are read again, to notice the end of one while others still start.
const RECHECK_INTERVAL: Duration = Duration::from_secs(2);

/// After which those who tried the buses are believed although others are silent.
const BUS_PATIENCE: Duration = Duration::from_secs(8);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Attempt folder that `begin` made
    #[arg(long, value_name = "DIR")]
    attempt: PathBuf,
    /// Number of servers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16384))]
    servers: u32,
    /// Make one cluster of them
    #[arg(long)]
    cluster: bool,
    /// Process that starts the servers, such as the launcher: when it has ended, the wait is over
    #[arg(long, value_name = "PID")]
    watch_pid: Option<i32>,
    /// Empty the servers: an earlier run may have used them
    #[arg(long)]
    flush: bool,
    /// Longest wait for all of it
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    timeout: u64,
}

/// Returns when all servers serve.
///
/// # Errors
/// One ended or never started; the time is up: the message names the servers that are missing.
pub fn run(args: &Args) -> Result<()> {
    super::leaving_cause(&args.attempt, "await-store", || wait(args))
}

fn wait(args: &Args) -> Result<()> {
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(args.timeout);
    let mut announced = Announced::new(args);
    announced.all(args.servers, deadline)?;
    let servers: Vec<Server> = announced.found.values().cloned().collect();
    let password = super::read_password(&args.attempt)?;
    let here = crate::node::host_name()?;
    for server in &servers {
        // a socket on another host is out of reach: its supervisor saw the PONG before it announced the server
        if let Some(link) = Link::to(server, &here, &password) {
            let opened = link.open();
            let mut connection = opened.with_context(|| format!("server {} on {}", server.index, server.host))?;
            if args.flush {
                let flushed: redis::RedisResult<()> = redis::cmd("FLUSHALL").query(&mut connection);
                flushed.with_context(|| format!("server {} on {} cannot be emptied", server.index, server.host))?;
            }
        }
    }
    if args.cluster {
        announced.become_cluster(Cluster::connect(&servers, &here, &password)?, deadline)?;
    }
    line(format_args!("{} after {:.1} s", describe(&servers, args.cluster), begun.elapsed().as_secs_f64()));
    Ok(())
}

fn describe(servers: &[Server], cluster: bool) -> String {
    let what = match (servers.len(), cluster) {
        (1, false) => "1 server serves".to_owned(),
        (n, false) => format!("{n} servers serve"),
        (n, true) => format!("a cluster of {n} serves"),
    };
    let versions: BTreeSet<_> = servers.iter().map(|server| server.version.as_str()).collect();
    format!("{what} ({})", versions.into_iter().collect::<Vec<_>>().join(", "))
}

/// The servers of an attempt that announced themselves so far.
struct Announced<'a> {
    attempt: &'a Path,
    watch_pid: Option<i32>,
    found: BTreeMap<u32, Server>,
    checked: Instant,
}

impl<'a> Announced<'a> {
    fn new(args: &'a Args) -> Announced<'a> {
        let Args { attempt, watch_pid, .. } = args;
        Announced { attempt, watch_pid: *watch_pid, found: BTreeMap::new(), checked: Instant::now() }
    }

    /// Waits for servers 0 to `count` - 1.
    fn all(&mut self, count: u32, deadline: Instant) -> Result<()> {
        loop {
            // asked before the files are read: what the servers wrote before their launcher ended is seen
            let launcher_ended =
                self.watch_pid.is_some_and(|pid| !is_running(pid)) || self.attempt.join(jobs::DB_ENDED_FILE).exists();
            super::refresh(self.attempt);
            if self.checked.elapsed() > RECHECK_INTERVAL {
                self.checked = Instant::now();
                self.read(&self.found.keys().copied().collect::<Vec<_>>())?;
            }
            self.read(&self.missing(count))?;
            let missing = self.missing(count);
            if missing.is_empty() {
                return Ok(());
            }
            if launcher_ended {
                bail!(
                    "the launcher of the servers has ended and {} of {count} did not announce themselves; {}",
                    missing.len(),
                    see_log(self.attempt)
                );
            }
            if Instant::now() >= deadline {
                bail!(
                    "{} of {count} servers did not announce themselves in time: {}; {}",
                    missing.len(),
                    name_some(&missing),
                    see_log(self.attempt)
                );
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Waits until the cluster is whole and every shard reaches the bus of every other; one that is whole already is left as
    /// it is.
    fn become_cluster(&mut self, mut cluster: Cluster<'_>, deadline: Instant) -> Result<()> {
        if cluster.problem()?.is_none() {
            return Ok(());
        }
        bus::ask(self.attempt, &self.found.values().cloned().collect::<Vec<_>>())?;
        let asked = Instant::now();
        cluster.form()?;
        loop {
            super::refresh(self.attempt);
            self.read(&self.untried())?;
            let waiting = self.untried();
            if waiting.is_empty() || asked.elapsed() > BUS_PATIENCE {
                bus::judge(self.found.values())?;
            }
            let problem = match cluster.problem()? {
                None if waiting.is_empty() => return Ok(()),
                None => format!("server {} did not try the buses of the others", name_some(&waiting)),
                Some(problem) => problem,
            };
            if Instant::now() >= deadline {
                bail!("the cluster did not form in time: {problem}; {}", see_log(self.attempt));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// The shards that did not say yet which others they reach.
    fn untried(&self) -> Vec<u32> {
        self.found.values().filter(|server| server.bus.is_none()).map(|server| server.index).collect()
    }

    fn missing(&self, count: u32) -> Vec<u32> {
        (0..count).filter(|index| !self.found.contains_key(index)).collect()
    }

    /// Reads the given servers, and fails where one is known not to serve, or not any more.
    fn read(&mut self, indices: &[u32]) -> Result<()> {
        if let Some(cause) = Cause::read(self.attempt)? {
            bail!("{} on {}: {}", cause.who, cause.host, cause.what);
        }
        for &index in indices {
            if let Some(server) = Server::read(self.attempt, index)? {
                if server.exit.is_some() {
                    bail!("server {index} on {} has ended; {}", server.host, see_log(self.attempt));
                }
                self.found.insert(index, server);
            }
        }
        Ok(())
    }
}

/// Where the launcher's own words are, with the last of them.
fn see_log(attempt: &Path) -> String {
    let text = files::read_text(&attempt.join("store.log")).ok().flatten().unwrap_or_default();
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    let last = last.map_or_else(String::new, |line| format!(", which ends with: {line}"));
    format!("see store.log in {}{last}", attempt.display())
}

fn is_running(pid: i32) -> bool {
    // signal 0 reaches nobody; it fails where there is nobody to reach
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None) != Err(nix::errno::Errno::ESRCH)
}

/// The first few of many numbers, and how many there are beside them.
fn name_some(numbers: &[u32]) -> String {
    const NAMED: usize = 10;
    let named: Vec<_> = numbers.iter().take(NAMED).map(u32::to_string).collect();
    match numbers.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(name_some(&[1, 5]), "1, 5");
        let many: Vec<_> = (0..4096).collect();
        assert_eq!(name_some(&many), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 4086 more");
    }
}
