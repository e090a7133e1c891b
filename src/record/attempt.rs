//! `attempt-N/`: one execution of a job script, and what can be said of how it ended.
//!
//! Each execution gets a folder of its own, so that running a script again destroys nothing.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::cause::Cause;
use super::environment::{self, Environment};
use super::progress::{self, Progress};
use super::server::Server;
use super::status::{self, Event};
use super::store::{self, StoreRecord};
use super::{files, samples};
use crate::record::vocabulary::words;

const PREFIX: &str = "attempt-";

/// The store's password in an attempt directory, mode 0600.
pub const PASSWORD_FILE: &str = "password";

/// `client-error.json`: the first rank that failed, written by that rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientError {
    pub schema: u32,
    pub rank: u32,
    pub host: String,
    /// What the rank was doing: `put_tensor`, `unpack_tensor`, `connect`, `verify`, `write samples`, ...
    pub op: String,
    /// `host:port` or the socket's path, where a server was involved.
    pub endpoint: Option<String>,
    pub payload_bytes: Option<u64>,
    pub iteration: Option<u32>,
    pub cause: String,
}

impl ClientError {
    pub const FILE: &str = "client-error.json";
}

/// `left.json`: MPI_Finalize did not return, as the first rank that left without it says. All was on disk before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    pub schema: u32,
    pub rank: u32,
    pub host: String,
    /// How long it had waited, in seconds.
    pub after_s: u64,
}

impl Left {
    pub const FILE: &str = "left.json";

    /// Writes it; `false` where another rank has.
    pub fn leave(&self, attempt: &Path) -> Result<bool> {
        files::create_json_once(&attempt.join(Self::FILE), self)
    }
}

words! {
    /// Why an attempt did not end well.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum FailureKind {
        /// The store never served.
        StoreStart = "store did not start",
        /// A server ended while it was needed.
        StoreDied = "store died",
        /// A rank said why it gave up.
        ClientError = "client error",
        /// Ranks ended without a word: killed, or never started.
        RankDied = "rank died",
        /// TERM: the time limit, or somebody cancelled the job.
        Terminated = "terminated",
        /// The scheduler told the script that somebody cancelled the job.
        Cancelled = "cancelled",
        /// The scheduler told the script that the job's time is over.
        TimeLimit = "time limit",
        /// The script could not prepare the run.
        Script = "script failed",
        /// No end is recorded: the job runs still, or script and node were killed at once.
        Unfinished = "unfinished",
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Failed { kind: FailureKind, detail: String },
}

/// Everything small that an attempt left; the samples are read apart.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub number: u32,
    pub path: PathBuf,
    pub events: Vec<Event>,
    pub progress: Option<Progress>,
    pub client_error: Option<ClientError>,
    /// Why it could not go on; absent where nothing hindered it, and in records of earlier versions.
    pub cause: Option<Cause>,
    /// Ranks did not end as they should when all was measured; absent where they did.
    pub left: Option<Left>,
    pub servers: Vec<Server>,
    /// What the store said of itself; absent before the client asked it, and in records of earlier versions.
    pub store: Option<StoreRecord>,
    /// Under what conditions the client ran; absent as `store` is.
    pub environment: Option<Environment>,
    /// Small files that are there and cannot be read; each a message that names the file.
    pub damaged: Vec<String>,
}

/// The number in the name of an attempt's folder; `None` for other names.
pub fn number_of(name: &std::ffi::OsStr) -> Option<u32> {
    name.to_str()?.strip_prefix(PREFIX)?.parse().ok()
}

