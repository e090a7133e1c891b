//! When a rank starts its next op: at once (closed loop), or at a time that was fixed beforehand (open loop).
//!
//! In an open loop the schedule does not wait for slow replies. An op that starts late because the one before it took long
//! still counts from the time at which it was to start, so that a slow store cannot hide its delay by being asked less often.

use shardscale::record::workload::Rate;

use crate::clock::{now_ns, wait_until};

const NS_PER_S: i128 = 1_000_000_000;

/// The starting times of one rank.
#[derive(Debug)]
pub struct Pace {
    /// Ops a second; absent in a closed loop.
    rate: Option<u32>,
    /// Part of an interval by which this rank starts later than rank 0: ranks shall not all send at once.
    phase: f64,
    zero_ns: i64,
    started: u64,
}

impl Pace {
    /// The pace of `rank` of `ranks`.
    pub fn new(rate: Rate, rank: u32, ranks: u32) -> Pace {
        let rate = match rate {
            Rate::Closed => None,
            Rate::OpsPerSecond(rate) => Some(rate),
        };
        Pace { rate, phase: f64::from(rank) / f64::from(ranks.max(1)), zero_ns: 0, started: 0 }
    }

    /// The schedule begins now.
    pub fn begin(&mut self) {
        let interval_ns = self.rate.map_or(0.0, |rate| NS_PER_S as f64 / f64::from(rate));
        self.zero_ns = now_ns() + (interval_ns * self.phase) as i64;
        self.started = 0;
    }

    /// Waits until the next op may start, if its time has not come; its start in ns, which in an open loop is the intended one.
    #[inline]
    pub fn start(&mut self) -> i64 {
        let Some(rate) = self.rate else { return now_ns() };
        let due = self.zero_ns + (i128::from(self.started) * NS_PER_S / i128::from(rate)) as i64;
        self.started += 1;
        wait_until(due);
        due
    }

    /// The schedule stood still for `ns`: something was done that is not measured.
    pub fn pause(&mut self, ns: i64) {
        self.zero_ns += ns;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_open_loop_keeps_its_schedule_when_an_op_is_slow() {
        let mut pace = Pace::new(Rate::OpsPerSecond(1000), 0, 1);
        pace.begin();
        let first = pace.start();
        std::thread::sleep(Duration::from_millis(5));
        let starts: Vec<i64> = (0..6).map(|_| pace.start() - first).collect();
        // four of them were due while the slow one ran
        assert_eq!(starts, [1, 2, 3, 4, 5, 6].map(|ms| ms * 1_000_000));
        assert!(now_ns() - first >= 6_000_000);
    }

    #[test]
    fn ranks_take_turns_and_pauses_move_what_follows() {
        let (mut a, mut b) = ([0, 1].map(|rank| Pace::new(Rate::OpsPerSecond(100), rank, 2))).into();
        a.begin();
        b.begin();
        assert!((5_000_000..6_000_000).contains(&(b.zero_ns - a.zero_ns)), "{}", b.zero_ns - a.zero_ns);
        let first = a.start();
        a.pause(3);
        assert_eq!(a.start() - first, 10_000_003);
    }

    #[test]
    fn a_closed_loop_starts_at_once() {
        let before = now_ns();
        let start = Pace::new(Rate::Closed, 3, 4).start();
        assert!((before..=now_ns()).contains(&start));
    }
}
