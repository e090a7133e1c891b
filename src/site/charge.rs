//! What a job costs in the centre's own unit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the centre charges: `per_node_hour` x nodes x hours x the queue's factor x the first discount that applies.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// The unit's name: `node-hours`, `core-hours`, `SU`.
    pub unit: String,
    /// Units for one node and hour.
    pub per_node_hour: f64,
    /// A shorter job is charged as if it had taken so many hours.
    #[serde(default)]
    pub min_hours: f64,
    /// By size of the job, in order.
    #[serde(default, rename = "discount", skip_serializing_if = "Vec::is_empty")]
    pub discounts: Vec<Discount>,
}

/// A factor for large jobs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discount {
    pub min_nodes: u32,
    pub factor: f64,
}

impl Charge {
    /// Units that a job of `nodes` costs if it takes all of `seconds`.
    pub fn cost(&self, nodes: u32, seconds: u32, queue_factor: f64) -> f64 {
        let hours = (f64::from(seconds) / 3600.0).max(self.min_hours);
        let discount = self.discounts.iter().find(|discount| nodes >= discount.min_nodes);
        self.per_node_hour * f64::from(nodes) * hours * queue_factor * discount.map_or(1.0, |discount| discount.factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_job_costs_the_minimum_and_a_large_one_less() {
        let charge = Charge {
            unit: "SU".into(),
            per_node_hour: 2.0,
            min_hours: 0.25,
            discounts: vec![Discount { min_nodes: 100, factor: 0.5 }],
        };
        assert!((charge.cost(4, 3600, 1.0) - 8.0).abs() < 1e-9);
        assert!((charge.cost(4, 60, 1.0) - 2.0).abs() < 1e-9);
        assert!((charge.cost(100, 7200, 0.33) - 66.0).abs() < 1e-9);
    }
}
