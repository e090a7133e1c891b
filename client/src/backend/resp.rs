//! Servers that speak Redis's protocol, over TCP or UNIX sockets: a connection to each shard, commands of [`crate::wire`].

use anyhow::Result;
use arrayvec::ArrayVec;
use shardscale::record::vocabulary::Wire;

use super::{Backend, Ticks, Trouble};
use crate::buffer::Buffer;
use crate::connection;
use crate::tensors::{Read, Written};
use crate::wire::get::{self, Get, GetOp};
use crate::wire::put::{self, Put, PutOp};
use crate::wire::{self, BATCH, ByteStream, Tensor};

/// The connections of a rank.
pub struct Resp<S> {
    pub wire: Wire,
    pub streams: Vec<S>,
}

impl<S: ByteStream> Backend for Resp<S> {
    type Put = Put;
    type Get = Get;

    fn prepare_put(&self, _connection: usize, key: &str, tensor: &Tensor) -> Result<Put> {
        Ok(wire::put(self.wire, key, tensor))
    }

    fn prepare_get(&self, _connection: usize, key: &str, tensor: &Tensor) -> Result<Get> {
        Ok(wire::get(self.wire, key, tensor))
    }

    fn put(&mut self, batch: &mut [Written<Put>], ticks: &mut impl Ticks) -> Result<(), Trouble> {
        for group in batch.chunk_by_mut(|a, b| a.stream == b.stream) {
            let stream = group[0].stream;
            let ops = put_ops(group);
            ticks.begin(ops.len());
            put::send(&mut self.streams[stream], &ops).map_err(|error| (stream, error))?;
        }
        for group in batch.chunk_by_mut(|a, b| a.stream == b.stream) {
            let stream = group[0].stream;
            let mut ops = put_ops(group);
            put::receive(&mut self.streams[stream], &mut ops, &mut |_| ticks.end()).map_err(|error| (stream, error))?;
        }
        Ok(())
    }

    fn get(&mut self, batch: &mut [Read<Get>], targets: &mut [Buffer], ticks: &mut impl Ticks) -> Result<(), Trouble> {
        let mut rest = &mut *targets;
        for group in batch.chunk_by_mut(|a, b| a.stream == b.stream) {
            let stream = group[0].stream;
            let (own, others) = rest.split_at_mut(group.len());
            rest = others;
            let ops = get_ops(group, own);
            ticks.begin(ops.len());
            get::send(&mut self.streams[stream], &ops).map_err(|error| (stream, error))?;
        }
        let mut rest = targets;
        for group in batch.chunk_by_mut(|a, b| a.stream == b.stream) {
            let stream = group[0].stream;
            let (own, others) = rest.split_at_mut(group.len());
            rest = others;
            let mut ops = get_ops(group, own);
            get::receive(&mut self.streams[stream], &mut ops, &mut |_| ticks.end()).map_err(|error| (stream, error))?;
        }
        Ok(())
    }

    fn remove(&mut self, connection: usize, key: &str) -> Result<()> {
        connection::delete(&mut self.streams[connection], key)
    }
}

fn put_ops(group: &mut [Written<Put>]) -> ArrayVec<PutOp<'_>, BATCH> {
    group.iter_mut().map(|one| PutOp { put: &mut one.put, payload: one.source.bytes() }).collect()
}

fn get_ops<'a>(group: &'a mut [Read<Get>], targets: &'a mut [Buffer]) -> ArrayVec<GetOp<'a>, BATCH> {
    group
        .iter_mut()
        .zip(targets)
        .map(|(one, target)| GetOp { get: &mut one.get, payload: target.bytes_mut() })
        .collect()
}