/// The attempts in a run directory as (number, path), earliest first.
pub fn list(run_dir: &Path) -> Result<Vec<(u32, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(run_dir).with_context(|| format!("cannot read {}", run_dir.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", run_dir.display()))?;
        if let Some(number) = number_of(&entry.file_name())
            && entry.path().is_dir()
        {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The latest attempt in a run directory, read without its servers; `None` where there is none.
pub fn last(run_dir: &Path) -> Option<Attempt> {
    let (number, path) = list(run_dir).ok()?.pop()?;
    Some(Attempt::read(number, &path, 0))
}

/// Makes the folder of the next attempt, mode 0700, and returns its path.
///
/// Two scripts that start at once get two folders: mkdir decides.
pub fn create_next(run_dir: &Path) -> Result<PathBuf> {
    let first = list(run_dir)?.last().map_or(1, |(number, _)| number + 1);
    for number in first..first + 1000 {
        let path = run_dir.join(format!("{PREFIX}{number}"));
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("cannot create {}", path.display())),
        }
    }
    bail!("cannot find a free attempt folder in {}", run_dir.display())
}

impl Attempt {
    /// Reads what `path` holds. Damaged small files do not hide the others: they are listed in `damaged`.
    pub fn read(number: u32, path: &Path, servers_expected: u32) -> Attempt {
        let mut damaged = Vec::new();
        let events = keep(files::read_text(&path.join(status::FILE)), &mut damaged);
        let progress = keep(files::read_json(&path.join(progress::FILE)), &mut damaged);
        let client_error = keep(files::read_json(&path.join(ClientError::FILE)), &mut damaged);
        let cause = keep(Cause::read(path), &mut damaged);
        let left = keep(files::read_json(&path.join(Left::FILE)), &mut damaged);
        let servers = (0..servers_expected).filter_map(|index| keep(Server::read(path, index), &mut damaged)).collect();
        let store = keep(files::read_json(&path.join(store::FILE)), &mut damaged);
        let environment = keep(files::read_json(&path.join(environment::FILE)), &mut damaged);
        Attempt {
            number,
            path: path.to_owned(),
            events: status::parse(&events.unwrap_or_default()),
            progress,
            client_error,
            cause,
            left,
            servers,
            store,
            environment,
            damaged,
        }
    }

    /// Identifiers of its jobs as its scripts wrote them: of the one that made it, and of the client's where that is another.
    /// `HOST:PID` where there is no scheduler.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = &str> {
        let announce = |one: &&Event| one.word == status::STARTED || one.word == status::JOINED;
        let words = self.events.iter().filter(announce).map(|one| one.detail.split_whitespace());
        words.filter_map(|mut words| words.find_map(|word| word.strip_prefix("job=")))
    }

    /// Whether no end is recorded.
    pub fn is_unfinished(&self) -> bool {
        matches!(self.outcome(), Outcome::Failed { kind: FailureKind::Unfinished, .. })
    }

    /// Path of the samples, whether or not they exist.
    pub fn samples(&self) -> PathBuf {
        self.path.join(samples::FILE)
    }

    /// How it ended, in words that a person can act on.
    pub fn outcome(&self) -> Outcome {
        let Some(last) = self.events.last() else {
            let detail = "nothing is recorded but the folder: see the job's log beside it".to_owned();
            return Outcome::Failed { kind: FailureKind::Unfinished, detail };
        };
        if last.word == status::DONE {
            return Outcome::Done;
        }
        if last.word != status::FAILED {
            let detail = format!(
                "no end is recorded after `{}`{}: it still runs, or it was killed together with its script",
                last.word,
                self.how_far()
            );
            return Outcome::Failed { kind: FailureKind::Unfinished, detail };
        }
        let (stage, rest) = last.detail.split_once(' ').unwrap_or((&last.detail, ""));
        let dead_server = self.servers.iter().find(|server| server.exit.as_ref().is_some_and(|exit| !exit.asked));
        let (kind, cause) = match (stage, dead_server, &self.client_error) {
            ("terminated", _, _) => {
                (FailureKind::Terminated, "TERM reached the job: time limit or cancelled".to_owned())
            }
            ("cancelled", _, _) => (FailureKind::Cancelled, "the job was cancelled".to_owned()),
            ("time-limit", _, _) => (FailureKind::TimeLimit, "the job's time is over".to_owned()),
            ("store", _, _) => (FailureKind::StoreStart, self.cause_or("see store.log in the attempt folder")),
            (_, Some(server), _) => (FailureKind::StoreDied, self.cause_or(&describe_exit(server))),
            (_, None, Some(error)) => (FailureKind::ClientError, error.to_string()),
            ("client", None, None) => (
                FailureKind::RankDied,
                "ranks ended without a message: see client.log in the attempt folder".to_owned(),
            ),
            _ => (FailureKind::Script, self.cause_or("see the job's log in the run folder")),
        };
        let rest = if rest.is_empty() { String::new() } else { format!(" ({rest})") };
        Outcome::Failed { kind, detail: format!("{cause}{}{rest}", self.how_far()) }
    }

    /// What happened after all was measured, and harmed no figure.
    pub fn notes(&self) -> Vec<String> {
        let measured = self.events.iter().find(|event| event.word == status::MEASURED);
        let ended =
            measured.map(|event| format!("all was measured before the launch of the ranks failed: {}", event.detail));
        self.left.iter().map(Left::to_string).chain(ended).collect()
    }

    fn cause_or(&self, otherwise: &str) -> String {
        self.cause.as_ref().map_or(otherwise.to_owned(), Cause::to_string)
    }

    fn how_far(&self) -> String {
        self.progress.as_ref().map_or(String::new(), |progress| {
            format!(", {} of {} sizes measured", progress.sizes_done, progress.sizes_total)
        })
    }
}

/// Takes a readable value, or notes why there is none.
fn keep<T>(read: Result<Option<T>>, damaged: &mut Vec<String>) -> Option<T> {
    read.unwrap_or_else(|error| {
        damaged.push(format!("{error:#}"));
        None
    })
}

fn describe_exit(server: &Server) -> String {
    let how = match server.exit.as_ref().map(|exit| (exit.signal, exit.code)) {
        Some((Some(signal), _)) => format!("signal {signal}"),
        Some((None, Some(code))) => format!("exit status {code}"),
        _ => "an unknown cause".to_owned(),
    };
    format!("server {} on {} ended by {how}", server.index, server.host)
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "MPI_Finalize did not return within {} s (rank {} on {} and perhaps others), and the ranks left without it; all was \
             measured before",
            self.after_s, self.rank, self.host
        )
    }
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {} on {} in {}", self.rank, self.host, self.op)?;
        if let Some(bytes) = self.payload_bytes {
            write!(f, " of {}", super::units::show_bytes(bytes))?;
        }
        if let Some(iteration) = self.iteration {
            write!(f, ", iteration {iteration}")?;
        }
        if let Some(endpoint) = &self.endpoint {
            write!(f, ", server {endpoint}")?;
        }
        write!(f, ": {}", self.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(status: &str) -> (tempfile::TempDir, Attempt) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(status::FILE), status).unwrap();
        let attempt = Attempt::read(1, folder.path(), 3);
        (folder, attempt)
    }

    fn kind(attempt: &Attempt) -> FailureKind {
        match attempt.outcome() {
            Outcome::Failed { kind, .. } => kind,
            Outcome::Done => panic!("is done"),
        }
    }

    #[test]
    fn attempts_are_numbered_on_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let run = tempfile::tempdir().unwrap();
        fs::create_dir(run.path().join("attempt-9")).unwrap();
        fs::create_dir(run.path().join("attempt-x")).unwrap();
        let path = create_next(run.path()).unwrap();
        assert!(path.ends_with("attempt-10"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(list(run.path()).unwrap().iter().map(|(n, _)| *n).collect::<Vec<_>>(), [9, 10]);
    }

    #[test]
    fn the_last_event_decides() {
        assert_eq!(attempt("1 started\n9 done\n").1.outcome(), Outcome::Done);
        assert_eq!(kind(&attempt("1 started\n5 client-started\n").1), FailureKind::Unfinished);
        assert_eq!(kind(&attempt("").1), FailureKind::Unfinished);
        assert_eq!(kind(&attempt("1 started\n9 failed terminated rc=143\n").1), FailureKind::Terminated);
        assert_eq!(kind(&attempt("1 started\n9 failed cancelled rc=129\n").1), FailureKind::Cancelled);
        assert_eq!(kind(&attempt("1 started\n9 failed time-limit rc=142\n").1), FailureKind::TimeLimit);
        assert_eq!(kind(&attempt("1 started\n9 failed store rc=1\n").1), FailureKind::StoreStart);
        assert_eq!(kind(&attempt("1 started\n9 failed client rc=137\n").1), FailureKind::RankDied);
    }

    #[test]
    fn a_dead_server_explains_the_clients_error() {
        let (folder, _) = attempt("1 started\n9 failed client rc=1\n");
        let error = ClientError {
            schema: 1,
            rank: 3,
            host: "cn4".into(),
            op: "put_tensor".into(),
            endpoint: Some("10.0.0.1:6780".into()),
            payload_bytes: Some(1024),
            iteration: Some(5),
            cause: "connection reset".into(),
        };
        files::replace_json(&folder.path().join(ClientError::FILE), &error).unwrap();
        let alone = Attempt::read(1, folder.path(), 3);
        assert_eq!(kind(&alone), FailureKind::ClientError);
        let text = "rank 3 on cn4 in put_tensor of 1 KiB, iteration 5, server 10.0.0.1:6780: connection reset";
        assert!(matches!(alone.outcome(), Outcome::Failed { detail, .. } if detail.starts_with(text)));
        let server = Server {
            schema: 1,
            index: 1,
            local_index: Some(0),
            host: "cn2".into(),
            address: Some("10.0.0.2".into()),
            port: Some(6780),
            socket: None,
            folder: None,
            ifname: "hsn0".into(),
            pid: 1,
            cpus: "0-7".into(),
            version: "redis 7.0.15".into(),
            in_force: None,
            bus: None,
            exit: Some(super::super::server::ServerExit {
                asked: false,
                code: None,
                signal: Some(9),
                interface_bytes: None,
            }),
        };
        server.write(folder.path()).unwrap();
        let both = Attempt::read(1, folder.path(), 3);
        assert_eq!(kind(&both), FailureKind::StoreDied);
        assert!(
            matches!(both.outcome(), Outcome::Failed { detail, .. } if detail.contains("server 1 on cn2 ended by signal 9"))
        );
    }

    #[test]
    fn the_first_cause_stands_where_a_log_was_named() {
        let detail = |attempt: &Attempt| match attempt.outcome() {
            Outcome::Failed { detail, .. } => detail,
            Outcome::Done => panic!("is done"),
        };
        for (stage, old) in [("store", "see store.log"), ("script", "see the job's log")] {
            let (folder, before) = attempt(&format!("1 started\n9 failed {stage} rc=1\n"));
            assert!(detail(&before).starts_with(old), "{}", detail(&before));
            let (who, host) = ("store server 1".to_owned(), "cn2".to_owned());
            Cause { schema: 1, who, host, what: "interface \"hsn0\" has no IPv4 address".into() }
                .leave(folder.path())
                .unwrap();
            let after = detail(&Attempt::read(1, folder.path(), 3));
            assert_eq!(after, "store server 1 on cn2: interface \"hsn0\" has no IPv4 address (rc=1)");
        }
    }

    #[test]
    fn what_happened_after_the_last_sample_is_noted() {
        let (folder, quiet) = attempt("1 started\n8 client-ended rc=0\n9 done\n");
        assert_eq!(quiet.notes(), Vec::<String>::new());
        let left = Left { schema: 2, rank: 5, host: "cn2".into(), after_s: 30 };
        assert!(left.leave(folder.path()).unwrap() && !left.leave(folder.path()).unwrap());
        fs::write(folder.path().join(status::FILE), "1 started\n8 measured client rc=1\n9 done\n").unwrap();
        let attempt = Attempt::read(1, folder.path(), 3);
        assert_eq!(attempt.outcome(), Outcome::Done);
        let notes = attempt.notes().join("\n");
        assert!(notes.starts_with("MPI_Finalize did not return within 30 s (rank 5 on cn2"), "{notes}");
        assert!(notes.ends_with("\nall was measured before the launch of the ranks failed: client rc=1"), "{notes}");
    }

    #[test]
    fn a_damaged_file_is_named_and_hides_nothing() {
        let (folder, _) = attempt("1 started\n9 done\n");
        fs::write(folder.path().join(progress::FILE), "{").unwrap();
        let attempt = Attempt::read(1, folder.path(), 3);
        assert_eq!(attempt.outcome(), Outcome::Done);
        assert!(attempt.damaged[0].contains("progress.json is damaged"), "{:?}", attempt.damaged);
    }
}
