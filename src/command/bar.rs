//! Draws how far long work is: a line on stderr with rate and time left, which goes when the work is done.
//!
//! Nothing is drawn unless stderr is a terminal that can go back in its line, and nothing of work that is done at once. There are no
//! colours in it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use shardscale::progress::{Stage, Tell};

/// Work that takes no longer is not worth a line that comes and goes.
const PATIENCE: Duration = Duration::from_millis(300);

/// Draws what it is told; what it has drawn goes with it.
#[derive(Default)]
pub struct Bar {
    now: Mutex<Option<Work>>,
}

/// A stage, when it began, and its line once it has taken long.
struct Work {
    stage: Stage,
    begun: Instant,
    line: Option<ProgressBar>,
}

/// Does the work with its progress on the terminal.
pub fn shown<T>(work: impl FnOnce(Tell<'_>) -> T) -> T {
    let bar = Bar::default();
    work(&|stage, done, all| bar.tell(stage, done, all))
}

impl Bar {
    /// Hears of a stage (done, in all).
    pub fn tell(&self, stage: Stage, done: u64, all: u64) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.as_ref().is_none_or(|work| work.stage != stage) {
            clear(now.replace(Work { stage, begun: Instant::now(), line: None }));
        }
        let Some(work) = now.as_mut().filter(|work| work.begun.elapsed() >= PATIENCE) else { return };
        let line = work.line.get_or_insert_with(|| line(stage, work.begun.elapsed()));
        line.set_length(all);
        line.set_position(done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        clear(self.now.get_mut().unwrap_or_else(PoisonError::into_inner).take());
    }
}

fn clear(work: Option<Work>) {
    if let Some(line) = work.and_then(|work| work.line) {
        line.finish_and_clear();
    }
}

fn line(stage: Stage, elapsed: Duration) -> ProgressBar {
    // a line for what is counted in bytes, and for what is counted one by one
    let (what, counted) = match stage {
        Stage::Writing => ("scripts", ONE_BY_ONE),
        Stage::Checking => ("checking scripts", ONE_BY_ONE),
        Stage::TryingOut => ("shellcheck", ONE_BY_ONE),
        Stage::Reading => ("reading", IN_BYTES),
        Stage::Exporting => ("exporting runs", ONE_BY_ONE),
    };
    let line =
        ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_elapsed(elapsed).with_prefix(what);
    // a template that does not parse would be seen by the tests: it is fixed
    let style = ProgressStyle::with_template(counted).unwrap_or_else(|_| ProgressStyle::default_bar());
    let rate = |state: &ProgressState, to: &mut dyn std::fmt::Write| {
        let _ = write!(to, "{:.0}/s", state.per_sec());
    };
    line.with_style(style.with_key("rate", rate).progress_chars("=> "))
}

const ONE_BY_ONE: &str = "shardscale: {prefix} [{bar:20}] {pos} of {len}, {rate}, {eta} left";
const IN_BYTES: &str =
    "shardscale: {prefix} [{bar:20}] {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
