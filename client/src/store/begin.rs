//! `begin`: a folder for this execution of the job script, and the store's password in it.
//!
//! A run that is measured already is left alone: the script sees an empty answer and ends.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use shardscale::record::attempt::{self, Attempt, Outcome};
use shardscale::record::manifest::Manifest;
use shardscale::record::pack::{self, Pack, PackPlace, PackedRun};
use shardscale::record::server::Server;
use shardscale::record::{files, status};

use crate::say::{self, line};

/// Set to 1 to measure again what is measured already.
const RERUN: &str = "SHARDSCALE_RERUN";

/// Bytes of the password; it is written as twice as many hexadecimal digits.
const PASSWORD_BYTES: usize = 32;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run folder, the one with run.toml in it, or a pack's, the one with pack.toml
    #[arg(long, value_name = "DIR")]
    run_dir: PathBuf,
    /// Folder of the pack that the run is a part of
    #[arg(long, value_name = "DIR")]
    pack: Option<PathBuf>,
    /// Attempt whose servers serve this run too
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Identifier of the scheduler's job, for the status line
    #[arg(long, value_name = "ID")]
    job: Option<String>,
    /// Identifiers of the user's jobs in the queue: while one of them is at this run, it is left to that one
    #[arg(long, value_name = "IDS", default_value = "")]
    queue: String,
}

/// Prints the path of the new attempt on stdout, or nothing where the run is measured already.
pub fn run(args: &Args) -> Result<()> {
    if let Some(pack) = Pack::read(&args.run_dir)? {
        return begin_pack(args, &pack);
    }
    let manifest = Manifest::read(&args.run_dir)?;
    if let Some(number) = measured_in(&args.run_dir, manifest.expect.servers)?.filter(|_| !again()) {
        let name = manifest.name;
        line(format_args!("{name}: already measured in attempt-{number}; set {RERUN}=1 to measure it again"));
        return Ok(());
    }
    let place = match &args.pack {
        None => None,
        Some(folder) => Pack::read(folder)?
            .with_context(|| format!("{} has no {}", folder.display(), pack::FILE))?
            .place(&manifest.name),
    };
    let Some(attempt) = prepare(args)? else { return Ok(()) };
    let filled = super::leaving_cause(&attempt, "begin", || fill(&attempt, args, manifest.expect.servers, place));
    filled.inspect_err(|_| drop(status::append(&attempt, status::FAILED, "script")))?;
    println!("{}", attempt.display());
    Ok(())
}

/// What the attempt's programs need to find in it.
fn fill(attempt: &Path, args: &Args, servers: u32, place: Option<PackPlace>) -> Result<()> {
    match &args.store {
        None => create(&attempt.join(attempt::PASSWORD_FILE), 0o600, &format!("{}\n", new_password()?))?,
        Some(origin) => take_over(origin, attempt, servers)?,
    }
    if let Some(place) = place {
        let store_from = args.store.as_deref().map(run_and_attempt);
        files::replace_json(&attempt.join(PackPlace::FILE), &PackPlace { store_from, ..place })?;
    }
    Ok(())
}

/// The records and the password of servers that another attempt started.
fn take_over(origin: &Path, attempt: &Path, servers: u32) -> Result<()> {
    let what = || format!("the servers of {} cannot serve this run", origin.display());
    for index in 0..servers {
        let server = Server::read(origin, index)?.with_context(|| format!("{}: there is no server {index}", what()))?;
        ensure!(server.exit.is_none(), "{}: server {index} on {} has ended", what(), server.host);
        server.write(attempt)?;
    }
    create(&attempt.join(attempt::PASSWORD_FILE), 0o600, &format!("{}\n", super::read_password(origin)?))
}

/// `NAME/attempt-N`
fn run_and_attempt(path: &Path) -> String {
    let names: Vec<_> = path.iter().rev().take(2).map(|name| name.to_string_lossy()).collect();
    names.into_iter().rev().collect::<Vec<_>>().join("/")
}

/// A pack has something to do while one of its runs is not measured.
fn begin_pack(args: &Args, pack: &Pack) -> Result<()> {
    let out = args.run_dir.parent().with_context(|| format!("--run-dir {} lies nowhere", args.run_dir.display()))?;
    let measured = |run: &PackedRun| Ok(measured_in(&out.join(&run.name), 0)?.is_some());
    let left = pack.runs.iter().map(measured).collect::<Result<Vec<bool>>>()?.iter().filter(|done| !**done).count();
    if left == 0 && !again() {
        let (name, all) = (&pack.name, pack.runs.len());
        line(format_args!("{name}: all {all} runs are measured; set {RERUN}=1 to measure them again"));
        return Ok(());
    }
    if let Some(attempt) = prepare(args)? {
        println!("{}", attempt.display());
    }
    Ok(())
}

