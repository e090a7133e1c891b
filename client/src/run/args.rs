//! What `shardscale-client run` is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::value_parser;
use shardscale::record::units::parse_tensor_bytes;
use shardscale::record::vocabulary::{Barrier, KeyPlacement, Wire};

use crate::address::AddressList;
use crate::connection::Timeouts;

/// Samples of one rank, op and size that a run may have: a gathered block of them stays far below the 2 GiB of MPI's counts.
const MOST_ITERATIONS: u64 = 10_000_000;

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Attempt folder for samples, progress and errors; without it a table is printed and no file is written
    #[arg(long, value_name = "DIR")]
    pub attempt: Option<PathBuf>,

    /// Servers as HOST:PORT,.. or unix://PATH; else those of the attempt, else the variable SSDB
    #[arg(long, value_name = "LIST")]
    pub address: Option<AddressList>,

    /// MPI ranks that the launcher was told to start; another number is an error
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub ranks: u32,

    /// Sizes of the float32 tensors, in the order of measurement: 1024,64KiB,4MB
    #[arg(long, value_name = "A,B,..", value_delimiter = ',', required = true, value_parser = parse_tensor_bytes)]
    pub tensor_bytes: Vec<u64>,

    /// Timed iterations for each size; each is one put_tensor and one unpack_tensor
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..))]
    pub iterations: u32,

    /// Iterations before them, recorded and marked as warm-up
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub warmup: u32,

    /// When ranks wait for each other: none, size (before each size) or iteration (before each iteration)
    #[arg(long, value_name = "WHEN", default_value_t = Barrier::Size)]
    pub barrier: Barrier,

    /// How a tensor is sent: redisai, plain, or auto (redisai where the server offers AI.TENSORSET)
    #[arg(long, value_name = "WIRE", default_value_t = Wire::Auto)]
    pub wire: Wire,

    /// How keys fall on shards: hash (SmartRedis's names) or balanced (ranks spread evenly)
    #[arg(long, value_name = "HOW", default_value_t = KeyPlacement::Hash)]
    pub keys: KeyPlacement,

    /// Compare every byte that is read with what was written, outside the timed section
    #[arg(long)]
    pub verify: bool,

    /// Each rank uses the server of its own host
    #[arg(long)]
    pub colocated: bool,

    /// Seconds until a connection must stand
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = value_parser!(u64).range(1..))]
    pub connect_timeout: u64,

    /// Seconds without a byte from the server after which a call has failed; a slow reply is waited for, never asked for again
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = value_parser!(u64).range(1..))]
    pub reply_timeout: u64,
}

impl RunArgs {
    /// Checks what clap cannot see in one argument.
    pub fn check(&self) -> Result<(), String> {
        let iterations = u64::from(self.iterations) + u64::from(self.warmup);
        if iterations > MOST_ITERATIONS {
            return Err(format!(
                "--iterations {} and --warmup {} are {iterations} iterations; at most {MOST_ITERATIONS} are allowed",
                self.iterations, self.warmup
            ));
        }
        Ok(())
    }

    pub fn timeouts(&self) -> Timeouts {
        Timeouts { connect: Duration::from_secs(self.connect_timeout), reply: Duration::from_secs(self.reply_timeout) }
    }
}
