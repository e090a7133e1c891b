//! When what happened in a run: what its script noted, the windows of its sizes, and those of its straggling ranks.
//!
//! The script writes whole seconds of its node's clock. Samples are on the ranks' common clock, which is placed by rank 0's wall clock:
//! [`Timeline::disagreement_s`] says where the two cannot both be right. Knows neither files nor formats.

use serde::{Deserialize, Serialize};

use super::stats::window::Window;
use crate::record::status;
use crate::record::vocabulary::words;

/// Straggling ranks whose windows are kept: a slow node has many alike, and each is in the page of 500 runs.
pub const MOST_STRAGGLERS: usize = 4;

/// Seconds by which two clocks may differ before it is said: the script's have no fractions.
const NOTABLE_S: f64 = 2.0;

/// All that is known of a run's times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Timeline {
    pub events: Vec<Event>,
    /// Wall clock of rank 0 at zero of the ranks' common clock, in ns since 1970; absent where nothing was measured.
    pub zero_unix_ns: Option<u64>,
    /// How long the slowest rank took to connect.
    pub slowest_connect_ns: Option<u64>,
    /// The sizes in the report, in the order of measurement.
    pub sizes: Vec<SizeSpan>,
    /// The slowest first.
    pub stragglers: Vec<RankSpans>,
}

/// What the script noted, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Event {
    pub unix_s: u64,
    pub word: String,
    pub detail: String,
}

/// When a size was measured: its timed samples of transfers, on the common clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SizeSpan {
    pub payload_bytes: u64,
    pub window: Window,
    /// Half of the ranks had ended by then.
    pub half_ended_ns: i64,
    /// The rank that ended last.
    pub last: u32,
}

/// When a rank was at the sizes, in the order of [`Timeline::sizes`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RankSpans {
    pub rank: u32,
    pub host: String,
    /// Its median durations / those of the middle of the ranks.
    pub ratio: f64,
    pub windows: Vec<Option<Window>>,
}

words! {
    /// What a phase belongs to.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Track {
        Script = "script",
        Store = "store",
        Client = "client",
    }
}

/// The phases that a run may have, in the order in which they begin.
pub const PHASES: [(Track, &str); 7] = [
    (Track::Script, "prepare"),
    (Track::Store, "start"),
    (Track::Store, "serve"),
    (Track::Client, "launch"),
    (Track::Client, "connect"),
    (Track::Client, "measure"),
    (Track::Script, "end"),
];

/// A phase of a run, in seconds since the run's begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Which of [`PHASES`].
    pub which: usize,
    pub from_s: f64,
    pub to_s: f64,
}

impl Event {
    pub fn of(event: &status::Event) -> Event {
        Event { unix_s: event.unix_s, word: event.word.clone(), detail: event.detail.clone() }
    }
}

impl SizeSpan {
    /// From the windows of its ranks; `None` where no starts are known.
    pub fn of(payload_bytes: u64, ranks: &[(u32, Window)]) -> Option<SizeSpan> {
        let mut ends: Vec<(i64, u32)> = ranks
            .iter()
            .filter(|(_, window)| window.length_ns().is_some())
            .map(|(rank, window)| (window.last_end_ns, *rank))
            .collect();
        ends.sort_unstable();
        let window = ranks.iter().fold(Window::EMPTY, |all, (_, window)| all.and(*window));
        let (_, last) = *ends.last()?;
        Some(SizeSpan { payload_bytes, window, half_ended_ns: ends[(ends.len() - 1) / 2].0, last })
    }
}

impl Timeline {
    /// Seconds since 1970 from which the others count: the first event, or zero of the common clock.
    pub fn begin_unix_s(&self) -> Option<f64> {
        let first = self.events.first().map(|event| event.unix_s as f64);
        first.or_else(|| self.zero_unix_ns.map(|ns| ns as f64 / 1e9))
    }

    /// Seconds since the begin of a time on the common clock.
    pub fn at(&self, ns: i64) -> Option<f64> {
        // apart, since f64 has no nanoseconds since 1970
        let (zero, begin) = (self.zero_unix_ns?, self.begin_unix_s()?);
        let whole = (zero / 1_000_000_000) as f64 - begin;
        Some(whole + (zero % 1_000_000_000) as f64 / 1e9 + ns as f64 / 1e9)
    }

    /// Both ends of a window.
    pub fn span(&self, window: Window) -> Option<(f64, f64)> {
        window.length_ns().and_then(|_| self.at(window.first_start_ns).zip(self.at(window.last_end_ns)))
    }

