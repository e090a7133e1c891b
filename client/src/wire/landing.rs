//! Where replies land: the head in a place of its own, the payload in the caller's buffer, the tail behind it.
//!
//! Heads are compared with what is due while bytes arrive, since a server that has something else to say may say less than
//! the places hold.

use std::io::{ErrorKind, IoSliceMut};

use anyhow::{Result, anyhow, bail};
use arrayvec::ArrayVec;

use super::resp::{self, Reply};
use super::{BATCH, BatchError, ByteStream, PARTS};

/// The places of one reply.
pub struct Landing<'a> {
    /// What the head must be.
    pub due: &'a [u8],
    /// As long as `due`.
    pub head: &'a mut [u8],
    pub payload: &'a mut [u8],
    /// What must stand behind the payload, and its place.
    pub due_tail: &'a [u8],
    pub tail: &'a mut [u8],
}

/// A reply that does not begin as expected.
pub struct Unexpected {
    /// Which of the replies that were due.
    pub at: usize,
    /// All bytes from its beginning that have been read.
    pub bytes: Vec<u8>,
}

pub enum Outcome {
    AsExpected,
    Otherwise(Unexpected),
}

pub type Landings<'a> = ArrayVec<Landing<'a>, BATCH>;

impl Landing<'_> {
    fn length(&self) -> usize {
        self.head.len() + self.payload.len() + self.tail.len()
    }

    /// Appends what is left behind the first `skip` bytes.
    fn rest<'b>(&'b mut self, mut skip: usize, parts: &mut ArrayVec<IoSliceMut<'b>, PARTS>) {
        for part in [&mut *self.head, &mut *self.payload, &mut *self.tail] {
            let cut = skip.min(part.len());
            skip -= cut;
            if cut < part.len() {
                parts.push(IoSliceMut::new(&mut part[cut..]));
            }
        }
    }

    /// Whether the head is right as far as bytes `from..to` of the reply belong to it.
    fn head_agrees(&self, from: usize, to: usize) -> bool {
        let (from, to) = (from.min(self.due.len()), to.min(self.due.len()));
        self.head[from..to] == self.due[from..to]
    }

    fn append_to(&self, bytes: &mut Vec<u8>, limit: usize) {
        let before = bytes.len();
        for part in [&*self.head, &*self.payload, &*self.tail] {
            bytes.extend_from_slice(part);
        }
        bytes.truncate((before + limit).min(bytes.len()));
    }
}

/// Fills `landings` in order from the stream; calls `ended` with the index of each that is full.
pub fn receive<S: ByteStream>(
    stream: &mut S,
    landings: &mut [Landing<'_>],
    ended: &mut dyn FnMut(usize),
) -> Result<Outcome, BatchError> {
    let (mut next, mut got) = (0, 0);
    let alone = landings.len() == 1;
    while next < landings.len() {
        // the head has come and is right: so will the rest
        let certain = alone && got >= landings[next].due.len();
        let mut new =
            read(stream, &mut landings[next..], got, certain).map_err(|cause| BatchError { at: next, cause })?;
        while new > 0 {
            let landing = &landings[next];
            let step = new.min(landing.length() - got);
            if !landing.head_agrees(got, got + step) {
                return Ok(Outcome::Otherwise(collect(&landings[next..], next, got + new)));
            }
            got += step;
            new -= step;
            if got == landing.length() {
                if landing.tail != landing.due_tail {
                    let cause = anyhow!("the server's reply does not end where the payload ends");
                    return Err(BatchError { at: next, cause });
                }
                ended(next);
                (next, got) = (next + 1, 0);
            }
        }
    }
    Ok(Outcome::AsExpected)
}

/// One read into what is left of `landings` behind the first `skip` bytes; never 0.
fn read<S: ByteStream>(stream: &mut S, landings: &mut [Landing<'_>], skip: usize, certain: bool) -> Result<usize> {
    let mut parts = ArrayVec::<IoSliceMut<'_>, PARTS>::new();
    for (index, landing) in landings.iter_mut().enumerate() {
        landing.rest(if index == 0 { skip } else { 0 }, &mut parts);
    }
    loop {
        match if certain { stream.fill(&mut parts) } else { stream.read_vectored(&mut parts) } {
            Ok(0) => bail!("the server closed the connection"),
            Ok(n) => return Ok(n),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(super::explain_io(error)),
        }
    }
}

/// The `length` bytes that lie in `landings`, the first of which is number `at`.
fn collect(landings: &[Landing<'_>], at: usize, length: usize) -> Unexpected {
    let mut bytes = Vec::new();
    for landing in landings {
        let left = length - bytes.len();
        landing.append_to(&mut bytes, left);
    }
    Unexpected { at, bytes }
}

/// Reads an unexpected reply to its end. Where further replies are due, what follows an error is left alone.
pub fn read_unexpected<S: ByteStream>(
    stream: &mut S,
    unexpected: Vec<u8>,
    longest: usize,
    alone: bool,
) -> Result<(Vec<u8>, Reply)> {
    if !alone && let Ok((Reply::Error(text), _)) = resp::parse(&unexpected, longest) {
        bail!(resp::explain(&text));
    }
    let (bytes, reply) = resp::read_reply(stream, unexpected, longest)?;
    match reply {
        Reply::Error(text) => bail!(resp::explain(&text)),
        reply => Ok((bytes, reply)),
    }
}
