//! `--openmetrics`: the figures of a collection as OpenMetrics text, in base units (seconds, bytes), for Prometheus and the like.
//!
//! Written after the specification 1.0 (<https://prometheus.io/docs/specs/om/open_metrics_spec/>). Figures are those of runs that may
//! stand beside others, since whoever adds them up does not look at states.

use std::fmt::Write;

use crate::built;
use crate::collect::collection::Collection;
use crate::collect::model::{OpResult, Run, SizeResult, State};
use crate::collect::params::COLUMNS;

/// Figures as (name without prefix, unit, help, value); a name ends in its unit, as the specification asks.
type Figure<Of> = (&'static str, &'static str, &'static str, fn(&Of) -> Option<f64>);

const OF_OP: &[Figure<OpResult>] = &[
    ("samples", "", "Timed samples of all ranks.", |op| Some(op.latency.n as f64)),
    ("median_seconds", "seconds", "Median duration over all samples.", |op| Some(op.latency.median / 1e9)),
    ("median_ci95_low_seconds", "seconds", "Lower end of the median's 95 % interval.", |op| {
        Some(op.latency.median_ci95?.0 as f64 / 1e9)
    }),
    ("median_ci95_high_seconds", "seconds", "Upper end of the median's 95 % interval.", |op| {
        Some(op.latency.median_ci95?.1 as f64 / 1e9)
    }),
    ("p99_seconds", "seconds", "99th percentile; absent below 660 samples.", |op| Some(op.latency.p99? / 1e9)),
    (
        "overlap_bytes_per_second",
        "bytes_per_second",
        "Bytes of the operation over all ranks / window, which it shares with the others.",
        |op| Some(op.overlap_gb_per_s? * 1e9),
    ),
];

const OF_SIZE: &[Figure<SizeResult>] = &[(
    "overlap_both_ops_bytes_per_second",
    "bytes_per_second",
    "Bytes of all operations over all ranks / window.",
    |size| Some(size.overlap_gb_per_s? * 1e9),
)];

/// Renders the collection, with a line at its end that says that it is whole.
pub fn render(collection: &Collection) -> String {
    let mut text = Text::default();
    text.family("build", "info", "", "Program that collected.");
    text.sample("build_info", &[("version", env!("CARGO_PKG_VERSION")), ("commit", built::COMMIT)], 1.0);
    text.family("run", "info", "", "Parameters of each run.");
    for run in &collection.runs {
        let parameters: Vec<_> = COLUMNS.iter().map(|(column, _)| (*column, run.params.text(column))).collect();
        let parameters = parameters.iter().map(|(column, value)| (*column, value.as_str()));
        text.sample("run_info", &names(run).into_iter().chain(parameters).collect::<Vec<_>>(), 1.0);
    }
    text.family("run_state", "stateset", "", "What became of each run.");
    for run in &collection.runs {
        for state in State::ALL {
            let [name, path] = names(run);
            let is = f64::from(run.state == state);
            text.sample("run_state", &[name, path, ("shardscale_run_state", state.as_str())], is);
        }
    }
    text.family("unreadable_runs", "gauge", "", "Runs whose manifest cannot be read.");
    let unreadable = collection.problems.iter().filter(|problem| problem.is_run).count();
    text.sample("unreadable_runs", &[], unreadable as f64);
    let comparable = || collection.runs.iter().filter(|run| run.state.is_comparable());
    let sizes = || comparable().flat_map(|run| run.sizes().iter().map(move |size| (run, size)));
    for (name, unit, help, of) in OF_OP {
        text.family(name, "gauge", unit, help);
        for (run, size) in sizes() {
            for op in &size.ops {
                text.figure(name, (run, size), &[("op", op.op.as_str())], of(op));
            }
        }
    }
    for (name, unit, help, of) in OF_SIZE {
        text.family(name, "gauge", unit, help);
        sizes().for_each(|(run, size)| text.figure(name, (run, size), &[], of(size)));
    }
    text.0 + "# EOF\n"
}

/// What tells a run from all others: names may be given twice, folders not.
fn names(run: &Run) -> [(&'static str, &str); 2] {
    [("run", &run.name), ("path", &run.path)]
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        let _ = writeln!(self.0, "# TYPE shardscale_{name} {kind}");
        if !unit.is_empty() {
            let _ = writeln!(self.0, "# UNIT shardscale_{name} {unit}");
        }
        let _ = writeln!(self.0, "# HELP shardscale_{name} {help}");
    }

    /// A line, without labels that have no value: to the specification these are the same.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
            .collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "shardscale_{name}{labels} {value}");
    }

    fn figure(&mut self, name: &str, (run, size): (&Run, &SizeResult), more: &[(&str, &str)], value: Option<f64>) {
        let Some(value) = value else { return };
        let bytes = size.payload_bytes.to_string();
        self.sample(name, &[&names(run)[..], &[("payload_bytes", bytes.as_str())], more].concat(), value);
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_are_escaped_and_empty_ones_left_out() {
        let mut text = Text::default();
        text.sample("a", &[("run", "C:\\x \"y\"\nz"), ("queue", "")], 0.5);
        text.sample("b", &[("queue", "")], 1.0);
        assert_eq!(text.0, "shardscale_a{run=\"C:\\\\x \\\"y\\\"\\nz\"} 0.5\nshardscale_b 1\n");
    }

    #[test]
    fn names_end_in_their_unit() {
        let units = OF_OP.iter().map(|of| (of.0, of.1)).chain(OF_SIZE.iter().map(|of| (of.0, of.1)));
        for (name, unit) in units {
            assert!(unit.is_empty() || name.ends_with(&format!("_{unit}")), "{name} {unit}");
        }
    }
}
