//! What this host's kernel allows a server: open files, pending connections.

use std::fs;

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Connections that a server accepts where the file limit admits them; as many as SmartSim allows.
const CLIENTS_WANTED: u64 = 50_000;

/// Files that a server opens beside those of its clients: its own reserve of 32, the cluster bus, logs.
const FILES_BESIDE_CLIENTS: u64 = 1024;

/// Files of a rank beside its connections: MPI's sockets and shared memory, libraries, the record.
const FILES_OF_A_RANK: u64 = 128;

/// Connections beside those of the ranks: who asks for INFO, forms the cluster, supervises.
const OBSERVERS: u64 = 8;

/// Connections that the kernel keeps waiting, where it admits them: all ranks connect at the same moment.
pub const BACKLOG_WANTED: u32 = 4096;

/// Raises the soft limit of open files to the hard one and returns how many clients a server may then accept.
///
/// # Errors
/// Fewer than `needed`; the message says what to ask the administrators for.
pub fn max_clients(needed: u64) -> Result<u64> {
    clients_within(raise_files()?, needed + OBSERVERS)
}

/// Raises the soft limit of open files to the hard one, which it returns.
fn raise_files() -> Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).context("cannot read the limit of open files")?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("cannot raise the limit of open files")?;
    }
    Ok(hard)
}

/// Makes sure that this rank may open `connections` to servers.
///
/// # Errors
/// The hard limit of open files is below that and what MPI needs beside.
pub fn rank_files(connections: u64) -> Result<()> {
    files_for_rank(raise_files()?, connections)
}

fn files_for_rank(hard: u64, connections: u64) -> Result<()> {
    ensure!(
        hard >= connections + FILES_OF_A_RANK,
        "a rank opens {connections} connections and about {FILES_OF_A_RANK} files more, but the hard limit of open files is \
         {hard}: raise it (ulimit -Hn; LimitNOFILE of the node's job daemon), or use fewer shards"
    );
    Ok(())
}

fn clients_within(files: u64, needed: u64) -> Result<u64> {
    // a small limit still leaves half of its files to clients
    let beside = FILES_BESIDE_CLIENTS.min(files / 2);
    let clients = (files - beside).min(CLIENTS_WANTED.max(needed));
    ensure!(
        clients >= needed,
        "{} ranks will connect, but the hard limit of {files} open files admits {clients} clients: \
         fewer ranks for each server, or a higher limit (ulimit -Hn; LimitNOFILE of the node's job daemon)",
        needed.saturating_sub(OBSERVERS)
    );
    Ok(clients)
}

/// The length of the queue of pending connections: what is useful, or what the kernel admits.
pub fn backlog() -> u32 {
    let admitted = fs::read_to_string("/proc/sys/net/core/somaxconn").ok();
    admitted.and_then(|text| text.trim().parse().ok()).unwrap_or(128).min(BACKLOG_WANTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_limit_is_an_error_only_where_it_binds() {
        assert_eq!(clients_within(1 << 20, 0).unwrap(), CLIENTS_WANTED);
        assert_eq!(clients_within(1 << 20, 60_000).unwrap(), 60_000);
        assert_eq!(clients_within(20_000, 100).unwrap(), 18_976);
        assert_eq!(clients_within(1024, 100).unwrap(), 512);
        let error = clients_within(1024, 4608 + OBSERVERS).unwrap_err().to_string();
        assert!(error.contains("4608 ranks") && error.contains("1024 open files"), "{error}");
    }

    #[test]
    fn a_rank_that_cannot_open_its_connections_says_so() {
        assert!(files_for_rank(1024, 64).is_ok());
        let error = files_for_rank(1024, 1000).unwrap_err().to_string();
        assert!(error.contains("opens 1000 connections") && error.contains("LimitNOFILE"), "{error}");
    }
}
