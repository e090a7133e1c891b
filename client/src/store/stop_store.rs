//! `stop-store`: the orderly end of all servers of an attempt.
//!
//! The file `stopping` comes first: from then on an end is no failure. Servers with a TCP address are told at once. A
//! UNIX socket on another host is out of reach: there the supervisor sees the file, within about a second. A server whose
//! supervisor is dead is dead too, and reports no end.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use shardscale::record::attempt::PASSWORD_FILE;
use shardscale::record::files;
use shardscale::record::server::Server;

use super::link::Link;
use crate::say::line;

const POLL_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Attempt folder that `begin` made
    #[arg(long, value_name = "DIR")]
    attempt: PathBuf,
    /// Longest wait for their end
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    timeout: u64,
}

/// Returns when every server that announced itself has reported its end; then the password is removed.
///
/// # Errors
/// Servers whose end was not reported in time; the message names them and their hosts.
pub fn run(args: &Args) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(args.timeout);
    let attempt = &args.attempt;
    files::replace(&super::stopping_file(attempt), b"", 0o644)?;
    let mut running = announced(attempt)?;
    running.retain(|server| server.exit.is_none());
    if !running.is_empty() {
        tell(&running, attempt)?;
    }
    loop {
        super::refresh(attempt);
        running = still_running(attempt, &running)?;
        if running.is_empty() {
            return files::remove(&attempt.join(PASSWORD_FILE));
        }
        if Instant::now() >= deadline {
            let which: Vec<_> = running.iter().map(|server| format!("{} on {}", server.index, server.host)).collect();
            bail!(
                "no end is reported within {} s by server {}: its node or its supervisor may be dead; the job's end \
                 ends what is left",
                args.timeout,
                which.join(", ")
            );
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// Every server with a record, whatever its number.
fn announced(attempt: &Path) -> Result<Vec<Server>> {
    let unreadable = || format!("cannot read {}", attempt.display());
    let mut servers = Vec::new();
    for entry in fs::read_dir(attempt).with_context(unreadable)? {
        let name = entry.with_context(unreadable)?.file_name();
        let index = name.to_str().and_then(|name| name.strip_prefix("server-")?.strip_suffix(".json")?.parse().ok());
        if let Some(index) = index {
            servers.extend(Server::read(attempt, index)?);
        }
    }
    servers.sort_by_key(|server| server.index);
    Ok(servers)
}

fn tell(servers: &[Server], attempt: &Path) -> Result<()> {
    let password = super::read_password(attempt)?;
    let here = crate::node::host_name()?;
    for server in servers {
        if let Some(link) = Link::to(server, &here, &password)
            && let Err(error) = link.shut_down()
        {
            // its supervisor may still end it
            line(format_args!("server {} on {}: {error:#}", server.index, server.host));
        }
    }
    Ok(())
}

fn still_running(attempt: &Path, servers: &[Server]) -> Result<Vec<Server>> {
    let mut running = Vec::new();
    for server in servers {
        running.extend(Server::read(attempt, server.index)?.filter(|server| server.exit.is_none()));
    }
    Ok(running)
}
