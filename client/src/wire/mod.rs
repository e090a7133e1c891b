//! Putting tensors into a store and getting them back: commands that are prepared once for a key and a size, then sent and
//! answered without a copy of the payload and without an allocation.
//!
//! A command is written from, and a reply read into, the caller's buffers, with the bytes around the payload in places of
//! their own: one system call for a command however long, one for a short reply, two for a long one ([`ByteStream`]). What
//! a reply must begin with follows from key and size, so it is compared and not parsed; only a reply that begins otherwise
//! is ([`resp`]). Nothing is ever sent twice.
//!
//! Commands may be sent ahead of the replies ([`put::send`] for several, then [`put::receive`]); replies come in the order of
//! commands.
//!
//! This module knows streams and bytes; it must not know MPI, clocks or shards.

pub mod call;
pub mod dataset;
pub mod get;
mod landing;
pub mod models;
pub mod plain;
pub mod put;
pub mod redisai;
pub mod resp;

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};

use anyhow::anyhow;
use shardscale::record::vocabulary::{Dtype, Wire};
use shardscale::record::workload::MOST_IN_FLIGHT;

use resp::Reply;

/// Most commands in one call of [`put::send`] or [`get::send`].
pub const BATCH: usize = MOST_IN_FLIGHT as usize;
/// Parts of so many commands or replies: head, payload, tail.
const PARTS: usize = 3 * BATCH;

const CRLF: &[u8] = b"\r\n";
const OK: &[u8] = b"+OK\r\n";

/// Bytes of the longest description of a tensor that a wire stores in one value with it: that of [`plain`] with 8 dimensions.
pub const LONGEST_DESCRIPTION: u64 = 72;

/// Bytes beyond the payload that an unexpected reply may have before it is given up.
const REPLY_SLACK: usize = 64 << 10;

/// What is stored under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    pub dtype: Dtype,
    pub dimensions: Vec<u64>,
    pub payload_bytes: usize,
}

/// Dimensions as people write them: `1x16`.
pub(crate) fn show_shape(dimensions: &[impl ToString]) -> String {
    dimensions.iter().map(ToString::to_string).collect::<Vec<_>>().join("x")
}

/// Prepares the command that stores `tensor` under `key`.
pub fn put(wire: Wire, key: &str, tensor: &Tensor) -> put::Put {
    match wire {
        Wire::RedisAi => redisai::put(key, tensor),
        Wire::Plain | Wire::Auto => plain::put(key, tensor),
    }
}

/// Prepares the command that reads it back.
pub fn get(wire: Wire, key: &str, tensor: &Tensor) -> get::Get {
    match wire {
        Wire::RedisAi => redisai::get(key, tensor),
        Wire::Plain | Wire::Auto => plain::get(key, tensor),
    }
}

/// A connection as far as the wires use it: vectored reads and writes that may do less than asked.
pub trait ByteStream: Read + Write {
    /// Reads into `parts` until they are full, the stream ends or fails, or nothing comes for too long. Called where it is
    /// certain that all of that will come: one system call then replaces one for each piece that arrives.
    fn fill(&mut self, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_vectored(parts)
    }
}

/// Which command of a batch failed, and why.
#[derive(Debug)]
pub struct BatchError {
    pub at: usize,
    pub cause: anyhow::Error,
}

/// Writes all of `parts`; with one system call where the stream takes that much.
fn write_all<S: Write>(stream: &mut S, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
    // drops empty parts
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match stream.write_vectored(parts) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut parts, n),
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
