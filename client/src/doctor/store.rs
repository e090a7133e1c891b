//! The store: is its program here, can its scratch folder be used, and does a server really start.

use std::path::Path;

use nix::sys::statfs::statfs;
use shardscale::record::units::show_bytes;

use super::Args;
use super::finding::Finding;
use crate::launcher::Task;
use crate::store::daemon::Program;
use crate::store::serve::{private_folder, socket_in};
use crate::store::trial::{self, Trial};

/// Less than that, and logs of a long run may fill it.
const SPACE_WANTED: u64 = 100 << 20;

/// File systems that are not node-local, by the numbers of statfs(2).
const SHARED: &[(i64, &str)] = &[
    (0x6969, "NFS"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x1983_0326, "BeeGFS"),
    (0x00c3_6400, "Ceph"),
    (0xaad7_aaea, "PanFS"),
];

pub fn check(args: &Args) -> Vec<Finding> {
    let mut findings = vec![check_scratch(&args.scratch)];
    for module in &args.settings.load_module {
        findings.push(check_module(module));
    }
    match Program::identify(&args.server) {
        Err(error) => {
            let remedy = "load the module that has the server, or give its path with --server (gen: --store-server)";
            findings.push(Finding::bad("server program", format!("{error:#}"), remedy));
        }
        Ok(program) => {
            findings.push(Finding::ok("server program", format!("{} ({})", program.path, program.version)));
            if !args.no_start {
                findings.extend(check_start(args, &program));
            }
        }
    }
    findings
}

fn check_scratch(scratch: &Path) -> Finding {
    const WHAT: &str = "scratch folder";
    let shown = scratch.display();
    let tried = private_folder(scratch, Task { index: 0, local_index: 0 });
    let folder = match tried {
        Ok(folder) => folder,
        Err(error) => {
            return Finding::bad(WHAT, format!("{error:#}"), "give a --scratch that is node-local and writable");
        }
    };
    if let Err(error) = socket_in(folder.path()) {
        return Finding::bad(WHAT, format!("{error:#}"), "give a shorter --scratch, such as /tmp");
    }
    let Ok(status) = statfs(folder.path()) else { return Finding::ok(WHAT, format!("{shown} is writable")) };
    let free = status.blocks_available().saturating_mul(u64::try_from(status.block_size()).unwrap_or_default());
    let found = format!("{shown} is writable, {:.1} GiB free", free as f64 / f64::from(1 << 30));
    let kind = status.filesystem_type().0;
    if let Some((_, name)) = SHARED.iter().find(|(number, _)| *number == kind) {
        let remedy = "sockets do not work across nodes: give a node-local --scratch, such as /tmp or /dev/shm";
        return Finding::warn(WHAT, format!("{found}, on {name}, which nodes share"), remedy);
    }
    match free < SPACE_WANTED {
        true => Finding::warn(WHAT, found, format!("free some, at least {}", show_bytes(SPACE_WANTED))),
        false => Finding::ok(WHAT, found),
    }
}

/// `module` may have arguments.
fn check_module(module: &str) -> Finding {
    let module = module.split_whitespace().next().unwrap_or_default();
    let what = format!("module {module}");
    let begins = std::fs::File::open(module).and_then(|mut file| {
        let mut bytes = [0; 4];
        std::io::Read::read_exact(&mut file, &mut bytes).map(|()| bytes)
    });
    match begins {
        Err(error) => Finding::bad(&what, error.to_string(), "give the path that compute nodes see with --load-module"),
        Ok(bytes) if bytes != *b"\x7fELF" => {
            Finding::bad(&what, "is no shared library", "give the .so file of the module")
        }
        Ok(_) => Finding::ok(&what, "is a shared library"),
    }
}

/// Starts a server on a socket of its own for a moment.
fn check_start(args: &Args, program: &Program) -> Vec<Finding> {
    const WHAT: &str = "server start";
    match trial::start(program, &args.scratch, &args.settings) {
        Err(error) => vec![Finding::bad(
            WHAT,
            format!("{error:#}"),
            "see its last lines; `shardscale-client serve` fails likewise",
        )],
        Ok(Trial { version, allocator, tensors, modules, took }) => {
            let loaded = if modules.is_empty() { "no modules".to_owned() } else { modules.join(", ") };
            let wires = if tensors { "redisai and plain" } else { "plain alone: no AI.TENSORSET" };
            vec![
                Finding::ok(WHAT, format!("{version} answers after {} ms, {allocator}", took.as_millis())),
                Finding::ok("wires", format!("{wires} ({loaded})")),
            ]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn folders_and_modules_that_cannot_be_used_are_bad() {
        assert_eq!(check_scratch(Path::new("/no/such/folder")).level, Level::Bad);
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("x".repeat(100));
        std::fs::create_dir(&long).unwrap();
        let found = check_scratch(&long);
        assert!(found.level == Level::Bad && found.found.contains("the kernel admits 107"), "{found:?}");
        let module = folder.path().join("redisai.so").display().to_string();
        assert_eq!(check_module(&module).level, Level::Bad);
        std::fs::write(folder.path().join("redisai.so"), "#!/bin/sh\n").unwrap();
        assert!(check_module(&module).found.contains("no shared library"));
        assert_eq!(check_module(&format!("{} A 1", std::env::current_exe().unwrap().display())).level, Level::Ok);
    }
}
