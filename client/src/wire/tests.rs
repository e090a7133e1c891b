//! Both wires against scripted replies, whole and torn. Real servers are in `tests/`.

use std::io;

use proptest::prelude::*;

use super::get::{Get, GetOp};
use super::put::{Put, PutOp};
use super::*;

const KEY: &str = "throughput_rank_3";

/// Takes at most `piece` bytes a write and gives at most `piece` a read, across the parts of a vectored call.
struct Scripted {
    reply: Vec<u8>,
    at: usize,
    written: Vec<u8>,
    piece: usize,
}

impl ByteStream for Scripted {}

/// Both wires' commands for a tensor.
struct Exchange {
    put: Put,
    get: Get,
}

impl Exchange {
    fn put(&mut self, stream: &mut Scripted, payload: &[u8]) -> anyhow::Result<()> {
        self.put.exchange(stream, payload)
    }

    fn get(&mut self, stream: &mut Scripted, payload: &mut [u8]) -> anyhow::Result<()> {
        self.get.exchange(stream, payload)
    }
}

fn floats(payload_bytes: usize) -> Tensor {
    Tensor { dtype: Dtype::Float32, dimensions: vec![1, payload_bytes as u64 / 4], payload_bytes }
}

fn plain(payload_bytes: usize) -> Exchange {
    let tensor = floats(payload_bytes);
    Exchange { put: plain::put(KEY, &tensor), get: plain::get(KEY, &tensor) }
}

fn redisai(payload_bytes: usize) -> Exchange {
    let tensor = floats(payload_bytes);
    Exchange { put: redisai::put(KEY, &tensor), get: redisai::get(KEY, &tensor) }
}

fn scripted(reply: &[u8], piece: usize) -> Scripted {
    Scripted { reply: reply.to_vec(), at: 0, written: Vec::new(), piece }
}

impl Read for Scripted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_vectored(&mut [IoSliceMut::new(buffer)])
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut left = self.piece;
        for buffer in buffers {
            let n = buffer.len().min(left).min(self.reply.len() - self.at);
            buffer[..n].copy_from_slice(&self.reply[self.at..self.at + n]);
            self.at += n;
            left -= n;
        }
        Ok(self.piece - left)
    }
}

impl Write for Scripted {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buffer)])
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut left = self.piece;
        for buffer in buffers {
            let n = buffer.len().min(left);
            self.written.extend_from_slice(&buffer[..n]);
            left -= n;
        }
        Ok(self.piece - left)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn tensor_reply(dtype: &str, elements: usize, blob: &[u8]) -> Vec<u8> {
    let mut bytes = format!("*6\r\n$5\r\ndtype\r\n${}\r\n{dtype}\r\n$5\r\nshape\r\n", dtype.len()).into_bytes();
    bytes.extend(format!("*2\r\n:1\r\n:{elements}\r\n$4\r\nblob\r\n${}\r\n", blob.len()).bytes());
    bytes.extend(blob);
    bytes.extend(CRLF);
    bytes
}

fn plain_reply(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("${}\r\nSHT1\x01\x02\0\0\x01\0\0\0\0\0\0\0", payload.len() + 24).into_bytes();
    bytes.extend((payload.len() as u64 / 4).to_le_bytes());
    bytes.extend(payload);
    bytes.extend(CRLF);
    bytes
}

fn get_error(mut exchange: Exchange, reply: &[u8]) -> String {
    let mut payload = vec![0; exchange.get.tensor.payload_bytes];
    // as one piece and byte by byte: the answer must be the same
    let mut errors =
        [4096, 1].map(|piece| format!("{:#}", exchange.get(&mut scripted(reply, piece), &mut payload).unwrap_err()));
    assert_eq!(errors[0], errors[1]);
    std::mem::take(&mut errors[0])
}

