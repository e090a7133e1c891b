//! Which MPI this is: the library that was loaded, where it lies, and what the client was built against. All of it can be
//! learned without starting MPI.

use std::collections::BTreeSet;

use shardscale::record::environment::MpiFacts;

use crate::node::Root;

/// What the build found; empty where it found nothing.
pub const BUILT_AGAINST: &str = env!("SHARDSCALE_BUILT_AGAINST");

/// `world_size` is 0 where MPI was not started.
pub fn facts(root: &Root, world_size: u32) -> MpiFacts {
    let (major, minor) = crate::comm::standard();
    MpiFacts {
        library: crate::comm::library(),
        standard: format!("{major}.{minor}"),
        built_against: BUILT_AGAINST.to_owned(),
        files: mapped(&root.text("proc/self/maps").unwrap_or_default()),
        world_size,
    }
}

/// The files of an MPI library among those that a process has mapped.
fn mapped(maps: &str) -> Vec<String> {
    let file = |line: &str| {
        let path = &line[line.find('/')?..];
        let name = path.rsplit('/').next()?;
        (name.starts_with("libmpi") && name.contains(".so")).then(|| path.to_owned())
    };
    maps.lines().filter_map(file).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The two binary interfaces in use: a program for one cannot run with a library of the other.
pub fn family(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let has = |part: &&str| text.contains(*part);
    match text.contains("open mpi") || text.contains("openmpi") {
        true => Some("Open MPI"),
        false => ["mpich", "mvapich", "intel", "cray"].iter().any(has).then_some("MPICH"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_among_mapped_files() {
        let maps = "7f00-7f01 r--p 00000000 fe:00 1  /usr/lib/x86_64-linux-gnu/libmpi.so.40.30.4\n\
                    7f02-7f03 r-xp 00000000 fe:00 1  /usr/lib/x86_64-linux-gnu/libmpi.so.40.30.4\n\
                    7f04-7f05 r--p 00000000 fe:00 2  /usr/lib/libc.so.6\n7f06-7f07 rw-p 00000000 00:00 0 \n";
        assert_eq!(mapped(maps), ["/usr/lib/x86_64-linux-gnu/libmpi.so.40.30.4"]);
    }

    #[test]
    fn families_are_told_apart() {
        assert_eq!(family("Open MPI v4.1.4, package: Debian OpenMPI"), Some("Open MPI"));
        assert_eq!(family("MPI VERSION    : CRAY MPICH version 8.1.28"), Some("MPICH"));
        assert_eq!(family("Intel(R) MPI Library 2021.9"), Some("MPICH"));
        assert_eq!(family("Something"), None);
    }

    #[test]
    fn this_program_has_an_mpi() {
        let facts = facts(&Root::real(), 0);
        assert!(family(&facts.library).is_some() && !facts.files.is_empty(), "{facts:?}");
        assert_eq!(family(&facts.built_against), family(&facts.library));
    }
}
