//! `begin`, `serve`, `await-store`, `stop-store` as job scripts call them, against a real redis-server on loopback.

// the setting that allows it in tests knows the test functions alone, not what they call
#![expect(clippy::unwrap_used)]

mod begin;
mod cluster;
mod end;
mod failures;
mod lab;
mod serve;