#[test]
fn commands_are_those_of_smartredis() {
    let payload = [1, 2, 3, 4, 5, 6, 7, 8];
    let mut stream = scripted(b"+OK\r\n", 4096);
    redisai(8).put(&mut stream, &payload).unwrap();
    let due = b"*7\r\n$12\r\nAI.TENSORSET\r\n$17\r\nthroughput_rank_3\r\n$5\r\nFLOAT\r\n$1\r\n1\r\n$1\r\n2\r\n$4\r\nBLOB\r\n$8\r\n\x01\x02\x03\x04\x05\x06\x07\x08\r\n";
    assert_eq!(stream.written, due);
    let mut stream = scripted(&tensor_reply("FLOAT", 2, &payload), 4096);
    redisai(8).get(&mut stream, &mut [0; 8]).unwrap();
    assert_eq!(
        stream.written,
        b"*4\r\n$12\r\nAI.TENSORGET\r\n$17\r\nthroughput_rank_3\r\n$4\r\nMETA\r\n$4\r\nBLOB\r\n"
    );
}

proptest! {
    #[test]
    fn pieces_of_any_size_are_put_together(words in prop::collection::vec(any::<u32>(), 1..300), piece in 1usize..700) {
        let payload: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let cases = [
            (plain(payload.len()), plain_reply(&payload)),
            (redisai(payload.len()), tensor_reply("FLOAT", payload.len() / 4, &payload)),
        ];
        for (mut exchange, reply) in cases {
            let mut stream = scripted(b"+OK\r\n", piece);
            exchange.put(&mut stream, &payload).unwrap();
            let (value, _) = resp::parse(&stream.written, 1 << 20).unwrap();
            prop_assert!(matches!(value, Reply::Array(_)));
            let mut read = vec![0; payload.len()];
            let mut stream = scripted(&reply, piece);
            exchange.get(&mut stream, &mut read).unwrap();
            prop_assert_eq!(&read, &payload);
            prop_assert_eq!(stream.at, reply.len());
        }
    }

    #[test]
    fn no_reply_makes_a_wire_panic_or_pass_wrongly(reply in prop::collection::vec(any::<u8>(), 0..200), piece in 1usize..50) {
        for mut exchange in [plain(64), redisai(64)] {
            prop_assert!(exchange.put(&mut scripted(&reply, piece), &[0; 64]).is_err() || reply.starts_with(OK));
            prop_assert!(exchange.get(&mut scripted(&reply, piece), &mut [0; 64]).is_err());
        }
    }
}

