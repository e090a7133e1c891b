//! The parts of the command `shardscale-client`: what runs on compute nodes.
//!
//! Reading order: [`args`] (subcommands), [`store`] (servers: begin, serve, await, stop), [`run`] (the story of a measurement),
//! [`timed_loop`], [`tensors`], [`pace`] and [`wire`] (what is timed), [`comm`] (everything that is MPI), [`address`], [`keys`] and [`survey`] (which
//! server, which key), [`recorder`] (what is written), [`failure`] (how it ends when it fails). A subcommand has a module
//! with its arguments.
//!
//! A library for its own program, tests and benchmarks alone: nothing here is a stable interface.

pub mod address;
pub mod args;
pub mod buffer;
pub mod clock;
pub mod comm;
pub mod connection;
pub mod effort;
pub mod failure;
pub mod hosts;
pub mod keys;
pub mod launcher;
pub mod pace;
pub mod pattern;
pub mod progress;
pub mod recorder;
pub mod run;
pub mod samples;
pub mod source;
pub mod store;
pub mod survey;
pub mod tensors;
pub mod timed_loop;
pub mod wire;
