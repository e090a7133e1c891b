//! A time that a user gives: how long a rank computes between its iterations, or waits between two looks.

use std::fmt;
use std::str::FromStr;

use super::vocabulary::schema_of_text;

const UNITS: [(&str, u64); 3] = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];
/// Below, the clock and a call are a part of it; above, a run has no end.
const LEAST_NS: u64 = 10_000;
const MOST_NS: u64 = 10_000_000_000;

/// From 10 us to 10 s, written `50ms`; or `none`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// So many microseconds, at least 10.
    pub const fn from_us(us: u64) -> Time {
        Time(us * 1_000)
    }

    /// `None` where the time is none.
    pub fn asked_ns(self) -> Option<u64> {
        (self.0 > 0).then_some(self.0)
    }

    pub fn is_on(self) -> bool {
        self.0 > 0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, unit)| self.is_on() && self.0.is_multiple_of(*unit)) {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => f.write_str("none"),
        }
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Time, String> {
        let text = text.trim();
        if text == "none" {
            return Ok(Time::default());
        }
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let unit = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, ns)| *ns);
        unit.and_then(|unit| number.parse::<u64>().ok()?.checked_mul(unit))
            .filter(|ns| (LEAST_NS..=MOST_NS).contains(ns))
            .map(Time)
            .ok_or_else(|| {
                format!("{text:?} is no time here; write none, or a whole number from 10us to 10s: 500us, 50ms, 2s")
            })
    }
}

super::vocabulary::as_text!(Time);

schema_of_text!(Time, "^(none|[0-9]+ *(us|ms|s))$", "none, or a time such as 500us, 50ms, 2s");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back_and_wrong_ones_are_explained() {
        for text in ["none", "50ms", "500us", "2s", "1500us"] {
            assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
        }
        assert_eq!("2000ms".parse::<Time>().unwrap().to_string(), "2s");
        assert_eq!(("50ms".parse::<Time>().unwrap().asked_ns(), Time::default().asked_ns()), (Some(50_000_000), None));
        for wrong in ["", "50", "ms", "0ms", "9us", "11s", "-5ms", "5m", "1.5ms", "99999999999999999999s"] {
            assert!(wrong.parse::<Time>().unwrap_err().contains("50ms"), "{wrong}");
        }
    }
}
