//! Readers: each turns one run of a result tree into the neutral [`Run`](super::model::Run).
//!
//! A reader knows files; it must not know statistics beyond calling `measures::reduce`, nor what a report looks like.

mod check;
pub mod own;
mod placement;
mod sizes;
pub mod smartsim;
mod sweep;

use std::path::Path;

/// `path` as the reports name it: relative to the collected folder.
pub fn relative(root: &Path, path: &Path) -> String {
    match path.strip_prefix(root) {
        Ok(rest) if rest.as_os_str().is_empty() => ".".to_owned(),
        Ok(rest) => rest.to_string_lossy().into_owned(),
        Err(_) => path.to_string_lossy().into_owned(),
    }
}
