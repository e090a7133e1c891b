//! Who sits where, in every form that a permutation's files hold it. Thousands of permutations share a few of these.

use anyhow::{Context, Result};
use serde::Serialize;

use super::step::Spelled;
use crate::placement;
use crate::record::manifest::Job;
use crate::record::placement::Placement;

/// A placement with its texts.
pub struct Placed {
    pub placement: Option<Placement>,
    /// The manifest's table `[placement]`; empty where there is no placement.
    pub toml: String,
    /// The drawing as lines of comment; empty where the cores are not known.
    pub drawing: String,
    /// CPUs of the servers and of the ranks of a node.
    pub servers: Spelled,
    pub ranks: Spelled,
}

impl Placed {
    /// `job` is one of those that have this placement.
    pub fn new(placement: Option<Placement>, job: &Job) -> Result<Placed> {
        #[derive(Serialize)]
        struct Table<'a> {
            placement: &'a Placement,
        }
        let toml = match &placement {
            Some(placement) => toml::to_string(&Table { placement }).context("cannot encode a placement")?,
            None => String::new(),
        };
        let lines = placement.as_ref().map(|placement| placement::draw(placement, job).plain()).unwrap_or_default();
        let (servers, ranks) = match &placement {
            Some(Placement { in_job: Some(part), .. }) => {
                (Spelled::in_job(&part.servers), Spelled::in_job(&part.ranks))
            }
            Some(Placement { servers, ranks, .. }) => (Spelled::new(servers), Spelled::new(ranks)),
            None => Default::default(),
        };
        Ok(Placed {
            toml,
            drawing: lines.iter().map(|line| format!("#   {}\n", super::shell::comment(line))).collect(),
            servers,
            ranks,
            placement,
        })
    }
}
