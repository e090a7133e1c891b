//! The plain wire: a tensor is one string value, stored by SET and read by GET; any server of the Redis family has it.
//!
//! The value describes itself. All numbers are little-endian:
//!
//! ```text
//!  0  [u8;4]  "SHT1"
//!  4  u8      dtype: 1 float32
//!  5  u8      number of dimensions, 2
//!  6  u16     zero
//!  8  u64     first dimension, 1
//! 16  u64     second dimension, n
//! 24  ..      n elements, row by row
//! ```

use std::ops::Range;

use anyhow::{Result, bail, ensure};
use shardscale::record::units::ELEMENT_BYTES;

use super::Exchange;
use super::resp::{self, Reply};

const MAGIC: &[u8; 4] = b"SHT1";
const FLOAT32: u8 = 1;
const HEADER: usize = 24;

/// Prepares SET and GET of a float32 tensor of shape [1, n] with `payload_bytes` bytes.
pub fn exchange(key: &str, payload_bytes: usize) -> Exchange {
    let header = header(payload_bytes);
    let value_bytes = HEADER + payload_bytes;
    let mut put_head = b"*3\r\n".to_vec();
    resp::push_bulk(&mut put_head, b"SET");
    resp::push_bulk(&mut put_head, key.as_bytes());
    put_head.extend_from_slice(format!("${value_bytes}\r\n").as_bytes());
    put_head.extend_from_slice(&header);
    let mut get = Vec::new();
    resp::push_command(&mut get, &[b"GET", key.as_bytes()]);
    let mut reply_head = format!("${value_bytes}\r\n").into_bytes();
    reply_head.extend_from_slice(&header);
    Exchange { put_head, get, received: vec![0; reply_head.len()], reply_head, payload_bytes, find_payload }
}

fn header(payload_bytes: usize) -> [u8; HEADER] {
    let elements = payload_bytes as u64 / ELEMENT_BYTES;
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(MAGIC);
    header[4] = FLOAT32;
    header[5] = 2;
    header[8..16].copy_from_slice(&1u64.to_le_bytes());
    header[16..24].copy_from_slice(&elements.to_le_bytes());
    header
}

fn find_payload(bytes: &[u8], reply: &Reply, payload_bytes: usize) -> Result<Range<usize>> {
    let Reply::Bulk(place) = reply else { bail!("the server answered {reply} where a string was due") };
    ensure!(
        place.len() == HEADER + payload_bytes,
        "the value has {} bytes, {} were stored",
        place.len(),
        HEADER + payload_bytes
    );
    let payload = place.start + HEADER..place.end;
    ensure!(
        bytes[place.start..payload.start] == header(payload_bytes),
        "the value does not begin with the header of a float32 tensor of {payload_bytes} bytes"
    );
    Ok(payload)
}
