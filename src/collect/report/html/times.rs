//! When what happened in a run, as the page draws it: seconds since the run's begin.

use serde::Serialize;

use super::figure::Figure;
use crate::collect::stats::window::Window;
use crate::collect::timeline::{PHASES, Phase, RankSpans, Timeline};

/// Seconds to a tenth of a millisecond, of which a page can show no less.
struct Second(f64);

impl Serialize for Second {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let short = (self.0 * 1e4).round() / 1e4;
        if short.fract() == 0.0 && short.abs() < 1e9 { to.serialize_i64(short as i64) } else { to.serialize_f64(short) }
    }
}

type Span = (Second, Second);

#[derive(Serialize)]
pub struct Times<'a> {
    /// Seconds since 1970.
    begin: u64,
    /// How it ended.
    end: &'a str,
    /// (which of [`phases`], from, to).
    phases: Vec<(usize, Second, Second)>,
    /// (bytes, from, to, when half of the ranks had ended, the last rank).
    sizes: Vec<(u64, Second, Second, Second, u32)>,
    /// (rank, host, times the middle of all, its time at each size).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ranks: Vec<(u32, &'a str, Figure, Vec<Option<Span>>)>,
    /// By how much the clocks of the script and of the ranks disagree.
    #[serde(skip_serializing_if = "Option::is_none")]
    off: Option<Second>,
}

/// (track, what) of the phases that runs may have.
pub fn phases() -> Vec<(&'static str, &'static str)> {
    PHASES.iter().map(|(track, name)| (track.as_str(), *name)).collect()
}

/// `None` where nothing is known.
pub fn times(of: &Timeline) -> Option<Times<'_>> {
    let begin = of.begin_unix_s()? as u64;
    let span = |window: Window| of.span(window).map(|(from, to)| (Second(from), Second(to)));
    let phase = |Phase { which, from_s, to_s }| (which, Second(from_s), Second(to_s));
    let sizes = of.sizes.iter().filter_map(|size| {
        let (from, to) = span(size.window)?;
        Some((size.payload_bytes, from, to, Second(of.at(size.half_ended_ns)?), size.last))
    });
    let rank = |one: &RankSpans| one.windows.iter().map(|window| window.and_then(span)).collect();
    Some(Times {
        begin,
        end: of.events.last().map_or("", |event| event.word.as_str()),
        phases: of.phases().into_iter().map(phase).collect(),
        sizes: sizes.collect(),
        ranks: of.stragglers.iter().map(|one| (one.rank, one.host.as_str(), Figure(one.ratio), rank(one))).collect(),
        off: of.disagreement_s().map(Second),
    })
}
