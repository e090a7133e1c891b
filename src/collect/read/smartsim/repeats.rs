//! Numbers the sessions that measured the same again, which SmartSim-Scaling does not.

use std::collections::BTreeMap;

use crate::collect::model::{Run, Source};
use crate::collect::params::{Params, Value};

/// Gives each session its `repeat`, from 1, in the order of `runs`: those with the same parameters, size and store are repeats.
pub fn number(runs: &mut [Run]) {
    let mut seen: BTreeMap<(Params, String), i64> = BTreeMap::new();
    for run in runs.iter_mut().filter(|run| run.source == Source::SmartSimScaling) {
        let server = run.measured.as_ref().map(|measured| measured.server.clone()).unwrap_or_default();
        let count = seen.entry((run.params.clone(), server)).or_default();
        *count += 1;
        run.params.set("repeat", Some(Value::Count(*count)));
    }
}
