//! How far rank 0 is within a size, for those who wait: on stderr and in `progress.json`.
//!
//! Rank 0 alone reports, between two iterations, never within a timed call; what a report takes is not counted into the
//! loop's time. Otherwise an iteration costs two comparisons.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use shardscale::record::op::Op;
use shardscale::record::progress::{FILE, Progress, Running};
use shardscale::record::units::show_bytes;
use shardscale::record::{SCHEMA, files};

use crate::clock::now_ns;
use crate::say::say;

const SECOND_NS: i64 = 1_000_000_000;
/// A person looks at a terminal; a log is read later, and the file may lie on a file system that many share.
const EVERY_ON_TERMINAL_NS: i64 = SECOND_NS;
const EVERY_IN_LOG_NS: i64 = 10 * SECOND_NS;
const EVERY_IN_FILE_NS: i64 = 2 * SECOND_NS;

/// What is reported on.
#[derive(Debug, Clone)]
pub struct Size {
    pub attempt: Option<PathBuf>,
    pub sizes_done: u32,
    pub sizes_total: u32,
    pub payload_bytes: u64,
    /// Iterations of a pass, warm-up included.
    pub iterations: u32,
}

/// The reports on one size.
pub struct Reports {
    size: Size,
    /// Bytes that an iteration of the running pass moves, on rank 0.
    bytes: u64,
    line: Report,
    file: Report,
}

/// One kind of report.
struct Report {
    every_ns: i64,
    at_ns: i64,
    iteration: u32,
    /// What of the time since then was no transfer.
    elsewhere_ns: i64,
}

impl Report {
    fn every(every_ns: i64) -> Report {
        Report { every_ns, at_ns: now_ns(), iteration: 0, elsewhere_ns: 0 }
    }

    fn begin(&mut self) {
        *self = Report::every(self.every_ns);
    }

    /// GB/s since the report before, if the next one is due.
    fn due(&mut self, iteration: u32, end_ns: i64, bytes: u64) -> Option<f64> {
        let since_ns = end_ns - self.at_ns;
        if since_ns < self.every_ns {
            return None;
        }
        let moved = u64::from(iteration + 1 - self.iteration) * bytes;
        let in_transfers_ns = (since_ns - self.elsewhere_ns).max(1);
        (self.at_ns, self.iteration, self.elsewhere_ns) = (end_ns, iteration + 1, 0);
        Some(moved as f64 / in_transfers_ns as f64)
    }
}

impl Reports {
    pub fn new(size: Size) -> Reports {
        let every_line = if std::io::stderr().is_terminal() { EVERY_ON_TERMINAL_NS } else { EVERY_IN_LOG_NS };
        Reports { size, bytes: 0, line: Report::every(every_line), file: Report::every(EVERY_IN_FILE_NS) }
    }

    /// A pass begins whose iterations move `bytes` bytes each.
    pub fn begin_pass(&mut self, bytes: u64) {
        self.bytes = bytes;
        self.line.begin();
        self.file.begin();
    }

    /// Iteration number `iteration` ended at `end_ns` with `op`: reports if it is time to. Returns how many ns that took.
    pub fn after(&mut self, op: Op, iteration: u32, end_ns: i64) -> i64 {
        let line = self.line.due(iteration, end_ns, self.bytes);
        let file = self.file.due(iteration, end_ns, self.bytes);
        if line.is_none() && file.is_none() {
            return 0;
        }
        let start = now_ns();
        let running = |gb_per_s| Running { op, iteration: iteration + 1, iterations: self.size.iterations, gb_per_s };
        if let Some(gb_per_s) = line {
            self.write_line(running(gb_per_s));
        }
        if let Some(gb_per_s) = file {
            self.write_file(running(gb_per_s));
        }
        now_ns() - start
    }

    /// The rank did something else for `ns` after its last iteration.
    pub fn elsewhere(&mut self, ns: i64) {
        self.line.elsewhere_ns += ns;
        self.file.elsewhere_ns += ns;
    }

    fn write_line(&self, running: Running) {
        let Running { op, iteration, iterations, gb_per_s } = running;
        let Size { sizes_done, sizes_total, payload_bytes, .. } = self.size;
        say(format_args!(
            "{} ({} of {sizes_total}), {op}, iteration {iteration} of {iterations}, rank 0: {gb_per_s:.2} GB/s",
            show_bytes(payload_bytes),
            sizes_done + 1
        ));
    }

    fn write_file(&self, running: Running) {
        let Some(attempt) = &self.size.attempt else { return };
        let progress = Progress {
            schema: SCHEMA,
            sizes_done: self.size.sizes_done,
            sizes_total: self.size.sizes_total,
            payload_bytes: Some(self.size.payload_bytes),
            unix_s: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            running: Some(running),
        };
        // the samples at the end of the size will tell of a full disk; a report is not worth a run
        let text = serde_json::to_vec_pretty(&progress).unwrap_or_default();
        let _ = files::replace(&attempt.join(FILE), &text, 0o644);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OP: Op = Op::new("unpack_tensor");

    #[test]
    fn reports_come_when_due_and_speak_of_the_time_since_the_last_one() {
        let folder = tempfile::tempdir().unwrap();
        let attempt = Some(folder.path().to_owned());
        let size = Size { attempt, sizes_done: 1, sizes_total: 3, payload_bytes: 1 << 20, iterations: 100 };
        let mut reports = Reports::new(size);
        reports.begin_pass(2_000_000_000);
        let start = reports.file.at_ns;
        let read = || files::read_json::<Progress>(&folder.path().join(FILE)).unwrap();
        assert_eq!(reports.after(OP, 0, start + SECOND_NS), 0);
        assert_eq!(read(), None);
        assert!(reports.after(OP, 1, start + 2 * SECOND_NS) > 0);
        let running = read().unwrap().running.unwrap();
        // 2 iterations of 2 GB in 2 s
        assert_eq!((running.iteration, running.iterations, running.gb_per_s), (2, 100, 2.0));
        assert_eq!(reports.after(OP, 2, start + 3 * SECOND_NS), 0);
        // of the next 4 s the rank computed for 3
        reports.elsewhere(3 * SECOND_NS);
        assert!(reports.after(OP, 3, start + 6 * SECOND_NS) > 0);
        assert_eq!(read().unwrap().running.unwrap().gb_per_s, 4.0);
    }
}
