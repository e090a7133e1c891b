//! A rank of an inference: its model is stored, and its part of each size prepared.

use std::fs;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use shardscale::record::inference::{Inference, ModelFacts};
use shardscale::record::units::show_bytes;
use shardscale::record::vocabulary::{Device, Wire};

use super::{Mover, Session};
use crate::backend::models::{Models, Programs};
use crate::backend::{Backend, Untimed};
use crate::clock::now_ns;
use crate::failure::{During, Failure};
use crate::say::say;
use crate::tensors::{Read, Tensors, Written};
use crate::wire::call::Call;
use crate::wire::{self, models};

/// The tensors of a size, and what runs on them.
pub type Prepared<B> = (Tensors<<B as Backend>::Put, <B as Backend>::Get>, Vec<Call>);

impl Session<'_> {
    /// Stores model and script on each shard that has ranks, and lets each rank use them once: the server loads its libraries
    /// then, which may take seconds. What the run will say of its model is known afterwards.
    pub fn prepare_models(&mut self, mover: &mut Mover) -> Result<(), Failure> {
        let Some(inference) = self.workload.inference.clone() else { return Ok(()) };
        self.model = Some(match mover {
            Mover::Servers(servers) => self.first_pass(&inference, &mut servers.own)?,
            Mover::Files(files) => self.first_pass(&inference, &mut files.own)?,
        });
        Ok(())
    }

    fn first_pass<B: Models>(&self, inference: &Inference, backend: &mut B) -> Result<ModelFacts, Failure> {
        self.check_wire().during("store the model")?;
        let (programs, facts) = read(inference).during("read the model")?;
        self.store(inference, &programs, backend).map_err(|failure| self.at_own_server(failure))?;
        self.comm.wait_for_all();
        let payload_bytes = self.args.tensor_bytes[0];
        let start = now_ns();
        let output = self.pass(inference, (payload_bytes, 0), backend)?;
        // all of them load the libraries of their servers together, so that the slowest tells
        let (_, longest) = self.comm.span(0, now_ns() - start);
        let output = format!("{} {}", output.dtype, wire::show_shape(&output.dimensions));
        if self.comm.is_root() {
            let bytes = show_bytes(facts.model_bytes);
            let ms = longest as f64 / 1e6;
            say(format_args!("the model ({bytes}) is stored; the first pass took {ms:.1} ms and gave {output}"));
        }
        Ok(ModelFacts { output, first_pass_ns: longest.max(0).cast_unsigned(), ..facts })
    }

    fn check_wire(&self) -> Result<()> {
        ensure!(
            self.store.wire == Wire::RedisAi,
            "a model runs in RedisAI, and {} does not offer its commands here: load the module (--load-module redisai.so), and use \
             --wire redisai or auto",
            self.store.program
        );
        Ok(())
    }

    /// Of each shard's ranks the first stores for all.
    fn store<B: Models>(&self, inference: &Inference, programs: &Programs, backend: &mut B) -> Result<(), Failure> {
        let shards: Vec<u32> = self
            .comm
            .collect(&self.own.shard)
            .and_then(|shards| self.comm.share(shards.as_ref()))
            .during("store the model")?;
        if shards.iter().position(|shard| *shard == self.own.shard) != Some(self.own.rank as usize) {
            return Ok(());
        }
        for device in 0..inference.devices.max(1) {
            let name = inference.device_of(device);
            let (keys, _) = self.keys_of_device(inference, device).during("choose the keys")?;
            backend.store(0, &keys, &name, (inference, programs)).during("store the model")?;
        }
        Ok(())
    }

    fn at_own_server(&self, failure: Failure) -> Failure {
        match self.endpoints.first() {
            Some(endpoint) => failure.at(endpoint),
            None => failure,
        }
    }

    /// The keys of this rank with the model of that device.
    fn keys_of_device(&self, inference: &Inference, device: u32) -> Result<(models::Keys, u32)> {
        let several = inference.device == Device::Gpu && inference.devices > 1;
        let name = several.then(|| inference.device_of(device));
        self.map.inference(self.own.rank, name.as_deref())
    }

    /// Puts a tensor, runs what is to run and says what came out; nothing of it is timed.
    fn pass<B: Models>(
        &self,
        inference: &Inference,
        (payload_bytes, size_index): (u64, u32),
        backend: &mut B,
    ) -> Result<wire::Tensor, Failure> {
        let failed = |op: &'static str, cause: anyhow::Error| {
            let failure = Failure { payload_bytes: Some(payload_bytes), ..Failure::new(op, cause) };
            self.at_own_server(failure)
        };
        let (keys, _) = self.keys_of_device(inference, self.own.rank).during("choose the keys")?;
        let mut written = self.input(&keys, (payload_bytes, size_index), backend).during("choose the keys")?;
        let put = backend.put(&mut written.written, &mut Untimed);
        put.map_err(|(_, error)| failed("put_tensor", error.cause))?;
        for (op, mut call) in inference.calls().iter().zip(models::calls(&keys, inference)) {
            let called = backend.call(0, &mut call, &mut Untimed);
            called.map_err(|(_, error)| failed(op.as_str(), error.cause))?;
        }
        backend.describe(0, &keys.output).map_err(|cause| failed("unpack_tensor", cause))
    }

    /// The tensor that this rank puts.
    fn input<B: Models>(
        &self,
        keys: &models::Keys,
        (payload_bytes, size_index): (u64, u32),
        backend: &B,
    ) -> Result<Tensors<B::Put, B::Get>> {
        let tensor = self.tensor(payload_bytes);
        let put = backend.prepare_put(0, &keys.input, &tensor)?;
        let written = vec![Written { stream: 0, tensor: 0, put, source: backend.buffer(payload_bytes as usize) }];
        let identity = self.identity(size_index);
        let mut tensors = Tensors { written, lists: Vec::new(), targets: Vec::new(), identity };
        tensors.fill(0);
        Ok(tensors)
    }

    /// Prepares commands and buffers for one size.
    pub(super) fn prepare_inference<B: Models>(
        &self,
        inference: &Inference,
        size: (u64, u32),
        backend: &mut B,
    ) -> Result<Prepared<B>, Failure> {
        let output = self.pass(inference, size, backend)?;
        let prepared = || {
            let (keys, _) = self.keys_of_device(inference, self.own.rank)?;
            let mut tensors = self.input(&keys, size, backend)?;
            let get = backend.prepare_get(0, &keys.output, &output)?;
            tensors.lists = vec![vec![Read { stream: 0, owner: self.own.rank, tensor: 0, get }]];
            tensors.targets = vec![backend.buffer(output.payload_bytes)];
            Ok((tensors, models::calls(&keys, inference)))
        };
        prepared().map_err(|cause: anyhow::Error| Failure::new("choose the keys", cause))
    }
}

fn read(inference: &Inference) -> Result<(Programs, ModelFacts)> {
    let file = |path: &String| fs::read(path).with_context(|| format!("cannot read {path}: do all nodes see it?"));
    let sha256 = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let model = file(&inference.model)?;
    let script = (!inference.script.is_empty()).then(|| file(&inference.script)).transpose()?;
    let facts = ModelFacts {
        model_sha256: sha256(&model),
        model_bytes: model.len() as u64,
        script_sha256: script.as_deref().map(sha256),
        output: String::new(),
        first_pass_ns: 0,
    };
    Ok((Programs { model, script }, facts))
}
