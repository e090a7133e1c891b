//! An op: a timed step of a rank's iteration, as a workload describes it. The core measures, keeps and compares ops without
//! knowing what any of them does.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::vocabulary::Side;

/// Most ops of a workload; more in a file are damage.
pub const MOST_OPS: usize = 32;

/// Longest name, in bytes.
const LONGEST: usize = 32;

/// The name of an op, such as `put_tensor`: what records, reports and errors call it, and what tells ops of different runs
/// apart. Small letters, digits and `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Op(&'static str);

/// What the core has to know of an op. Its place in the list of its workload is its number in `samples.bin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    pub name: Op,
    /// Tensors of the size under test that a sample moves: 0 for an op that moves nothing.
    pub tensors: u32,
    /// Ops of one window alternate in each rank, so that bandwidths count what all of them moved in the time of all.
    pub window: u32,
    #[serde(default = "of_store", skip_serializing_if = "is_of_store")]
    pub side: Side,
}

fn of_store() -> Side {
    Side::Store
}

fn is_of_store(side: &Side) -> bool {
    *side == Side::Store
}

impl Op {
    /// The op of a workload of ours.
    ///
    /// # Panics
    /// A name that is none, while compiling where it is a constant.
    pub const fn new(name: &'static str) -> Op {
        assert!(is_name(name.as_bytes()));
        Op(name)
    }

    pub fn as_str(self) -> &'static str {
        self.0
    }
}

const fn is_name(bytes: &[u8]) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        if !matches!(bytes[at], b'a'..=b'z' | b'0'..=b'9' | b'_') {
            return false;
        }
        at += 1;
    }
    !bytes.is_empty() && bytes.len() <= LONGEST
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl FromStr for Op {
    type Err = String;

    /// Names live as long as the program: there are few, and they are short.
    fn from_str(text: &str) -> Result<Op, String> {
        static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
        if !is_name(text.as_bytes()) {
            return Err(format!(
                "{text:?} is no name of an op: at most {LONGEST} small letters, digits and _, such as put_tensor"
            ));
        }
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = known.get(text) {
            return Ok(Op(name));
        }
        let name: &'static str = text.to_owned().leak();
        known.insert(name);
        Ok(Op(name))
    }
}

impl Serialize for Op {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0)
    }
}

super::vocabulary::from_text!(Op);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_and_a_wrong_one_is_refused() {
        const OP: Op = Op::new("put_tensor");
        assert_eq!(("put_tensor".parse(), format!("{OP:>12}").as_str()), (Ok(OP), "  put_tensor"));
        assert_eq!(serde_json::from_str::<Op>(&serde_json::to_string(&OP).unwrap()).unwrap(), OP);
        for wrong in ["", "Put", "put tensor", "<b>", &"x".repeat(LONGEST + 1)] {
            assert!(wrong.parse::<Op>().unwrap_err().contains("such as put_tensor"), "{wrong}");
        }
    }
}