    /// The phases that both ends are known of.
    pub fn phases(&self) -> Vec<Phase> {
        let begin = self.begin_unix_s().unwrap_or_default();
        let when = |words: &[&str]| {
            let event = self.events.iter().find(|event| words.contains(&event.word.as_str()))?;
            Some(event.unix_s as f64 - begin)
        };
        let first = self.events.first().map(|event| event.unix_s as f64 - begin);
        let last = self.events.last().map(|event| event.unix_s as f64 - begin);
        // a step that is noted at a second happened within it, and the last ones after all samples
        let sampled = self.last_end();
        let within = |noted: f64| sampled.map_or(noted, |sampled| noted.max(sampled.min(noted + 1.0)));
        let last = last.map(within);
        let [starting, ready] = [&[status::STORE_STARTING][..], &[status::STORE_READY]].map(when);
        let [started, ended] = [&[status::CLIENT_STARTED][..], &[status::CLIENT_ENDED]].map(when);
        let ended = ended.map(within);
        let connecting = self.at(0).zip(self.slowest_connect_ns);
        let connected = connecting.map(|(zero, ns)| zero + ns as f64 / 1e9);
        // what has no end of its own lasted until the last that is known
        let ends: [(Option<f64>, Option<f64>); PHASES.len()] = [
            (first, starting.or(started)),
            (starting, ready.or(last)),
            (ready, last),
            (started, self.at(0).or(ended).or(last)),
            (self.at(0), connected),
            (connected, ended.or(last)),
            (ended, last),
        ];
        let known = |(which, (from, to)): (usize, (Option<f64>, Option<f64>))| {
            let (from_s, to_s) = from.zip(to).filter(|(from, to)| to >= from)?;
            Some(Phase { which, from_s, to_s })
        };
        ends.into_iter().enumerate().filter_map(known).collect()
    }

    /// When the last sample of a size in the report ended.
    fn last_end(&self) -> Option<f64> {
        let windows = self.sizes.iter().filter_map(|size| self.span(size.window));
        windows.map(|(_, to)| to).max_by(f64::total_cmp)
    }

    /// By how many seconds samples lie outside of the time in which the script ran the client: the clocks of the two nodes disagree.
    pub fn disagreement_s(&self) -> Option<f64> {
        let second = |word| self.events.iter().find(|event| event.word == word).map(|event| event.unix_s as f64);
        let begin = self.begin_unix_s()?;
        let before = second(status::CLIENT_STARTED)? - begin - self.at(0)?;
        let after =
            second(status::CLIENT_ENDED).zip(self.last_end()).map_or(0.0, |(ended, last)| last - (ended - begin) - 1.0);
        Some(before.max(after)).filter(|by| *by > NOTABLE_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline() -> Timeline {
        let event = |(unix_s, word): (u64, &str)| Event { unix_s, word: word.into(), detail: String::new() };
        let events = [
            (1000, status::STARTED),
            (1001, status::STORE_STARTING),
            (1004, status::STORE_READY),
            (1004, status::CLIENT_STARTED),
            (1009, status::CLIENT_ENDED),
            (1010, status::DONE),
        ];
        let window = |first_start_ns, last_end_ns| Window { first_start_ns, last_end_ns };
        let ranks = [(0, window(10, 50)), (1, window(12, 90)), (2, window(11, 60)), (3, Window::EMPTY)];
        Timeline {
            events: events.map(event).to_vec(),
            zero_unix_ns: Some(1_005_500_000_000),
            slowest_connect_ns: Some(250_000_000),
            sizes: SizeSpan::of(1024, &ranks).into_iter().collect(),
            stragglers: Vec::new(),
        }
    }

    #[test]
    fn a_size_reaches_from_its_first_start_to_its_last_end() {
        let size = &timeline().sizes[0];
        assert_eq!((size.window.first_start_ns, size.window.last_end_ns), (10, 90));
        assert_eq!((size.half_ended_ns, size.last), (60, 1));
        assert_eq!(SizeSpan::of(1024, &[(0, Window::EMPTY)]), None);
    }

    #[test]
    fn phases_follow_what_the_script_noted_and_the_ranks_clock() {
        let phase = |one: &Phase| (PHASES[one.which].0.as_str(), PHASES[one.which].1, one.from_s, one.to_s);
        let phases: Vec<_> = timeline().phases().iter().map(phase).collect();
        let due = [
            ("script", "prepare", 0.0, 1.0),
            ("store", "start", 1.0, 4.0),
            ("store", "serve", 4.0, 10.0),
            ("client", "launch", 4.0, 5.5),
            ("client", "connect", 5.5, 5.75),
            ("client", "measure", 5.75, 9.0),
            ("script", "end", 9.0, 10.0),
        ];
        assert_eq!(phases, due);
        // all in the second in which the client ended
        let window = Window { first_start_ns: 0, last_end_ns: 4_000_000_000 };
        let sizes = vec![SizeSpan { window, ..timeline().sizes[0].clone() }];
        let late = Timeline { sizes, ..timeline() };
        assert_eq!(
            late.phases()[5..].iter().map(phase).collect::<Vec<_>>(),
            [("client", "measure", 5.75, 9.5), ("script", "end", 9.5, 10.0)]
        );
        let broken = Timeline { events: timeline().events[..3].to_vec(), ..Timeline::default() };
        assert_eq!(broken.phases().last().map(phase), Some(("store", "serve", 4.0, 4.0)));
        assert_eq!(Timeline::default().phases(), []);
    }

    #[test]
    fn clocks_that_cannot_both_be_right_are_told() {
        assert_eq!(timeline().disagreement_s(), None);
        let early = Timeline { zero_unix_ns: Some(990_000_000_000), ..timeline() };
        assert_eq!(early.disagreement_s(), Some(14.0));
        let late = Timeline { zero_unix_ns: Some(1_030_000_000_000), ..timeline() };
        assert!((late.disagreement_s().unwrap() - 20.0).abs() < 0.01);
    }
}
