//! Statistics of durations: pure functions over numbers, without any idea of runs or files.
//!
//! Medians and quantiles, no means: T. Hoefler and R. Belli, "Scientific Benchmarking of Parallel Computing Systems",
//! SC'15. `docs/explanation/statistics.md` has every formula with its source.

pub mod change_point;
pub mod density;
pub mod dip;
pub mod interval;
pub mod multiple;
pub mod outlier;
pub mod quantile;
pub mod sort;
pub mod summary;
pub mod trend;
pub mod window;

pub use summary::Summary;
