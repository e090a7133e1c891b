//! The RedisAI wire: `AI.TENSORSET` and `AI.TENSORGET .. META BLOB`, byte for byte as SmartRedis sends them.
//!
//! The reply to the latter is an array of 6: "dtype", "FLOAT", "shape", [1, n], "blob", the payload.

use std::ops::Range;

use anyhow::{Result, bail, ensure};
use shardscale::record::units::ELEMENT_BYTES;

use super::Exchange;
use super::resp::{self, Reply};

/// Prepares both commands for a float32 tensor of shape [1, n] with `payload_bytes` bytes.
pub fn exchange(key: &str, payload_bytes: usize) -> Exchange {
    let elements = (payload_bytes as u64 / ELEMENT_BYTES).to_string();
    let mut put_head = b"*7\r\n".to_vec();
    for argument in ["AI.TENSORSET", key, "FLOAT", "1", &elements, "BLOB"] {
        resp::push_bulk(&mut put_head, argument.as_bytes());
    }
    put_head.extend_from_slice(format!("${payload_bytes}\r\n").as_bytes());
    let mut get = Vec::new();
    resp::push_command(&mut get, &[b"AI.TENSORGET", key.as_bytes(), b"META", b"BLOB"]);
    let mut reply_head = b"*6\r\n".to_vec();
    for text in ["dtype", "FLOAT", "shape"] {
        resp::push_bulk(&mut reply_head, text.as_bytes());
    }
    reply_head.extend_from_slice(format!("*2\r\n:1\r\n:{elements}\r\n").as_bytes());
    resp::push_bulk(&mut reply_head, b"blob");
    reply_head.extend_from_slice(format!("${payload_bytes}\r\n").as_bytes());
    Exchange { put_head, get, received: vec![0; reply_head.len()], reply_head, payload_bytes, find_payload }
}

fn find_payload(bytes: &[u8], reply: &Reply, payload_bytes: usize) -> Result<Range<usize>> {
    let Reply::Array(items) = reply else { bail!("the server answered {reply} where an array of 6 was due") };
    let [dtype_name, dtype, shape_name, shape, blob_name, blob] = &items[..] else {
        bail!("the server answered {reply} where an array of 6 was due");
    };
    for (item, due) in [(dtype_name, "dtype"), (dtype, "FLOAT"), (shape_name, "shape"), (blob_name, "blob")] {
        let found = text(bytes, item);
        ensure!(
            found.as_deref() == Some(due),
            "the server answered {:?} where {due:?} was due",
            found.unwrap_or_default()
        );
    }
    let elements = (payload_bytes as u64 / ELEMENT_BYTES).cast_signed();
    let due = Reply::Array(vec![Reply::Integer(1), Reply::Integer(elements)]);
    ensure!(*shape == due, "the tensor's shape is {shape:?}, [1, {elements}] was stored");
    match blob {
        Reply::Bulk(place) if place.len() == payload_bytes => Ok(place.clone()),
        other => bail!("the server answered {other} where a string of {payload_bytes} bytes was due"),
    }
}

fn text(bytes: &[u8], item: &Reply) -> Option<String> {
    match item {
        Reply::Simple(text) => Some(text.clone()),
        Reply::Bulk(place) => Some(String::from_utf8_lossy(&bytes[place.clone()]).into_owned()),
        _ => None,
    }
}
