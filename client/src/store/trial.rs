//! A server for a moment: does it start here, and what is it.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::config::{Config, Listen};
use super::daemon::{Program, Start};
use super::serve::{private_folder, socket_in};
use super::settings::Settings;
use super::{begin, in_force};
use crate::inquiry;
use crate::launcher::Task;
use crate::limits;

const PATIENCE: Duration = Duration::from_secs(15);
const STOP_GRACE: Duration = Duration::from_secs(5);

/// What it was.
pub struct Trial {
    pub version: String,
    pub allocator: String,
    /// It offers AI.TENSORSET.
    pub tensors: bool,
    pub modules: Vec<String>,
    /// From its start to its first answer.
    pub took: Duration,
}

/// Starts a server on a socket below `scratch`, asks it, and ends it.
///
/// # Errors
/// It does not start, does not answer, or does not obey its settings; with its last lines.
pub fn start(program: &Program, scratch: &Path, settings: &Settings) -> Result<Trial> {
    let folder = private_folder(scratch, Task { index: 0, local_index: 0 })?;
    let config = Config {
        product: program.product,
        listen: Listen::Socket,
        socket: socket_in(folder.path())?,
        scratch: folder.path().to_owned(),
        password: begin::new_password()?,
        max_clients: limits::max_clients(1)?,
        backlog: limits::backlog(),
        settings: settings.clone(),
    };
    let begun = Instant::now();
    let malloc_conf = settings.malloc_conf.variable();
    let mut daemon = program.start(Start { config: &config.text(), cpus: None, malloc_conf, label: None })?;
    let mut connection = loop {
        if let Some(status) = daemon.ended()? {
            bail!("it did not start ({status}); {}", daemon.last_words(Some(status)));
        }
        match config.link().open() {
            Ok(connection) => break connection,
            Err(error) if begun.elapsed() > PATIENCE => return Err(error).context(daemon.last_words(None)),
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    };
    let took = begun.elapsed();
    let said = in_force::ask(&mut connection, &program.path, &config, "lo")?;
    let fields = inquiry::fields(&mut connection).context("it does not say what it is")?;
    let tensors = inquiry::has_tensors(&mut connection).context("it does not say what it knows")?;
    drop(connection);
    daemon.stop(STOP_GRACE)?;
    let allocator = fields.get("mem_allocator").cloned().unwrap_or_else(|| "an unknown allocator".to_owned());
    Ok(Trial { version: said.version, allocator, tensors, modules: said.in_force.modules, took })
}
