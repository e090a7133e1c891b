//! What moves named tensors: a backend. The timed loop works on one, and knows neither sockets nor files.
//!
//! A backend prepares what it can before the loop (commands, paths), so that a timed call allocates nothing. It reads no clock of
//! its own: it says when an op begins and ends ([`Ticks`]).

pub mod files;
pub mod lists;
pub mod models;
pub mod resp;

use anyhow::Result;

use crate::buffer::Buffer;
use crate::tensors::{Read, Written};
use crate::wire::{BatchError, Tensor};

/// Told by a backend what it does, as it does it.
pub trait Ticks {
    /// So many ops begin now.
    fn begin(&mut self, ops: usize);
    /// The next of them has ended, in the order in which they began.
    fn end(&mut self);
}

/// Which connection failed, and how.
pub type Trouble = (usize, BatchError);

/// Moves tensors of one size between a rank and the store. Connections are numbered as the rank's shards are.
pub trait Backend {
    /// What a put of one tensor needs, prepared.
    type Put;
    /// What its unpacking needs.
    type Get;

    fn prepare_put(&self, connection: usize, key: &str, tensor: &Tensor) -> Result<Self::Put>;
    fn prepare_get(&self, connection: usize, key: &str, tensor: &Tensor) -> Result<Self::Get>;

    /// Memory for a payload, in the form that this backend moves fastest.
    fn buffer(&self, payload_bytes: usize) -> Buffer {
        Buffer::new(payload_bytes)
    }

    /// Stores at most [`crate::wire::BATCH`] tensors, those of one connection together; all are on their way before the first is
    /// waited for, where the backend can.
    ///
    /// # Errors
    /// The first that failed.
    fn put(&mut self, batch: &mut [Written<Self::Put>], ticks: &mut impl Ticks) -> Result<(), Trouble>;

    /// Reads as many into `targets`, likewise.
    ///
    /// # Errors
    /// As [`Backend::put`]; also a tensor that is missing or of another length.
    fn get(
        &mut self,
        batch: &mut [Read<Self::Get>],
        targets: &mut [Buffer],
        ticks: &mut impl Ticks,
    ) -> Result<(), Trouble>;

    /// What is to be done before these are read, and is no part of reading: nothing for most.
    ///
    /// # Errors
    /// As [`Backend::get`].
    fn before_get(&mut self, _batch: &[Read<Self::Get>]) -> Result<(), Trouble> {
        Ok(())
    }

    /// Whether [`Backend::before_get`] does anything.
    fn prepares_reads(&self) -> bool {
        false
    }

    /// Removes a tensor.
    ///
    /// # Errors
    /// It could not be removed; one that is not there is no error.
    fn remove(&mut self, connection: usize, key: &str) -> Result<()>;
}

/// For ops that nobody times.
pub struct Untimed;

impl Ticks for Untimed {
    fn begin(&mut self, _ops: usize) {}
    fn end(&mut self) {}
}
