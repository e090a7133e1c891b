//! What decides, as the page draws it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::axes::title;
use super::data::{Figure, index_of};
use crate::collect::report::verdicts::ranked;
use crate::collect::settings::{Place, Setting};
use crate::record::op::Op;

#[derive(Serialize)]
pub struct SettingData<'a> {
    key: &'static str,
    label: String,
    spread: Figure,
    low: Option<Figure>,
    high: Option<Figure>,
    shown: String,
    best: String,
    values: Vec<&'a str>,
    /// What is the same, each with the indices of its runs.
    contexts: Vec<(&'a str, &'a [usize])>,
    places: Vec<PlaceData>,
}

/// (context, size, op, answer, values), each index into its list.
type PlaceData = (usize, u64, Op, String, Vec<ValueData>);

/// (value, median in us, ratio to the fastest, ends of its interval, runs, standing).
type ValueData = (usize, Figure, Figure, Option<Figure>, Option<Figure>, usize, &'static str);

/// Each setting, in the order in which they decide.
pub fn settings(all: &[Setting]) -> Vec<SettingData<'_>> {
    all.iter().zip(ranked(all)).map(|(of, words)| setting(of, (words.shown, words.best))).collect()
}

fn setting(of: &Setting, (shown, best): (String, String)) -> SettingData<'_> {
    let (mut values, mut contexts) = (Vec::new(), Vec::new());
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let places = of.places.iter().map(|place| {
        let context = *known.entry(&place.label).or_insert_with(|| {
            contexts.push((place.label.as_str(), &place.runs[..]));
            contexts.len() - 1
        });
        (context, place.payload_bytes, place.op, place.says(), options(place, &mut values))
    });
    let places = places.collect();
    let (low, high) = of.interval.unzip();
    SettingData {
        key: of.name,
        label: title(of.name).0,
        spread: Figure(of.spread),
        low: low.map(Figure),
        high: high.map(Figure),
        shown,
        best,
        values,
        contexts,
        places,
    }
}

fn options<'a>(place: &'a Place, values: &mut Vec<&'a str>) -> Vec<ValueData> {
    let one = |one: &'a crate::collect::settings::Choice| {
        let (low, high) = one.interval.unzip();
        let value = index_of(values, one.label.as_str());
        let median = Figure(one.median_ns / 1e3);
        (value, median, Figure(one.ratio), low.map(Figure), high.map(Figure), one.runs, one.standing.as_str())
    };
    place.options.iter().map(one).collect()
}
