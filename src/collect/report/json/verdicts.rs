//! What decides, crossovers and the history as JSON.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Difference, difference, ends, ratio, us};
use crate::collect::crossover;
use crate::collect::history::{self, trend};
use crate::collect::report::verdicts::{crossings, says};
use crate::collect::settings;
use crate::collect::stats::interval;

/// A setting in which runs differ.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Setting<'a> {
    setting: &'a str,
    /// Median duration of the slowest value / of the fastest.
    slowest_to_fastest: f64,
    slowest_to_fastest_ci99: Option<[f64; 2]>,
    /// Places where a value is shown to be best.
    shown_in: usize,
    best_in: Vec<BestIn<'a>>,
    places: Vec<Place<'a>>,
}

/// A value, and at how many places it is the best.
#[derive(Debug, Serialize, JsonSchema)]
struct BestIn<'a> {
    value: &'a str,
    places: usize,
}

/// The values of a setting at one size and operation, all else the same.
#[derive(Debug, Serialize, JsonSchema)]
struct Place<'a> {
    configuration: &'a str,
    payload_bytes: u64,
    op: &'a str,
    /// best, best of some, no difference found or not repeated.
    verdict: &'a str,
    /// The same in words.
    answer: String,
    values: Vec<Choice<'a>>,
}

/// A value of a setting.
#[derive(Debug, Serialize, JsonSchema)]
struct Choice<'a> {
    value: &'a str,
    runs: usize,
    median_us: f64,
    ratio_to_fastest: f64,
    ratio_ci99: Option<[f64; 2]>,
    /// The least ratio that this comparison finds in about three of four cases.
    would_have_seen_ratio: Option<f64>,
    /// fastest, slower, not told from the fastest, not repeated or not compared.
    standing: &'a str,
}

/// Two ways that differ in one setting, over loads and sizes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Duel<'a> {
    setting: &'a str,
    /// Ratios are the second / the first.
    sides: &'a [String; 2],
    configuration: &'a str,
    /// The parameter that counts the load.
    load_axis: &'a str,
    /// Which bandwidth: overlap or classic.
    figure: &'a str,
    cells: Vec<Cell<'a>>,
    curves: Vec<Curve<'a>>,
}

/// Both at one load and size.
#[derive(Debug, Serialize, JsonSchema)]
struct Cell<'a> {
    load: u64,
    payload_bytes: u64,
    /// Of each side.
    runs: [usize; 2],
    /// By what the bandwidth is shared: client_node, db_node, node_hour.
    by: BTreeMap<&'a str, Ratio>,
}

/// Bandwidth of the second side / of the first.
#[derive(Debug, Serialize, JsonSchema)]
struct Ratio {
    ratio_second_to_first: f64,
    ratio_ci99: Option<[f64; 2]>,
    /// 0 or 1: the side that was shown to move more.
    better_side: Option<usize>,
}

/// The cells of one size along the load, or of one load along the size.
#[derive(Debug, Serialize, JsonSchema)]
struct Curve<'a> {
    /// load or size.
    along: &'a str,
    /// The size in bytes, or the load, that stays.
    at: u64,
    shared_by: &'a str,
    /// Indices into the cells.
    cells: &'a [usize],
    /// none in the measured range, crossover, not decided or not repeated.
    answer: &'a str,
    /// measured, interpolated, or empty.
    rests_on: &'a str,
    crossings: Vec<Crossing>,
    /// The answer in words.
    says: String,
}

/// Where the better side changes.
#[derive(Debug, Serialize, JsonSchema)]
struct Crossing {
    /// Load, or size in bytes.
    x: f64,
    x_ci99: [f64; 2],
    better_side_above: usize,
    /// The measured points around it.
    between: [u64; 2],
}

/// How it went over the collections.
#[derive(Debug, Serialize, JsonSchema)]
pub struct History<'a> {
    folder: &'a str,
    collections: usize,
    configurations: Vec<Trend<'a>>,
}

/// A configuration over the collections.
#[derive(Debug, Serialize, JsonSchema)]
struct Trend<'a> {
    configuration: &'a str,
    /// It is in the present collection.
    present: bool,
    moments: Vec<Moment<'a>>,
    changes: Vec<Turn<'a>>,
    /// Why no change could be looked for.
    not_tested: Option<&'a str>,
}

/// A configuration in one collection.
#[derive(Debug, Serialize, JsonSchema)]
struct Moment<'a> {
    measured_utc: &'a str,
    run: &'a str,
    /// What else may explain a figure.
    environment: &'a BTreeMap<String, String>,
    figures: Vec<Figure<'a>>,
}

/// An operation at a size in one collection.
#[derive(Debug, Serialize, JsonSchema)]
struct Figure<'a> {
    op: &'a str,
    payload_bytes: u64,
    runs: usize,
    /// Geometric mean of the runs' medians.
    median_us: f64,
    median_us_ci99: Option<[f64; 2]>,
}

