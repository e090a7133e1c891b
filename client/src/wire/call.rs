//! A command without a payload that is sent again and again, and answered by OK: it runs a script or a model on tensors that the
//! server has.

use std::io::IoSlice;

use anyhow::{Result, anyhow};

use super::landing::{self, Landing, Outcome};
use super::resp;
use super::{ByteStream, OK, REPLY_SLACK, why_writing_failed, write_all};

/// The prepared command.
pub struct Call {
    command: Vec<u8>,
    received: [u8; OK.len()],
}

impl Call {
    pub fn new(words: &[&str]) -> Call {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let mut command = Vec::new();
        resp::push_command(&mut command, &words);
        Call { command, received: [0; OK.len()] }
    }

    /// Sends it and waits for the server's OK, however long that takes.
    ///
    /// # Errors
    /// The server's own words if it refuses, or what happened to the connection.
    pub fn exchange<S: ByteStream>(&mut self, stream: &mut S) -> Result<()> {
        write_all(stream, &mut [IoSlice::new(&self.command)]).map_err(|error| why_writing_failed(stream, error))?;
        let mut landings =
            [Landing { due: OK, head: &mut self.received, payload: &mut [], due_tail: b"", tail: &mut [] }];
        match landing::receive(stream, &mut landings, &mut |_| {}).map_err(|error| error.cause)? {
            Outcome::AsExpected => Ok(()),
            Outcome::Otherwise(unexpected) => {
                let (_, reply) = landing::read_unexpected(stream, unexpected.bytes, REPLY_SLACK, true)?;
                Err(anyhow!("the server answered {reply} where OK was due"))
            }
        }
    }
}
