//! The store's protocol (RESP 2), as far as it is not known beforehand: encoding a command, and understanding any reply
//! without trusting its lengths.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::ops::Range;

use anyhow::{Result, bail, ensure};

/// Longest line (a number, an error's text) that is read.
const LONGEST_LINE: usize = 16 << 10;
/// Deepest nesting of arrays, and most elements in one.
const DEEPEST: usize = 4;
const MOST_ELEMENTS: i64 = 1 << 20;
const CHUNK: usize = 64 << 10;

/// A reply. A bulk string is given as its place in the bytes that were parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Range<usize>),
    Nil,
    Array(Vec<Reply>),
}

/// Why bytes are no reply (yet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoReply {
    /// More bytes are needed.
    Incomplete,
    /// No further byte can make it one: what is wrong.
    Malformed(String),
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Simple(text) => write!(f, "{text:?}"),
            Reply::Error(text) => write!(f, "the error {text:?}"),
            Reply::Integer(value) => write!(f, "the number {value}"),
            Reply::Bulk(place) => write!(f, "a string of {} bytes", place.len()),
            Reply::Nil => f.write_str("nil"),
            Reply::Array(items) => write!(f, "an array of {}", items.len()),
        }
    }
}

/// Appends a command.
pub fn push_command(to: &mut Vec<u8>, arguments: &[&[u8]]) {
    to.extend_from_slice(format!("*{}\r\n", arguments.len()).as_bytes());
    for argument in arguments {
        push_bulk(to, argument);
    }
}

/// Appends a bulk string.
pub fn push_bulk(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
    to.extend_from_slice(bytes);
    to.extend_from_slice(b"\r\n");
}

/// Reads on from `bytes`, the beginning of a reply, to its end.
///
/// # Errors
/// A reply longer than `longest` bytes, a malformed one, bytes behind its end, or the end of the connection.
pub fn read_reply<S: Read>(stream: &mut S, mut bytes: Vec<u8>, longest: usize) -> Result<(Vec<u8>, Reply)> {
    loop {
        match parse(&bytes, longest) {
            Ok((reply, length)) if length == bytes.len() => return Ok((bytes, reply)),
            Ok((reply, length)) => bail!("the server sent {} bytes more behind {reply}", bytes.len() - length),
            Err(NoReply::Malformed(what)) => bail!("the server's reply is not understood: {what}"),
            Err(NoReply::Incomplete) if bytes.len() > longest => bail!("the server's reply exceeds {longest} bytes"),
            Err(NoReply::Incomplete) => read_more(stream, &mut bytes)?,
        }
    }
}

/// Replies that come one after another, as those to a pipeline do.
#[derive(Default)]
pub struct Replies {
    bytes: Vec<u8>,
    /// Of the last reply.
    range: Range<usize>,
}

impl Replies {
    /// The next reply, and the bytes in which its strings have their places.
    ///
    /// # Errors
    /// As [`read_reply`]; the server's error in its words.
    pub fn next<S: Read>(&mut self, stream: &mut S, longest: usize) -> Result<(&[u8], Reply)> {
        let start = self.range.end;
        loop {
            match parse(&self.bytes[start..], longest) {
                Ok((Reply::Error(text), _)) => bail!(explain(&text)),
                Ok((reply, length)) => {
                    self.range = start..start + length;
                    return Ok((&self.bytes[self.range.clone()], reply));
                }
                Err(NoReply::Malformed(what)) => bail!("the server's reply is not understood: {what}"),
                Err(NoReply::Incomplete) => read_more(stream, &mut self.bytes)?,
            }
        }
    }

    /// # Errors
    /// Bytes behind the last reply: somebody answers what nobody asked.
    pub fn end(&self) -> Result<()> {
        let more = self.bytes.len() - self.range.end;
        ensure!(more == 0, "the server sent {more} bytes more than replies were due");
        Ok(())
    }
}

fn read_more<S: Read>(stream: &mut S, bytes: &mut Vec<u8>) -> Result<()> {
    let before = bytes.len();
    bytes.resize(before + CHUNK, 0);
    loop {
        match stream.read(&mut bytes[before..]) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(n) => {
                bytes.truncate(before + n);
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(super::explain_io(error)),
        }
    }
}