/// A change of level.
#[derive(Debug, Serialize, JsonSchema)]
struct Turn<'a> {
    /// Index of the first moment at the new level.
    moment: usize,
    measured_utc: &'a str,
    p: f64,
    differs: Vec<Difference<'a>>,
    figures: Vec<Shift<'a>>,
}

/// What a change of level did to an operation at a size.
#[derive(Debug, Serialize, JsonSchema)]
struct Shift<'a> {
    op: &'a str,
    payload_bytes: u64,
    ratio_new_to_old: f64,
    ratio_ci99: Option<[f64; 2]>,
}

pub fn setting(of: &settings::Setting) -> Setting<'_> {
    Setting {
        setting: of.name,
        slowest_to_fastest: ratio(of.spread),
        slowest_to_fastest_ci99: ends(of.interval),
        shown_in: of.decided(),
        best_in: of.winners().into_iter().map(|(value, places)| BestIn { value, places }).collect(),
        places: of.places.iter().map(place).collect(),
    }
}

fn place(of: &settings::Place) -> Place<'_> {
    Place {
        configuration: &of.label,
        payload_bytes: of.payload_bytes,
        op: of.op.as_str(),
        verdict: of.verdict.as_str(),
        answer: of.says(),
        values: of.options.iter().map(choice).collect(),
    }
}

fn choice(of: &settings::Choice) -> Choice<'_> {
    Choice {
        value: &of.label,
        runs: of.runs,
        median_us: us(of.median_ns),
        ratio_to_fastest: ratio(of.ratio),
        ratio_ci99: ends(of.interval),
        would_have_seen_ratio: of.detectable.map(ratio),
        standing: of.standing.as_str(),
    }
}

pub fn duel(of: &crossover::Duel) -> Duel<'_> {
    Duel {
        setting: of.setting,
        sides: &of.sides,
        configuration: &of.label,
        load_axis: of.axis,
        figure: of.figure,
        cells: of.cells.iter().map(cell).collect(),
        curves: of.curves.iter().map(|one| curve(of, one)).collect(),
    }
}

fn cell(of: &crossover::Cell) -> Cell<'_> {
    let share = |share: &crossover::Share| {
        let found = of.of(*share)?;
        let told = Ratio {
            ratio_second_to_first: ratio(found.value),
            ratio_ci99: ends(found.interval),
            better_side: found.better,
        };
        Some((share.as_str(), told))
    };
    let by = crossover::Share::ALL.iter().filter_map(share).collect();
    Cell { load: of.load, payload_bytes: of.payload_bytes, runs: of.runs, by }
}

fn curve<'a>(duel: &crossover::Duel, of: &'a crossover::Curve) -> Curve<'a> {
    let crossing = |one: &crossover::Crossing| Crossing {
        x: ratio(one.x),
        x_ci99: [ratio(one.interval.0), ratio(one.interval.1)],
        better_side_above: one.above,
        between: [one.between.0, one.between.1],
    };
    Curve {
        along: of.along.as_str(),
        at: of.at,
        shared_by: of.share.as_str(),
        cells: &of.cells,
        answer: of.answer.as_str(),
        rests_on: of.answer.basis(),
        crossings: crossings(&of.answer).iter().map(crossing).collect(),
        says: says(duel, of),
    }
}

pub fn history(of: &history::History) -> History<'_> {
    History {
        folder: &of.folder,
        collections: of.collections,
        configurations: of.trends.iter().map(configuration).collect(),
    }
}

fn configuration(of: &history::Trend) -> Trend<'_> {
    Trend {
        configuration: &of.label,
        present: of.is_present,
        moments: of.moments.iter().map(moment).collect(),
        changes: of.turns.iter().map(|one| turn(of, one)).collect(),
        not_tested: of.not_tested.as_deref(),
    }
}

fn moment(of: &history::Moment) -> Moment<'_> {
    let figure = |place: &history::Place| {
        let medians = of.figures.get(place)?;
        Some(Figure {
            op: place.0.as_str(),
            payload_bytes: place.1,
            runs: medians.len(),
            median_us: us(trend::level(of, place)?),
            median_us_ci99: interval::of_repeats(medians).map(|(low, high)| [us(low), us(high)]),
        })
    };
    Moment {
        measured_utc: &of.utc,
        run: &of.run,
        environment: &of.environment,
        figures: of.figures.keys().filter_map(figure).collect(),
    }
}

fn turn<'a>(trend: &'a history::Trend, of: &'a history::Turn) -> Turn<'a> {
    let shift = |one: &'a history::Shift| Shift {
        op: one.place.0.as_str(),
        payload_bytes: one.place.1,
        ratio_new_to_old: ratio(one.ratio),
        ratio_ci99: ends(one.interval),
    };
    Turn {
        moment: of.at,
        measured_utc: &trend.moments[of.at].utc,
        p: of.p,
        differs: of.differs.iter().map(difference).collect(),
        figures: of.shifts.iter().map(shift).collect(),
    }
}
