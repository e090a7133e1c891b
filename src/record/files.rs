//! Reading and writing the record's small files: whole or not at all, with errors that name the file.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Larger than any small file of the record: an environment of 16,384 hosts has some tens of MB.
const MOST_BYTES: u64 = 256 << 20;

/// `open` returns at once where the file is a pipe that nobody writes to; the value of Linux.
const O_NONBLOCK: i32 = 0o4000;

/// Replaces `path` by `bytes` in one step: a reader sees the old file or the new one, never a part.
///
/// `mode` holds the permission bits of a new file, before the umask. The bytes may still be in memory when this returns:
/// for what can be made again.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    replace_and(path, bytes, mode, |_| Ok(()))
}

fn replace_and(path: &Path, bytes: &[u8], mode: u32, settle: impl FnOnce(&File) -> std::io::Result<()>) -> Result<()> {
    let write = |mut file: File| {
        file.write_all(bytes)?;
        settle(&file)
    };
    replace_by(path, mode, |file| write(file).map_err(Into::into))
}

/// As [`replace`], for more than should be in memory at once: `write` fills the new file.
pub fn replace_by(path: &Path, mode: u32, write: impl FnOnce(File) -> Result<()>) -> Result<()> {
    // the pid keeps two writers of one folder apart; the leading dot keeps walkers from taking it for a result
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let new = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&temporary);
    let written = new.map_err(Into::into).and_then(write).and_then(|()| Ok(fs::rename(&temporary, path)?));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Writes `value` as indented JSON like [`replace`], and returns once it is on disk: for what only a run can tell.
pub fn replace_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).with_context(|| format!("cannot encode {}", path.display()))?;
    text.push(b'\n');
    replace_and(path, &text, 0o644, File::sync_data)
}

/// Creates `path` with `value` as JSON, unless the file exists: then the first writer has won and `false` comes back.
///
/// Writers may be on many hosts. A reader sees no file or the whole one.
pub fn create_json_once<T: Serialize>(path: &Path, value: &T) -> Result<bool> {
    let mut text = serde_json::to_vec_pretty(value).with_context(|| format!("cannot encode {}", path.display()))?;
    text.push(b'\n');
    create_once(path, &text)
}

/// As [`create_json_once`], for any bytes.
pub fn create_once(path: &Path, bytes: &[u8]) -> Result<bool> {
    create_new(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn create_new(path: &Path, text: &[u8]) -> std::io::Result<bool> {
    let lost = |error: &std::io::Error| error.kind() == ErrorKind::AlreadyExists;
    if path.try_exists()? {
        return Ok(false);
    }
    let mut file = tempfile::Builder::new()
        .prefix(".once-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text)?;
    match file.persist_noclobber(path).map_err(|failed| failed.error) {
        Ok(_) => Ok(true),
        Err(error) if lost(&error) => Ok(false),
        // a file system without hard links: a reader may see a part of it, the first writer wins all the same
        Err(_) => match File::create_new(path) {
            Err(error) if lost(&error) => Ok(false),
            file => file.and_then(|mut file| file.write_all(text)).map(|()| true),
        },
    }
}

/// Makes a folder, and those above it, that others cannot write into whatever the umask: who can replace a job script in it
/// has its next run done in the owner's name. A group may, where the umask lets it.
pub fn create_folders(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o775).create(path);
    made.with_context(|| format!("cannot create the folder {}", path.display()))
}

/// Reads a JSON file; `Ok(None)` where there is none.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(text) = read_text(path)? else { return Ok(None) };
    serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display())).map(Some)
}

/// Reads a text file; `Ok(None)` where there is none.
///
/// # Errors
/// It cannot be read, is no regular file (a pipe would be waited for for ever), or is larger than any of the record can be.
pub fn read_text(path: &Path) -> Result<Option<String>> {
    Ok(read_bytes(path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// As [`read_text`], for any bytes.
pub fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>> {
    match read_regular(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Removes a file, if it is there.
///
/// # Errors
/// It cannot be removed; the message names it.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn read_regular(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    let facts = file.metadata()?;
    if !facts.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    if facts.len() > MOST_BYTES {
        return Err(std::io::Error::other(format!("it has {} bytes, at most {MOST_BYTES} make sense", facts.len())));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_replacement_leaves_the_old_file_and_no_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status");
        replace(&path, b"one", 0o644).unwrap();
        let missing = folder.path().join("nowhere/status");
        let error = replace(&missing, b"two", 0o644).unwrap_err();
        assert!(format!("{error:#}").contains("nowhere/status"));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_first_of_two_errors_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("client-error.json");
        assert!(create_json_once(&path, &1).unwrap());
        assert!(!create_json_once(&path, &2).unwrap());
        assert_eq!(read_json::<u32>(&path).unwrap(), Some(1));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing beside it is left");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o700, 0o600);
    }

    #[test]
    fn pipes_folders_and_huge_files_are_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(format!("{:#}", read_text(&pipe).unwrap_err()).contains("no regular file"));
        assert!(read_text(Path::new("/dev/zero")).is_err() && read_text(folder.path()).is_err());
        let huge = folder.path().join("huge");
        File::create(&huge).unwrap().set_len(MOST_BYTES + 1).unwrap();
        assert!(format!("{:#}", read_text(&huge).unwrap_err()).contains("bytes, at most"));
    }
}
