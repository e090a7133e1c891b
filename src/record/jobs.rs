//! The jobs of a run as the scheduler sees them: one, or a pair where the database has a job of its own.
//!
//! It knows their scripts, their names and the logs that the scheduler leaves in the run directory. What scripts of a pair
//! tell each other stands in the attempt, which the database's job makes and the client's job joins.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// Script of the database's own job, in the run directory: not beside the others, which `sbatch out/*.sh` submits.
pub const DB_SCRIPT: &str = "db.sh";

/// Identifier of the database's job, for the client's job of a pair: it joins that job's attempt.
pub const DB_JOB_VARIABLE: &str = "SHARDSCALE_DB_JOB";

/// In an attempt whose database's job has ended, with its exit code: the status's last line is how the run ended.
pub const DB_ENDED_FILE: &str = "db-job-ended";

/// Which of a run's jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Half {
    /// The run's only job, or the client's where the database has one of its own.
    #[default]
    Client,
    /// The database's own job.
    Db,
}

impl Half {
    /// Name of the job of the run `name`.
    pub fn job_name(self, name: &str) -> String {
        match self {
            Half::Client => name.to_owned(),
            Half::Db => format!("{name}-db"),
        }
    }

    /// Which half has a job of that name, if the run is called `name`.
    pub fn of_job_name(job: &str, name: &str) -> Option<Half> {
        [Half::Client, Half::Db].into_iter().find(|half| half.job_name(name) == job)
    }

    /// Stem of the name of the file that catches the job's output.
    pub fn log_stem(self) -> &'static str {
        match self {
            Half::Client => "job",
            Half::Db => "db",
        }
    }

    /// From the path of a log, perhaps with a placeholder for the job's identifier, to the run directory and the half:
    /// `out/NAME/job-%J.log`.
    pub fn of_log(log: &Path) -> Option<(PathBuf, Half)> {
        let name = log.file_name()?.to_str()?;
        let of = |half: &Half| name.strip_prefix(half.log_stem()).is_some_and(|rest| rest.starts_with('-'));
        let half = [Half::Client, Half::Db].into_iter().find(of)?;
        Some((log.parent()?.to_owned(), half))
    }

    /// From a script's path to the run directory and the half: `out/NAME.sh` or `out/NAME/db.sh`.
    pub fn of_script(script: &Path) -> Option<(PathBuf, Half)> {
        match script.file_name()? {
            name if name == DB_SCRIPT => Some((script.parent()?.to_owned(), Half::Db)),
            _ => (script.extension()? == "sh").then(|| (script.with_extension(""), Half::Client)),
        }
    }
}

/// What the scheduler caught of a job's stdout and stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The number in the job's identifier.
    pub number: String,
    pub path: PathBuf,
    pub modified: SystemTime,
}

/// The logs in a run directory, latest last: `job-17.log` and `db-16.log`, or `17.server.OU` of PBS.
pub fn logs(run_dir: &Path) -> Vec<Log> {
    let entries = fs::read_dir(run_dir).into_iter().flatten().flatten();
    let mut logs: Vec<Log> = entries
        .filter_map(|entry| {
            let number = number_of_log(entry.file_name().to_str()?)?.to_owned();
            Some(Log { number, path: entry.path(), modified: entry.metadata().ok()?.modified().ok()? })
        })
        .collect();
    logs.sort_by(|a, b| (a.modified, &a.path).cmp(&(b.modified, &b.path)));
    logs
}

fn number_of_log(name: &str) -> Option<&str> {
    let stem = |half: Half| name.strip_prefix(half.log_stem())?.strip_prefix('-')?.strip_suffix(".log");
    let id = stem(Half::Client).or_else(|| stem(Half::Db)).or_else(|| name.strip_suffix(".OU"))?;
    Some(number(id)).filter(|number| !number.is_empty())
}

/// The number of a job's identifier: that of `17.server` and `17_3` is 17.
pub fn number(id: &str) -> &str {
    id.split(['.', '_', '[', '+']).next().unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_names_and_logs_tell_run_and_half() {
        let dir = PathBuf::from("/o/standard-n4.5-r1");
        assert_eq!(Half::of_script(Path::new("/o/standard-n4.5-r1.sh")), Some((dir.clone(), Half::Client)));
        assert_eq!(Half::of_script(Path::new("/o/standard-n4.5-r1/db.sh")), Some((dir, Half::Db)));
        assert_eq!(Half::of_script(Path::new("/bin/python")), None);
        let run = Some((PathBuf::from("/o/a"), Half::Db));
        assert_eq!((Half::of_log(Path::new("/o/a/db-%J.log")), Half::of_log(Path::new("/o/a/dbx.log"))), (run, None));
        assert_eq!(Half::of_job_name("r1-db", "r1"), Some(Half::Db));
        assert_eq!(Half::of_job_name("r1-db", "r1-db"), Some(Half::Client));
        assert_eq!(Half::of_job_name("r10", "r1"), None);
        let numbers =
            ["job-17.log", "db-16.log", "17.pbs01.OU", "client.log", "job-.log", "job-1.log.gz"].map(number_of_log);
        assert_eq!(numbers, [Some("17"), Some("16"), Some("17"), None, None, None]);
    }

    #[test]
    fn the_latest_log_is_last() {
        let dir = tempfile::tempdir().unwrap();
        for (name, age_s) in [("job-9.log", 100), ("job-10.log", 50), ("db-11.log", 75), ("run.toml", 1)] {
            let file = fs::File::create(dir.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - std::time::Duration::from_secs(age_s)).unwrap();
        }
        let numbers: Vec<String> = logs(dir.path()).into_iter().map(|log| log.number).collect();
        assert_eq!(numbers, ["9", "11", "10"]);
        assert!(logs(Path::new("/nowhere")).is_empty());
    }
}
