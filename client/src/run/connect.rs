//! How this rank gets its connections: in its turn, patiently, from the address that was asked for.

use std::time::Duration;

use super::args::RunArgs;
use super::store::Store;
use crate::clock::now_ns;
use crate::comm::Comm;
use crate::connecting::{patiently, turn};
use crate::connection::{self, Dial, Stream, Timeouts};
use crate::environment::Reach;
use crate::failure::{During, Failure};
use crate::hosts::Hosts;
use crate::limits;
use crate::source;

pub struct Connector<'a> {
    pub comm: &'a Comm,
    pub args: &'a RunArgs,
    pub hosts: &'a Hosts,
    pub store: &'a Store,
}

impl Connector<'_> {
    /// One connection to each of `shards`, in their order.
    ///
    /// # Errors
    /// A limit of this process that would be hit, or a server that cannot be reached within the connect time-out.
    pub fn connect(&self, shards: &[u32]) -> Result<(Vec<Stream>, Reach), Failure> {
        limits::rank_files(shards.len() as u64).during("connect")?;
        let place = self.hosts.place_of(self.comm.rank());
        let turn = self.turn(shards.len());
        std::thread::sleep(turn);
        let start = now_ns();
        let (mut streams, mut retries) = (Vec::new(), 0);
        for shard in shards {
            let reached = self.reach(*shard, place)?;
            streams.push(reached.connection);
            retries += reached.retries;
        }
        let reach = Reach {
            source: streams.first().and_then(Stream::source),
            turn_ns: turn.as_nanos() as u64,
            connect_ns: (now_ns() - start).cast_unsigned(),
            retries,
            buffers: streams.first().and_then(Stream::buffers),
        };
        Ok((streams, reach))
    }

    fn reach(&self, shard: u32, place: usize) -> Result<crate::connecting::Reached<Stream>, Failure> {
        let address = &self.store.shards[shard as usize].address;
        let source = self.args.source.as_deref().map(|source| source::resolve(source, place, address));
        let source = source.transpose().during("connect")?.flatten();
        let timeouts = self.args.timeouts();
        let open = |connect| {
            let dial =
                Dial { password: self.store.password.as_deref(), timeouts: Timeouts { connect, ..timeouts }, source };
            connection::open(address, dial)
        };
        patiently(timeouts.connect, open).during("connect").map_err(|failure| failure.at(address))
    }

    /// When this rank's first connection is due, so that each server is offered about as many a second as it should.
    ///
    /// Keys spread `connections` of each rank over all servers of a standard store; colocated, the ranks of a host come to
    /// servers of their own.
    fn turn(&self, connections: usize) -> Duration {
        let (rank, of_rank) = (self.comm.rank(), &self.hosts.of_rank);
        let before = match self.args.colocated {
            true => {
                let own = self.store.own_server(self.hosts, rank);
                let here = (0..rank).filter(|other| of_rank[*other as usize] == of_rank[rank as usize]);
                here.filter(|other| self.store.own_server(self.hosts, *other) == own).count()
            }
            false => rank as usize * connections / self.store.shards.len().max(1),
        };
        turn(before as u64)
    }
}
