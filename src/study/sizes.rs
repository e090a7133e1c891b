//! The list of tensor sizes, as flags and files spell it.

use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::given::list;
use crate::record::units::parse_bytes;

/// Tensor sizes in bytes.
pub type Sizes = Vec<u64>;

/// SmartSim-Scaling's sizes for throughput tests, as the default sweep.
const DEFAULT_TENSOR_BYTES: [u64; 11] =
    [1024, 8192, 16_384, 32_768, 65_536, 131_072, 262_144, 524_288, 1_024_000, 2_048_000, 4_096_000];

/// The sizes given, or the default ones.
pub fn or_default(given: Option<Vec<u64>>) -> Result<Vec<u64>> {
    // `serve` raises proto-max-bulk-len, which is 512 MiB by itself, and memory is a matter of the node. 2.5 GiB were put into a
    // Redis 7.0 and read back; far beyond that, a unit is mistyped more often than meant
    const LARGEST: u64 = 4 << 30;
    let sizes = list("tensor-bytes", given, &DEFAULT_TENSOR_BYTES)?;
    for bytes in &sizes {
        ensure!(
            *bytes <= LARGEST,
            "--tensor-bytes {bytes} is above {LARGEST} (4 GiB): stores were tried with tensors of up to 2.5 GiB"
        );
    }
    Ok(sizes)
}

/// Sizes in a file are numbers of bytes or texts such as "8KiB".
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Size {
    Bytes(u64),
    Text(String),
}

/// For serde.
pub fn of_file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Sizes>, D::Error> {
    let sizes: Vec<Size> = Vec::deserialize(from)?;
    let parsed = sizes.into_iter().map(|size| match size {
        Size::Bytes(bytes) => parse_bytes(&bytes.to_string()),
        Size::Text(text) => parse_bytes(&text),
    });
    parsed.collect::<Result<_, _>>().map(Some).map_err(serde::de::Error::custom)
}

/// For clap: a list with commas.
pub fn parse(list: &str) -> Result<Sizes, String> {
    list.split(',').map(parse_bytes).collect()
}
