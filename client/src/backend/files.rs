//! Files in a folder: a put writes a new file and gives it its name when it is whole, so that a reader sees the old tensor or the new
//! one and nothing between; an unpacking opens and reads it.
//!
//! A tensor's file lies in one of the folder's subfolders, by the slot of its key. Timed is all from the opening of the new file to its
//! renaming (and to the disk where that is asked for), and from the opening to the last byte. What `drop` does before a read is not.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use rustix::fs::{self, Advice, AtFlags, CWD, Mode, OFlags};
use rustix::io::{Errno, IoSliceMut};
use shardscale::record::folder::{FileSettings, Folder};
use shardscale::record::units::show_bytes;
use shardscale::record::vocabulary::{Durability, FileCache};

use super::{Backend, Ticks, Trouble, Untimed};
use crate::buffer::Buffer;
use crate::keys::slot;
use crate::tensors::{Read, Written};
use crate::wire::{BatchError, Tensor};

/// Bytes that direct input and output go in: no block of a disk is larger.
pub const BLOCK: usize = 4096;

/// The subfolders of one folder, opened.
struct Place {
    /// For messages.
    path: String,
    subfolders: Vec<OwnedFd>,
}

/// The folders that a rank uses.
pub struct Files {
    settings: FileSettings,
    places: Vec<Place>,
}

/// A file's two names, and where it is.
pub struct File {
    place: usize,
    subfolder: usize,
    name: CString,
    /// While it is written.
    unfinished: CString,
    bytes: usize,
}

/// Name of subfolder number `number`.
pub fn subfolder(number: u32) -> String {
    format!("d{number}")
}

impl Files {
    /// Opens the subfolders of `folders`, which all have the settings of the first.
    ///
    /// # Errors
    /// A folder that this rank does not see, as where a "shared" one is another on each node.
    pub fn open(folders: &[&Folder]) -> Result<Files> {
        let settings = folders.first().map(|folder| folder.settings).unwrap_or_default();
        let open = |folder: &&Folder| {
            let subfolders = (0..settings.fan_out.max(1)).map(|number| {
                let path = folder.path.join(subfolder(number));
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                fs::openat(CWD, &path, flags, Mode::empty()).with_context(|| {
                    format!(
                        "cannot open {}: do all nodes see it? A folder of all nodes is given with --files-dir",
                        path.display()
                    )
                })
            });
            Ok(Place { path: folder.path.display().to_string(), subfolders: subfolders.collect::<Result<_>>()? })
        };
        Ok(Files { settings, places: folders.iter().map(open).collect::<Result<_>>()? })
    }

    /// Writes, reads and removes a file of `bytes` bytes as ranks will: what cannot work is known before anything is measured.
    ///
    /// # Errors
    /// The reason and the remedy.
    pub fn try_out(folder: &Folder, bytes: usize) -> Result<()> {
        let mut files = Files::open(&[folder])?;
        let key = "trial";
        let file = files.file(0, key, bytes)?;
        let mut written = [Written { stream: 0, tensor: 0, put: file, source: files.buffer(bytes) }];
        let mut target = [files.buffer(bytes)];
        let read = files.file(0, key, bytes)?;
        let mut read = [Read { stream: 0, owner: 0, tensor: 0, get: read }];
        files
            .put(&mut written, &mut Untimed)
            .and_then(|()| files.before_get(&read))
            .and_then(|()| files.get(&mut read, &mut target, &mut Untimed))
            .map_err(|(_, error)| error.cause)?;
        files.remove(0, key)
    }

    /// Path of a folder.
    pub fn path(&self, place: usize) -> &Path {
        Path::new(&self.places[place].path)
    }

    fn file(&self, place: usize, key: &str, bytes: usize) -> Result<File> {
        ensure!(!key.contains('/'), "the key {key:?} cannot be the name of a file");
        let fan_out = self.places[place].subfolders.len();
        Ok(File {
            place,
            subfolder: usize::from(slot(key)) % fan_out,
            name: CString::new(key)?,
            unfinished: CString::new(format!("{key}.new"))?,
            bytes,
        })
    }