#[test]
fn errors_of_the_server_arrive_in_its_words() {
    for text in [
        "OOM command not allowed when used memory > 'maxmemory'.",
        "MOVED 3999 10.0.0.1:6780",
        "LOADING dataset",
        "ERR x",
    ] {
        let reply = format!("-{text}\r\n");
        for exchange in [plain(64), redisai(64)] {
            assert!(get_error(exchange, reply.as_bytes()).contains(text));
        }
        let error = plain(64).put(&mut scripted(reply.as_bytes(), 3), &[0; 64]).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
    assert!(get_error(plain(64), b"-NOAUTH Authentication required.\r\n").contains("SHARDSCALE_PASSWORD"));
    assert!(get_error(plain(64), b"$-1\r\n").contains("no value"));
}

#[test]
fn values_of_another_form_are_refused() {
    assert!(get_error(plain(64), &plain_reply(&[0; 60])).contains("84 bytes, 88 were stored"));
    let mut other_magic = plain_reply(&[0; 64]);
    other_magic[5] = b'X';
    assert!(get_error(plain(64), &other_magic).contains("header of a float32 tensor of shape 1x16"));
    let mut overlong = plain_reply(&[0; 64]);
    let end = overlong.len() - 2;
    overlong[end] = b'!';
    assert!(get_error(plain(64), &overlong).contains("does not end where"));
    assert!(get_error(redisai(64), &tensor_reply("DOUBLE", 16, &[0; 64])).contains("\"DOUBLE\""));
    assert!(get_error(redisai(64), &tensor_reply("FLOAT", 15, &[0; 64])).contains("shape is 1x15, 1x16 was stored"));
    assert!(get_error(redisai(64), &tensor_reply("FLOAT", 16, &[0; 60])).contains("60 bytes"));
    assert!(get_error(redisai(64), b"$999999999\r\n").contains("announces a string"));
}

#[test]
fn another_spelling_of_the_same_tensor_is_read_and_then_expected() {
    let payload: Vec<u8> = (0..64).collect();
    let reply = String::from_utf8(tensor_reply("FLOAT", 16, &payload)).unwrap();
    let reply = reply.replace("$5\r\ndtype\r\n", "+dtype\r\n").into_bytes();
    let mut exchange = redisai(64);
    for piece in [7, 4096] {
        let mut read = vec![0; 64];
        exchange.get(&mut scripted(&reply, piece), &mut read).unwrap();
        assert_eq!(read, payload);
        assert!(reply.starts_with(&exchange.get.reply_head));
    }
}

#[test]
fn every_dtype_and_shape_has_its_words() {
    let names = [
        (Dtype::Float64, "DOUBLE", 2),
        (Dtype::Float32, "FLOAT", 1),
        (Dtype::Int64, "INT64", 3),
        (Dtype::Int32, "INT32", 4),
        (Dtype::Int16, "INT16", 5),
        (Dtype::Int8, "INT8", 6),
        (Dtype::Uint16, "UINT16", 7),
        (Dtype::Uint8, "UINT8", 8),
    ];
    assert_eq!(names.map(|(dtype, ..)| dtype), Dtype::ALL);
    for (dtype, name, code) in names {
        let payload = vec![7; 12 * dtype.bytes() as usize];
        let tensor = Tensor { dtype, dimensions: vec![2, 3, 2], payload_bytes: payload.len() };
        let length = payload.len();
        let mut stream = scripted(b"+OK\r\n", 4096);
        redisai::put("k", &tensor).exchange(&mut stream, &payload).unwrap();
        let mut due = format!(
            "*8\r\n$12\r\nAI.TENSORSET\r\n$1\r\nk\r\n${}\r\n{name}\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n2\r\n$4\r\nBLOB\r\n",
            name.len()
        )
        .into_bytes();
        resp::push_bulk(&mut due, &payload);
        assert_eq!(stream.written, due);
        let mut reply = format!(
            "*6\r\n$5\r\ndtype\r\n${}\r\n{name}\r\n$5\r\nshape\r\n*3\r\n:2\r\n:3\r\n:2\r\n$4\r\nblob\r\n",
            name.len()
        )
        .into_bytes();
        resp::push_bulk(&mut reply, &payload);
        let mut read = vec![0; length];
        redisai::get("k", &tensor).exchange(&mut scripted(&reply, 4096), &mut read).unwrap();
        assert_eq!(read, payload);

        let mut stream = scripted(b"+OK\r\n", 4096);
        plain::put("k", &tensor).exchange(&mut stream, &payload).unwrap();
        let value_bytes = 8 + 3 * 8 + length;
        let head = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${value_bytes}\r\nSHT1");
        assert_eq!(stream.written[..head.len()], *head.as_bytes());
        assert_eq!(stream.written[head.len()..][..4], [code, 3, 0, 0]);
        let value = stream.written[head.len() - 4..stream.written.len() - 2].to_vec();
        let mut reply = Vec::new();
        resp::push_bulk(&mut reply, &value);
        let mut read = vec![0; length];
        plain::get("k", &tensor).exchange(&mut scripted(&reply, 4096), &mut read).unwrap();
        assert_eq!(read, payload);
    }
}

proptest! {
    #[test]
    fn commands_sent_ahead_are_answered_in_order(depth in 1usize..=BATCH, piece in 1usize..3000) {
        let payloads: Vec<Vec<u8>> = (0..depth).map(|i| vec![i as u8; 40]).collect();
        let mut exchanges: Vec<Exchange> = (0..depth).map(|_| plain(40)).collect();
        let mut stream = scripted(&b"+OK\r\n".repeat(depth), piece);
        let mut order = Vec::new();
        let mut batch: Vec<PutOp<'_>> =
            exchanges.iter_mut().zip(&payloads).map(|(it, payload)| PutOp { put: &mut it.put, payload }).collect();
        put::send(&mut stream, &batch).unwrap();
        put::receive(&mut stream, &mut batch, &mut |at| order.push(at)).unwrap();
        prop_assert_eq!(&order, &(0..depth).collect::<Vec<_>>());
        prop_assert_eq!(stream.written.windows(5).filter(|it| it == b"$3\r\nS").count(), depth);

        let replies = payloads.iter().flat_map(|payload| plain_reply(payload)).collect::<Vec<_>>();
        let mut stream = scripted(&replies, piece);
        let mut read = vec![vec![0; 40]; depth];
        let mut batch: Vec<GetOp<'_>> =
            exchanges.iter_mut().zip(&mut read).map(|(it, payload)| GetOp { get: &mut it.get, payload }).collect();
        get::send(&mut stream, &batch).unwrap();
        order.clear();
        get::receive(&mut stream, &mut batch, &mut |at| order.push(at)).unwrap();
        prop_assert_eq!(&order, &(0..depth).collect::<Vec<_>>());
        prop_assert_eq!(read, payloads);
    }
}

#[test]
fn an_error_among_replies_names_its_command() {
    let mut exchanges: Vec<Exchange> = (0..3).map(|_| plain(8)).collect();
    for piece in [1, 7, 4096] {
        let mut batch: Vec<PutOp<'_>> =
            exchanges.iter_mut().map(|it| PutOp { put: &mut it.put, payload: &[0; 8] }).collect();
        let mut stream = scripted(b"+OK\r\n-OOM no memory\r\n+OK\r\n", piece);
        put::send(&mut stream, &batch).unwrap();
        let error = put::receive(&mut stream, &mut batch, &mut |_| {}).unwrap_err();
        assert_eq!(error.at, 1);
        assert!(error.cause.to_string().contains("OOM no memory"), "{}", error.cause);
    }
}

/// Notes which addresses are written from and read into.
struct Watched {
    inner: Scripted,
    from: Vec<std::ops::Range<usize>>,
    into: Vec<std::ops::Range<usize>>,
}

fn address_range(bytes: &[u8]) -> std::ops::Range<usize> {
    let start = bytes.as_ptr().addr();
    start..start + bytes.len()
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_vectored(&mut [IoSliceMut::new(buffer)])
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.into.extend(buffers.iter().map(|buffer| address_range(buffer)));
        self.inner.read_vectored(buffers)
    }
}

impl Write for Watched {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(buffer)])
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.from.extend(buffers.iter().map(|buffer| address_range(buffer)));
        self.inner.write_vectored(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ByteStream for Watched {}

#[test]
fn the_payload_goes_from_and_into_the_callers_buffer() {
    let payload = vec![3; 1 << 16];
    let watched = |reply: &[u8]| Watched { inner: scripted(reply, 1 << 20), from: Vec::new(), into: Vec::new() };
    for (mut exchange, reply) in [
        (plain(payload.len()), plain_reply(&payload)),
        (redisai(payload.len()), tensor_reply("FLOAT", payload.len() / 4, &payload)),
    ] {
        let mut stream = watched(b"+OK\r\n");
        exchange.put.exchange(&mut stream, &payload).unwrap();
        assert_eq!(
            stream.from.iter().filter(|range| range.len() > 200).collect::<Vec<_>>(),
            [&address_range(&payload)]
        );
        let mut read = vec![0; payload.len()];
        let mut stream = watched(&reply);
        exchange.get.exchange(&mut stream, &mut read).unwrap();
        assert_eq!(stream.into.iter().filter(|range| range.len() > 200).collect::<Vec<_>>(), [&address_range(&read)]);
    }
}
