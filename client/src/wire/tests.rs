//! Both wires against scripted replies, whole and torn. Real servers are in `tests/`.

use std::io;

use proptest::prelude::*;

use super::*;

const KEY: &str = "throughput_rank_3";

/// Takes at most `piece` bytes a write and gives at most `piece` a read, across the parts of a vectored call.
struct Scripted {
    reply: Vec<u8>,
    at: usize,
    written: Vec<u8>,
    piece: usize,
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
    let mut payload = vec![0; exchange.payload_bytes];
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
    redisai::exchange(KEY, 8).put(&mut stream, &payload).unwrap();
    let due = b"*7\r\n$12\r\nAI.TENSORSET\r\n$17\r\nthroughput_rank_3\r\n$5\r\nFLOAT\r\n$1\r\n1\r\n$1\r\n2\r\n$4\r\nBLOB\r\n$8\r\n\x01\x02\x03\x04\x05\x06\x07\x08\r\n";
    assert_eq!(stream.written, due);
    let mut stream = scripted(&tensor_reply("FLOAT", 2, &payload), 4096);
    redisai::exchange(KEY, 8).get(&mut stream, &mut [0; 8]).unwrap();
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
            (plain::exchange(KEY, payload.len()), plain_reply(&payload)),
            (redisai::exchange(KEY, payload.len()), tensor_reply("FLOAT", payload.len() / 4, &payload)),
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
        for mut exchange in [plain::exchange(KEY, 64), redisai::exchange(KEY, 64)] {
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
        for exchange in [plain::exchange(KEY, 64), redisai::exchange(KEY, 64)] {
            assert!(get_error(exchange, reply.as_bytes()).contains(text));
        }
        let error = plain::exchange(KEY, 64).put(&mut scripted(reply.as_bytes(), 3), &[0; 64]).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
    assert!(
        get_error(plain::exchange(KEY, 64), b"-NOAUTH Authentication required.\r\n").contains("SHARDSCALE_PASSWORD")
    );
    assert!(get_error(plain::exchange(KEY, 64), b"$-1\r\n").contains("no value"));
}

#[test]
fn values_of_another_form_are_refused() {
    assert!(get_error(plain::exchange(KEY, 64), &plain_reply(&[0; 60])).contains("84 bytes, 88 were stored"));
    let mut other_magic = plain_reply(&[0; 64]);
    other_magic[5] = b'X';
    assert!(get_error(plain::exchange(KEY, 64), &other_magic).contains("header of a float32 tensor"));
    let mut overlong = plain_reply(&[0; 64]);
    let end = overlong.len() - 2;
    overlong[end] = b'!';
    assert!(get_error(plain::exchange(KEY, 64), &overlong).contains("does not end where"));
    assert!(get_error(redisai::exchange(KEY, 64), &tensor_reply("DOUBLE", 16, &[0; 64])).contains("\"DOUBLE\""));
    assert!(get_error(redisai::exchange(KEY, 64), &tensor_reply("FLOAT", 15, &[0; 64])).contains("shape"));
    assert!(get_error(redisai::exchange(KEY, 64), &tensor_reply("FLOAT", 16, &[0; 60])).contains("60 bytes"));
    assert!(get_error(redisai::exchange(KEY, 64), b"$999999999\r\n").contains("announces a string"));
}

#[test]
fn another_spelling_of_the_same_tensor_is_read_and_then_expected() {
    let payload: Vec<u8> = (0..64).collect();
    let reply = String::from_utf8(tensor_reply("FLOAT", 16, &payload)).unwrap();
    let reply = reply.replace("$5\r\ndtype\r\n", "+dtype\r\n").into_bytes();
    let mut exchange = redisai::exchange(KEY, 64);
    for piece in [7, 4096] {
        let mut read = vec![0; 64];
        exchange.get(&mut scripted(&reply, piece), &mut read).unwrap();
        assert_eq!(read, payload);
        assert!(reply.starts_with(&exchange.reply_head));
    }
}
