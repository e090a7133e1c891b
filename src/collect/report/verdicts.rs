//! What decides and where the better one changes, in the words that the terminal, `summary.md`, the files and the page share.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::collect::crossover::{Along, Answer, Crossing, Curve, Duel, Share};
use crate::collect::groups::title;
use crate::collect::number::short;
use crate::collect::settings::{NOT_REPEATED, Setting, Verdict};
use crate::record::units::show_bytes;

/// What the figures of [`Ranked`] mean.
pub const DECIDES: &str = "Settings by their effect: slowest / fastest value by median duration, all else the same, as \
    geometric mean over loads, sizes and operations (99 % interval). Shown: where the difference is more than noise, of all \
    that were compared";

/// What the lines of [`summaries`] mean.
pub const CROSSOVER: &str =
    "Where the better of two changes, by bandwidth of all operations of all ranks under the same load";

/// A setting in a line.
#[derive(Serialize)]
pub struct Ranked {
    pub setting: String,
    /// `1.42 (1.30 to 1.55)`.
    pub spread: String,
    /// `12 of 44`, or why nothing can be.
    pub shown: String,
    /// `mask in 10; none in 2`; what would have been seen where nothing was.
    pub best: String,
    /// Both in words: `shown in 12 of 44; mask in 10; none in 2`.
    pub says: String,
}

/// Each setting in the order in which they decide.
pub fn ranked(settings: &[Setting]) -> Vec<Ranked> {
    settings.iter().map(rank).collect()
}

fn rank(of: &Setting) -> Ranked {
    let interval = of.interval.map(|(low, high)| format!(" ({low:.3} to {high:.3})")).unwrap_or_default();
    let not_repeated = of.count(|verdict| *verdict == Verdict::NotRepeated);
    let shown = match (not_repeated, of.decided()) {
        (all, _) if all == of.places.len() => NOT_REPEATED.to_owned(),
        (0, decided) => format!("{decided} of {}", of.places.len()),
        (some, decided) => format!("{decided} of {}, {some} not repeated", of.places.len()),
    };
    let winners: Vec<String> =
        of.winners().iter().take(3).map(|(label, count)| format!("{label} in {count}")).collect();
    let open = of.places.iter().filter(|place| matches!(place.verdict, Verdict::NoDifference { .. }));
    let best = match (winners.is_empty(), open.map(|place| place.says()).next()) {
        (false, _) => winners.join("; "),
        (true, Some(said)) if of.decided() == 0 => said,
        (true, _) => String::new(),
    };
    let place = if shown == NOT_REPEATED { "" } else { "shown in " };
    let says = format!("{place}{shown}{}{best}", if best.is_empty() { "" } else { "; " });
    Ranked { setting: title(of.name).0, spread: format!("{:.3}{interval}", of.spread), shown, best, says }
}

/// Duels of one pair, share and direction in a line.
#[derive(Serialize)]
pub struct Summary {
    /// `standard, 4 DB nodes against colocated`.
    pub pair: String,
    pub share: &'static str,
    pub along: String,
    /// `crossover in 3 of 6, standard better everywhere in 2, not decided in 1`.
    pub says: String,
    /// Of some of them it is known which is better.
    pub is_decided: bool,
}

/// Curves that are told together.
type Kind<'a> = (&'a [String; 2], Share, Along);

/// Those with most crossovers first.
pub fn summaries(duels: &[Duel]) -> Vec<Summary> {
    let mut groups: BTreeMap<Kind<'_>, Vec<(&Duel, &Curve)>> = BTreeMap::new();
    for duel in duels {
        for curve in &duel.curves {
            groups.entry((&duel.sides, curve.share, curve.along)).or_default().push((duel, curve));
        }
    }
    let mut all: Vec<(usize, Summary)> = groups.into_iter().map(|(group, curves)| summary(group, &curves)).collect();
    all.sort_by_key(|(crossovers, _)| std::cmp::Reverse(*crossovers));
    all.into_iter().map(|(_, summary)| summary).collect()
}

