//! Models and scripts in the server, as SmartRedis 0.6.1 keeps and runs them with RedisAI 1.2: AI.MODELSTORE and AI.SCRIPTSET once, then
//! AI.SCRIPTRUN and AI.MODELEXECUTE.
//!
//! In a cluster SmartRedis stores a model on every shard, under `{TAG}.NAME` where the tag is one of that shard's, and copies a tensor that
//! lies elsewhere there and back for each run. Ours lie under the tag of their model, so that nothing is copied.

use std::io::IoSlice;

use anyhow::{Context, Result, bail, ensure};
use shardscale::record::inference::Inference;
use shardscale::record::vocabulary::{Dtype, ModelBackend};

use super::call::Call;
use super::resp::{Replies, Reply};
use super::{ByteStream, REPLY_SLACK, Tensor, redisai, why_writing_failed, write_all};

/// RedisAI takes a model in pieces: more than a server's longest value would be refused.
const PIECE: usize = 511 << 20;
/// SmartRedis's limit for the time that a run of a model waits for its turn, in ms; RedisAI never cuts a run off.
const TIMEOUT_MS: &str = "60000000";

/// The keys of one rank: all lie on one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    pub input: String,
    /// What the script makes of it.
    pub processed: String,
    pub output: String,
    pub model: String,
    pub script: String,
}

impl Keys {
    /// Those of `rank`, whose shard has the hash tag `tag`, behind `prefix`; `device` is part of a model's name where there are several,
    /// as with SmartRedis's `set_model_multigpu`.
    pub fn new(prefix: &str, tag: &str, rank: u32, device: Option<&str>) -> Keys {
        let key = |name: String| format!("{prefix}{{{tag}}}.{name}");
        let device = device.map_or(String::new(), |device| format!(".{device}"));
        Keys {
            input: key(format!("inference_input_rank_{rank}")),
            processed: key(format!("inference_processed_rank_{rank}")),
            output: key(format!("inference_output_rank_{rank}")),
            model: key(format!("inference_model{device}")),
            script: key(format!("inference_script{device}")),
        }
    }

    pub fn all(self) -> [String; 5] {
        [self.input, self.processed, self.output, self.model, self.script]
    }
}

/// The commands between putting and unpacking, in the order of [`Inference::calls`].
pub fn calls(keys: &Keys, inference: &Inference) -> Vec<Call> {
    let script = ["AI.SCRIPTRUN", &keys.script, &inference.function, "INPUTS", &keys.input, "OUTPUTS", &keys.processed];
    let input = if inference.script.is_empty() { &keys.input } else { &keys.processed };
    let model =
        ["AI.MODELEXECUTE", &keys.model, "INPUTS", "1", input, "OUTPUTS", "1", &keys.output, "TIMEOUT", TIMEOUT_MS];
    match inference.script.is_empty() {
        true => vec![Call::new(&model)],
        false => vec![Call::new(&script), Call::new(&model)],
    }
}

/// Stores the model under its key, for `device`.
///
/// # Errors
/// The server's own words: a backend that it cannot load, a file that is no model, a device that it has not.
pub fn store_model<S: ByteStream>(
    stream: &mut S,
    key: &str,
    device: &str,
    (inference, model): (&Inference, &[u8]),
) -> Result<()> {
    let backend = match inference.model_backend {
        ModelBackend::Torch => "TORCH",
        ModelBackend::Onnx => "ONNX",
        ModelBackend::Tf => "TF",
    };
    let batch = inference.batch_size.to_string();
    let mut words: Vec<&[u8]> = vec![b"AI.MODELSTORE", key.as_bytes(), backend.as_bytes(), device.as_bytes()];
    if inference.batch_size > 0 {
        words.extend([&b"BATCHSIZE"[..], batch.as_bytes()]);
    }
    if !inference.model_input.is_empty() {
        words.extend([&b"INPUTS"[..], b"1", inference.model_input.as_bytes()]);
        words.extend([&b"OUTPUTS"[..], b"1", inference.model_output.as_bytes()]);
    }
    words.push(b"BLOB");
    words.extend(model.chunks(PIECE));
    ask(stream, &words).and_then(|(_, reply)| ok(&reply))
}

