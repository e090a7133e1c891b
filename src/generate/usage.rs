//! Wrong usage: what the command line alone shows to be wrong, whatever site and study say.

use std::fmt;

use anyhow::{Error, Result};

/// The program ends with the exit code that it has for what its parser refuses: who checks a value is nothing to users.
#[derive(Debug)]
pub struct WrongUsage(String);

impl fmt::Display for WrongUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUsage {}

/// Marks an error as one of the command line.
pub fn usage<T>(result: Result<T>) -> Result<T> {
    result.map_err(|error| Error::new(WrongUsage(format!("{error:#}"))))
}
