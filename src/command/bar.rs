//! Draws how far long work is: a line on stderr with rate and time left, which goes when the work is done.
//!
//! Nothing is drawn unless stderr is a terminal that can go back in its line, and nothing of work that is done at once. There are no
//! colours in it.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
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
        let line = work.line.get_or_insert_with(|| line(stage, work.begun.elapsed()).with_position(done));
        line.update(|state| {
            state.set_len(all);
            state.set_pos(done);
        });
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
    let (what, template) = match stage {
        Stage::Writing => ("scripts", ONE_BY_ONE),
        Stage::Checking => ("checking scripts", ONE_BY_ONE),
        Stage::TryingOut => ("shellcheck", ONE_BY_ONE),
        Stage::Reading => ("reading", IN_BYTES),
        Stage::Exporting => ("exporting runs", ONE_BY_ONE),
    };
    // a template that does not parse would be seen by the tests: it is fixed
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = style
        .with_key("rate", |state: &ProgressState, to: &mut dyn Write| {
            let _ = write!(to, "{:.0}/s", rate(state));
        })
        .with_key("byte_rate", |state: &ProgressState, to: &mut dyn Write| {
            let _ = write!(to, "{}/s", DecimalBytes(rate(state) as u64));
        })
        .with_key("left", |state: &ProgressState, to: &mut dyn Write| {
            let rest = state.len().unwrap_or(0).saturating_sub(state.pos());
            let seconds = rest as f64 / rate(state).max(f64::MIN_POSITIVE);
            let _ =
                write!(to, "{:#} left", HumanDuration(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)));
        })
        .progress_chars("=> ");
    // drawn first when it has a count
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        .with_style(style)
        .with_elapsed(elapsed)
        .with_prefix(what)
}

/// Over all that was done since the begin: the crate's own rate takes what was done before the first line for the work of a moment.
fn rate(state: &ProgressState) -> f64 {
    state.pos() as f64 / state.elapsed().as_secs_f64().max(f64::MIN_POSITIVE)
}

const ONE_BY_ONE: &str = "shardscale: {prefix} [{bar:20}] {pos} of {len}, {rate}, {left}";
const IN_BYTES: &str = "shardscale: {prefix} [{bar:20}] {decimal_bytes} of {decimal_total_bytes}, {byte_rate}, {left}";
