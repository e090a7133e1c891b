//! Axes of a workload that are spelled as one text: the shape of a tensor, the mix of ops, their rate.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::vocabulary::{as_text, schema_of_text};

/// Most puts, and unpacks, of a tensor in an iteration.
const MOST_OF_MIX: u32 = 1000;
/// Most dimensions of a tensor.
const MOST_DIMENSIONS: usize = 8;

/// Dimensions, of which one is free and takes what the tensor's size leaves: written `1xN`, `N`, `64x64xN`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(pub(super) Vec<Option<u64>>);

/// Puts and unpacks of each tensor in an iteration: written `1:1`, `1:9`, `1:0` (write only), `0:1` (read only).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mix {
    pub puts: u32,
    pub unpacks: u32,
}

/// When a rank starts an op: `closed`, when the one before has ended, or so many a second, whether or not it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rate {
    Closed,
    OpsPerSecond(u32),
}

impl Shape {
    /// Product of the dimensions that are given.
    pub(super) fn fixed(&self) -> u64 {
        self.0.iter().flatten().fold(1, |product: u64, dimension| product.saturating_mul(*dimension))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(|it| it.map_or("N".to_owned(), |it| it.to_string())).collect();
        f.write_str(&texts.join("x"))
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let one = |part: &str| match part.trim() {
            "N" | "n" => Some(None),
            number => number.parse::<u64>().ok().filter(|number| *number > 0).map(Some),
        };
        let dimensions: Option<Vec<_>> = text.split('x').map(one).collect();
        dimensions
            .filter(|list| list.len() <= MOST_DIMENSIONS && list.iter().filter(|it| it.is_none()).count() == 1)
            .map(Shape)
            .ok_or_else(|| {
                format!("{text:?} is no shape; write 1 to {MOST_DIMENSIONS} dimensions, one of them N: 1xN, N, 64x64xN")
            })
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.puts, self.unpacks)
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.trim().parse().ok().filter(|number| *number <= MOST_OF_MIX);
        text.split_once(':')
            .and_then(|(puts, unpacks)| Some(Mix { puts: number(puts)?, unpacks: number(unpacks)? }))
            .filter(|mix| mix.puts + mix.unpacks > 0)
            .ok_or_else(|| {
                format!(
                    "{text:?} is no mix; write PUTS:UNPACKS of each iteration, at most {MOST_OF_MIX}: 1:1, 1:9, 0:1"
                )
            })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Closed => f.write_str("closed"),
            Rate::OpsPerSecond(rate) => rate.fmt(f),
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "closed" => Ok(Rate::Closed),
            number => number
                .parse()
                .ok()
                .filter(|rate| *rate > 0)
                .map(Rate::OpsPerSecond)
                .ok_or_else(|| format!("{text:?} is no rate; write closed, or ops a second from 1 upwards")),
        }
    }
}

as_text!(Shape);
as_text!(Mix);
schema_of_text!(Shape, "^([0-9]+x)*[Nn](x[0-9]+)*$", "dimensions, one of them N: 1xN, N, 64x64xN");
schema_of_text!(Mix, "^[0-9]+:[0-9]+$", "puts and unpacks of each tensor in an iteration: 1:1, 1:9, 0:1");

/// A rate is a number where it is one, so that conditions and reports can compare it.
impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Rate::Closed => to.serialize_str("closed"),
            Rate::OpsPerSecond(rate) => to.serialize_u32(*rate),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Spelling {
            Number(u32),
            Text(String),
        }
        match Spelling::deserialize(from)? {
            Spelling::Number(number) => number.to_string().parse(),
            Spelling::Text(text) => text.parse(),
        }
        .map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Rate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "const": "closed" }, { "type": "integer", "minimum": 1 }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_wrong_ones_are_explained() {
        for text in ["1xN", "N", "64x64xN", "Nx3"] {
            assert_eq!(text.parse::<Shape>().unwrap().to_string(), text);
        }
        for wrong in ["", "1", "NxN", "0xN", "axN", "1xxN", "1x1x1x1x1x1x1x1xN"] {
            assert!(wrong.parse::<Shape>().unwrap_err().contains("64x64xN"), "{wrong}");
        }
        assert_eq!("1:9".parse::<Mix>().unwrap().to_string(), "1:9");
        for wrong in ["", "1", "0:0", "-1:1", "1:1001", "a:b"] {
            assert!(wrong.parse::<Mix>().unwrap_err().contains("1:9"), "{wrong}");
        }
        for wrong in ["", "0", "-1", "open"] {
            assert!(wrong.parse::<Rate>().unwrap_err().contains("write closed"), "{wrong}");
        }
    }
}
