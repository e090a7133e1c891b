//! From the ratios along a curve to its answer.
//!
//! A ratio is a straight line between neighbouring points, both axes logarithmic, and so are the ends of its interval. The interval
//! of a crossing is where that of the ratio holds 1: a place is left out only if its own ratio would be told from 1 (Fieller's way to
//! the interval of a root, by inverting a test at each place). A line between the ends of two intervals is at least as far from
//! the ratio as the end of the interval between them.

use super::{Answer, Crossing};

/// A point with an interval, in logarithms, and the side that was shown to be better.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    pub x: u64,
    pub low: f64,
    pub middle: f64,
    pub high: f64,
    pub better: Option<usize>,
}

/// The answer of the points of a curve that have intervals, ascending in x; `all` counts also those that have none.
pub fn answer(points: &[Point], all: usize) -> Answer {
    let decided: Vec<usize> = (0..points.len()).filter(|at| points[*at].better.is_some()).collect();
    let turns = decided.windows(2).filter(|two| points[two[0]].better != points[two[1]].better);
    let crossings: Vec<Crossing> = turns.filter_map(|two| crossing(&points[two[0]..=two[1]])).collect();
    match (crossings.is_empty(), decided.first().and_then(|first| points[*first].better)) {
        _ if points.is_empty() => Answer::NotRepeated,
        (false, _) => Answer::Crossings(crossings),
        (true, None) => Answer::NotDecided,
        (true, Some(better)) if decided.len() == all => Answer::Everywhere(better),
        (true, Some(better)) => {
            let (at, open): (Vec<&Point>, Vec<&Point>) = points.iter().partition(|point| point.better.is_some());
            let xs = |some: Vec<&Point>| some.iter().map(|point| point.x).collect();
            Answer::Partly { better, at: xs(at), open: xs(open) }
        }
    }
}

/// Of points whose two ends are decided for different sides.
fn crossing(points: &[Point]) -> Option<Crossing> {
    let (first, last) = (points.first()?, points.last()?);
    let above = last.better?;
    // seen so that the ratio rises through 1
    let sign = if above == 1 { 1.0 } else { -1.0 };
    let along =
        |of: fn(&Point) -> f64| points.iter().map(|point| (point.x as f64, sign * of(point))).collect::<Vec<_>>();
    let (upper, lower) =
        if above == 1 { (along(|p| p.high), along(|p| p.low)) } else { (along(|p| p.low), along(|p| p.high)) };
    let x = first_zero(&along(|point| point.middle))?;
    let from = first_zero(&upper)?;
    // the last place where the lower end is still below: from the other end, upside down
    let reversed: Vec<(f64, f64)> = lower.iter().rev().map(|(x, y)| (*x, -y)).collect();
    Some(Crossing { above, x, interval: (from.min(x), first_zero(&reversed)?.max(x)), between: (first.x, last.x) })
}

/// Where values that begin below 0 first reach it.
fn first_zero(points: &[(f64, f64)]) -> Option<f64> {
    points.windows(2).find(|two| two[0].1 < 0.0 && two[1].1 >= 0.0).map(|two| {
        let [(x0, y0), (x1, y1)] = [two[0], two[1]];
        (x0.ln() + (x1 / x0).ln() * (y0 / (y0 - y1))).exp()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: u64, middle: f64, half: f64) -> Point {
        let better = match (middle - half > 0.0, middle + half < 0.0) {
            (true, _) => Some(1),
            (_, true) => Some(0),
            _ => None,
        };
        Point { x, low: middle - half, middle, high: middle + half, better }
    }

    #[test]
    fn a_crossing_lies_between_its_decided_neighbours() {
        // ln ratio falls by 0.1 with each doubling, through 0 at 16
        let falling: Vec<Point> =
            [4, 8, 16, 32, 64].into_iter().zip([0.2, 0.1, 0.0, -0.1, -0.2]).map(|(x, y)| point(x, y, 0.05)).collect();
        let Answer::Crossings(found) = answer(&falling, 5) else { panic!() };
        let [one] = found[..] else { panic!("{found:?}") };
        assert_eq!((one.above, one.between), (0, (8, 32)));
        assert!((one.x - 16.0).abs() < 1e-9, "{one:?}");
        let (low, high) = one.interval;
        assert!((low - 16.0 / 2f64.sqrt()).abs() < 1e-9 && (high - 16.0 * 2f64.sqrt()).abs() < 1e-9, "{one:?}");
        let rising: Vec<Point> = falling.iter().map(|p| point(p.x, -p.middle, 0.05)).collect();
        let Answer::Crossings(found) = answer(&rising, 5) else { panic!() };
        assert_eq!((found[0].above, found[0].interval), (1, one.interval));
    }

    #[test]
    fn what_is_not_shown_is_not_claimed() {
        let of = |values: &[(f64, f64)], all: usize| {
            let points: Vec<Point> = values.iter().zip(1..).map(|((y, half), x)| point(x, *y, *half)).collect();
            answer(&points, all)
        };
        assert_eq!(of(&[(0.2, 0.1), (0.3, 0.1)], 2), Answer::Everywhere(1));
        // a point without repeats says nothing
        assert_eq!(of(&[(0.2, 0.1), (0.3, 0.1)], 3), Answer::Partly { better: 1, at: vec![1, 2], open: vec![] });
        assert_eq!(of(&[(0.2, 0.1), (-0.1, 0.2)], 2), Answer::Partly { better: 1, at: vec![1], open: vec![2] });
        assert_eq!(of(&[(0.2, 0.3), (-0.1, 0.2)], 2), Answer::NotDecided);
        assert_eq!(of(&[], 2), Answer::NotRepeated);
        let Answer::Crossings(twice) = of(&[(0.2, 0.1), (-0.2, 0.1), (0.2, 0.1)], 3) else { panic!() };
        assert_eq!(twice.iter().map(|one| one.above).collect::<Vec<_>>(), [0, 1]);
    }

    /// Of 2000 curves of five points whose true ratio crosses 1 at 13 those in which a crossing is told, and of these the ones whose
    /// interval does not hold 13. The points are at 4, 8, .., the truth is a straight line.
    #[test]
    fn the_interval_holds_the_truth() {
        let mut random = fastrand::Rng::with_seed(9);
        let mut normal = || (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos();
        let (mut told, mut missed) = (0, 0);
        for _ in 0..2000 {
            // error 0.05 known: the interval is that of the normal distribution
            let points: Vec<Point> = [4u64, 8, 16, 32, 64]
                .map(|x| point(x, 0.15 * (x as f64 / 13.0).ln() + 0.05 * normal(), 2.5758 * 0.05))
                .to_vec();
            if let Answer::Crossings(found) = answer(&points, 5) {
                told += 1;
                missed += usize::from(found.iter().all(|one| one.interval.0 > 13.0 || one.interval.1 < 13.0));
            }
        }
        println!("of 2000 curves {told} have a crossing, {missed} of them elsewhere than told");
        assert!(told > 1000 && missed * 100 <= told, "{told} {missed}");
    }
}
