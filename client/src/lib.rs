//! The parts of the command `shardscale-client`: what runs on compute nodes.
//!
//! Reading order: [`args`] (subcommands), [`store`] (servers: begin, join, serve, await, stop), [`run`] (the story of a measurement),
//! [`timed_loop`], [`tensors`], [`pace`] and [`wire`] (what is timed), [`application`] (what a rank computes in between), [`comm`] (everything that is MPI), [`address`],
//! [`keys`] and [`survey`] (which server, which key), [`connecting`] (how ranks come to it), [`recorder`] (what is written),
//! [`environment`], [`watch`] and [`node`] (what was true meanwhile), [`affinity`] (on which CPUs), [`failure`] (how it ends when it fails), [`entering`] and [`leaving`]
//! (and when MPI does not start or end), [`say`] (what it says). [`doctor`] looks at a
//! node before any of that, [`version`] at the program. A subcommand has a module
//! with its arguments.
//!
//! A library for its own program, tests and benchmarks alone: nothing here is a stable interface.

// `say` writes whole lines; the macros write one for each part of them
#![deny(clippy::print_stderr)]

pub mod address;
pub mod affinity;
pub mod aggregation;
pub mod application;
pub mod args;
pub mod backend;
pub mod buffer;
pub mod clock;
pub mod comm;
pub mod connecting;
pub mod connection;
pub mod doctor;
pub mod effort;
pub mod entering;
pub mod environment;
pub mod failure;
pub mod hosts;
pub mod inquiry;
pub mod keys;
pub mod launcher;
pub mod leaving;
pub mod limits;
pub mod mpi_facts;
pub mod node;
pub mod pace;
pub mod pattern;
pub mod progress;
pub mod recorder;
pub mod run;
pub mod samples;
pub mod say;
pub mod source;
pub mod store;
pub mod survey;
pub mod tensors;
pub mod timed_loop;
pub mod version;
pub mod watch;
pub mod wire;