fn again() -> bool {
    std::env::var_os(RERUN).is_some_and(|value| value == "1")
}

/// The latest attempt that ended well.
pub(super) fn measured_in(run_dir: &Path, servers: u32) -> Result<Option<u32>> {
    let attempts = attempt::list(run_dir)?;
    let done = |(number, path): &(u32, PathBuf)| Attempt::read(*number, path, servers).outcome() == Outcome::Done;
    Ok(attempts.iter().rev().find(|attempt| done(attempt)).map(|(number, _)| *number))
}

/// A folder for this execution; `None` where another job is at the run.
///
/// Which of two jobs that began at once goes on is decided by the numbers of their folders: the earlier one.
fn prepare(args: &Args) -> Result<Option<PathBuf>> {
    let job = args.job.as_deref().unwrap_or_default();
    // absolute, but not canonical: a symbolic link may lead elsewhere on other nodes
    let run_dir =
        std::path::absolute(&args.run_dir).with_context(|| format!("cannot resolve {}", args.run_dir.display()))?;
    let who = who_runs_it(job)?;
    let attempt = attempt::create_next(&run_dir)?;
    status::append(&attempt, status::STARTED, &who)?;
    let Some((number, other)) = others_attempt(&run_dir, &attempt, job, &args.queue)? else { return Ok(Some(attempt)) };
    say::line(format_args!(
        "{}: job {other} is at it in attempt-{number}, and this one leaves it alone",
        run_dir.display()
    ));
    fs::remove_dir_all(&attempt).with_context(|| format!("cannot remove {}", attempt.display()))?;
    Ok(None)
}

/// An attempt before `own` that has no end and a job in the queue, which is not `job`: that one may have been requeued.
fn others_attempt(run_dir: &Path, own: &Path, job: &str, queue: &str) -> Result<Option<(u32, String)>> {
    let before = attempt::list(run_dir)?.into_iter().take_while(|(_, path)| path != own);
    let alive = |id: &&str| *id != job && queue.split_whitespace().any(|queued| queued == *id);
    let taken = before.map(|(number, path)| Attempt::read(number, &path, 0)).filter(Attempt::is_unfinished);
    Ok(taken.filter_map(|one| Some((one.number, one.jobs().find(alive)?.to_owned()))).next())
}

/// A job and this host, as a line of the status names them.
pub(super) fn who_runs_it(job: &str) -> Result<String> {
    ensure!(!job.contains(char::is_whitespace), "--job {job:?} must be one word: it goes into the status line");
    let job = if job.is_empty() { String::new() } else { format!("job={job} ") };
    Ok(format!("{job}host={}", crate::node::host_name()?))
}

pub fn new_password() -> Result<String> {
    let mut bytes = [0u8; PASSWORD_BYTES];
    getrandom::fill(&mut bytes).context("the operating system gave no random bytes for the store's password")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn create(path: &Path, mode: u32, text: &str) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_and_differ() {
        let (one, other) = (new_password().unwrap(), new_password().unwrap());
        assert_eq!(one.len(), 2 * PASSWORD_BYTES);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(one, other);
    }

    #[test]
    fn an_unknown_job_is_absent_from_the_line() {
        assert!(who_runs_it("").unwrap().starts_with("host="));
        assert!(who_runs_it("77.pbs").unwrap().starts_with("job=77.pbs host="));
        assert!(who_runs_it("7 8").is_err());
    }

    #[test]
    fn a_run_is_left_to_the_job_that_is_at_it() {
        let run = tempfile::tempdir().unwrap();
        let begin = |job: &str, queue: &str| {
            let (job, queue) = (Some(job.to_owned()), queue.to_owned());
            prepare(&Args { run_dir: run.path().to_owned(), pack: None, store: None, job, queue }).unwrap()
        };
        let first = begin("7", "7 8").unwrap();
        assert_eq!(begin("8", "7\n8\n"), None);
        assert_eq!(attempt::list(run.path()).unwrap().len(), 1, "the second one leaves no folder");
        // requeued under its identifier; gone from the queue; nobody answers; ended
        for (job, queue) in [("7", "7 8"), ("9", "8 9 77"), ("9", "")] {
            fs::remove_dir_all(begin(job, queue).unwrap()).unwrap();
        }
        fs::write(first.join(status::FILE), "1 started job=7 host=a\n2 failed client rc=1\n").unwrap();
        assert!(begin("8", "7 8").is_some());
    }
}