    fn folder(&self, file: &File) -> BorrowedFd<'_> {
        self.places[file.place].subfolders[file.subfolder].as_fd()
    }

    fn direct(&self) -> OFlags {
        if self.settings.file_cache == FileCache::Direct { OFlags::DIRECT } else { OFlags::empty() }
    }

    fn write(&self, file: &File, source: &Buffer) -> Result<(), Fault> {
        let (folder, direct) = (self.folder(file), self.direct());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | direct;
        let new = fs::openat(folder, &file.unfinished, flags, Mode::RUSR | Mode::WUSR).map_err(Fault::of("create"))?;
        let mut rest = if direct.is_empty() { source.bytes() } else { source.blocks() };
        while !rest.is_empty() {
            match rustix::io::write(&new, rest) {
                Ok(0) => return Err(Fault { call: "write", errno: Errno::NOSPC }),
                Ok(written) => rest = &rest[written..],
                Err(Errno::INTR) => {}
                Err(errno) => return Err(Fault { call: "write", errno }),
            }
        }
        if source.blocks().len() != file.bytes && !direct.is_empty() {
            fs::ftruncate(&new, file.bytes as u64).map_err(Fault::of("cut"))?;
        }
        let durable = self.settings.durability == Durability::Fsync;
        if durable {
            fs::fsync(&new).map_err(Fault::of("fsync"))?;
        }
        // where a quota or a full server is noticed late, only closing tells, and Drop would swallow it
        nix::unistd::close(new)
            .map_err(|error| Fault { call: "close", errno: Errno::from_raw_os_error(error as i32) })?;
        fs::renameat(folder, &file.unfinished, folder, &file.name).map_err(Fault::of("rename"))?;
        if durable {
            fs::fsync(folder).map_err(Fault::of("fsync the folder of"))?;
        }
        Ok(())
    }

    fn read(&self, file: &File, target: &mut Buffer) -> Result<(), Fault> {
        let direct = self.direct();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | direct;
        let whole = fs::openat(self.folder(file), &file.name, flags, Mode::empty()).map_err(Fault::of("open"))?;
        let mut beyond = [0; 1];
        let mut got = 0;
        loop {
            let read = if direct.is_empty() {
                let mut parts = [IoSliceMut::new(&mut target.bytes_mut()[got..]), IoSliceMut::new(&mut beyond)];
                rustix::io::readv(&whole, &mut parts)
            } else {
                rustix::io::read(&whole, &mut target.blocks_mut()[got..])
            };
            match read {
                Ok(0) => break,
                Ok(more) => got += more,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(Fault { call: "read", errno }),
            }
            if got >= file.bytes {
                break;
            }
        }
        match got == file.bytes {
            true => Ok(()),
            false => Err(Fault { call: if got < file.bytes { SHORT } else { LONG }, errno: Errno::IO }),
        }
    }

    /// Takes the file out of this node's page cache: only what is on the disk can leave it.
    fn forget(&self, file: &File) -> Result<(), Fault> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let whole = fs::openat(self.folder(file), &file.name, flags, Mode::empty()).map_err(Fault::of("open"))?;
        fs::fdatasync(&whole).map_err(Fault::of("fsync"))?;
        fs::fadvise(&whole, 0, None, Advice::DontNeed).map_err(Fault::of("drop from the cache"))
    }

    fn trouble(&self, file: &File, at: usize, fault: Fault) -> Trouble {
        (file.place, BatchError { at, cause: fault.explain(&self.places[file.place].path, file, self.settings) })
    }
}

impl Backend for Files {
    type Put = File;
    type Get = File;

    fn prepare_put(&self, connection: usize, key: &str, tensor: &Tensor) -> Result<File> {
        self.file(connection, key, tensor.payload_bytes)
    }

