//! What decides, as the page draws it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figure::{Figure, Rough, index_of};
use crate::collect::groups::title;
use crate::collect::report::verdicts::{Ranked, ranked};
use crate::collect::settings::{Choice, Place, Setting, Standing};
use crate::record::op::Op;

#[derive(Serialize)]
pub struct SettingData<'a> {
    key: &'static str,
    label: String,
    spread: Figure,
    low: Option<Figure>,
    high: Option<Figure>,
    /// Places where a difference is more than noise.
    decided: usize,
    shown: String,
    best: String,
    says: String,
    values: Vec<&'a str>,
    /// What is the same, each with the indices of its runs.
    contexts: Vec<(&'a str, &'a [usize])>,
    /// What is said of places, each once: hundreds have the same answer.
    answers: Vec<String>,
    sizes: Vec<u64>,
    places: Vec<PlaceData>,
}

/// (context, size, op, answer, values); all but the values are indices into their lists.
type PlaceData = (usize, usize, usize, usize, Vec<ValueData>);

/// (value, ratio to the fastest, runs, standing, ends of the interval of the ratio). The fastest stands first, with its median in us.
#[derive(Serialize)]
#[serde(untagged)]
enum ValueData {
    Whole(usize, Figure, usize, usize, Rough, Rough),
    /// Without an interval.
    Bare(usize, Figure, usize, usize),
}

/// Places up to which the page has intervals: of many they are not drawn, and settings.csv has them.
const MOST_INTERVALS: usize = 1000;

/// How values stand, as choices of [`ValueData`].
pub fn standings() -> [&'static str; Standing::ALL.len()] {
    Standing::ALL.map(Standing::as_str)
}

/// Each setting, in the order in which they decide.
pub fn settings<'a>(all: &'a [Setting], ops: &[Op]) -> Vec<SettingData<'a>> {
    let has_intervals = all.iter().map(|one| one.places.len()).sum::<usize>() <= MOST_INTERVALS;
    all.iter().zip(ranked(all)).map(|(of, words)| setting(of, words, ops, has_intervals)).collect()
}

fn setting<'a>(of: &'a Setting, words: Ranked, ops: &[Op], has_intervals: bool) -> SettingData<'a> {
    let (mut values, mut contexts, mut answers, mut sizes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let places = of.places.iter().map(|place| {
        let context = *known.entry(&place.label).or_insert_with(|| {
            contexts.push((place.label.as_str(), &place.runs[..]));
            contexts.len() - 1
        });
        let op = ops.iter().position(|op| *op == place.op).unwrap_or_default();
        let size = index_of(&mut sizes, place.payload_bytes);
        (context, size, op, index_of(&mut answers, place.says()), options(place, &mut values, has_intervals))
    });
    let places = places.collect();
    let (low, high) = of.interval.unzip();
    SettingData {
        key: of.name,
        label: title(of.name).0,
        spread: Figure(of.spread),
        low: low.map(Figure),
        high: high.map(Figure),
        decided: of.decided(),
        shown: words.shown,
        best: words.best,
        says: words.says,
        values,
        contexts,
        answers,
        sizes,
        places,
    }
}

fn options<'a>(place: &'a Place, values: &mut Vec<&'a str>, has_intervals: bool) -> Vec<ValueData> {
    let one = |one: &'a Choice| {
        let value = index_of(values, one.label.as_str());
        let figure = Figure(if one.standing == Standing::Fastest { one.median_ns / 1e3 } else { one.ratio });
        let standing = one.standing as usize;
        match one.interval.filter(|_| has_intervals) {
            Some((low, high)) => ValueData::Whole(value, figure, one.runs, standing, Rough(low), Rough(high)),
            None => ValueData::Bare(value, figure, one.runs, standing),
        }
    };
    place.options.iter().map(one).collect()
}
