//! What decides, crossovers and the history as JSON.

use serde_json::{Value, json};

use super::{difference, rounded, us};
use crate::collect::crossover::{Cell, Crossing, Curve, Duel, Share};
use crate::collect::history::{History, Moment, Place, Shift, Trend, Turn, trend};
use crate::collect::report::verdicts::{crossings, says};
use crate::collect::settings::{self, Choice, Setting};
use crate::collect::stats::interval;

fn ratio(value: f64) -> f64 {
    rounded(value, 6)
}

fn ends(interval: Option<(f64, f64)>) -> Option<[f64; 2]> {
    interval.map(|(low, high)| [ratio(low), ratio(high)])
}

pub fn setting(of: &Setting) -> Value {
    json!({
        "setting": of.name,
        "slowest_to_fastest": ratio(of.spread),
        "slowest_to_fastest_ci99": ends(of.interval),
        "shown_in": of.decided(),
        "best_in": of.winners().iter().map(|(value, places)| json!({ "value": value, "places": places })).collect::<Vec<_>>(),
        "places": of.places.iter().map(place).collect::<Vec<_>>(),
    })
}

fn place(of: &settings::Place) -> Value {
    let value = |one: &Choice| {
        json!({
            "value": one.label,
            "runs": one.runs,
            "median_us": us(one.median_ns),
            "ratio_to_fastest": ratio(one.ratio),
            "ratio_ci99": ends(one.interval),
            "would_have_seen_ratio": one.detectable.map(ratio),
            "standing": one.standing.as_str(),
        })
    };
    json!({
        "configuration": of.label,
        "payload_bytes": of.payload_bytes,
        "op": of.op,
        "verdict": of.verdict.as_str(),
        "answer": of.says(),
        "values": of.options.iter().map(value).collect::<Vec<_>>(),
    })
}

pub fn duel(of: &Duel) -> Value {
    json!({
        "setting": of.setting,
        "sides": of.sides,
        "configuration": of.label,
        "load_axis": of.axis,
        "figure": of.figure,
        "cells": of.cells.iter().map(cell).collect::<Vec<_>>(),
        "curves": of.curves.iter().map(|one| curve(of, one)).collect::<Vec<_>>(),
    })
}

fn cell(of: &Cell) -> Value {
    let share = |share: &Share| {
        let found = of.of(*share)?;
        let told = json!({ "ratio_second_to_first": ratio(found.value), "ratio_ci99": ends(found.interval), "better_side": found.better });
        Some((share.as_str().to_owned(), told))
    };
    let by_share: serde_json::Map<String, Value> = Share::ALL.iter().filter_map(share).collect();
    json!({ "load": of.load, "payload_bytes": of.payload_bytes, "runs": of.runs, "by": by_share })
}

fn curve(duel: &Duel, of: &Curve) -> Value {
    let crossing = |one: &Crossing| {
        let (low, high) = one.interval;
        json!({ "x": ratio(one.x), "x_ci99": [ratio(low), ratio(high)], "better_side_above": one.above, "between": [one.between.0, one.between.1] })
    };
    json!({
        "along": of.along.as_str(),
        "at": of.at,
        "shared_by": of.share.as_str(),
        "cells": of.cells,
        "answer": of.answer.as_str(),
        "rests_on": of.answer.basis(),
        "crossings": crossings(&of.answer).iter().map(crossing).collect::<Vec<_>>(),
        "says": says(duel, of),
    })
}

pub fn history(of: &History) -> Value {
    json!({ "folder": of.folder, "collections": of.collections, "configurations": of.trends.iter().map(line).collect::<Vec<_>>() })
}

fn line(of: &Trend) -> Value {
    json!({
        "configuration": of.label,
        "present": of.is_present,
        "moments": of.moments.iter().map(moment).collect::<Vec<_>>(),
        "changes": of.turns.iter().map(|one| turn(of, one)).collect::<Vec<_>>(),
        "not_tested": of.not_tested,
    })
}

fn moment(of: &Moment) -> Value {
    let figure = |place: &Place| {
        let medians = of.figures.get(place)?;
        let interval = interval::of_repeats(medians).map(|(low, high)| [us(low), us(high)]);
        let (op, payload_bytes) = place;
        Some(
            json!({ "op": op, "payload_bytes": payload_bytes, "runs": medians.len(), "median_us": us(trend::level(of, place)?), "median_us_ci99": interval }),
        )
    };
    let figures: Vec<Value> = of.figures.keys().filter_map(figure).collect();
    json!({ "measured_utc": of.utc, "run": of.run, "environment": of.environment, "figures": figures })
}

fn turn(trend: &Trend, of: &Turn) -> Value {
    let shift = |one: &Shift| {
        let (op, payload_bytes) = one.place;
        json!({ "op": op, "payload_bytes": payload_bytes, "ratio_new_to_old": ratio(one.ratio), "ratio_ci99": ends(one.interval) })
    };
    json!({
        "moment": of.at,
        "measured_utc": trend.moments[of.at].utc,
        "p": of.p,
        "differs": of.differs.iter().map(difference).collect::<Vec<_>>(),
        "figures": of.shifts.iter().map(shift).collect::<Vec<_>>(),
    })
}
