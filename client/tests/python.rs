//! The Python lines of docs/reference/samples.md read what the client wrote.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fmt::Write;
use std::process::Command;

use shardscale::record::workload::OPS;

use common::{Redis, Run, require, samples, text};

/// The first Python block of the page.
fn lines() -> &'static str {
    let page = include_str!("../../docs/reference/samples.md");
    let (_, rest) = page.split_once("```python\n").expect("a Python block");
    rest.split_once("```").expect("its end").0
}

fn read_with_python(file: &std::path::Path) -> String {
    let script = format!("{}\nimport sys\nfor s in series(sys.argv[1]):\n    print(*s)\n", lines());
    let output = Command::new("python3").args(["-c", &script]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn python_reads_what_rust_reads_and_keeps_what_is_whole() {
    require("python3", "python3");
    let redis = Redis::start(&[]);
    let attempt = tempfile::tempdir().unwrap();
    let run = Run::new(2, "1KiB,64KiB").attempt(attempt.path()).arg("--address", redis.address());
    run.arg("--tensors", 4).arg("--pipeline", 4).arg("--iterations", 5).succeed();
    let file = samples(attempt.path());
    let mut due = String::new();
    for one in file.contents().unwrap().series {
        let (starts, durations): (Vec<_>, Vec<_>) = one.samples().unzip();
        let (rank, op, size, warmup) = (one.rank, one.op, one.payload_bytes, one.warmup);
        writeln!(due, "{rank} {} {size} {warmup} {starts:?} {durations:?}", OPS[op]).unwrap();
    }
    assert_eq!(due.lines().count(), 8);
    let path = attempt.path().join("samples.bin");
    assert_eq!(read_with_python(&path), due);
    // the file breaks off in the last series: the others are kept
    let bytes = std::fs::read(&path).unwrap();
    let is_series = |at: &usize| bytes[*at..].starts_with(b"SHSB") && bytes[at + 8] == 3;
    let last = (0..bytes.len() - 64).rev().find(is_series).unwrap();
    std::fs::write(&path, &bytes[..last + 100]).unwrap();
    assert_eq!(read_with_python(&path), due.split_inclusive('\n').take(7).collect::<String>());
}
