//! The plain wire: a tensor is one string value, stored by SET and read by GET; any server of the Redis family has it.
//!
//! The value describes itself. All numbers are little-endian:
//!
//! ```text
//!  0  [u8;4]    "SHT1"
//!  4  u8        dtype: 1 float32, 2 float64, 3 int64, 4 int32, 5 int16, 6 int8, 7 uint16, 8 uint8
//!  5  u8        d, number of dimensions
//!  6  u16       zero
//!  8  [u64;d]   dimensions
//!  ..           elements, row by row
//! ```

use std::ops::Range;

use anyhow::{Result, bail, ensure};
use shardscale::record::vocabulary::Dtype;

use super::Tensor;
use super::get::Get;
use super::put::Put;
use super::resp::{self, Reply};

const MAGIC: &[u8; 4] = b"SHT1";

/// Prepares SET of `tensor`.
pub fn put(key: &str, tensor: &Tensor) -> Put {
    let header = header(tensor);
    let mut head = b"*3\r\n".to_vec();
    resp::push_bulk(&mut head, b"SET");
    resp::push_bulk(&mut head, key.as_bytes());
    head.extend_from_slice(format!("${}\r\n", header.len() + tensor.payload_bytes).as_bytes());
    head.extend_from_slice(&header);
    Put::new(head)
}

/// Prepares GET of `tensor`.
pub fn get(key: &str, tensor: &Tensor) -> Get {
    let header = header(tensor);
    let mut command = Vec::new();
    resp::push_command(&mut command, &[b"GET", key.as_bytes()]);
    let mut reply_head = format!("${}\r\n", header.len() + tensor.payload_bytes).into_bytes();
    reply_head.extend_from_slice(&header);
    Get::new(command, reply_head, tensor.clone(), find_payload)
}

fn header(tensor: &Tensor) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&[code(tensor.dtype), tensor.dimensions.len() as u8, 0, 0]);
    for dimension in &tensor.dimensions {
        header.extend_from_slice(&dimension.to_le_bytes());
    }
    header
}

fn code(dtype: Dtype) -> u8 {
    match dtype {
        Dtype::Float32 => 1,
        Dtype::Float64 => 2,
        Dtype::Int64 => 3,
        Dtype::Int32 => 4,
        Dtype::Int16 => 5,
        Dtype::Int8 => 6,
        Dtype::Uint16 => 7,
        Dtype::Uint8 => 8,
    }
}

fn find_payload(bytes: &[u8], reply: &Reply, tensor: &Tensor) -> Result<Range<usize>> {
    let Reply::Bulk(place) = reply else { bail!("the server answered {reply} where a string was due") };
    let header = header(tensor);
    let due = header.len() + tensor.payload_bytes;
    ensure!(place.len() == due, "the value has {} bytes, {due} were stored", place.len());
    let payload = place.start + header.len()..place.end;
    ensure!(
        bytes[place.start..payload.start] == header,
        "the value does not begin with the header of a {} tensor of shape {}",
        tensor.dtype,
        super::show_shape(&tensor.dimensions)
    );
    Ok(payload)
}
