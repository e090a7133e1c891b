//! The RedisAI wire: `AI.TENSORSET` and `AI.TENSORGET .. META BLOB`, byte for byte as SmartRedis sends them.
//!
//! The reply to the latter is an array of 6: "dtype", "FLOAT", "shape", [1, n], "blob", the payload.

use std::ops::Range;

use anyhow::{Result, bail, ensure};
use shardscale::record::vocabulary::Dtype;

use super::Tensor;
use super::get::Get;
use super::put::Put;
use super::resp::{self, Reply};

/// Prepares `AI.TENSORSET key DTYPE d1 .. dn BLOB payload`.
pub fn put(key: &str, tensor: &Tensor) -> Put {
    let dimensions: Vec<_> = tensor.dimensions.iter().map(u64::to_string).collect();
    let arguments = 5 + dimensions.len();
    let mut head = format!("*{arguments}\r\n").into_bytes();
    let before = ["AI.TENSORSET", key, name(tensor.dtype)].into_iter();
    for argument in before.chain(dimensions.iter().map(String::as_str)).chain(["BLOB"]) {
        resp::push_bulk(&mut head, argument.as_bytes());
    }
    head.extend_from_slice(format!("${}\r\n", tensor.payload_bytes).as_bytes());
    Put::new(head)
}

/// Prepares `AI.TENSORGET key META BLOB`.
pub fn get(key: &str, tensor: &Tensor) -> Get {
    let mut command = Vec::new();
    resp::push_command(&mut command, &[b"AI.TENSORGET", key.as_bytes(), b"META", b"BLOB"]);
    let mut reply_head = b"*6\r\n".to_vec();
    for text in ["dtype", name(tensor.dtype), "shape"] {
        resp::push_bulk(&mut reply_head, text.as_bytes());
    }
    reply_head.extend_from_slice(format!("*{}\r\n", tensor.dimensions.len()).as_bytes());
    for dimension in &tensor.dimensions {
        reply_head.extend_from_slice(format!(":{dimension}\r\n").as_bytes());
    }
    resp::push_bulk(&mut reply_head, b"blob");
    reply_head.extend_from_slice(format!("${}\r\n", tensor.payload_bytes).as_bytes());
    Get::new(command, reply_head, tensor.clone(), find_payload)
}

/// RedisAI's name of a dtype.
pub(super) fn name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::Float64 => "DOUBLE",
        Dtype::Float32 => "FLOAT",
        Dtype::Int64 => "INT64",
        Dtype::Int32 => "INT32",
        Dtype::Int16 => "INT16",
        Dtype::Int8 => "INT8",
        Dtype::Uint16 => "UINT16",
        Dtype::Uint8 => "UINT8",
    }
}

fn find_payload(bytes: &[u8], reply: &Reply, tensor: &Tensor) -> Result<Range<usize>> {
    let Reply::Array(items) = reply else { bail!("the server answered {reply} where an array of 6 was due") };
    let [dtype_name, dtype, shape_name, shape, blob_name, blob] = &items[..] else {
        bail!("the server answered {reply} where an array of 6 was due");
    };
    let words = [(dtype_name, "dtype"), (dtype, name(tensor.dtype)), (shape_name, "shape"), (blob_name, "blob")];
    for (item, due) in words {
        let found = text(bytes, item);
        ensure!(
            found.as_deref() == Some(due),
            "the server answered {:?} where {due:?} was due",
            found.unwrap_or_default()
        );
    }
    let due = tensor.dimensions.iter().map(|dimension| Reply::Integer(dimension.cast_signed()));
    ensure!(
        *shape == Reply::Array(due.collect()),
        "the tensor's shape is {}, {} was stored",
        show_shape(shape),
        super::show_shape(&tensor.dimensions)
    );
    match blob {
        Reply::Bulk(place) if place.len() == tensor.payload_bytes => Ok(place.clone()),
        other => bail!("the server answered {other} where a string of {} bytes was due", tensor.payload_bytes),
    }
}

fn show_shape(shape: &Reply) -> String {
    let dimension = |item: &Reply| if let Reply::Integer(dimension) = item { Some(*dimension) } else { None };
    match shape {
        Reply::Array(items) => {
            items.iter().map(dimension).collect::<Option<Vec<_>>>().map(|all| super::show_shape(&all))
        }
        _ => None,
    }
    .unwrap_or_else(|| shape.to_string())
}

fn text(bytes: &[u8], item: &Reply) -> Option<String> {
    match item {
        Reply::Simple(text) => Some(text.clone()),
        Reply::Bulk(place) => Some(String::from_utf8_lossy(&bytes[place.clone()]).into_owned()),
        _ => None,
    }
}
