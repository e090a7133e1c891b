//! The tensors of one size in the hands of one rank: prepared commands, buffers, and what the buffers must hold.

use anyhow::{Result, ensure};
use shardscale::record::vocabulary::Payload;

use crate::buffer::Buffer;
use crate::pattern::{Origin, Pattern, Subject};

/// All tensors that a rank puts or unpacks at one size, with what a backend prepared for each. Those of one connection stand
/// together, so that commands for it can be sent in one go.
pub struct Tensors<Put, Get> {
    pub written: Vec<Written<Put>>,
    /// Tensors to unpack in an iteration; iterations take the lists in turn. Without any, the rank unpacks nothing.
    pub lists: Vec<Vec<Read<Get>>>,
    /// As many as the longest list has tensors.
    pub targets: Vec<Buffer>,
    pub identity: Identity,
}

/// A tensor that this rank puts.
pub struct Written<Put> {
    /// Index of the connection to its shard.
    pub stream: usize,
    /// Number among the rank's tensors.
    pub tensor: u32,
    pub put: Put,
    pub source: Buffer,
}

/// A tensor that this rank unpacks.
pub struct Read<Get> {
    pub stream: usize,
    /// The rank that puts it.
    pub owner: u32,
    pub tensor: u32,
    pub get: Get,
}

/// What the patterns of this rank's tensors follow from.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    pub rank: u32,
    pub size_index: u32,
    pub payload: Payload,
    /// Iterations of a run, warm-up included: no rank writes a later one.
    pub iterations: u32,
}

impl Identity {
    fn subject(&self, tensor: u32) -> Subject {
        Subject { kind: self.payload, size_index: self.size_index, tensor }
    }

    /// Compares every byte of tensor number `tensor` of `owner` with what it put in `iteration`.
    ///
    /// # Errors
    /// The first byte that is wrong.
    pub fn check(&self, owner: u32, tensor: u32, iteration: u32, payload: &[u8]) -> Result<()> {
        Pattern::new(self.subject(tensor), Origin { rank: owner, iteration }).check(payload)
    }
}

impl<Put, Get> Tensors<Put, Get> {
    /// Gives all sources the pattern of `iteration`.
    pub fn fill(&mut self, iteration: u32) {
        let identity = self.identity;
        for one in &mut self.written {
            let origin = Origin { rank: identity.rank, iteration };
            Pattern::new(identity.subject(one.tensor), origin).fill(one.source.bytes_mut());
        }
    }

    /// Gives all targets bytes that no pattern has, so that a read that does not fill its target is noticed.
    pub fn forget(&mut self) {
        // a byte repeated is no ramp and, in all likelihood, no random number either
        self.targets.iter_mut().for_each(|target| target.bytes_mut().fill(0xA5));
    }

    /// Compares every byte of what was read of list number `list`, when this rank itself put last in iteration `last_put`.
    ///
    /// A tensor of another rank may be of any iteration, since its writer goes on; which one is read from its first bytes.
    ///
    /// # Errors
    /// The first byte that is wrong.
    pub fn check(&self, list: usize, last_put: u32) -> Result<()> {
        for (read, target) in self.lists[list].iter().zip(&self.targets) {
            let subject = self.identity.subject(read.tensor);
            let origin = match read.owner == self.identity.rank {
                true => Origin { rank: read.owner, iteration: last_put },
                false => self.origin_of_foreign(subject, read.owner, target.bytes())?,
            };
            Pattern::new(subject, origin).check(target.bytes())?;
        }
        Ok(())
    }

    fn origin_of_foreign(&self, subject: Subject, owner: u32, payload: &[u8]) -> Result<Origin> {
        let origin = subject.origin(payload);
        let possible = origin.filter(|origin| origin.rank == owner && origin.iteration < self.identity.iterations);
        ensure!(
            possible.is_some(),
            "the first bytes are not those of tensor {} of rank {owner} in any iteration of this size",
            subject.tensor
        );
        Ok(possible.unwrap_or(Origin { rank: owner, iteration: 0 }))
    }
}
