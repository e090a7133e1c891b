//! `hold-files`: what `serve` is where the store is files: a folder that is made, tried out, described, and removed at the end.
//!
//! It serves nothing and sleeps until the end is wanted: ranks write and read the files themselves. Since it lives on the node whose
//! folder it keeps, and hears what ends the run as a server's supervisor does, the folder goes however the run ends.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use shardscale::record::SCHEMA;
use shardscale::record::folder::{FileSettings, FileSystem, Folder};
use shardscale::record::manifest::Manifest;
use shardscale::record::server::{Server, ServerExit};
use shardscale::record::vocabulary::{Durability, FileCache};
use tempfile::TempDir;

use super::serve::private_folder;
use super::supervisor::Stop;
use crate::backend::files::{BLOCK, Files, Space, subfolder};
use crate::launcher;
use crate::node;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Attempt folder that `begin` made
    #[arg(long, value_name = "DIR")]
    attempt: PathBuf,
    /// Folder in which a private one is made, and removed at the end: node-local, or of a file system that all nodes see
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,
    /// When a put has ended: none (the kernel has the bytes) or fsync (they are on the disk)
    #[arg(long, value_name = "WHEN", default_value_t = Durability::None)]
    durability: Durability,
    /// Which memory of a node may hold a file that is read: any, direct (none: O_DIRECT) or drop (dropped before each read)
    #[arg(long, value_name = "WHICH", default_value_t = FileCache::Any)]
    file_cache: FileCache,
    /// Subfolders that the files are spread over
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65536))]
    fan_out: u32,
    /// Number of this node's first keeper; without it, a keeper's number is the launcher's task number
    #[arg(long, value_name = "N")]
    index: Option<u32>,
}

/// Returns when the folder is gone, as asked.
///
/// # Errors
/// The folder cannot be made, used as asked, or removed.
pub fn run(args: &Args) -> Result<()> {
    let task = launcher::task(args.index)?;
    let host = crate::node::host_name()?;
    let who = format!("keeper of files {}", task.index);
    let held = super::leaving_cause(&args.attempt, &who, || hold(args, task, &host));
    held.with_context(|| format!("{who} on {host}"))
}

fn hold(args: &Args, task: launcher::Task, host: &str) -> Result<()> {
    let mut stop = Stop::listen(&args.attempt)?;
    let ours = !args.folder.exists();
    fs::create_dir_all(&args.folder).with_context(|| format!("cannot make {}", args.folder.display()))?;
    let scratch = private_folder(&args.folder, task)?;
    let folder = describe(args, &scratch)?;
    // a size that does not fit is found when the others are measured
    let smallest = Manifest::of_attempt(&args.attempt).and_then(|it| it.sweep.tensor_bytes.iter().min().copied());
    Files::try_out(&folder, smallest.map_or(BLOCK, |bytes| bytes as usize))?;
    let own = std::process::id();
    let server = Server {
        schema: SCHEMA,
        index: task.index,
        local_index: Some(task.local_index.into()),
        host: host.to_owned(),
        address: None,
        port: None,
        socket: None,
        version: format!("files {}", folder.file_system.kind),
        folder: Some(folder),
        ifname: String::new(),
        pid: own,
        cpus: node::affinity(own)?,
        in_force: None,
        bus: None,
        exit: None,
    };
    server.write(&args.attempt)?;
    while !stop.wanted() {
        thread::sleep(Duration::from_millis(100));
    }
    remove(scratch)?;
    if ours {
        // another keeper on this node may still be in it
        let _ = fs::remove_dir(&args.folder);
    }
    let exit = ServerExit { asked: true, code: Some(0), signal: None, interface_bytes: None };
    Server { exit: Some(exit), ..server }.write(&args.attempt)
}

/// Removes the folder. Ranks that are being ended may still make files in it: then again, for a while that is shorter than the one for
/// which `stop-store` waits.
fn remove(scratch: TempDir) -> Result<()> {
    let path = scratch.keep();
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                if Instant::now() > deadline {
                    return Err(error)
                        .with_context(|| format!("{} cannot be removed: remove it by hand", path.display()));
                }
                thread::sleep(Duration::from_millis(50));
            }
            _ => return Ok(()),
        }
    }
}

fn describe(args: &Args, scratch: &TempDir) -> Result<Folder> {
    // the same path for all ranks, and one that the list of mounts knows
    let path = fs::canonicalize(scratch.path()).context("cannot resolve --folder")?;
    let Args { durability, file_cache, fan_out, .. } = *args;
    for number in 0..fan_out {
        fs::create_dir(path.join(subfolder(number)))
            .with_context(|| format!("cannot make subfolder {number} of {fan_out} in {}", path.display()))?;
    }
    let settings = FileSettings { durability, file_cache, fan_out };
    Ok(Folder { file_system: file_system(&path), path, settings })
}

fn file_system(path: &Path) -> FileSystem {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mount = FileSystem::of_mountinfo(&mounts, &path.display().to_string());
    let mut found = mount.unwrap_or_else(|| FileSystem { kind: "unknown".to_owned(), ..FileSystem::default() });
    if let Some(Space { block_bytes, bytes, bytes_free, inodes, inodes_free }) = Space::of(path) {
        found = FileSystem { block_bytes, bytes, bytes_free, inodes, inodes_free, ..found };
    }
    if found.kind == "lustre" {
        found.stripe = stripe(path);
    }
    found
}

/// What Lustre's own tool says of new files in `path`; nothing where it is not there or does not answer soon.
fn stripe(path: &Path) -> Option<String> {
    let mut tool = Command::new("lfs");
    tool.args(["getstripe", "-d"]).arg(path).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut tool = tool.spawn().ok()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while tool.try_wait().ok()?.is_none() {
        if Instant::now() > deadline {
            // a server that hangs; the tool may not be killed before it answers, and is left behind
            let _ = tool.kill();
            return None;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let output = tool.wait_with_output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn a_folder_goes_although_somebody_still_writes_into_it() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().to_owned();
        fs::create_dir(path.join(subfolder(0))).unwrap();
        // as ranks do until they are gone: by the open folder, one new name after another
        let open = fs::File::open(path.join(subfolder(0))).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_millis(500) {
                    let name = format!("/proc/self/fd/{}/{}", open.as_raw_fd(), begun.elapsed().as_nanos());
                    let _ = fs::write(name, "x");
                }
            });
            thread::sleep(Duration::from_millis(50));
            remove(scratch).unwrap();
        });
        assert!(!path.exists());
    }
}
