//! What a rank computes between its iterations: how long one call takes, and what was found out to make it take so long.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::vocabulary::schema_of_text;

const UNITS: [(&str, u64); 3] = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];
/// Below, the clock and the call are a part of it; above, a run has no end.
const LEAST_NS: u64 = 10_000;
const MOST_NS: u64 = 10_000_000_000;

/// Time that a rank computes between two iterations, written `50ms`; `none` where it does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Compute(u64);

impl Compute {
    /// The time asked for one call; `None` where nothing is computed.
    pub fn asked_ns(self) -> Option<u64> {
        (self.0 > 0).then_some(self.0)
    }

    pub fn is_on(self) -> bool {
        self.0 > 0
    }
}

impl fmt::Display for Compute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, unit)| self.is_on() && self.0.is_multiple_of(*unit)) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => f.write_str("none"),
        }
    }
}

impl FromStr for Compute {
    type Err = String;

    fn from_str(text: &str) -> Result<Compute, String> {
        let text = text.trim();
        if text == "none" {
            return Ok(Compute::default());
        }
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let unit = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, ns)| *ns);
        unit.and_then(|unit| number.parse::<u64>().ok()?.checked_mul(unit))
            .filter(|ns| (LEAST_NS..=MOST_NS).contains(ns))
            .map(Compute)
            .ok_or_else(|| {
                format!(
                    "{text:?} is no time to compute; write none, or a whole number from 10us to 10s: 500us, 50ms, 2s"
                )
            })
    }
}

impl Serialize for Compute {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Compute {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

schema_of_text!(Compute, "^(none|[0-9]+ *(us|ms|s))$", "none, or a time such as 500us, 50ms, 2s");

/// What one call of a rank is: the same on all ranks, found out before the store has traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    /// Repetitions of the kernel's inner step.
    pub repetitions: u64,
    /// Bytes of each of the three arrays of rank 0's kernel; 0 for one that uses no memory.
    pub array_bytes: u64,
    /// Calls of each rank that were measured alone.
    pub alone_calls: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back_and_wrong_ones_are_explained() {
        for text in ["none", "50ms", "500us", "2s", "1500us"] {
            assert_eq!(text.parse::<Compute>().unwrap().to_string(), text);
        }
        assert_eq!("2000ms".parse::<Compute>().unwrap().to_string(), "2s");
        assert_eq!(
            ("50ms".parse::<Compute>().unwrap().asked_ns(), Compute::default().asked_ns()),
            (Some(50_000_000), None)
        );
        for wrong in ["", "50", "ms", "0ms", "9us", "11s", "-5ms", "5m", "1.5ms", "99999999999999999999s"] {
            assert!(wrong.parse::<Compute>().unwrap_err().contains("50ms"), "{wrong}");
        }
    }
}
