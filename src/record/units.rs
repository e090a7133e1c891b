//! Byte counts as people type and read them.

use std::str::FromStr;

use bytesize::ByteSize;
use serde::{Deserialize, Deserializer, Serialize};

/// A byte count in manifests and study files: a number, or a text such as "64GiB". 0 stands for no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ByteCount(pub u64);

impl std::fmt::Display for ByteCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&show_bytes(self.0))
    }
}

impl FromStr for ByteCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_bytes(text).map(ByteCount)
    }
}

impl<'de> Deserialize<'de> for ByteCount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Bytes(u64),
            Text(String),
        }
        match Written::deserialize(from)? {
            Written::Bytes(bytes) => Ok(ByteCount(bytes)),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

impl schemars::JsonSchema for ByteCount {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ByteCount".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["integer", "string"], "description": "bytes, or a text such as 64GiB; 0 is no limit" })
    }
}

/// Reads a byte count such as `1024`, `8KiB`, `1MiB` (powers of 1024) or `4MB` (powers of 1000).
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    text.trim()
        .parse::<ByteSize>()
        .map(|size| size.0)
        .map_err(|_| format!("{text:?} is not a byte count; write for example 1024, 8KiB, 1MiB (1024s) or 4MB (1000s)"))
}

/// `1 run`, `2 runs`.
pub fn count<N: Copy + std::fmt::Display + PartialEq + From<u8>>(number: N, one: &str) -> String {
    let is_one = number == N::from(1);
    format!("{number} {one}{}", if is_one { "" } else { "s" })
}

/// Writes a byte count with the largest binary unit that divides it: `1 KiB`, `1.5 MiB` is `1536 KiB`, `1000 B`.
pub fn show_bytes(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_and_decimal_units_differ() {
        assert_eq!(parse_bytes("1024"), Ok(1024));
        assert_eq!(parse_bytes("8KiB"), Ok(8192));
        assert_eq!(parse_bytes("1MiB"), Ok(1 << 20));
        assert_eq!(parse_bytes("4MB"), Ok(4_000_000));
        assert!(parse_bytes("lots").unwrap_err().contains("8KiB"));
    }

    #[test]
    fn shown_bytes_read_back() {
        for bytes in [1, 1000, 1024, 1536, 1 << 20, 3 << 20, 1 << 30] {
            assert_eq!(parse_bytes(&show_bytes(bytes)), Ok(bytes));
        }
    }
}
