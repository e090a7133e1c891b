//! All that reports are made from: runs, and what they say together.

use super::application::Pooled;
use super::baseline::Baseline;
use super::crossover::Duel;
use super::history::History;
use super::model::{Problem, Run};
use super::scaling::Scaling;
use super::settings::Setting;

/// Everything that was found, in the order of paths.
#[derive(Debug, Clone, Default)]
pub struct Collection {
    pub runs: Vec<Run>,
    pub problems: Vec<Problem>,
    /// How bandwidth grows, in series.
    pub scaling: Vec<Scaling>,
    /// What the store costs the application, where it computes.
    pub application: Vec<Pooled>,
    /// What decides: the settings in which runs differ.
    pub settings: Vec<Setting>,
    /// Where the better of two ways changes.
    pub crossover: Vec<Duel>,
    /// How it went over the collections, where a history is kept.
    pub history: Option<History>,
    /// Against an earlier collection, or the last ones of the history.
    pub baseline: Option<Baseline>,
}
