//! What can be done about a server that ended at its start, from its own last words: servers name the cause, never the cure.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// A part of a line in lower case, and the advice for it. The first that is found counts.
const ADVICE: &[(&str, &str)] = &[
    (
        "error while loading shared libraries",
        "the program misses a library: load the modules that it was built with, before the launch",
    ),
    ("illegal instruction", "the program was built for another CPU: build it for the compute nodes"),
    (
        "module",
        "--load-module names a file that this server cannot load: is it there on the compute nodes, built for this server's version, and are its own libraries found (`ldd FILE`)?",
    ),
    (
        "bad directive",
        "the server does not know a setting: releases before Redis 6 are not supported, see the line above it",
    ),
    ("address already in use", "something holds the port: give another --port (gen: --db-port)"),
    ("unix socket", "the socket cannot be made: give another --scratch, node-local, writable and short"),
    ("no space left", "the scratch folder is full: give another --scratch"),
    ("permission denied", "a file or folder is not accessible: check --scratch and the program's permissions"),
    (
        "cannot allocate memory",
        "the node has no memory left for it: fewer ranks or smaller tensors, or more memory for the store's task",
    ),
    (
        "out of memory",
        "the node has no memory left for it: fewer ranks or smaller tensors, or more memory for the store's task",
    ),
    ("invalid argument", "the server refuses a value: see the line before"),
];

/// Advice on an end with `status` after `lines`, if there is any.
pub fn advice(status: ExitStatus, lines: &[String]) -> Option<&'static str> {
    match status.signal() {
        Some(4) => return Some("the program was built for another CPU (SIGILL): build it for the compute nodes"),
        Some(9) => {
            return Some(
                "something killed it: most often the memory limit of the task or of the node, see `dmesg` or the scheduler's log",
            );
        }
        _ => {}
    }
    let said = lines.join("\n").to_lowercase();
    ADVICE.iter().find(|(part, _)| said.contains(part)).map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice_on(line: &str) -> Option<&'static str> {
        advice(ExitStatus::from_raw(1 << 8), &[line.to_owned()])
    }

    #[test]
    fn known_words_have_advice_and_unknown_ones_none() {
        assert!(
            advice_on("# Module /x/redisai.so failed to load: It was not found").unwrap().contains("--load-module")
        );
        assert!(
            advice_on("redis-server: error while loading shared libraries: libssl.so.3").unwrap().contains("library")
        );
        assert_eq!(advice_on("Warning: something else"), None);
        assert!(advice(ExitStatus::from_raw(9), &[]).unwrap().contains("memory"));
    }
}
