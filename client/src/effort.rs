//! What this thread costs the machine, as the kernel counts it.

use anyhow::{Context, Result};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use shardscale::record::samples::RankEffort;

/// Counts from its making.
pub struct Meter {
    before: RankEffort,
}

impl Meter {
    pub fn start() -> Result<Meter> {
        Ok(Meter { before: now()? })
    }

    /// What it cost since.
    pub fn read(&self) -> Result<RankEffort> {
        Ok(now()?.without(self.before))
    }
}

fn now() -> Result<RankEffort> {
    let usage: Usage = getrusage(UsageWho::RUSAGE_THREAD).context("cannot read the resource usage")?;
    let cpu_us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(RankEffort {
        cpu_us: cpu_us.cast_unsigned(),
        page_faults: usage.minor_page_faults().cast_unsigned(),
        preempted: usage.involuntary_context_switches().cast_unsigned(),
        waited: usage.voluntary_context_switches().cast_unsigned(),
        polls: 0,
    })
}
