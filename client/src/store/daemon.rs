//! The server as a child process: started with its configuration, never outliving us, its last words kept.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, PipeReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpid, getppid};
use shardscale::record::product;
use shardscale::record::vocabulary::Store;

use super::remedy;
use crate::affinity::{self, KernelSet};
use crate::say;

/// Lines of a server's output that an error about it repeats.
const LAST_LINES: usize = 8;

type Tail = Arc<Mutex<VecDeque<String>>>;

/// A server program and what it said of itself.
#[derive(Debug, Clone)]
pub struct Program {
    pub path: String,
    pub product: Store,
    /// As it says, such as `redis 7.0.15`.
    pub version: String,
}

/// How a server is started.
pub struct Start<'a> {
    /// The text of its configuration.
    pub config: &'a str,
    /// Where it may run; absent: where this process may.
    pub cpus: Option<KernelSet>,
    /// Options of its allocator; absent: what the environment says.
    pub malloc_conf: Option<String>,
    /// Stands before each line of its output; absent: the output is kept for [`Daemon::last_words`] alone.
    pub label: Option<String>,
}

/// A running server.
pub struct Daemon {
    child: Child,
    /// It has ended, and so has what it left.
    swept: bool,
    tail: Tail,
    copier: Option<JoinHandle<()>>,
}

impl Program {
    /// Asks the program at `path` (a name is searched in PATH) for its version, so that a wrong one fails before anything starts.
    pub fn identify(path: &str) -> Result<Program> {
        let remedy = "load the module that has it, or give its path with --server (gen: --store-server)";
        let output = match Command::new(path).arg("--version").stdin(Stdio::null()).output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                bail!("there is no server program {path:?} on {}: {remedy}", crate::node::host_name()?)
            }
            other => other.with_context(|| format!("cannot run the server program {path:?}: {remedy}"))?,
        };
        let said = String::from_utf8_lossy(&output.stdout);
        let first = said.lines().next().unwrap_or_default();
        let identity = product::of_version_line(first);
        let Some((product, identity)) = identity.and_then(|identity| Some((identity.product?, identity))) else {
            bail!("{path:?} is no store server, to --version it answers {first:?}: {remedy}");
        };
        Ok(Program { path: path.to_owned(), product, version: identity.to_string() })
    }

    /// Starts the server; its output goes to our stderr.
    pub fn start(&self, start: Start<'_>) -> Result<Daemon> {
        let Start { config, cpus, malloc_conf, label } = start;
        let (reader, writer) = io::pipe().context("cannot make a pipe")?;
        let mut command = Command::new(&self.path);
        // a group of its own: a signal to ours reaches the server through us, in order
        command.arg("-").stdin(Stdio::piped()).process_group(0);
        command.stdout(writer.try_clone().context("cannot make a pipe")?).stderr(writer);
        if let Some(options) = malloc_conf {
            // the second name is that of a jemalloc which the server brought along, as those built from source do
            command.env("MALLOC_CONF", &options).env("JE_MALLOC_CONF", options);
        }
        let parent = getpid();
        let prepare = move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            if getppid() != parent {
                // the supervisor died before the line above
                return Err(Errno::ESRCH.into());
            }
            cpus.as_ref().map_or(Ok(()), affinity::bind)
        };
        // SAFETY: between fork and exec `prepare` makes system calls only and allocates nothing
        unsafe { command.pre_exec(prepare) };
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {:?} (are the CPUs of --cpus on this node?)", self.path))?;
        drop(command); // it holds the pipe's writing ends
        let tail = Tail::default();
        let copier = copy_lines(reader, Arc::clone(&tail), label);
        let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(config.as_bytes()));
        match written {
            // it ended before it read: what it said tells why
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(error).context("cannot hand the server its configuration");
            }
            _ => {}
        }
        Ok(Daemon { child, swept: false, tail, copier: Some(copier) })
    }
}

fn copy_lines(reader: PipeReader, tail: Tail, label: Option<String>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if let Some(label) = &label {
                say::line(format_args!("{label}: {line}"));
            }
            if !line.is_empty() {
                let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
                tail.push_back(line);
                if tail.len() > LAST_LINES {
                    tail.pop_front();
                }
            }
        }
    })
}

impl Daemon {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, or `None` while it runs.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait().context("cannot watch the server")?;
        // once: later the group's number may belong to others
        if status.is_some() && !std::mem::replace(&mut self.swept, true) {
            self.end_the_rest();
        }
        Ok(status)
    }

    /// TERM, and KILL where that does not end it within `grace`.
    pub fn stop(&mut self, grace: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        self.signal(Signal::SIGTERM).context("cannot stop the server")?;
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        let (pid, seconds) = (self.child.id(), grace.as_secs());
        say::line(format_args!("server process {pid} does not end within {seconds} s of TERM: killing it"));
        self.signal(Signal::SIGKILL).context("cannot kill the server")?;
        self.child.wait().context("cannot watch the server")
    }

    /// To all of the server's group: where the program is a wrapper that started the server as a child, the wrapper's end is
    /// not the server's.
    fn signal(&self, signal: Signal) -> nix::Result<()> {
        killpg(Pid::from_raw(self.child.id().cast_signed()), signal)
    }

    /// The program has ended: what it left of its group has a moment, then it is killed.
    fn end_the_rest(&self) {
        let deadline = Instant::now() + Duration::from_secs(2);
        let group = Pid::from_raw(self.child.id().cast_signed());
        while killpg(group, None).is_ok() {
            if Instant::now() > deadline {
                let _ = killpg(group, Signal::SIGKILL);
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its last lines of output, complete once it has ended, and what can be done about an end with `status`.
    pub fn last_words(&mut self, status: Option<ExitStatus>) -> String {
        if let Some(copier) = self.copier.take() {
            // a stray child of the server could hold the pipe open: the lines so far must do then
            let deadline = Instant::now() + Duration::from_secs(1);
            while !copier.is_finished() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(10));
            }
        }
        let tail: Vec<String> = self.tail.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        let advice = status.and_then(|status| remedy::advice(status, &tail));
        let words = match tail.is_empty() {
            true => "it said nothing".to_owned(),
            false => format!("its last lines are:\n    {}", tail.join("\n    ")),
        };
        advice.map_or(words.clone(), |advice| format!("{words}\n  {advice}"))
    }
}

impl Drop for Daemon {
    /// An error on the way must not leave a server behind.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.signal(Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}
