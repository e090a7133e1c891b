//! What is asked: how many ranks with which tensors, and what must hold for them.

use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Deserialize;

use crate::collect::number::short;
use crate::record::op::Op;
use crate::record::units::{ByteCount, show_bytes};
use crate::record::vocabulary::from_text;

/// A question as it is typed: flags, or a file with the same names. An absent one is open.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "The application that is asked for")]
pub struct Asked {
    /// Ranks of the application, all of its nodes together.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub ranks: Option<u32>,

    /// Ranks on each application node. Default: the most that was measured.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub clients_per_node: Option<u32>,

    /// Bytes of each tensor, such as 1MiB.
    #[arg(long, value_name = "BYTES")]
    pub tensor_bytes: Option<ByteCount>,

    /// Operations that must keep to the limits of --p50 to --p999. Default: all that the runs have.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub op: Option<Vec<Op>>,

    /// Half of the operations take at most this time, such as 5ms.
    #[arg(long, value_name = "TIME", help_heading = LIMITS)]
    pub p50: Option<Duration>,

    /// Nine in ten operations take at most this time.
    #[arg(long, value_name = "TIME", help_heading = LIMITS)]
    pub p90: Option<Duration>,

    /// 95 in 100 operations take at most this time.
    #[arg(long, value_name = "TIME", help_heading = LIMITS)]
    pub p95: Option<Duration>,

    /// 99 in 100 operations take at most this time.
    #[arg(long, value_name = "TIME", help_heading = LIMITS)]
    pub p99: Option<Duration>,

    /// 999 in 1000 operations take at most this time.
    #[arg(long, value_name = "TIME", help_heading = LIMITS)]
    pub p999: Option<Duration>,

    /// Each rank makes at least so many iterations a second, each of every operation once.
    #[arg(long, value_name = "PER SECOND", help_heading = LIMITS)]
    pub rate: Option<f64>,

    /// All ranks together move at least so much, in GB/s (10^9 bytes), all operations together.
    #[arg(long, value_name = "GB/S", help_heading = LIMITS)]
    pub gb_per_s: Option<f64>,

    /// An iteration takes at most this part of the time step, such as 5%; all ranks transfer at the same time. Wants --step.
    #[arg(long, value_name = "PERCENT%", help_heading = LIMITS)]
    pub share: Option<Share>,

    /// Time step of the application, such as 2s; an iteration in each. Wants --share.
    #[arg(long, value_name = "TIME", help_heading = LIMITS)]
    pub step: Option<Duration>,
}

/// More ranks than any machine has cores for: a slip of the keyboard. Each has a key whose slot is worked out.
const MOST_RANKS: u32 = 1 << 22;

const LIMITS: &str = "What must hold (at least one)";

impl Asked {
    /// What a TOML file asks, with the names of the flags and `_` for `-`.
    ///
    /// # Errors
    /// A file that cannot be read, or a wrong one: file, line, key and what is allowed.
    pub fn load(path: &Path) -> Result<Asked> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read the question {}", path.display()))?;
        toml::from_str(&text)
            .with_context(|| format!("{} is no question; its keys are those of the flags", path.display()))
    }

    /// These, and those of `file` where nothing is said here.
    pub fn or(self, file: Asked) -> Asked {
        Asked {
            ranks: self.ranks.or(file.ranks),
            clients_per_node: self.clients_per_node.or(file.clients_per_node),
            tensor_bytes: self.tensor_bytes.or(file.tensor_bytes),
            op: self.op.or(file.op),
            p50: self.p50.or(file.p50),
            p90: self.p90.or(file.p90),
            p95: self.p95.or(file.p95),
            p99: self.p99.or(file.p99),
            p999: self.p999.or(file.p999),
            rate: self.rate.or(file.rate),
            gb_per_s: self.gb_per_s.or(file.gb_per_s),
            share: self.share.or(file.share),
            step: self.step.or(file.step),
        }
    }

    /// The whole question.
    ///
    /// # Errors
    /// What is missing or out of bounds: the flag, what was given, what is allowed.
    pub fn into_question(self) -> Result<Question> {
        let ranks = self.ranks.context("--ranks is missing: how many ranks does the application have?")?;
        let ByteCount(tensor_bytes) = self
            .tensor_bytes
            .context("--tensor-bytes is missing: how large is a tensor? Such as --tensor-bytes 1MiB")?;
        ensure!(
            ranks <= MOST_RANKS && self.clients_per_node.unwrap_or(1) <= MOST_RANKS,
            "--ranks {ranks}: more than {MOST_RANKS} ranks are not looked at; ask for fewer"
        );
        ensure!(ranks > 0 && self.clients_per_node != Some(0), "--ranks and --clients-per-node are at least 1");
        ensure!(tensor_bytes > 0, "--tensor-bytes is at least 1");
        let quantiles = [
            (Quantile::P50, self.p50),
            (Quantile::P90, self.p90),
            (Quantile::P95, self.p95),
            (Quantile::P99, self.p99),
            (Quantile::P999, self.p999),
        ];
        let mut limits: Vec<Limit> =
            quantiles.into_iter().filter_map(|(quantile, most)| Some(Limit::Latency(quantile, most?.0))).collect();
        for (flag, given, limit) in
            [("--rate", self.rate, Limit::Rate as fn(f64) -> Limit), ("--gb-per-s", self.gb_per_s, Limit::GbPerS)]
        {
            if let Some(least) = given {
                ensure!(least.is_finite() && least > 0.0, "{flag} {least}: give a number above 0");
                limits.push(limit(least));
            }
        }
        match (self.share, self.step) {
            (Some(Share(share)), Some(Duration(step_ns))) => limits.push(Limit::Share(share, step_ns)),
            (Some(_), None) => bail!("--share is a part of a time step: give its length too, such as --step 2s"),
            (None, Some(_)) => {
                bail!("--step says how long a time step is: give also how much of it may go, such as --share 5%")
            }
            (None, None) => {}
        }
        ensure!(
            !limits.is_empty(),
            "nothing is asked for: give at least one of --p50, --p90, --p95, --p99, --p999, --rate, --gb-per-s, or --share with --step"
        );
        Ok(Question {
            ranks,
            clients_per_node: self.clients_per_node,
            tensor_bytes,
            ops: self.op.unwrap_or_default(),
            limits,
        })
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub ranks: u32,
    /// Absent: the most that was measured.
    pub clients_per_node: Option<u32>,
    pub tensor_bytes: u64,
    /// Empty: all that there are.
    pub ops: Vec<Op>,
    pub limits: Vec<Limit>,
}