fn summary((sides, share, along): Kind<'_>, curves: &[(&Duel, &Curve)]) -> (usize, Summary) {
    let count = |is_it: &dyn Fn(&Answer) -> bool| curves.iter().filter(|(_, curve)| is_it(&curve.answer)).count();
    let crossings: Vec<&Crossing> = curves.iter().flat_map(|(_, curve)| crossings(&curve.answer)).collect();
    let crossovers = count(&|answer| matches!(answer, Answer::Crossings(_)));
    let duel = curves[0].0;
    let mut at: Vec<f64> = crossings.iter().map(|one| one.x).collect();
    at.sort_by(f64::total_cmp);
    let mut ends: Vec<String> = at.first().into_iter().chain(at.last()).map(|x| place(along, *x)).collect();
    ends.dedup();
    let from_to = ends.join(" to ") + &unit(duel, along);
    let parts = [
        (crossovers, format!("crossover at {from_to}")),
        (count(&|answer| *answer == Answer::Everywhere(0)), format!("{} better everywhere", sides[0])),
        (count(&|answer| *answer == Answer::Everywhere(1)), format!("{} better everywhere", sides[1])),
        (count(&|answer| matches!(answer, Answer::Partly { .. } | Answer::NotDecided)), "not decided".to_owned()),
        (count(&|answer| *answer == Answer::NotRepeated), NOT_REPEATED.to_owned()),
    ];
    let told = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{what} in {count} of {}", curves.len()));
    let says = match parts[4].0 == curves.len() {
        true => NOT_REPEATED.to_owned(),
        false => told.collect::<Vec<_>>().join("; "),
    };
    let along = match along {
        Along::Load => title(duel.axis).0,
        Along::Size => "tensor size".to_owned(),
    };
    let is_decided = parts[..3].iter().any(|(count, _)| *count > 0);
    (crossovers, Summary { pair: sides.join(" against "), share: share.describe(), along, says, is_decided })
}

/// None where there are none.
pub fn crossings(answer: &Answer) -> &[Crossing] {
    match answer {
        Answer::Crossings(all) => all,
        _ => &[],
    }
}

/// The answer of a curve in a sentence.
pub fn says(duel: &Duel, curve: &Curve) -> String {
    let list = |some: &[u64]| {
        some.iter().map(|x| place(curve.along, *x as f64)).collect::<Vec<_>>().join(", ") + &unit(duel, curve.along)
    };
    match &curve.answer {
        Answer::Everywhere(better) => {
            format!("no crossover in the measured range: {} is better everywhere", duel.sides[*better])
        }
        Answer::Crossings(all) => all.iter().map(|one| crossing(duel, curve, one)).collect::<Vec<_>>().join("; "),
        Answer::Partly { better, at, open } => {
            let no_difference = (!open.is_empty()).then(|| format!("; no difference found at {}", list(open)));
            let not_repeated =
                (curve.cells.len() > at.len() + open.len()).then_some("; the other points are not repeated");
            let rest = no_difference.unwrap_or_default() + not_repeated.unwrap_or_default();
            format!("not decided: {} is better at {}{rest}", duel.sides[*better], list(at))
        }
        Answer::NotDecided => "not decided: no difference found at any point".to_owned(),
        Answer::NotRepeated => NOT_REPEATED.to_owned(),
    }
}

fn crossing(duel: &Duel, curve: &Curve, one: &Crossing) -> String {
    let place = |x: f64| place(curve.along, x);
    let (low, high) = one.interval;
    let nearest = one.x.round() as u64;
    // nearer than its neighbours are, a run would say more
    let remedy = match curve.along {
        Along::Load if nearest > one.between.0 && nearest < one.between.1 => {
            format!("; a run at {nearest} would measure it")
        }
        _ => String::new(),
    };
    format!(
        "{} is better above {} ({} to {}){}, {} below; interpolated between {} and {}{remedy}",
        duel.sides[one.above],
        place(one.x),
        place(low),
        place(high),
        unit(duel, curve.along),
        duel.sides[1 - one.above],
        place(one.between.0 as f64),
        place(one.between.1 as f64),
    )
}

/// A place on the axis of a curve, and the unit that stands behind one or several: `11.3` and ` client nodes`, `1.3 MiB` and nothing.
fn place(along: Along, x: f64) -> String {
    match along {
        Along::Size => bytes(x),
        Along::Load => whole_or_short(x),
    }
}

fn unit(duel: &Duel, along: Along) -> String {
    match along {
        Along::Size => String::new(),
        Along::Load => format!(" {}", title(duel.axis).0),
    }
}

fn whole_or_short(x: f64) -> String {
    if x.fract() == 0.0 { format!("{x:.0}") } else { short(x) }
}

/// Also of sizes that nobody measured.
fn bytes(x: f64) -> String {
    if x.fract() == 0.0 && (x as u64).is_multiple_of(1024) {
        return show_bytes(x as u64);
    }
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)].map(|(name, power)| (name, f64::from(1u32 << power)));
    let unit = units.into_iter().find(|(_, size)| x >= *size);
    unit.map_or(format!("{x:.0} B"), |(name, size)| format!("{} {name}", short(x / size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_between_are_written_as_people_do() {
        assert_eq!([1024.0, 1.5 * 1_048_576.0, 300.4, 4.0e6].map(bytes), ["1 KiB", "1536 KiB", "300 B", "3.81 MiB"]);
    }
}
