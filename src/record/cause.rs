//! `cause.json`: why an attempt cannot go on, as the first program that knew it said. What others say later is its echo.
//!
//! It comes from all that runs around the measurement; ranks have [`super::attempt::ClientError`].

use std::fmt;
use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::files;

/// Name of the file in an attempt directory.
pub const FILE: &str = "cause.json";

/// Lines that a short form repeats; of more it takes the first and the last two.
const FEW_LINES: usize = 4;

/// Who could not go on, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    pub schema: u32,
    /// `store server 2`, `await-store`, ...
    pub who: String,
    pub host: String,
    /// May have several lines, such as the last ones of a server.
    pub what: String,
}

impl Cause {
    /// Writes it, unless another program was first.
    pub fn leave(&self, attempt: &Path) -> Result<()> {
        files::create_json_once(&attempt.join(FILE), self).map(drop)
    }

    /// `Ok(None)` where nobody left one.
    pub fn read(attempt: &Path) -> Result<Option<Cause>> {
        files::read_json(&attempt.join(FILE))
    }
}

/// One line, for tables and logs.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<&str> = self.what.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let what = match &lines[..] {
            [first, .., one, last] if lines.len() > FEW_LINES => format!("{first} .. {one} {last}"),
            few => few.join(" "),
        };
        write!(f, "{} on {}: {what}", self.who, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(what: &str) -> Cause {
        Cause { schema: 1, who: "store server 2".into(), host: "cn3".into(), what: what.into() }
    }

    #[test]
    fn the_first_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Cause::read(folder.path()).unwrap(), None);
        cause("one").leave(folder.path()).unwrap();
        cause("two").leave(folder.path()).unwrap();
        assert_eq!(Cause::read(folder.path()).unwrap(), Some(cause("one")));
    }

    #[test]
    fn it_is_said_in_one_line() {
        assert_eq!(cause("no memory").to_string(), "store server 2 on cn3: no memory");
        let long = cause("its last lines are:\n    hello\n    b\n    c\n    out of memory\n  fewer ranks");
        assert_eq!(long.to_string(), "store server 2 on cn3: its last lines are: .. out of memory fewer ranks");
        let short = cause("its last lines are:\n    a\n    b\n  c");
        assert_eq!(short.to_string(), "store server 2 on cn3: its last lines are: a b c");
    }
}
