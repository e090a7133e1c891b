//! Hostile replies, torn anywhere: no panic, no success with bytes that were not sent, no reading beyond what is due.
//!
//! The first bytes of the input choose the case (wire, number of commands, sizes of the pieces); the rest, with a prefix of
//! the right reply if the case says so, is what the server answers.
#![no_main]

#[path = "../../src/wire/mod.rs"]
#[allow(dead_code)]
mod wire;

use std::io::{self, IoSlice, IoSliceMut, Read, Write};

use libfuzzer_sys::fuzz_target;
use shardscale::record::vocabulary::{Dtype, Wire};
use wire::ByteStream;
use wire::get::GetOp;
use wire::put::PutOp;

const BYTES: usize = 16;

/// Gives `reply` in pieces and takes whatever is written.
struct Server<'a> {
    reply: &'a [u8],
    piece: usize,
}

impl Read for Server<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_vectored(&mut [IoSliceMut::new(buffer)])
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut left = self.piece.min(self.reply.len());
        let all = left;
        for buffer in buffers {
            let n = buffer.len().min(left);
            let (now, later) = self.reply.split_at(n);
            buffer[..n].copy_from_slice(now);
            self.reply = later;
            left -= n;
        }
        Ok(all - left)
    }
}

impl Write for Server<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        Ok(buffer.len())
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(buffers.iter().map(|buffer| buffer.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ByteStream for Server<'_> {}

/// The right reply to a get of 16 bytes of 7.
fn right_reply(wire: Wire) -> Vec<u8> {
    let mut bytes = match wire {
        Wire::RedisAi => {
            b"*6\r\n$5\r\ndtype\r\n$5\r\nFLOAT\r\n$5\r\nshape\r\n*2\r\n:1\r\n:4\r\n$4\r\nblob\r\n$16\r\n".to_vec()
        }
        _ => b"$40\r\nSHT1\x01\x02\0\0\x01\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0".to_vec(),
    };
    bytes.extend([7; BYTES]);
    bytes.extend(b"\r\n");
    bytes
}

fuzz_target!(|input: &[u8]| {
    let [choice, piece, known, rest @ ..] = input else { return };
    let wire = if choice & 1 == 0 { Wire::Plain } else { Wire::RedisAi };
    let depth = 1 + usize::from(choice >> 1) % 4;
    let piece = 1 + usize::from(*piece);
    let tensor = wire::Tensor { dtype: Dtype::Float32, dimensions: vec![1, BYTES as u64 / 4], payload_bytes: BYTES };

    let right = b"+OK\r\n".repeat(depth);
    let reply = [&right[..usize::from(*known).min(right.len())], rest].concat();
    let mut server = Server { reply: &reply, piece };
    let mut puts: Vec<_> = (0..depth).map(|_| wire::put(wire, "key", &tensor)).collect();
    let mut batch: Vec<_> = puts.iter_mut().map(|put| PutOp { put, payload: &[7; BYTES] }).collect();
    wire::put::send(&mut server, &batch).expect("this server takes everything");
    let mut ended = 0;
    match wire::put::receive(&mut server, &mut batch, &mut |at| {
        assert_eq!(at, ended, "replies end in order");
        ended += 1;
    }) {
        Ok(()) => assert!(reply.starts_with(&right) && ended == depth),
        Err(error) => assert!(error.at < depth && !error.cause.to_string().is_empty()),
    }

    let right = right_reply(wire).repeat(depth);
    let reply = [&right[..usize::from(*known).min(right.len())], rest].concat();
    let mut server = Server { reply: &reply, piece };
    let mut gets: Vec<_> = (0..depth).map(|_| wire::get(wire, "key", &tensor)).collect();
    let mut payloads = vec![[0; BYTES]; depth];
    let mut batch: Vec<_> =
        gets.iter_mut().zip(&mut payloads).map(|(get, payload)| GetOp { get, payload: &mut payload[..] }).collect();
    wire::get::send(&mut server, &batch).expect("this server takes everything");
    let done = wire::get::receive(&mut server, &mut batch, &mut |at| assert!(at < depth));
    match done {
        // each payload stands in the reply as it was read
        Ok(()) => payloads.iter().for_each(|it| assert!(reply.windows(BYTES).any(|window| window == it))),
        Err(error) => assert!(error.at < depth && !error.cause.to_string().is_empty()),
    }
});
