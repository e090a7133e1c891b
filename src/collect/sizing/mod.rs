//! From what was measured to what is needed: which store keeps what is asked for, or which run would tell.
//!
//! The story: [`family`] sorts runs into stores that are set up one way, [`layout`] says which ranks share what, [`law`] how
//! long that makes a transfer, [`fit`] finds the demands, [`curve`] the time at any load and size with its interval, [`answer`] the
//! least store that meets a [`question`], [`next`] which runs would tell more. Knows the model of runs; reads no file and draws nothing.

pub mod answer;
pub mod curve;
pub mod family;
pub mod fit;
pub mod json;
pub mod law;
pub mod layout;
pub mod next;
pub mod question;
pub mod show;
