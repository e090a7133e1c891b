//! The history, as the page draws it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figure::Figure;
use crate::collect::circumstances::{self, Difference};
use crate::collect::history::{History, Moment, Trend, Turn, trend};
use crate::collect::report::timeline;
use crate::collect::stats::interval;
use crate::record::op::Op;

/// Points of all lines; a history may have far more than a page can hold. The file beside it has all.
const MOST_POINTS: usize = 8000;

#[derive(Serialize)]
pub struct HistoryData<'a> {
    trends: Vec<TrendData<'a>>,
    /// Configurations for which there is no room.
    left: usize,
    /// Those of one collection: no line yet.
    single: usize,
}

#[derive(Serialize)]
struct TrendData<'a> {
    label: &'a str,
    present: bool,
    moments: Vec<MomentData<'a>>,
    /// (index of the moment, what is told of it).
    turns: Vec<(usize, String)>,
    why: Option<&'a str>,
}

#[derive(Serialize)]
struct MomentData<'a> {
    utc: &'a str,
    run: &'a str,
    /// What differs from the moment before.
    #[serde(skip_serializing_if = "String::is_empty")]
    differs: String,
    /// By op and size.
    figures: BTreeMap<Op, BTreeMap<u64, LevelData>>,
}

/// (median in us, ends of its interval, runs).
type LevelData = (Figure, Option<Figure>, Option<Figure>, usize);

/// The lines: those with a change of level first, then those of the present collection, as many as a page can hold.
pub fn history(of: &History) -> HistoryData<'_> {
    let (mut trends, single): (Vec<&Trend>, Vec<&Trend>) = of.trends.iter().partition(|trend| trend.moments.len() > 1);
    let lines = trends.len();
    trends.sort_by_key(|trend| (trend.turns.is_empty(), !trend.is_present));
    let mut points = 0;
    trends.retain(|trend| {
        let first = points == 0;
        points += trend.moments.iter().map(|moment| moment.figures.len()).sum::<usize>();
        first || points <= MOST_POINTS
    });
    HistoryData { left: lines - trends.len(), single: single.len(), trends: trends.into_iter().map(line).collect() }
}

fn line(of: &Trend) -> TrendData<'_> {
    let before = std::iter::once(None).chain(of.moments.iter().map(Some));
    TrendData {
        label: &of.label,
        present: of.is_present,
        moments: of.moments.iter().zip(before).map(|(one, before)| moment(one, before)).collect(),
        turns: of.turns.iter().map(|turn: &Turn| (turn.at, timeline::says(of, turn))).collect(),
        why: of.not_tested.as_deref(),
    }
}

fn moment<'a>(of: &'a Moment, before: Option<&Moment>) -> MomentData<'a> {
    let mut figures: BTreeMap<Op, BTreeMap<u64, _>> = BTreeMap::new();
    for (place, medians) in &of.figures {
        let Some(level) = trend::level(of, place) else { continue };
        let (low, high) = interval::of_repeats(medians).unzip();
        let us = |ns: f64| Figure(ns / 1e3);
        figures.entry(place.0).or_default().insert(place.1, (us(level), low.map(us), high.map(us), medians.len()));
    }
    let differs = before.map(|before| circumstances::between(&before.environment, &of.environment)).unwrap_or_default();
    let differs: Vec<Difference> = differs.into_iter().filter(Difference::may_explain).collect();
    MomentData { utc: &of.utc, run: &of.run, differs: circumstances::line(&differs), figures }
}

/// The history in words, above its plot.
#[derive(Serialize)]
pub struct Summary {
    headline: String,
    /// The latest changes of level.
    turns: Vec<String>,
    more: usize,
}

/// Changes that are listed.
const LISTED: usize = 10;

impl Summary {
    pub fn of(history: &History) -> Summary {
        let mut turns = timeline::turns(history);
        let more = turns.len().saturating_sub(LISTED);
        turns.truncate(LISTED);
        Summary { headline: timeline::headline(history), turns, more }
    }
}
