//! `join`: the client's job of a pair comes to the attempt that the database's job began.
//!
//! It waits until the servers are being started: from there on the client's script alone writes the status.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use shardscale::record::attempt::{self, Attempt};
use shardscale::record::jobs;
use shardscale::record::status;

use super::begin;
use crate::say::line;

const POLL_INTERVAL: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run folder, the one with run.toml in it
    #[arg(long, value_name = "DIR")]
    run_dir: PathBuf,
    /// Identifier of the database's job
    #[arg(long, value_name = "ID")]
    db_job: String,
    /// Identifier of this job, for the status line
    #[arg(long, value_name = "ID")]
    job: String,
    /// Identifiers of the user's jobs in the queue: where the database's is not among them, it is not waited for
    #[arg(long, value_name = "IDS", default_value = "")]
    queue: String,
    /// Longest wait for the database's job to start its servers
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

/// Prints the path of the attempt on stdout, or nothing where the run is measured already.
///
/// # Errors
/// The database's job began no attempt, or starts no servers in time.
pub fn run(args: &Args) -> Result<()> {
    let run_dir =
        std::path::absolute(&args.run_dir).with_context(|| format!("cannot resolve {}", args.run_dir.display()))?;
    // a list without this very job is none
    let mut queue = args.queue.split_whitespace().peekable();
    let gone = queue.peek().is_some() && !queue.any(|id| id == args.db_job);
    let deadline = Instant::now() + Duration::from_secs(if gone { 0 } else { args.timeout });
    loop {
        super::refresh(&run_dir);
        if let Some(attempt) = begun_by(&run_dir, &args.db_job)? {
            status::append(&attempt, status::JOINED, &begin::who_runs_it(&args.job)?)?;
            println!("{}", attempt.display());
            return Ok(());
        }
        if Instant::now() >= deadline {
            break;
        }
        thread::sleep(POLL_INTERVAL);
    }
    if let Some(number) = begin::measured_in(&run_dir, 0)? {
        line(format_args!("{}: already measured in attempt-{number}", run_dir.display()));
        return Ok(());
    }
    let why = if gone { "is not in the queue any more, and began no attempt" } else { "started no servers in time" };
    bail!("the database's job {} {why}: see its log in {}", args.db_job, run_dir.display())
}

/// The attempt of that job, once it starts its servers or has ended without.
fn begun_by(run_dir: &Path, job: &str) -> Result<Option<PathBuf>> {
    for (number, path) in attempt::list(run_dir)?.into_iter().rev() {
        super::refresh(&path);
        let attempt = Attempt::read(number, &path, 0);
        if attempt.jobs().next() == Some(job) {
            let starts = attempt.events.iter().any(|event| event.word == status::STORE_STARTING);
            return Ok((starts || path.join(jobs::DB_ENDED_FILE).exists()).then_some(path));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn join(run_dir: &Path, queue: &str) -> Result<()> {
        let (run_dir, queue) = (run_dir.to_owned(), queue.to_owned());
        run(&Args { run_dir, db_job: "7".into(), job: "8".into(), queue, timeout: 0 })
    }

    #[test]
    fn the_client_joins_the_attempt_of_its_database_and_no_other() {
        let run_dir = tempfile::tempdir().unwrap();
        let status = |number: u32, text: &str| {
            let attempt = run_dir.path().join(format!("attempt-{number}"));
            fs::create_dir_all(&attempt).unwrap();
            fs::write(attempt.join(status::FILE), text).unwrap();
        };
        status(1, "1 started job=7 host=a\n");
        status(2, "1 started job=70 host=a\n2 store-starting\n");
        let late = join(run_dir.path(), "7 8").unwrap_err().to_string();
        assert!(late.contains("the database's job 7 started no servers in time"), "{late}");
        status(1, "1 started job=7 host=a\n2 store-starting\n");
        join(run_dir.path(), "").unwrap();
        let attempt = Attempt::read(1, &run_dir.path().join("attempt-1"), 0);
        assert_eq!(attempt.jobs().collect::<Vec<_>>(), ["7", "8"]);
        assert_eq!(Attempt::read(2, &run_dir.path().join("attempt-2"), 0).jobs().count(), 1);
    }

    #[test]
    fn a_database_that_is_gone_is_not_waited_for() {
        let run_dir = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        let args = Args {
            run_dir: run_dir.path().to_owned(),
            db_job: "7".into(),
            job: "8".into(),
            queue: "8\n77\n".into(),
            timeout: 600,
        };
        let error = run(&args).unwrap_err().to_string();
        assert!(error.contains("7 is not in the queue any more") && begun.elapsed().as_secs() < 60, "{error}");
        // it found nothing to do: nor does the client
        let attempt = run_dir.path().join("attempt-1");
        fs::create_dir(&attempt).unwrap();
        fs::write(attempt.join(status::FILE), "1 started job=3 host=a\n2 done\n").unwrap();
        run(&args).unwrap();
    }
}