/// Stores the script under its key, for `device`.
///
/// # Errors
/// The server's own words, with the place of a mistake in the text.
pub fn store_script<S: ByteStream>(stream: &mut S, key: &str, device: &str, script: &[u8]) -> Result<()> {
    ask(stream, &[b"AI.SCRIPTSET", key.as_bytes(), device.as_bytes(), b"SOURCE", script])
        .and_then(|(_, reply)| ok(&reply))
}

/// What lies under `key`: dtype and dimensions.
///
/// # Errors
/// No tensor, or one that this program does not know.
pub fn describe<S: ByteStream>(stream: &mut S, key: &str) -> Result<Tensor> {
    let (bytes, reply) = ask(stream, &[b"AI.TENSORGET", key.as_bytes(), b"META"])?;
    let Reply::Array(items) = &reply else { bail!("the server answered {reply} where a tensor's description was due") };
    let [_, Reply::Bulk(dtype), _, Reply::Array(shape)] = &items[..] else {
        bail!("the server's description of a tensor is not understood");
    };
    let name = String::from_utf8_lossy(&bytes[dtype.clone()]);
    let dtype = Dtype::ALL.iter().copied().find(|dtype| redisai::name(*dtype) == name);
    let dtype = dtype.with_context(|| format!("the output is a tensor of {name}, which is not known here"))?;
    let dimension = |item: &Reply| if let Reply::Integer(n) = item { u64::try_from(*n).ok() } else { None };
    let dimensions = shape.iter().map(dimension).collect::<Option<Vec<u64>>>();
    let dimensions = dimensions.context("the server's description of a tensor is not understood")?;
    let elements = dimensions.iter().try_fold(1u64, |product, dimension| product.checked_mul(*dimension));
    let bytes = elements.and_then(|elements| elements.checked_mul(dtype.bytes()));
    let payload_bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).context("the output is too large")?;
    ensure!(payload_bytes > 0, "what comes out of the model is empty");
    Ok(Tensor { dtype, dimensions, payload_bytes })
}

fn ask<S: ByteStream>(stream: &mut S, words: &[&[u8]]) -> Result<(Vec<u8>, Reply)> {
    // a model's bytes are sent from where they are
    let heads: Vec<Vec<u8>> = (0..)
        .zip(words)
        .map(|(at, word)| match at {
            0 => format!("*{}\r\n${}\r\n", words.len(), word.len()).into_bytes(),
            _ => format!("\r\n${}\r\n", word.len()).into_bytes(),
        })
        .collect();
    let parts = heads.iter().zip(words).flat_map(|(head, word)| [IoSlice::new(head), IoSlice::new(word)]);
    let mut parts: Vec<IoSlice<'_>> = parts.chain([IoSlice::new(b"\r\n")]).collect();
    write_all(stream, &mut parts).map_err(|error| why_writing_failed(stream, error))?;
    let mut replies = Replies::default();
    let (bytes, reply) = replies.next(stream, REPLY_SLACK)?;
    let bytes = bytes.to_vec();
    replies.end().map(|()| (bytes, reply))
}

fn ok(reply: &Reply) -> Result<()> {
    ensure!(matches!(reply, Reply::Simple(text) if text == "OK"), "the server answered {reply} where OK was due");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_has_its_keys_on_the_shard_of_its_model() {
        let keys = Keys::new("", "17", 3, Some("GPU:1"));
        assert_eq!(
            (keys.input.as_str(), keys.model.as_str()),
            ("{17}.inference_input_rank_3", "{17}.inference_model.GPU:1")
        );
        let slot = crate::keys::slot(&keys.input);
        assert!(keys.all().iter().all(|key| crate::keys::slot(key) == slot));
    }
}
