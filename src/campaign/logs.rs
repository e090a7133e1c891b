//! What can be told from the logs that the scheduler leaves in a run directory.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::record::jobs;
use crate::scheduler::{self, Ending, Scheduler};

/// What schedulers write at the end of a job's log when they end it.
pub fn reason(dir: &Path, id: &str) -> Option<&'static str> {
    const KERNEL: [(&str, &str, Ending); 3] = [
        ("", "oom_kill", Ending::OutOfMemory),
        ("", "oom-kill", Ending::OutOfMemory),
        ("", "Out Of Memory", Ending::OutOfMemory),
    ];
    let text = tail(&of_job(dir, id)?.path)?;
    let said =
        |(start, sign, _): &&(&str, &str, Ending)| text.lines().any(|line| line.contains(start) && line.contains(sign));
    let schedulers = scheduler::all().flat_map(Scheduler::last_words);
    schedulers.chain(&KERNEL).find(said).map(|(.., ending)| ending.as_str())
}

/// The log of a job, if it left one.
pub fn of_job(dir: &Path, id: &str) -> Option<jobs::Log> {
    jobs::logs(dir).into_iter().rev().find(|log| log.number == jobs::number(id))
}

/// The last line of a log that says something.
pub fn last_words(log: &jobs::Log) -> Option<String> {
    const MOST: usize = 300;
    let text = tail(&log.path)?;
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(MOST).collect())
}

fn tail(path: &Path) -> Option<String> {
    const MOST: u64 = 64 << 10;
    let mut file = fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MOST))).ok()?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
