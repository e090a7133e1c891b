//! Readers: each turns one run of a result tree into the neutral [`Run`](super::model::Run).
//!
//! A reader knows files; it must not know statistics beyond calling `measures::reduce`, nor what a report looks like.

mod check;
pub mod own;
mod placement;
mod sizes;
pub mod smartsim;
mod sweep;