/// The reply at the start of `bytes` and its length; a bulk string above `longest` bytes is malformed.
pub fn parse(bytes: &[u8], longest: usize) -> Result<(Reply, usize), NoReply> {
    let mut parser = Parser { bytes, at: 0, longest };
    let reply = parser.reply(0)?;
    Ok((reply, parser.at))
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    longest: usize,
}

impl Parser<'_> {
    fn reply(&mut self, depth: usize) -> Result<Reply, NoReply> {
        let kind = *self.bytes.get(self.at).ok_or(NoReply::Incomplete)?;
        if !b"+-:$*".contains(&kind) {
            return Err(malformed(format!("it begins with the byte 0x{kind:02x}")));
        }
        let line = self.line()?;
        match kind {
            b'+' => Ok(Reply::Simple(line)),
            b'-' => Ok(Reply::Error(line)),
            b':' => Ok(Reply::Integer(number(&line)?)),
            b'$' => self.bulk(number(&line)?),
            _ => self.array(number(&line)?, depth),
        }
    }

    /// The line that starts here, without its first byte and its end.
    fn line(&mut self) -> Result<String, NoReply> {
        let rest = &self.bytes[self.at + 1..];
        let window = &rest[..rest.len().min(LONGEST_LINE)];
        let Some(length) = window.windows(2).position(|pair| pair == b"\r\n") else {
            return Err(match window.len() == LONGEST_LINE {
                true => malformed(format!("a line exceeds {LONGEST_LINE} bytes")),
                false => NoReply::Incomplete,
            });
        };
        self.at += 1 + length + 2;
        Ok(String::from_utf8_lossy(&rest[..length]).into_owned())
    }

    fn bulk(&mut self, length: i64) -> Result<Reply, NoReply> {
        if length == -1 {
            return Ok(Reply::Nil);
        }
        let length = usize::try_from(length).ok().filter(|length| *length <= self.longest).ok_or_else(|| {
            malformed(format!("it announces a string of {length} bytes, where at most {} are due", self.longest))
        })?;
        let place = self.at..self.at + length;
        let end = self.bytes.get(place.end..place.end + 2).ok_or(NoReply::Incomplete)?;
        if end != b"\r\n" {
            return Err(malformed("a string does not end where it said".into()));
        }
        self.at = place.end + 2;
        Ok(Reply::Bulk(place))
    }

    fn array(&mut self, length: i64, depth: usize) -> Result<Reply, NoReply> {
        if length == -1 {
            return Ok(Reply::Nil);
        }
        if !(0..=MOST_ELEMENTS).contains(&length) || depth == DEEPEST {
            return Err(malformed(format!("it announces an array of {length} at depth {depth}")));
        }
        (0..length).map(|_| self.reply(depth + 1)).collect::<Result<_, _>>().map(Reply::Array)
    }
}

fn number(line: &str) -> Result<i64, NoReply> {
    line.parse().map_err(|_| malformed(format!("{line:?} is no number")))
}

fn malformed(what: String) -> NoReply {
    NoReply::Malformed(what)
}

/// A server's error with what can be done about it.
pub fn explain(text: &str) -> String {
    let remedy = match text.split(' ').next().unwrap_or_default() {
        _ if text.contains("invalid bulk length") => {
            ": the tensor is longer than the server's proto-max-bulk-len; raise that with CONFIG SET, or measure smaller tensors"
        }
        "OOM" => ": its memory limit (maxmemory) is reached; fewer ranks a shard, smaller tensors or a higher limit",
        "MOVED" | "ASK" | "CLUSTERDOWN" | "TRYAGAIN" => ": the cluster changed after its layout was read",
        "LOADING" | "BUSY" => ": the server is not ready",
        "NOAUTH" | "WRONGPASS" => {
            ": the password is in the file `password` of the attempt, or in the variable SHARDSCALE_PASSWORD"
        }
        "WRONGTYPE" => {
            ": under this key lies a value of another program; remove it, give another store, or let the job start its own"
        }
        "READONLY" => ": this server is a replica",
        _ => "",
    };
    format!("the server says {text:?}{remedy}")
}

#[cfg(test)]
#[path = "resp_tests.rs"]
mod tests;
