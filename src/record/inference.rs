//! The inference workload: each rank puts a tensor, has a script and a model in the store run on it, and unpacks what comes out.
//! SmartSim-Scaling's test, with a model of the user's own.
//!
//! Pure: which words go into commands and scripts follows from here for `gen`, the client and `collect`.

use serde::{Deserialize, Serialize};

use super::module;
use super::op::Op;
use super::vocabulary::{Device, ModelBackend};

/// RedisAI's option for the threads that serve a device, and its own value.
const THREADS_OPTION: &str = "THREADS_PER_QUEUE";
pub const USUAL_QUEUE_THREADS: u32 = 1;

/// A model, what runs before it, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inference {
    /// File of the model, as the ranks see it.
    pub model: String,
    pub model_backend: ModelBackend,
    /// Names of the model's inputs and outputs, one each, where its backend wants them; empty where not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model_input: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model_output: String,
    /// File of the script that runs on the tensor before the model does; empty: none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub script: String,
    /// Its function.
    pub function: String,
    pub device: Device,
    /// GPUs of each server, each of which has the model.
    pub devices: u32,
    /// Tensors that the server may put together into one run of the model; 0: none.
    pub batch_size: u32,
    /// Threads of the server for each device.
    pub queue_threads: u32,
}

impl Default for Inference {
    fn default() -> Self {
        Inference {
            model: String::new(),
            model_backend: ModelBackend::Torch,
            model_input: String::new(),
            model_output: String::new(),
            script: String::new(),
            function: "pre_process".into(),
            device: Device::Cpu,
            devices: 1,
            batch_size: 0,
            queue_threads: USUAL_QUEUE_THREADS,
        }
    }
}

/// What a run measured with: the files, by what was in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// SHA-256 of the model's file.
    pub model_sha256: String,
    pub model_bytes: u64,
    /// Of the script's file; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script_sha256: Option<String>,
    /// Dtype and dimensions of what comes out for the first size: `float32 1x1000`.
    pub output: String,
    /// Longest first pass of a rank, in which the server loads libraries and warms up; it is in no figure.
    pub first_pass_ns: u64,
}

impl Inference {
    /// The ops between putting and unpacking.
    pub fn calls(&self) -> &'static [Op] {
        const CALLS: [Op; 2] = [Op::new("run_script"), Op::new("run_model")];
        if self.script.is_empty() { &CALLS[1..] } else { &CALLS }
    }

    /// RedisAI's name of the device of a rank: ranks are dealt to the GPUs as SmartRedis's `run_model_multigpu` deals them.
    pub fn device_of(&self, rank: u32) -> String {
        match self.device {
            Device::Cpu => "CPU".into(),
            Device::Gpu => format!("GPU:{}", rank % self.devices.max(1)),
        }
    }

    /// Checks what one axis alone cannot know.
    ///
    /// # Errors
    /// Axes that contradict each other, with the flags that say otherwise.
    pub fn check(&self) -> Result<(), String> {
        if self.model.is_empty() {
            return Err("--workload inference needs --model, the file of a model".into());
        }
        if self.device == Device::Cpu && self.devices != 1 {
            return Err(format!("--devices {} are GPUs: add --device gpu", self.devices));
        }
        let names = [&self.model_input, &self.model_output].map(|name| !name.is_empty());
        match (self.model_backend, names) {
            (ModelBackend::Tf, [true, true]) | (ModelBackend::Torch | ModelBackend::Onnx, [false, false]) => Ok(()),
            (ModelBackend::Tf, _) => {
                Err("--model-backend tf needs the names of the graph's nodes: --model-input and --model-output".into())
            }
            (backend, _) => {
                Err(format!("--model-input and --model-output have no meaning with --model-backend {backend}"))
            }
        }
    }

    /// The modules that servers load, the threads of each device with them.
    ///
    /// # Errors
    /// Other threads than usual and no RedisAI among the modules.
    pub fn modules(&self, modules: &[String]) -> Result<Vec<String>, String> {
        if self.queue_threads == USUAL_QUEUE_THREADS {
            return Ok(modules.to_vec());
        }
        let is_redisai = |text: &&String| module::file(text).to_ascii_lowercase().contains("redisai");
        if !modules.iter().any(|text| is_redisai(&text)) {
            return Err(format!(
                "--queue-threads {} is a setting of RedisAI that is given when the server loads it: add --load-module PATH/redisai.so",
                self.queue_threads
            ));
        }
        let with = |text: &String| match is_redisai(&text) {
            true if text.contains(THREADS_OPTION) => Err(format!(
                "--load-module {text:?} says {THREADS_OPTION}, and --queue-threads says it too: leave one out"
            )),
            true => Ok(format!("{text} {THREADS_OPTION} {}", self.queue_threads)),
            false => Ok(text.clone()),
        };
        modules.iter().map(with).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_dealt_to_gpus_and_threads_go_to_redisai() {
        let gpus = Inference { model: "m.pt".into(), device: Device::Gpu, devices: 2, ..Inference::default() };
        assert_eq!([0, 1, 2].map(|rank| gpus.device_of(rank)), ["GPU:0", "GPU:1", "GPU:0"]);
        assert_eq!(gpus.check(), Ok(()));
        let threads = Inference { queue_threads: 4, ..gpus.clone() };
        let modules = ["/opt/other.so".to_owned(), "/opt/redisai.so".to_owned()];
        assert_eq!(threads.modules(&modules).unwrap()[1], "/opt/redisai.so THREADS_PER_QUEUE 4");
        assert_eq!(gpus.modules(&modules).unwrap(), modules);
        assert!(threads.modules(&modules[..1]).unwrap_err().contains("--load-module"));
        assert!(threads.modules(&["redisai.so THREADS_PER_QUEUE 2".into()]).unwrap_err().contains("leave one out"));
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_the_flag() {
        let usual = Inference { model: "m.pt".into(), ..Inference::default() };
        for (wrong, needle) in [
            (Inference::default(), "needs --model"),
            (Inference { devices: 2, ..usual.clone() }, "add --device gpu"),
            (Inference { model_backend: ModelBackend::Tf, ..usual.clone() }, "--model-input and --model-output"),
            (Inference { model_input: "x".into(), ..usual.clone() }, "no meaning with --model-backend torch"),
        ] {
            let error = wrong.check().unwrap_err();
            assert!(error.contains(needle), "{error}");
        }
        let with = Inference { script: "s.txt".into(), ..usual.clone() };
        let names = |of: &Inference| of.calls().iter().map(|op| op.as_str()).collect::<Vec<_>>();
        assert_eq!((names(&usual), names(&with)), (vec!["run_model"], vec!["run_script", "run_model"]));
    }
}