/// Of all samples of an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantile {
    P50,
    P90,
    P95,
    P99,
    P999,
}

impl Quantile {
    pub const ALL: [Quantile; 5] = [Quantile::P50, Quantile::P90, Quantile::P95, Quantile::P99, Quantile::P999];

    pub fn as_str(self) -> &'static str {
        ["p50", "p90", "p95", "p99", "p99.9"][self as usize]
    }

    /// The part of the samples that are faster.
    pub fn part(self) -> f64 {
        [0.5, 0.9, 0.95, 0.99, 0.999][self as usize]
    }
}

/// A bound; times in ns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// Most that a quantile of an op's time may be.
    Latency(Quantile, f64),
    /// Least iterations of each rank in a second.
    Rate(f64),
    /// Least GB/s of all ranks and ops.
    GbPerS(f64),
    /// Most part of a time step of this length that an iteration takes.
    Share(f64, f64),
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Limit::Latency(quantile, most) => write!(f, "{} <= {}", quantile.as_str(), show_ns(*most)),
            Limit::Rate(least) => write!(f, ">= {least} iterations/s a rank"),
            Limit::GbPerS(least) => write!(f, ">= {least} GB/s"),
            Limit::Share(share, step) => write!(f, "<= {} % of a step of {}", short(share * 100.0), show_ns(*step)),
        }
    }
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ranks", self.ranks)?;
        if let Some(per_node) = self.clients_per_node {
            write!(f, " ({per_node} a node)")?;
        }
        write!(f, " x {}", show_bytes(self.tensor_bytes))?;
        if !self.ops.is_empty() {
            write!(f, ", {}", self.ops.iter().map(|op| op.as_str()).collect::<Vec<_>>().join(" and "))?;
        }
        self.limits.iter().try_for_each(|limit| write!(f, ", {limit}"))
    }
}

/// Three digits and a unit: `41.2 ms`.
pub fn show_ns(ns: f64) -> String {
    let (unit, scale) = match ns {
        ns if ns >= 1e9 => ("s", 1e9),
        ns if ns >= 1e6 => ("ms", 1e6),
        _ => ("us", 1e3),
    };
    format!("{} {unit}", short(ns / scale))
}

/// A time in ns, written `500us`, `50ms`, `2s`, `1m`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Duration(pub f64);

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Duration, String> {
        let ns = text.parse::<jiff::SignedDuration>().ok().map(|time| time.as_nanos()).filter(|ns| *ns > 0);
        ns.map(|ns| Duration(ns as f64))
            .ok_or_else(|| format!("{text:?} is no time; write for example 500us, 50ms, 2s"))
    }
}

/// A part of a whole, written `5%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Share, String> {
        let percent = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        percent
            .filter(|percent| *percent > 0.0 && *percent <= 100.0)
            .map(|percent| Share(percent / 100.0))
            .ok_or_else(|| format!("{text:?} is no part; write a percentage above 0% and up to 100%, such as 5%"))
    }
}

from_text!(Duration);
from_text!(Share);

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<Question> {
        toml::from_str::<Asked>(text)?.into_question()
    }

    #[test]
    fn a_file_asks_what_flags_ask() {
        let question = asked(
            "ranks = 24576\nclients_per_node = 48\ntensor_bytes = \"1MiB\"\nop = [\"put_tensor\"]\np99 = \"50ms\"\nshare = \"5%\"\nstep = \"2s\"",
        )
        .unwrap();
        assert_eq!(
            question.to_string(),
            "24576 ranks (48 a node) x 1 MiB, put_tensor, p99 <= 50.0 ms, <= 5.00 % of a step of 2.00 s"
        );
        assert_eq!(question.limits, [Limit::Latency(Quantile::P99, 5e7), Limit::Share(0.05, 2e9)]);
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        for (text, says) in [
            ("tensor_bytes = 1024\np50 = \"1ms\"", "--ranks"),
            ("ranks = 4\np50 = \"1ms\"", "--tensor-bytes"),
            ("ranks = 4\ntensor_bytes = 1024", "--gb-per-s"),
            ("ranks = 4\ntensor_bytes = 1024\nshare = \"5%\"", "--step 2s"),
            ("ranks = 4\ntensor_bytes = 1024\nstep = \"5s\"", "--share 5%"),
            ("ranks = 4\ntensor_bytes = 1024\nrate = -1", "--rate -1"),
            ("ranks = 4\ntensor_bytes = 1024\nshare = \"5\"", "5%"),
            ("ranks = 4\ntensor_bytes = 1024\np50 = \"fast\"", "50ms"),
            ("ranks = 4\ntensor_bytes = 1024\np5 = \"1ms\"", "p5"),
        ] {
            let error = format!("{:#}", asked(text).unwrap_err());
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
