//! What decides, as the page draws it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::axes::title;
use super::data::{Figure, Rough, index_of};
use crate::collect::report::verdicts::ranked;
use crate::collect::settings::{Place, Setting, Standing};
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
    /// What is said of places, each once: hundreds have the same answer.
    answers: Vec<String>,
    places: Vec<PlaceData>,
}

/// (context, size, op, answer, values); all but the size are indices into their lists.
type PlaceData = (usize, u64, usize, usize, Vec<ValueData>);

/// (value, median in us, runs, standing, ends of the interval of the ratio to the fastest). The fastest stands first.
type ValueData = (usize, Figure, usize, usize, Option<Rough>, Option<Rough>);

/// How values stand, as choices of [`ValueData`].
pub fn standings() -> [&'static str; Standing::ALL.len()] {
    Standing::ALL.map(Standing::as_str)
}

/// Each setting, in the order in which they decide.
pub fn settings<'a>(all: &'a [Setting], ops: &[Op]) -> Vec<SettingData<'a>> {
    all.iter().zip(ranked(all)).map(|(of, words)| setting(of, (words.shown, words.best), ops)).collect()
}

fn setting<'a>(of: &'a Setting, (shown, best): (String, String), ops: &[Op]) -> SettingData<'a> {
    let (mut values, mut contexts, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let places = of.places.iter().map(|place| {
        let context = *known.entry(&place.label).or_insert_with(|| {
            contexts.push((place.label.as_str(), &place.runs[..]));
            contexts.len() - 1
        });
        let op = ops.iter().position(|op| *op == place.op).unwrap_or_default();
        (context, place.payload_bytes, op, index_of(&mut answers, place.says()), options(place, &mut values))
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
        answers,
        places,
    }
}

fn options<'a>(place: &'a Place, values: &mut Vec<&'a str>) -> Vec<ValueData> {
    let one = |one: &'a crate::collect::settings::Choice| {
        let (low, high) = one.interval.unzip();
        let value = index_of(values, one.label.as_str());
        let standing = one.standing as usize;
        (value, Figure(one.median_ns / 1e3), one.runs, standing, low.map(Rough), high.map(Rough))
    };
    place.options.iter().map(one).collect()
}
