//! Running the jobs of a machine without a scheduler: one after another, in the foreground.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::standing;
use super::submit::Plan;
use crate::record::attempt;
use crate::scheduler::RERUN;

/// How often the display follows a run.
const LOOK: Duration = Duration::from_millis(250);

static STOP: AtomicBool = AtomicBool::new(false);

/// What happens to the jobs.
pub enum Event<'a> {
    Begins {
        name: &'a str,
        number: usize,
        of: usize,
    },
    /// Where the running one is; only for a display that is replaced.
    Running {
        name: &'a str,
        how_far: String,
    },
    Ended {
        name: &'a str,
        code: Option<i32>,
    },
}

/// How it went.
pub struct Ran {
    pub good: usize,
    pub failed: usize,
    /// Not run, since somebody stopped it.
    pub left: usize,
}

/// Runs the jobs of `plan`. INT or TERM ends the running one as its script does that, and leaves the others.
pub fn run(plan: &Plan, again: bool, mut tell: impl FnMut(Event<'_>)) -> Result<Ran> {
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed)).context("cannot take care of Ctrl-C")?;
    let mut ran = Ran { good: 0, failed: 0, left: plan.jobs.len() };
    for (at, planned) in plan.jobs.iter().enumerate() {
        let Some(script) = &planned.job.script else { continue };
        if STOP.load(Ordering::Relaxed) {
            break;
        }
        let name = &planned.job.name;
        tell(Event::Begins { name, number: at + 1, of: plan.jobs.len() });
        let mut command = Command::new("bash");
        command.arg(script).stdin(Stdio::null()).stdout(Stdio::null());
        if again {
            command.env(RERUN, "1");
        }
        let mut child = command.spawn().with_context(|| format!("cannot run {}", script.display()))?;
        let code = follow(&mut child, || {
            let running = planned.job.runs.iter().rev().find_map(|run| how_far(&run.dir));
            tell(Event::Running { name, how_far: running.unwrap_or_default() });
        })?;
        ran.left -= 1;
        *(if code == Some(0) { &mut ran.good } else { &mut ran.failed }) += 1;
        tell(Event::Ended { name, code });
    }
    Ok(ran)
}

/// Waits for a script; where it is to stop it gets TERM once, as from a scheduler.
fn follow(child: &mut Child, mut look: impl FnMut()) -> Result<Option<i32>> {
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for the script")? {
            return Ok(status.code());
        }
        if STOP.load(Ordering::Relaxed) && !told {
            told = true;
            let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM);
        }
        look();
        sleep(LOOK);
    }
}

/// Where the latest attempt is, while it has no end.
fn how_far(run_dir: &Path) -> Option<String> {
    let attempt = attempt::last(run_dir)?;
    let ended = attempt.events.last().is_some_and(|last| matches!(last.word.as_str(), "done" | "failed"));
    (!ended).then(|| standing::how_far(&attempt))
}