    fn prepare_get(&self, connection: usize, key: &str, tensor: &Tensor) -> Result<File> {
        self.file(connection, key, tensor.payload_bytes)
    }

    fn buffer(&self, payload_bytes: usize) -> Buffer {
        Buffer::of_blocks(payload_bytes, BLOCK)
    }

    fn put(&mut self, batch: &mut [Written<File>], ticks: &mut impl Ticks) -> Result<(), Trouble> {
        for (at, one) in batch.iter().enumerate() {
            ticks.begin(1);
            self.write(&one.put, &one.source).map_err(|fault| self.trouble(&one.put, at, fault))?;
            ticks.end();
        }
        Ok(())
    }

    fn get(&mut self, batch: &mut [Read<File>], targets: &mut [Buffer], ticks: &mut impl Ticks) -> Result<(), Trouble> {
        for (at, (one, target)) in batch.iter().zip(targets).enumerate() {
            ticks.begin(1);
            self.read(&one.get, target).map_err(|fault| self.trouble(&one.get, at, fault))?;
            ticks.end();
        }
        Ok(())
    }

    fn before_get(&mut self, batch: &[Read<File>]) -> Result<(), Trouble> {
        let mut all = batch.iter().enumerate();
        all.try_for_each(|(at, one)| self.forget(&one.get).map_err(|fault| self.trouble(&one.get, at, fault)))
    }

    fn prepares_reads(&self) -> bool {
        self.settings.file_cache == FileCache::Drop
    }

    fn remove(&mut self, connection: usize, key: &str) -> Result<()> {
        let file = self.file(connection, key, 0)?;
        match fs::unlinkat(self.folder(&file), &file.name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.trouble(&file, 0, Fault { call: "remove", errno }).1.cause),
        }
    }
}

const SHORT: &str = "read all of";
const LONG: &str = "read only";

/// Which call failed, and how. Small, since one is at hand in every timed call.
struct Fault {
    call: &'static str,
    errno: Errno,
}

impl Fault {
    fn of(call: &'static str) -> impl Fn(Errno) -> Fault {
        move |errno| Fault { call, errno }
    }

    /// What happened in `folder`, and what can be done about it.
    fn explain(self, folder: &str, file: &File, settings: FileSettings) -> anyhow::Error {
        let Fault { call, errno } = self;
        let name = file.name.to_string_lossy();
        let size = show_bytes(file.bytes as u64);
        if call == SHORT || call == LONG {
            let than = if call == SHORT { "shorter" } else { "longer" };
            return anyhow!("{name} in {folder} is {than} than the tensor of {size}: something else writes there");
        }
        let free = || Space::of(Path::new(folder)).map(|space| space.to_string()).unwrap_or_default();
        let no_inodes = || Space::of(Path::new(folder)).is_some_and(|space| space.inodes_free == 0 && space.inodes > 0);
        let why = match errno {
            Errno::NOSPC if no_inodes() => format!(
                "its file system has no inodes left ({}): fewer ranks or tensors, or another folder",
                free()
            ),
            Errno::NOSPC => {
                format!("its file system has no space left ({}): smaller tensors, fewer ranks, or another folder", free())
            }
            Errno::DQUOT => "your quota is used up: ask for more, free some, or use another folder".to_owned(),
            Errno::ROFS => "its file system is mounted read-only: use another folder".to_owned(),
            Errno::STALE => {
                "the file server lost the folder (stale handle), as after its restart or a removal from another node: run again"
                    .to_owned()
            }
            Errno::INVAL if settings.file_cache == FileCache::Direct => {
                "its file system takes no direct input and output (O_DIRECT): use --file-cache any or drop".to_owned()
            }
            Errno::NOENT => "the file is not there: was the folder removed meanwhile?".to_owned(),
            Errno::ACCESS | Errno::PERM => "the folder may not be written by this user".to_owned(),
            Errno::MFILE | Errno::NFILE => "too many files are open: raise `ulimit -n`".to_owned(),
            _ => return anyhow!(io::Error::from(errno)).context(format!("cannot {call} {name} ({size}) in {folder}")),
        };
        anyhow!("cannot {call} {name} ({size}) in {folder}: {why}")
    }
}

