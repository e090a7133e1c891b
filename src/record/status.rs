//! `status`: what the job script did, one line an event, appended; it outlives whatever kills the job.
//!
//! A line is `UNIX-SECONDS EVENT [DETAIL]`. Only the node that runs the script writes it, its `mark` function or [`append`],
//! so that no two hosts append to one file: of a pair the database's until `store-starting`, then the client's. The last word is
//! `done`, or `failed STAGE DETAIL`; a file without
//! either belongs to a job that still runs or that was killed together with its script.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};

/// Name of the file in an attempt directory.
pub const FILE: &str = "status";

/// Events that scripts write.
pub const STARTED: &str = "started";
/// `job=ID host=H`: the client's job of a pair came to the attempt that the database's job made.
pub const JOINED: &str = "joined";
pub const STORE_STARTING: &str = "store-starting";
pub const STORE_READY: &str = "store-ready";
pub const CLIENT_STARTED: &str = "client-started";
pub const CLIENT_ENDED: &str = "client-ended";
/// All sizes are on disk although the launch did not end well; the detail says how, as that of `failed` does.
pub const MEASURED: &str = "measured";
pub const DONE: &str = "done";
pub const FAILED: &str = "failed";

/// In bytes; what is longer no script wrote.
const LONGEST_LINE: usize = 4096;

/// One line of `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Seconds since 1970 on the clock of the node that ran the script.
    pub unix_s: u64,
    pub word: String,
    /// The rest of the line; empty where there is none.
    pub detail: String,
}

/// Adds a line to the status of `attempt`, in one write.
pub fn append(attempt: &Path, word: &str, detail: &str) -> Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
    let line = format!("{} {word} {detail}", now.as_secs());
    let path = attempt.join(FILE);
    let file = OpenOptions::new().append(true).create(true).open(&path);
    file.and_then(|mut file| file.write_all(format!("{}\n", line.trim_end()).as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Reads the whole file; lines that are no event (a torn last line, a stray message) are passed over.
pub fn parse(text: &str) -> Vec<Event> {
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    whole.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Event> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    let mut words = line.splitn(3, ' ');
    let unix_s = words.next()?.parse().ok()?;
    let word = words.next()?.to_owned();
    Some(Event { unix_s, word, detail: words.next().unwrap_or_default().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        append(folder.path(), STARTED, "job=7 host=cn1").unwrap();
        append(folder.path(), DONE, "").unwrap();
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        // scripts look for a line that ends so
        assert!(text.ends_with(" done\n"), "{text}");
        let events: Vec<_> = parse(&text).into_iter().map(|event| (event.word, event.detail)).collect();
        assert_eq!(events, [(STARTED.into(), "job=7 host=cn1".into()), (DONE.into(), String::new())]);
    }

    #[test]
    fn a_torn_last_line_is_no_event() {
        let events = parse("1766400000 started job=7 host=cn1\n1766400003 store-ready\n17664000");
        assert_eq!(events.len(), 2);
        assert_eq!(events[0].detail, "job=7 host=cn1");
        assert_eq!((events[1].word.as_str(), events[1].detail.as_str()), (STORE_READY, ""));
        assert_eq!(parse("garbage\n\n1 done\n"), [Event { unix_s: 1, word: DONE.into(), detail: String::new() }]);
        assert!(parse("").is_empty());
    }
}
