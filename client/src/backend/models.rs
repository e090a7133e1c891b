//! Backends whose store runs scripts and models on the tensors that it has.

use anyhow::{Result, bail};
use shardscale::record::inference::Inference;

use super::files::Files;
use super::resp::Resp;
use super::{Backend, Ticks, Trouble};
use crate::wire::call::Call;
use crate::wire::models::{self, Keys};
use crate::wire::{BatchError, ByteStream, Tensor};

/// The files of an inference, read.
pub struct Programs {
    pub model: Vec<u8>,
    pub script: Option<Vec<u8>>,
}

pub trait Models: Backend {
    /// Stores model and script under the keys, for `device`.
    ///
    /// # Errors
    /// What the store says, or that it runs nothing.
    fn store(&mut self, connection: usize, keys: &Keys, device: &str, programs: (&Inference, &Programs)) -> Result<()>;

    /// Runs one of them.
    ///
    /// # Errors
    /// As [`Backend::put`].
    fn call(&mut self, connection: usize, call: &mut Call, ticks: &mut impl Ticks) -> Result<(), Trouble>;

    /// What lies under `key`.
    ///
    /// # Errors
    /// As [`Models::store`].
    fn describe(&mut self, connection: usize, key: &str) -> Result<Tensor>;
}

impl<S: ByteStream> Models for Resp<S> {
    fn store(
        &mut self,
        connection: usize,
        keys: &Keys,
        device: &str,
        (inference, programs): (&Inference, &Programs),
    ) -> Result<()> {
        let stream = &mut self.streams[connection];
        models::store_model(stream, &keys.model, device, (inference, &programs.model))?;
        match &programs.script {
            Some(script) => models::store_script(stream, &keys.script, device, script),
            None => Ok(()),
        }
    }

    fn call(&mut self, connection: usize, call: &mut Call, ticks: &mut impl Ticks) -> Result<(), Trouble> {
        ticks.begin(1);
        let called = call.exchange(&mut self.streams[connection]);
        called.map_err(|cause| (connection, BatchError { at: 0, cause }))?;
        ticks.end();
        Ok(())
    }

    fn describe(&mut self, connection: usize, key: &str) -> Result<Tensor> {
        models::describe(&mut self.streams[connection], key)
    }
}

impl Models for Files {
    fn store(&mut self, _: usize, _: &Keys, _: &str, _: (&Inference, &Programs)) -> Result<()> {
        bail!("files run no models")
    }

    fn call(&mut self, connection: usize, _: &mut Call, _: &mut impl Ticks) -> Result<(), Trouble> {
        Err((connection, BatchError { at: 0, cause: anyhow::anyhow!("files run no models") }))
    }

    fn describe(&mut self, _: usize, _: &str) -> Result<Tensor> {
        bail!("files run no models")
    }
}
