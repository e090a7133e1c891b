//! `unpack_tensor`: a prepared command; the reply is read into the caller's payload.

use std::io::IoSlice;
use std::ops::Range;

use anyhow::{Result, bail};
use arrayvec::ArrayVec;

use super::landing::{self, Landing, Landings, Outcome};
use super::resp::Reply;
use super::{BATCH, BatchError, ByteStream, CRLF, REPLY_SLACK, Tensor, why_writing_failed, write_all};

/// Finds the payload in a reply that did not begin as expected, as a range of `bytes`; an error says what is wrong with it.
pub(super) type FindPayload = fn(bytes: &[u8], reply: &Reply, tensor: &Tensor) -> Result<Range<usize>>;

/// The prepared command for one key and one size, and what is expected of the reply.
pub struct Get {
    command: Vec<u8>,
    /// What stands before the payload in the reply.
    pub(super) reply_head: Vec<u8>,
    /// Room for what really comes, as long as `reply_head`.
    received: Vec<u8>,
    tail: [u8; CRLF.len()],
    pub(super) tensor: Tensor,
    find_payload: FindPayload,
}

/// A command with the buffer that its reply fills.
pub struct GetOp<'a> {
    pub get: &'a mut Get,
    pub payload: &'a mut [u8],
}

impl Get {
    pub(super) fn new(command: Vec<u8>, reply_head: Vec<u8>, tensor: Tensor, find_payload: FindPayload) -> Get {
        Get { command, received: vec![0; reply_head.len()], reply_head, tail: [0; CRLF.len()], tensor, find_payload }
    }

    /// Reads the tensor into `payload`.
    ///
    /// # Errors
    /// The server's own words if it refuses, or what happened to the connection; also a value that is missing, of another
    /// length, dtype or shape.
    pub fn exchange<S: ByteStream>(&mut self, stream: &mut S, payload: &mut [u8]) -> Result<()> {
        let mut one = [GetOp { get: self, payload }];
        send(stream, &one).and_then(|()| receive(stream, &mut one, &mut |_| {})).map_err(|error| error.cause)
    }

    /// Understands a reply that does not begin as expected, `bytes` of which are read.
    fn take_otherwise<S: ByteStream>(
        &mut self,
        stream: &mut S,
        bytes: Vec<u8>,
        payload: &mut [u8],
        alone: bool,
    ) -> Result<()> {
        let longest = self.tensor.payload_bytes + REPLY_SLACK;
        let (bytes, reply) = landing::read_unexpected(stream, bytes, longest, alone)?;
        if matches!(reply, Reply::Nil) {
            bail!("the key has no value: it was evicted, deleted or never stored");
        }
        let place = (self.find_payload)(&bytes, &reply, &self.tensor)?;
        payload.copy_from_slice(&bytes[place.clone()]);
        // the same tensor in another spelling: this is how the next reply will begin too
        if bytes.len() == place.end + CRLF.len() {
            self.reply_head = bytes[..place.start].to_vec();
            self.received = vec![0; place.start];
        }
        Ok(())
    }
}

/// Sends at most [`super::BATCH`] commands, all in one write.
pub fn send<S: ByteStream>(stream: &mut S, batch: &[GetOp<'_>]) -> Result<(), BatchError> {
    let mut parts: ArrayVec<IoSlice<'_>, BATCH> = batch.iter().map(|op| IoSlice::new(&op.get.command)).collect();
    write_all(stream, &mut parts).map_err(|error| BatchError { at: 0, cause: why_writing_failed(stream, error) })
}

/// Reads the replies to `batch`; calls `ended` with the index of each that has come.
///
/// A reply in another spelling is understood where it is the only one that is due; the first reading of a tensor is.
pub fn receive<S: ByteStream>(
    stream: &mut S,
    batch: &mut [GetOp<'_>],
    ended: &mut dyn FnMut(usize),
) -> Result<(), BatchError> {
    let alone = batch.len() == 1;
    let mut landings: Landings<'_> = batch.iter_mut().map(landing).collect();
    let outcome = landing::receive(stream, &mut landings, ended)?;
    drop(landings);
    let Outcome::Otherwise(unexpected) = outcome else { return Ok(()) };
    let at = unexpected.at;
    let GetOp { get, payload } = &mut batch[at];
    get.take_otherwise(stream, unexpected.bytes, payload, alone).map_err(|cause| BatchError { at, cause })?;
    ended(at);
    match alone {
        true => Ok(()),
        false => Err(BatchError { at, cause: anyhow::anyhow!("the server changed the form of its replies") }),
    }
}

fn landing<'a>(op: &'a mut GetOp<'_>) -> Landing<'a> {
    let Get { reply_head, received, tail, .. } = &mut *op.get;
    Landing { due: reply_head, head: received, payload: &mut *op.payload, due_tail: CRLF, tail }
}
