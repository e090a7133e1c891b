//! A store that is a folder of files: how its files are written and read, and the file system that they are in.
//!
//! A keeper (`shardscale-client hold-files`) makes the folder, describes it in its `server-N.json`, and removes it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::vocabulary::{Durability, FileCache};

/// How tensors become files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    pub durability: Durability,
    pub file_cache: FileCache,
    /// Subfolders that the files are spread over.
    pub fan_out: u32,
}

impl Default for FileSettings {
    fn default() -> FileSettings {
        FileSettings { durability: Durability::None, file_cache: FileCache::Any, fan_out: 1 }
    }
}

/// The folder of a run, or of one of its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    pub path: PathBuf,
    pub settings: FileSettings,
    pub file_system: FileSystem,
}

/// What the kernel says of the file system that a folder is in, before the first tensor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileSystem {
    /// `tmpfs`, `xfs`, `lustre`, as /proc/self/mountinfo has it.
    pub kind: String,
    /// What is mounted, such as a device or `10.0.0.1@tcp:/scratch`.
    pub source: String,
    pub mounted_at: String,
    /// Options of the mount and of the file system.
    pub options: String,
    pub block_bytes: u64,
    pub bytes: u64,
    pub bytes_free: u64,
    pub inodes: u64,
    pub inodes_free: u64,
    /// What `lfs getstripe -d` says, where the file system is Lustre's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stripe: Option<String>,
}

/// Its files are memory of their node.
const IN_MEMORY: &[&str] = &["tmpfs", "ramfs", "devtmpfs"];

impl FileSystem {
    /// The mount that holds `path`, which has no symbolic links, of the text of /proc/self/mountinfo: the longest that is a prefix, and
    /// of several the last, which covers the others. Sizes stay open.
    ///
    /// The format is that of proc_pid_mountinfo(5): six fields, optional ones up to ` - `, then type, source and options.
    pub fn of_mountinfo(mountinfo: &str, path: &str) -> Option<FileSystem> {
        let mount = |line: &str| {
            let (first, last) = line.split_once(" - ")?;
            let first: Vec<&str> = first.split(' ').collect();
            let mut last = last.split(' ');
            let [mounted_at, options] = [first.get(4)?, first.get(5)?];
            let (kind, source, of_system) = (last.next()?, last.next()?, last.next().unwrap_or_default());
            Some(FileSystem {
                kind: kind.to_owned(),
                source: unescape(source),
                mounted_at: unescape(mounted_at),
                options: format!("{options},{of_system}").trim_end_matches(',').to_owned(),
                ..FileSystem::default()
            })
        };
        let below =
            |at: &str| at == "/" || path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let holding = mountinfo.lines().filter_map(mount).filter(|mount| below(&mount.mounted_at));
        holding.max_by_key(|mount| mount.mounted_at.len())
    }

    pub fn is_memory(&self) -> bool {
        IN_MEMORY.contains(&self.kind.as_str())
    }
}

/// Blanks and backslashes stand there as octal numbers.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

impl Folder {
    /// What the figures of these files are not, in words.
    pub fn caveats(&self, reads_elsewhere: bool) -> Vec<String> {
        let FileSystem { kind, .. } = &self.file_system;
        if self.file_system.is_memory() {
            return vec![format!("the files are in {kind}: memory of their node, and no file system of a disk")];
        }
        let mut caveats = Vec::new();
        if self.settings.file_cache == FileCache::Any && !reads_elsewhere {
            caveats.push(
                "unpack_tensor could read from the page cache of its own node (--file-cache any): not GB/s of the file system"
                    .to_owned(),
            );
        }
        if self.settings.durability == Durability::None && self.settings.file_cache != FileCache::Direct {
            caveats.push(
                "put_tensor ends when the kernel has the bytes (--durability none): they may be on no disk yet"
                    .to_owned(),
            );
        }
        caveats
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n\
        30 21 0:25 / /scratch rw,nosuid shared:2 master:1 - lustre 10.0.0.1@tcp:/fs rw,flock\n\
        31 21 0:26 / /scratch/my\\040own rw - xfs /dev/nvme0n1 rw\n\
        32 21 0:27 / /tmp rw - ext4 /dev/sdb rw\n\
        33 32 0:28 / /tmp rw,nodev - tmpfs none rw,size=10g\n";

    #[test]
    fn the_mount_that_holds_a_folder_is_found() {
        let of = |path| FileSystem::of_mountinfo(MOUNTS, path).unwrap();
        let lustre = of("/scratch/me/run");
        assert_eq!((lustre.kind.as_str(), lustre.source.as_str()), ("lustre", "10.0.0.1@tcp:/fs"));
        assert_eq!((lustre.mounted_at.as_str(), lustre.options.as_str()), ("/scratch", "rw,nosuid,rw,flock"));
        assert_eq!((of("/scratchy").kind, of("/scratch/my own/x").kind), ("ext4".into(), "xfs".into()));
        assert!(of("/tmp/a").is_memory(), "what was mounted last covers");
        assert_eq!(FileSystem::of_mountinfo("damaged\n1 2 3 - \n", "/"), None);
    }

    #[test]
    fn what_is_not_measured_is_said() {
        let folder = |kind: &str, durability, file_cache| Folder {
            path: "/x".into(),
            settings: FileSettings { durability, file_cache, fan_out: 1 },
            file_system: FileSystem { kind: kind.into(), ..FileSystem::default() },
        };
        let cached = folder("lustre", Durability::None, FileCache::Any);
        assert!(cached.caveats(false)[0].contains("not GB/s of the file system") && cached.caveats(false).len() == 2);
        assert_eq!(cached.caveats(true).len(), 1, "another node's cache does not hold it");
        assert!(folder("xfs", Durability::Fsync, FileCache::Drop).caveats(false).is_empty());
        assert!(folder("xfs", Durability::None, FileCache::Direct).caveats(false).is_empty());
        assert!(folder("tmpfs", Durability::Fsync, FileCache::Drop).caveats(true)[0].contains("memory of their node"));
    }
}
