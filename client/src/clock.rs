//! Time: reading the clock, what reading it costs, and one common clock for ranks on different nodes.
//!
//! All ranks of a host read the same CLOCK_MONOTONIC. Hosts have different ones (MPI_Wtime is not global either), so rank
//! 0 asks one rank of each host for its time, many times, and believes the quickest answer: the other clock was read
//! somewhere between question and answer, so half of that round trip bounds the error.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use rustix::time::{ClockId, clock_gettime};
use shardscale::record::samples::HostClock;

use crate::comm::{ClockReading, Comm};
use crate::hosts::Hosts;

/// So much before its time a rank stops sleeping and looks at the clock: sleeps end late by about 50 us.
const SPIN_NS: i64 = 100_000;

const ROUNDS: u32 = 100;
/// Time in which the word to start reaches all ranks: a broadcast among 16,384 takes a fraction of it.
const LEAD_NS: i64 = 1_000_000;
const PROBES: usize = 20_000;
const READS_A_PROBE: usize = 32;

/// Nanoseconds of the host's CLOCK_MONOTONIC.
#[inline]
pub fn now_ns() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// Returns at `due` on the host's clock, or at once if it has passed: asleep first, then looking at the clock.
pub fn wait_until(due: i64) {
    loop {
        let left = due - now_ns();
        if left <= 0 {
            return;
        }
        match left - SPIN_NS {
            long if long > 0 => std::thread::sleep(Duration::from_nanos(long.cast_unsigned())),
            _ => std::hint::spin_loop(),
        }
    }
}

/// What can be said of the clock itself, in ns.
#[derive(Debug, Clone, Copy)]
pub struct Quality {
    /// Smallest step seen between two readings that differ.
    pub resolution_ns: u64,
    /// Median cost of a reading.
    pub overhead_ns: u64,
}

/// Measures the clock; takes some milliseconds.
pub fn quality() -> Quality {
    let step = |_| Some((-now_ns() + now_ns()).cast_unsigned()).filter(|step| *step > 0);
    let resolution_ns = (0..PROBES).filter_map(step).min().unwrap_or(0);
    let mut costs: Vec<u64> = (0..PROBES / READS_A_PROBE)
        .map(|_| {
            let start = now_ns();
            for _ in 1..READS_A_PROBE {
                std::hint::black_box(now_ns());
            }
            (now_ns() - start).cast_unsigned() / READS_A_PROBE as u64
        })
        .collect();
    let middle = costs.len() / 2;
    Quality { resolution_ns, overhead_ns: *costs.select_nth_unstable(middle).1 }
}

/// How a rank's clock is turned into the run's common one.
#[derive(Debug, Clone, Copy)]
pub struct CommonClock {
    /// Added to [`now_ns`].
    pub offset_ns: i64,
    /// Bound of its error.
    pub error_ns: u64,
    /// Wall clock of rank 0 at zero of the common clock, in ns since 1970.
    pub unix_ns_at_zero: u64,
}

/// Agrees on a common clock; every rank must call it.
///
/// Zero is the moment at which rank 0 had asked everybody. Clocks drift: [`ask_again`] bounds by how much.
pub fn agree(comm: &Comm, hosts: &Hosts) -> Result<CommonClock> {
    let offsets = ask_hosts(comm, hosts)?;
    let zero = now_ns();
    let unix_ns = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock of rank 0 stands before 1970")?;
    let table = (offsets, zero, unix_ns.as_nanos() as u64);
    let (offsets, zero, unix_ns_at_zero) = comm.share(comm.is_root().then_some(&table))?;
    let host = hosts.of_rank[comm.rank() as usize] as usize;
    let (offset, error_ns) = offsets[host];
    Ok(CommonClock { offset_ns: offset - zero, error_ns, unix_ns_at_zero })
}

/// Asks all hosts for their time once more, after the measurement; every rank must call it. Rank 0 gets the answers, in the
/// order of hosts, relative to the same zero.
pub fn ask_again(comm: &Comm, hosts: &Hosts, clock: CommonClock) -> Result<Option<Vec<HostClock>>> {
    let offsets = ask_hosts(comm, hosts)?;
    // rank 0's own clock is the one that is counted from
    let answer = |(offset, error_ns)| HostClock { offset_ns: offset + clock.offset_ns, error_ns };
    Ok(comm.is_root().then(|| offsets.into_iter().map(answer).collect()))
}

/// Lets all ranks go on at one moment of the common clock; every rank must call it.
///
/// A barrier lets some ranks go much earlier than others, and the first ones find an idle store.
pub fn start_together(comm: &Comm, clock: CommonClock) {
    let at = comm.share_number(now_ns() + clock.offset_ns + LEAD_NS);
    wait_until(at - clock.offset_ns);
}

/// On rank 0, for each host: what to add to its clock to get rank 0's, and the bound of the error.
fn ask_hosts(comm: &Comm, hosts: &Hosts) -> Result<Vec<(i64, u64)>> {
    let mut offsets = Vec::new();
    for host in 0..hosts.names.len() as u32 {
        let leader = hosts.first_rank(host).context("a host without ranks")?;
        match (comm.is_root(), leader) {
            (true, 0) => offsets.push((0, 0)),
            (true, _) => offsets.push(best_offset(&comm.ask_clock(leader, ROUNDS, now_ns))),
            (false, _) if leader == comm.rank() => comm.answer_clock(ROUNDS, now_ns),
            (false, _) => {}
        }
    }
    Ok(offsets)
}

/// (what to add to the other clock to get the asking one, bound of its error), both in ns, from the quickest answer.
fn best_offset(readings: &[ClockReading]) -> (i64, u64) {
    let round_trip = |reading: &ClockReading| (reading.answered - reading.asked).max(0);
    let best = readings.iter().min_by_key(|reading| round_trip(reading));
    best.map_or((0, u64::MAX), |best| {
        let half = round_trip(best) / 2;
        // rounded up: it is a bound
        (best.asked + half - best.read, (round_trip(best) - half).cast_unsigned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_clock_moves_and_is_cheap() {
        let quality = quality();
        assert!((1..1_000_000).contains(&quality.resolution_ns), "{quality:?}");
        assert!((1..100_000).contains(&quality.overhead_ns), "{quality:?}");
    }

    proptest! {
        #[test]
        fn the_true_offset_lies_within_the_bound(
            truth in -1_000_000_000i64..1_000_000_000,
            ways in prop::collection::vec((1i64..50_000, 1i64..50_000), 1..50),
        ) {
            let reading = |(i, (there, back)): (usize, (i64, i64))| {
                let asked = i as i64 * 1_000_000;
                ClockReading { asked, read: asked + there - truth, answered: asked + there + back }
            };
            let readings: Vec<_> = ways.into_iter().enumerate().map(reading).collect();
            let (offset, error) = best_offset(&readings);
            prop_assert!(offset.abs_diff(truth) <= error, "{offset} +- {error}, truly {truth}");
        }
    }
}
