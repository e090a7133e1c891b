//! `put_tensor`: a prepared head, the caller's payload, CRLF; the reply is OK.

use std::io::IoSlice;

use anyhow::{Result, anyhow};
use arrayvec::ArrayVec;

use super::landing::{self, Landing, Landings, Outcome};
use super::{BatchError, ByteStream, CRLF, OK, PARTS, REPLY_SLACK, why_writing_failed, write_all};

/// The prepared command for one key and one size.
pub struct Put {
    /// All of the command that stands before the payload.
    pub(super) head: Vec<u8>,
    received: [u8; OK.len()],
}

/// A command with the payload that it sends.
pub struct PutOp<'a> {
    pub put: &'a mut Put,
    pub payload: &'a [u8],
}

impl Put {
    pub(super) fn new(head: Vec<u8>) -> Put {
        Put { head, received: [0; OK.len()] }
    }

    /// Stores `payload` and waits for the server's OK.
    ///
    /// # Errors
    /// The server's own words if it refuses, or what happened to the connection.
    pub fn exchange<S: ByteStream>(&mut self, stream: &mut S, payload: &[u8]) -> Result<()> {
        let mut one = [PutOp { put: self, payload }];
        send(stream, &one).and_then(|()| receive(stream, &mut one, &mut |_| {})).map_err(|error| error.cause)
    }
}

/// Sends at most [`super::BATCH`] commands, all in one write.
pub fn send<S: ByteStream>(stream: &mut S, batch: &[PutOp<'_>]) -> Result<(), BatchError> {
    let mut parts = ArrayVec::<IoSlice<'_>, PARTS>::new();
    for op in batch {
        parts.extend([&op.put.head, op.payload, CRLF].map(IoSlice::new));
    }
    write_all(stream, &mut parts).map_err(|error| BatchError { at: 0, cause: why_writing_failed(stream, error) })
}

/// Reads the replies to `batch`; calls `ended` with the index of each that has come.
pub fn receive<S: ByteStream>(
    stream: &mut S,
    batch: &mut [PutOp<'_>],
    ended: &mut dyn FnMut(usize),
) -> Result<(), BatchError> {
    let alone = batch.len() == 1;
    let mut landings: Landings<'_> = batch
        .iter_mut()
        .map(|op| Landing { due: OK, head: &mut op.put.received, payload: &mut [], due_tail: b"", tail: &mut [] })
        .collect();
    match landing::receive(stream, &mut landings, ended)? {
        Outcome::AsExpected => Ok(()),
        Outcome::Otherwise(unexpected) => {
            let cause = match landing::read_unexpected(stream, unexpected.bytes, REPLY_SLACK, alone) {
                Ok((_, reply)) => anyhow!("the server answered {reply} where OK was due"),
                Err(cause) => cause,
            };
            Err(BatchError { at: unexpected.at, cause })
        }
    }
}
