//! Has anything of a run changed since it was read? Told from names, lengths, inodes and times of its files; none is opened.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use crate::collect::model::Source;
use crate::record::attempt;

/// A file changed so shortly ago may change again without a new time: file systems count in steps of up to two seconds.
const SETTLES_AFTER: Duration = Duration::from_secs(2);

/// What a run's files looked like. It must be taken before they are read: what changes in between then looks new next time.
#[derive(Debug, Clone, Copy)]
pub struct Fingerprint {
    /// Of all that was seen; the same for the same files, as long as one program asks.
    pub hash: u64,
    /// The last change (ctime), in seconds since 1970, rounded up.
    changed_s: i64,
}

impl Fingerprint {
    /// Of the files that the readers of `source` may open in `dir`.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub fn of(dir: &Path, source: Source) -> io::Result<Fingerprint> {
        let mut seen = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if source == Source::ShardScale && attempt::number_of(&entry.file_name()).is_some() {
                seen.extend(all_below(dir, &entry.path()));
            } else {
                // that of a link is its target's
                let facts = match entry.file_type()?.is_symlink() {
                    true => fs::metadata(entry.path()),
                    false => entry.metadata(),
                };
                seen.push(Seen::new(entry.file_name(), facts.ok().as_ref()));
            }
        }
        seen.sort();
        let mut hasher = DefaultHasher::new();
        seen.hash(&mut hasher);
        let changed_s = seen.iter().filter_map(|one| Some(one.facts?.changed.0 + 1)).max().unwrap_or(0);
        Ok(Fingerprint { hash: hasher.finish(), changed_s })
    }

    /// Whether a change from now on would be seen. Not so where the files' clock is ahead of ours.
    pub fn is_settled(&self, now: SystemTime) -> bool {
        let now_s = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        u64::try_from(self.changed_s).unwrap_or(0) + SETTLES_AFTER.as_secs() <= now_s
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Seen {
    /// Below the run's folder.
    name: OsString,
    /// Absent for folders, which only their names matter of, and for what cannot be looked at.
    facts: Option<FileFacts>,
}

/// What tells a file from another, and from itself before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileFacts {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileFacts {
    /// Of what is at `path`; `None` where it cannot be looked at.
    pub fn of(path: &Path) -> Option<FileFacts> {
        fs::metadata(path).ok().as_ref().map(FileFacts::from)
    }
}

impl From<&Metadata> for FileFacts {
    fn from(facts: &Metadata) -> FileFacts {
        FileFacts {
            device: facts.dev(),
            inode: facts.ino(),
            length: facts.len(),
            modified: (facts.mtime(), facts.mtime_nsec()),
            changed: (facts.ctime(), facts.ctime_nsec()),
        }
    }
}

impl Seen {
    fn new(name: OsString, facts: Option<&Metadata>) -> Seen {
        Seen { name, facts: facts.filter(|facts| !facts.is_dir()).map(FileFacts::from) }
    }
}

fn all_below(dir: &Path, attempt: &Path) -> impl Iterator<Item = Seen> {
    let named = move |path: &Path| path.strip_prefix(dir).unwrap_or(path).as_os_str().to_owned();
    WalkDir::new(attempt).follow_links(true).into_iter().map(move |entry| match entry {
        Ok(entry) => Seen::new(named(entry.path()), entry.metadata().ok().as_ref()),
        Err(error) => Seen::new(error.path().map(named).unwrap_or_default(), None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(dir: &Path) -> u64 {
        Fingerprint::of(dir, Source::ShardScale).unwrap().hash
    }

    #[test]
    fn every_change_below_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, attempt) = (folder.path().join("run"), folder.path().join("run/attempt-1"));
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir_all(attempt.join("deep")).unwrap();
        fs::write(&elsewhere, "1").unwrap();
        std::os::unix::fs::symlink(&elsewhere, attempt.join("samples.bin")).unwrap();
        let write = |path: &str, text: &str| fs::write(dir.join(path), text).unwrap();
        let steps: [&dyn Fn(); 8] = [
            &|| (),
            &|| write("run.toml", "a"),
            // as long as before
            &|| write("run.toml", "b"),
            &|| write("attempt-1/status", ""),
            &|| write("attempt-1/deep/server.log", ""),
            &|| fs::write(&elsewhere, "22").unwrap(),
            &|| fs::remove_file(attempt.join("status")).unwrap(),
            // another file of the same name and content
            &|| {
                fs::rename(dir.join("run.toml"), dir.join("old")).unwrap();
                fs::copy(dir.join("old"), dir.join("run.toml")).unwrap();
            },
        ];
        let mut hashes: Vec<u64> = Vec::new();
        for step in steps {
            // the kernel's clock counts in steps of up to 10 ms
            std::thread::sleep(Duration::from_millis(20));
            step();
            hashes.push(hash(&dir));
            assert_eq!(hash(&dir), *hashes.last().unwrap());
        }
        let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), steps.len(), "{hashes:?}");
    }

    #[test]
    fn folders_that_are_no_attempts_count_by_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("report")).unwrap();
        let before = hash(folder.path());
        fs::write(folder.path().join("report/runs.csv"), "").unwrap();
        assert_eq!(hash(folder.path()), before);
        fs::create_dir(folder.path().join("another")).unwrap();
        assert!(hash(folder.path()) != before);
        assert!(Fingerprint::of(&folder.path().join("nowhere"), Source::ShardScale).is_err());
    }

    #[test]
    fn a_fresh_change_is_not_settled() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("run.toml"), "").unwrap();
        let now = SystemTime::now();
        let print = Fingerprint::of(folder.path(), Source::ShardScale).unwrap();
        assert!(!print.is_settled(now) && !print.is_settled(now - Duration::from_secs(3600)));
        assert!(print.is_settled(now + SETTLES_AFTER + Duration::from_secs(2)));
    }
}
