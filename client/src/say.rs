//! What this program says on stderr: whole lines, each in one write, so that those of many ranks do not mix.

use std::fmt::Display;
use std::io::Write;

/// Says `message` after the program's name.
pub fn say(message: impl Display) {
    line(format_args!("shardscale-client: {message}"));
}

/// Says `text` alone. Where nobody can be told, nothing can be done.
pub fn line(text: impl Display) {
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}
