//! Everything that is MPI. No other module uses the library, and this one knows neither tensors nor files.
//!
//! MPI ends the program by itself when one of its calls fails, so the methods return errors only for what it cannot see.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mpi::datatype::PartitionMut;
use mpi::environment::Universe;
use mpi::point_to_point::{Destination, Source};
use mpi::topology::{Communicator, SimpleCommunicator};
use mpi::traits::{CommunicatorCollectives, Root};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What rank 0 holds of a gather at a time, unless a single rank's part is larger.
const BATCH_BYTES: usize = 64 << 20;

static NOTHING: [u8; 1] = [0];

/// The communicator of all ranks. Dropping it ends MPI in an orderly way, which every rank must do.
pub struct Comm {
    // dropped after `world`, which must not outlive it
    world: SimpleCommunicator,
    _universe: Universe,
}

/// One question about another rank's clock, in ns: asked and answered on the asking clock, read on the other one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    pub asked: i64,
    pub read: i64,
    pub answered: i64,
}

/// Ends all ranks at once with status 1.
///
/// A rank that merely returned would leave the others waiting for it for ever.
pub fn abort() -> ! {
    if mpi::environment::is_initialized() && !mpi::environment::is_finalized() {
        SimpleCommunicator::world().abort(1);
    }
    // SAFETY: it ends the process without exit handlers: those of MPI may wait for an MPI_Init that another thread is in
    unsafe { nix::libc::_exit(1) }
}

