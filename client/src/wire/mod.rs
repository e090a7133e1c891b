//! Putting one tensor into a store and getting it back: two commands, prepared once for a key and a size.
//!
//! The payload is not copied here: a command is written from, and a reply read into, the caller's buffer, with the bytes
//! around it in places of their own. What a reply must begin with follows from key and size, so it is compared and not
//! parsed; only a reply that begins otherwise is. Nothing is ever sent twice.
//!
//! This module knows streams and bytes; it must not know MPI, clocks or shards.

pub mod plain;
pub mod redisai;
pub mod resp;

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::ops::Range;

use anyhow::{Result, anyhow, bail};
use resp::Reply;

const CRLF: &[u8] = b"\r\n";
const OK: &[u8] = b"+OK\r\n";

/// Bytes beyond the payload that an unexpected reply may have before it is given up.
const REPLY_SLACK: usize = 64 << 10;

/// Finds the payload in a reply that did not begin as expected, as a range of `bytes`; an error says what is wrong with it.
type FindPayload = fn(bytes: &[u8], reply: &Reply, payload_bytes: usize) -> Result<Range<usize>>;

/// The two commands for one key and one size, and what is expected of their replies.
pub struct Exchange {
    /// All of the put command that stands before the payload; CRLF stands behind it.
    put_head: Vec<u8>,
    /// The whole get command.
    get: Vec<u8>,
    /// What stands before the payload in the reply to it.
    reply_head: Vec<u8>,
    /// Room for what really comes, as long as `reply_head`.
    received: Vec<u8>,
    payload_bytes: usize,
    find_payload: FindPayload,
}

impl Exchange {
    /// Stores `payload` and waits for the server's OK.
    ///
    /// # Errors
    /// The server's own words if it refuses, or what happened to the connection.
    pub fn put<S: Read + Write>(&mut self, stream: &mut S, payload: &[u8]) -> Result<()> {
        if let Err(error) = write_all(stream, [&self.put_head, payload, CRLF]) {
            return Err(why_writing_failed(stream, error));
        }
        let mut received = [0; OK.len()];
        match receive(stream, OK, [&mut received, &mut [], &mut []])? {
            Received::AsExpected => Ok(()),
            Received::Otherwise(bytes) => match resp::read_reply(stream, bytes, REPLY_SLACK)?.1 {
                Reply::Error(text) => bail!(resp::explain(&text)),
                other => bail!("the server answered {other} where OK was due"),
            },
        }
    }

    /// Reads the tensor back into `payload`.
    ///
    /// # Errors
    /// As [`Exchange::put`]; also a value that is missing, of another length, dtype or shape.
    pub fn get<S: Read + Write>(&mut self, stream: &mut S, payload: &mut [u8]) -> Result<()> {
        if let Err(error) = write_all(stream, [&self.get, &[], &[]]) {
            return Err(why_writing_failed(stream, error));
        }
        let mut tail = [0; CRLF.len()];
        match receive(stream, &self.reply_head, [&mut self.received, payload, &mut tail])? {
            Received::AsExpected if tail == CRLF => Ok(()),
            Received::AsExpected => bail!("the server's reply does not end where the payload ends"),
            Received::Otherwise(bytes) => self.get_otherwise(stream, bytes, payload),
        }
    }

    /// Understands a reply that does not begin as expected, `bytes` of which are read.
    fn get_otherwise<S: Read>(&mut self, stream: &mut S, bytes: Vec<u8>, payload: &mut [u8]) -> Result<()> {
        let (bytes, reply) = resp::read_reply(stream, bytes, self.payload_bytes + REPLY_SLACK)?;
        if let Reply::Error(text) = &reply {
            bail!(resp::explain(text));
        }
        if matches!(reply, Reply::Nil) {
            bail!("the key has no value: it was evicted, deleted or never stored");
        }
        let place = (self.find_payload)(&bytes, &reply, self.payload_bytes)?;
        payload.copy_from_slice(&bytes[place.clone()]);
        // the same tensor in another spelling: this is how the next reply will begin too
        if bytes.len() == place.end + CRLF.len() {
            self.reply_head = bytes[..place.start].to_vec();
            self.received = vec![0; place.start];
        }
        Ok(())
    }
}

enum Received {
    AsExpected,
    /// It begins otherwise; these are the bytes so far.
    Otherwise(Vec<u8>),
}

/// Fills `parts` (head, payload, tail) in order from the stream, as long as the head turns out as `expected`.
///
/// A server that has something else to say may say less than `parts` hold, so the head is compared after every read.
fn receive<S: Read>(stream: &mut S, expected: &[u8], mut parts: [&mut [u8]; 3]) -> Result<Received> {
    let wanted: usize = parts.iter().map(|part| part.len()).sum();
    let mut got = 0;
    while got < wanted {
        let more = read_at(stream, &mut parts, got)?;
        let compared = got.min(expected.len());
        got += more;
        let head = got.min(expected.len());
        if parts[0][compared..head] != expected[compared..head] {
            let mut bytes = parts.concat();
            bytes.truncate(got);
            return Ok(Received::Otherwise(bytes));
        }
    }
    Ok(Received::AsExpected)
}

/// One read into what is left of `parts` behind their first `skip` bytes; never 0.
fn read_at<S: Read>(stream: &mut S, parts: &mut [&mut [u8]; 3], mut skip: usize) -> Result<usize> {
    let mut rest = parts.each_mut().map(|part| {
        let cut = skip.min(part.len());
        skip -= cut;
        IoSliceMut::new(&mut part[cut..])
    });
    let first = rest.iter().position(|part| !part.is_empty()).unwrap_or(0);
    loop {
        match stream.read_vectored(&mut rest[first..]) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(n) => return Ok(n),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(explain_io(error)),
        }
    }
}

fn write_all<S: Write>(stream: &mut S, parts: [&[u8]; 3]) -> io::Result<()> {
    let mut slices = parts.map(IoSlice::new);
    let mut rest = &mut slices[..];
    // drops empty parts
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match stream.write_vectored(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut rest, n),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A server that refuses a command before its end says why and closes: what it said explains more than a broken pipe.
fn why_writing_failed<S: Read>(stream: &mut S, error: io::Error) -> anyhow::Error {
    let closed = matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
    match closed.then(|| resp::read_reply(stream, Vec::new(), REPLY_SLACK)) {
        Some(Ok((_, Reply::Error(text)))) => anyhow!(resp::explain(&text)),
        _ => explain_io(error).context("cannot send the command"),
    }
}

/// Says what a user can do about an error of the connection.
pub fn explain_io(error: io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            anyhow!("the server neither took nor sent a byte for as long as --reply-timeout allows")
        }
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            anyhow!("the server closed the connection ({error})")
        }
        _ => anyhow!(error).context("the connection failed"),
    }
}

#[cfg(test)]
mod tests;