/// Space of a file system.
pub struct Space {
    pub block_bytes: u64,
    pub bytes: u64,
    pub bytes_free: u64,
    pub inodes: u64,
    pub inodes_free: u64,
}

impl Space {
    /// That of the file system of `folder`, for an ordinary user.
    pub fn of(folder: &Path) -> Option<Space> {
        let of = fs::statvfs(folder).ok()?;
        Some(Space {
            block_bytes: of.f_bsize,
            bytes: of.f_blocks.saturating_mul(of.f_frsize),
            bytes_free: of.f_bavail.saturating_mul(of.f_frsize),
            inodes: of.f_files,
            inodes_free: of.f_favail,
        })
    }
}

impl std::fmt::Display for Space {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Space { bytes, bytes_free, inodes, inodes_free, .. } = self;
        write!(f, "{} of {} free, {inodes_free} of {inodes} inodes", show_bytes(*bytes_free), show_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardscale::record::folder::FileSystem;

    fn explained(call: &'static str, errno: Errno, file_cache: FileCache) -> String {
        let settings = FileSettings { file_cache, ..FileSettings::default() };
        let (name, unfinished) = (CString::new("key").unwrap(), CString::new("key.new").unwrap());
        let file = File { place: 0, subfolder: 0, name, unfinished, bytes: 65536 };
        format!("{:#}", Fault { call, errno }.explain("/proc", &file, settings))
    }

    #[test]
    fn faults_are_named_with_what_can_be_done() {
        let any = FileCache::Any;
        for (call, errno, cache, needle) in [
            ("write", Errno::DQUOT, any, "cannot write key (64 KiB) in /proc: your quota is used up: ask for more"),
            (
                "open",
                Errno::STALE,
                any,
                "cannot open key (64 KiB) in /proc: the file server lost the folder (stale handle)",
            ),
            ("create", Errno::ROFS, any, "mounted read-only: use another folder"),
            (
                "create",
                Errno::INVAL,
                FileCache::Direct,
                "takes no direct input and output (O_DIRECT): use --file-cache any",
            ),
            ("create", Errno::INVAL, any, "Invalid argument"),
            ("write", Errno::NOSPC, any, "has no space left ("),
            ("create", Errno::MFILE, any, "raise `ulimit -n`"),
            (SHORT, Errno::IO, any, "key in /proc is shorter than the tensor of 64 KiB: something else writes there"),
        ] {
            let text = explained(call, errno, cache);
            assert!(text.contains(needle), "{text}");
        }
    }

    #[test]
    fn a_file_of_another_length_is_no_tensor() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(subfolder(0))).unwrap();
        for file_cache in FileCache::ALL.iter().copied() {
            let settings = FileSettings { file_cache, ..FileSettings::default() };
            let described = Folder { path: folder.path().to_owned(), settings, file_system: FileSystem::default() };
            // direct input and output where this file system takes them
            if Files::try_out(&described, 5000).is_err() {
                assert_eq!(file_cache, FileCache::Direct);
                continue;
            }
            let mut files = Files::open(&[&described]).unwrap();
            for (stored, needle) in [(4999, "is shorter than"), (5001, "is longer than")] {
                std::fs::write(folder.path().join(subfolder(0)).join("key"), vec![1; stored]).unwrap();
                let get = files.file(0, "key", 5000).unwrap();
                let mut read = [Read { stream: 0, owner: 0, tensor: 0, get }];
                let mut target = [files.buffer(5000)];
                let (_, error) = files.get(&mut read, &mut target, &mut Untimed).unwrap_err();
                assert!(error.cause.to_string().contains(needle), "{file_cache}: {:#}", error.cause);
            }
            files.remove(0, "key").unwrap();
            files.remove(0, "key").unwrap();
        }
    }
}