/// First line of what the MPI library says of itself; MPI need not have started.
pub fn library() -> String {
    let text = mpi::environment::library_version().unwrap_or_default();
    // MPICH separates words by tabs
    let line = text.lines().next().unwrap_or_default().trim_end_matches('\0');
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Version of the standard that the library has, as (major, minor); MPI need not have started.
pub fn standard() -> (i32, i32) {
    mpi::environment::version()
}

impl Comm {
    /// Starts MPI.
    ///
    /// # Errors
    /// If it was started before.
    pub fn init() -> Result<Comm> {
        let universe = mpi::initialize().context("MPI is already running in this process")?;
        Ok(Comm { world: universe.world(), _universe: universe })
    }

    pub fn rank(&self) -> u32 {
        self.world.rank().cast_unsigned()
    }

    pub fn size(&self) -> u32 {
        self.world.size().cast_unsigned()
    }

    pub fn is_root(&self) -> bool {
        self.world.rank() == 0
    }

    /// First line of what the MPI library says of itself.
    pub fn library(&self) -> String {
        library()
    }

    /// Waits until every rank has come here.
    pub fn barrier(&self) {
        self.world.barrier();
    }

    /// As [`Comm::barrier`], asleep between two looks: an MPI that waits keeps its core busy, even where it yields, and ranks that are
    /// still measuring, or a server, may be on it.
    pub fn wait_for_all(&self) {
        const AT_FIRST: Duration = Duration::from_micros(200);
        // a rank forwards the news of others when it looks
        const AT_MOST: Duration = Duration::from_millis(2);
        let mut request = self.world.immediate_barrier();
        let begun = Instant::now();
        while let Err(unfinished) = request.test() {
            request = unfinished;
            // many ranks that look often would take the cores of the few that work
            thread::sleep((begun.elapsed() / 8).clamp(AT_FIRST, AT_MOST));
        }
    }

    /// Gives rank 0's `value` to all ranks; the others pass `None`.
    pub fn share<T: Serialize + DeserializeOwned>(&self, value: Option<&T>) -> Result<T> {
        let mut bytes = value.map_or(Ok(Vec::new()), serde_json::to_vec).context("cannot encode what ranks share")?;
        let mut length = bytes.len() as u64;
        self.world.process_at_rank(0).broadcast_into(&mut length);
        ensure!(i32::try_from(length).is_ok(), "{length} bytes are too many to share");
        bytes.resize(length as usize, 0);
        self.world.process_at_rank(0).broadcast_into(&mut bytes[..]);
        serde_json::from_slice(&bytes).context("cannot decode what rank 0 shared")
    }

    /// Gives rank 0's number to all ranks; what the others pass is not used.
    pub fn share_number(&self, mut value: i64) -> i64 {
        self.world.process_at_rank(0).broadcast_into(&mut value);
        value
    }

    /// The lowest of all ranks' `first` and the highest of all `last`, on every rank.
    pub fn span(&self, first: i64, last: i64) -> (i64, i64) {
        let (mut lowest, mut highest) = (0i64, 0i64);
        self.world.all_reduce_into(&first, &mut lowest, mpi::collective::SystemOperation::min());
        self.world.all_reduce_into(&last, &mut highest, mpi::collective::SystemOperation::max());
        (lowest, highest)
    }

    /// Brings every rank's `value` to rank 0, in the order of ranks; the others get `None`.
    pub fn collect<T: Serialize + DeserializeOwned>(&self, value: &T) -> Result<Option<Vec<T>>> {
        let bytes = serde_json::to_vec(value).context("cannot encode what ranks collect")?;
        let mut values = Vec::new();
        self.gather(&bytes, |part| {
            values.push(serde_json::from_slice(part).context("cannot decode what a rank sent")?);
            Ok(())
        })?;
        Ok(self.is_root().then_some(values))
    }

    /// Brings every rank's bytes to rank 0, which takes them one rank after another, in order.
    pub fn gather(&self, bytes: &[u8], mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.gather_batches(bytes, |batch, lengths| {
            let mut rest = batch;
            lengths.iter().try_for_each(|length| {
                let (part, after) = rest.split_at(*length);
                rest = after;
                take(part)
            })
        })
    }

    /// Brings every rank's bytes to rank 0 in batches of consecutive ranks.
    ///
    /// `take` runs on rank 0 alone, with the concatenated bytes of a batch and the length of each part. Rank 0 never holds
    /// more than [`BATCH_BYTES`], or one rank's part where that is larger, beyond its own bytes.
    pub fn gather_batches(&self, bytes: &[u8], mut take: impl FnMut(&[u8], &[usize]) -> Result<()>) -> Result<()> {
        let own = bytes.len() as u64;
        // the type must be the sender's: the library takes any, and would write 8 bytes into 4
        let mut longest = 0u64;
        self.world.all_reduce_into(&own, &mut longest, mpi::collective::SystemOperation::max());
        ensure!(i32::try_from(longest).is_ok(), "a rank has {longest} bytes to send, MPI counts to 2^31");
        let lengths = self.gather_lengths(own);
        let ranks_at_once = (BATCH_BYTES / (longest as usize).max(1)).max(1);
        let size = self.size() as usize;
        for first in (0..size).step_by(ranks_at_once) {
            let members = first..(first + ranks_at_once).min(size);
            // not `&[]`: its address may be the one that stands for MPI_IN_PLACE
            let is_mine = members.contains(&(self.rank() as usize)) && !bytes.is_empty();
            let mine = if is_mine { bytes } else { &NOTHING[..0] };
            match &lengths {
                None => self.world.process_at_rank(0).gather_varcount_into(mine),
                Some(lengths) => {
                    let batch = self.receive_batch(mine, lengths, members.clone());
                    take(&batch, &lengths[members])?;
                }
            }
        }
        Ok(())
    }

    fn gather_lengths(&self, own: u64) -> Option<Vec<usize>> {
        let root = self.world.process_at_rank(0);
        if !self.is_root() {
            root.gather_into(&own);
            return None;
        }
        let mut lengths = vec![0u64; self.size() as usize];
        root.gather_into_root(&own, &mut lengths[..]);
        Some(lengths.into_iter().map(|length| length as usize).collect())
    }

    fn receive_batch(&self, mine: &[u8], lengths: &[usize], members: std::ops::Range<usize>) -> Vec<u8> {
        let count = |rank| if members.contains(&rank) { lengths[rank] as i32 } else { 0 };
        let counts: Vec<i32> = (0..lengths.len()).map(count).collect();
        let offsets: Vec<i32> = counts.iter().scan(0, |at, count| Some(std::mem::replace(at, *at + count))).collect();
        let mut batch = vec![0u8; counts.iter().sum::<i32>() as usize];
        let mut parts = PartitionMut::new(&mut batch[..], counts, offsets);
        self.world.process_at_rank(0).gather_varcount_into_root(mine, &mut parts);
        batch
    }

    /// Rank 0 reads the clock of `peer` `rounds` times, while `peer` calls [`Comm::answer_clock`].
    pub fn ask_clock(&self, peer: u32, rounds: u32, now_ns: impl Fn() -> i64) -> Vec<ClockReading> {
        let peer = self.world.process_at_rank(peer.cast_signed());
        let ask = |_| {
            let mut read = 0i64;
            let asked = now_ns();
            peer.send(&asked);
            peer.receive_into(&mut read);
            ClockReading { asked, read, answered: now_ns() }
        };
        (0..rounds).map(ask).collect()
    }

    /// The other side of [`Comm::ask_clock`].
    pub fn answer_clock(&self, rounds: u32, now_ns: impl Fn() -> i64) {
        let root = self.world.process_at_rank(0);
        for _ in 0..rounds {
            let mut asked = 0i64;
            root.receive_into(&mut asked);
            root.send(&now_ns());
        }
    }
}
