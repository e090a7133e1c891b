//! The store's side of a job: its folder and password, its servers under supervision, the wait for them, their end.
//!
//! Subcommands that job scripts call between their launches: `begin`, `join`, `serve`, `await-store`, `stop-store`, `end`. They meet
//! in the attempt folder alone, which all nodes see, and talk to servers over their own protocol. Nothing here knows MPI,
//! so that they run on any node, under any launcher or none, and nothing here knows a scheduler.
//!
//! ```text
//! begin         once, before all   attempt-N/, password, first status line
//! join          once, in a client's job behind a database's    the attempt that `begin` made there
//! serve         on each DB node    address -> config -> server process -> server-N.json -> watch -> exit in server-N.json
//! hold-files    in the place of serve, where the store is files
//! await-store   once               all server-N.json there, all answer, cluster formed, each shard reaches the others' buses
//! stop-store    once, at the end   `stopping`, SHUTDOWN, all server-N.json have an exit
//! end           once, after all    last status line, first cause on stderr
//! ```
//!
//! Whichever cannot go on leaves why in `cause.json`, as `give-up` does for the script; the first one wins.

pub mod await_store;
pub mod begin;
mod bus;
pub mod clean_store;
mod cluster;
pub mod config;
pub mod daemon;
pub mod end;
pub mod give_up;
pub mod hold_files;
mod in_force;
pub mod join;
pub mod link;
mod remedy;
pub mod serve;
pub mod settings;
pub mod stop_store;
pub mod supervisor;
pub mod trial;

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use shardscale::record::cause::Cause;
use shardscale::record::{SCHEMA, attempt, files};

use crate::node::host_name;
use crate::say::say;

/// In the attempt folder from the moment in which an end of the servers is wanted.
const STOPPING_FILE: &str = "stopping";

/// Does `work`; if that fails, its error stays in `attempt` as the cause, unless another program was first.
///
/// `stop-store` does not do so: no attempt fails by what it cannot end.
fn leaving_cause<T>(attempt: &Path, who: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    work().inspect_err(|error| {
        let host = host_name().unwrap_or_default();
        let cause = Cause { schema: SCHEMA, who: who.to_owned(), host, what: format!("{error:#}") };
        if let Err(unwritten) = cause.leave(attempt) {
            say(format_args!("{unwritten:#}"));
        }
    })
}

/// The store's password, as `begin` made it.
fn read_password(attempt: &Path) -> Result<String> {
    let path = attempt.join(attempt::PASSWORD_FILE);
    let text = files::read_text(&path)?.with_context(|| {
        format!("there is no {}: `shardscale-client begin` makes it, and the end of the run removes it", path.display())
    })?;
    let password = text.trim().to_owned();
    anyhow::ensure!(
        !password.is_empty() && password.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{} holds no password of letters and digits: run `shardscale-client begin` again",
        path.display()
    );
    Ok(password)
}

/// Makes the following look-ups in `folder` see what other nodes made there.
///
/// An NFS client answers for a name that it once did not find from memory, for up to a minute; opening the folder makes
/// it ask the server whether the folder changed. Elsewhere this costs one system call.
fn refresh(folder: &Path) {
    let _ = File::open(folder);
}

fn stopping_file(attempt: &Path) -> PathBuf {
    attempt.join(STOPPING_FILE)
}

fn stop_wanted(attempt: &Path) -> bool {
    refresh(attempt);
    stopping_file(attempt).exists()
}
