//! What the store costs the application, in words for a terminal and for `summary.md`: of each set of parameters the size at which it
//! costs most. The files beside have all sizes.

use crate::collect::application::Pooled;
use crate::collect::model::Application;
use crate::record::units::show_bytes;

use crate::collect::number::short;

/// What the words of [`says`] mean.
pub const MEANING: &str = "The application beside the store, at the size where it is slowest: median time to compute / the same before \
    the store had traffic (99 % interval); part of the time of both that goes into transfers";

/// Of each set of parameters and op of the application the size at which it is slowest, in order.
pub fn worst(all: &[Pooled]) -> Vec<&Pooled> {
    let mut worst: Vec<&Pooled> = Vec::new();
    for one in all {
        match worst.iter_mut().find(|known| known.runs[0] == one.runs[0] && known.of.op == one.of.op) {
            Some(known) if one.of.slowdown > known.of.slowdown => *known = one,
            Some(_) => {}
            None => worst.push(one),
        }
    }
    worst
}

/// `1.08 (1.06 to 1.10) at 4 MiB; 12.3 % in transfers`.
pub fn says(pooled: &Pooled) -> String {
    format!("{} at {}; {} in transfers", slowdown(&pooled.of), show_bytes(pooled.payload_bytes), share(&pooled.of))
}

/// Whose figures they are, beside the first run's name.
pub fn whose(pooled: &Pooled) -> String {
    match pooled.runs.len() {
        1 => pooled.of.op.to_string(),
        runs => format!("{}, {runs} runs", pooled.of.op),
    }
}

/// `1.08 (1.06 to 1.10)`.
pub fn slowdown(of: &Application) -> String {
    let ratio = of.slowdown.map_or("unknown".to_owned(), |ratio| format!("{ratio:.3}"));
    let interval = of.slowdown_ci99.map(|(low, high)| format!(" ({low:.3} to {high:.3})"));
    ratio + &interval.unwrap_or_default()
}

/// `12.3 % (12.1 to 12.6)`.
pub fn share(of: &Application) -> String {
    let percent = |share: f64| short(share * 100.0);
    let part = of.share.map_or("unknown".to_owned(), |share| format!("{} %", percent(share)));
    let interval = of.share_ci99.map(|(low, high)| format!(" ({} to {})", percent(low), percent(high)));
    part + &interval.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_that_costs_most_stands_for_its_runs() {
        let of = |run: usize, payload_bytes: u64, slowdown: Option<f64>| Pooled {
            run: format!("run{run}"),
            runs: vec![run],
            payload_bytes,
            of: Application {
                op: "compute".parse().unwrap(),
                slowdown,
                slowdown_ci99: slowdown.map(|it| (it - 0.1, it + 0.1)),
                share: Some(0.1234),
                share_ci99: None,
            },
        };
        let all = [of(0, 1024, Some(1.1)), of(0, 4096, Some(1.5)), of(0, 8192, Some(1.2)), of(3, 1024, None)];
        let told: Vec<String> = worst(&all).into_iter().map(says).collect();
        assert_eq!(
            told,
            ["1.500 (1.400 to 1.600) at 4 KiB; 12.3 % in transfers", "unknown at 1 KiB; 12.3 % in transfers"]
        );
    }
}
