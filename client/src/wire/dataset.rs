//! Datasets and lists of them, as SmartRedis 0.6.1 keeps them: a dataset is a hash `{NAME}.meta`, which names its tensors, and a
//! tensor `{NAME}.TENSOR` for each; a list's entries are the `{NAME}`s.
//!
//! A dataset is put by one pipeline (DEL and HMSET of the hash, its tensors, HSET of `.COMPLETE`), in one write. The payloads are
//! not copied.

use std::io::IoSlice;

use anyhow::{Context, Result, bail, ensure};

use super::put::PutOp;
use super::resp::{self, Replies, Reply};
use super::{ByteStream, CRLF, REPLY_SLACK, why_writing_failed, write_all};

/// The field of the hash that holds the tensors' names, and that which is written last.
const NAMES: &[u8] = b".tensor_names";
const COMPLETE: &[u8] = b".COMPLETE";
/// SmartRedis's code of a field of strings.
const STRINGS: u8 = 7;

/// What stands around a dataset's tensors.
pub struct Frame {
    head: Vec<u8>,
    tail: Vec<u8>,
}

/// Name of tensor number `tensor`.
pub fn tensor(tensor: u32) -> String {
    format!("tensor_{tensor}")
}

/// Key of the hash of `dataset`, a name in its braces.
fn meta(dataset: &str) -> String {
    format!("{dataset}.meta")
}

/// The keys of `dataset`: of its tensors, and of the hash.
pub fn keys(dataset: &str, tensors: u32) -> impl Iterator<Item = String> {
    (0..tensors).map(move |number| format!("{dataset}.{}", tensor(number))).chain([meta(dataset)])
}

/// The value of [`NAMES`]: a byte for the type, then each name behind its length of 8 bytes, little-endian.
fn names(tensors: u32) -> Vec<u8> {
    let mut value = vec![STRINGS];
    for name in (0..tensors).map(tensor) {
        value.extend_from_slice(&(name.len() as u64).to_le_bytes());
        value.extend_from_slice(name.as_bytes());
    }
    value
}

impl Frame {
    pub fn new(dataset: &str, tensors: u32) -> Frame {
        let key = meta(dataset);
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        resp::push_command(&mut head, &[b"DEL", key.as_bytes()]);
        resp::push_command(&mut head, &[b"HMSET", key.as_bytes(), NAMES, &names(tensors)]);
        resp::push_command(&mut tail, &[b"HSET", key.as_bytes(), COMPLETE, b"1"]);
        Frame { head, tail }
    }

    /// Stores the dataset with `tensors`.
    ///
    /// # Errors
    /// The server's own words if it refuses any of it, or what happened to the connection.
    pub fn put<S: ByteStream>(&self, stream: &mut S, tensors: &[PutOp<'_>]) -> Result<()> {
        let mut parts = Vec::with_capacity(3 * tensors.len() + 2);
        parts.push(IoSlice::new(&self.head));
        for one in tensors {
            parts.extend([&one.put.head, one.payload, CRLF].map(IoSlice::new));
        }
        parts.push(IoSlice::new(&self.tail));
        write_all(stream, &mut parts).map_err(|error| why_writing_failed(stream, error))?;
        let mut replies = Replies::default();
        for at in 0..tensors.len() + 3 {
            let (_, reply) = replies.next(stream, REPLY_SLACK)?;
            let is_due = match at {
                0 => matches!(reply, Reply::Integer(_)),
                at if at == tensors.len() + 2 => matches!(reply, Reply::Integer(_)),
                _ => matches!(&reply, Reply::Simple(text) if text == "OK"),
            };
            ensure!(is_due, "the server answered {reply} to command {} of a dataset", at + 1);
        }
        replies.end()
    }
}

/// Sends one command and takes its reply.
fn ask<S: ByteStream, T>(
    stream: &mut S,
    command: &[&[u8]],
    longest: usize,
    take: impl FnOnce(&[u8], Reply) -> Result<T>,
) -> Result<T> {
    let mut bytes = Vec::new();
    resp::push_command(&mut bytes, command);
    write_all(stream, &mut [IoSlice::new(&bytes)]).map_err(|error| why_writing_failed(stream, error))?;
    let mut replies = Replies::default();
    let (bytes, reply) = replies.next(stream, longest)?;
    let taken = take(bytes, reply)?;
    replies.end().map(|()| taken)
}

fn number(reply: Reply) -> Result<usize> {
    match reply {
        Reply::Integer(number) => usize::try_from(number).context("the server's number is negative"),
        other => bail!("the server answered {other} where a number was due"),
    }
}

/// Appends `dataset` to `list`.
pub fn append<S: ByteStream>(stream: &mut S, list: &str, dataset: &str) -> Result<()> {
    let command = [b"RPUSH", list.as_bytes(), dataset.as_bytes()];
    ask(stream, &command, REPLY_SLACK, |_, reply| number(reply).map(|_| ()))
}

/// Entries of `list`.
pub fn length<S: ByteStream>(stream: &mut S, list: &str) -> Result<usize> {
    ask(stream, &[b"LLEN", list.as_bytes()], REPLY_SLACK, |_, reply| number(reply))
}

/// Tells `each` of `count` entries of `list` from number `first`. All but SmartRedis's 0 and -1 is for one of several consumers.
pub fn entries<S: ByteStream>(
    stream: &mut S,
    list: &str,
    (first, count, is_all): (usize, usize, bool),
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let last = if is_all { "-1".to_owned() } else { (first + count - 1).to_string() };
    let (start, longest) = (first.to_string(), REPLY_SLACK.max(count * 256));
    ask(stream, &[b"LRANGE", list.as_bytes(), start.as_bytes(), last.as_bytes()], longest, |bytes, reply| {
        let Reply::Array(entries) = reply else { bail!("the server answered {reply} where a list was due") };
        ensure!(entries.len() == count, "the list has {} entries where {count} are due", entries.len());
        entries.into_iter().try_for_each(|entry| match entry {
            Reply::Bulk(place) => each(&bytes[place]),
            other => bail!("the server answered {other} where a dataset's name was due"),
        })
    })
}

/// Deletes `list`, not the datasets in it.
pub fn delete<S: ByteStream>(stream: &mut S, list: &str) -> Result<()> {
    ask(stream, &[b"DEL", list.as_bytes()], REPLY_SLACK, |_, reply| number(reply).map(|_| ()))
}

/// The command that reads the hash of `dataset`.
pub fn describe(dataset: &str) -> Vec<u8> {
    let mut command = Vec::new();
    resp::push_command(&mut command, &[b"HGETALL", meta(dataset).as_bytes()]);
    command
}

/// Sends the commands of [`describe`] for several datasets, all in one write, and takes what is said of each.
///
/// # Errors
/// Also a dataset that is not complete, or that has other tensors than `tensors` of ours.
pub fn read_descriptions<S: ByteStream>(stream: &mut S, commands: &[&[u8]], tensors: u32) -> Result<()> {
    let mut parts: Vec<IoSlice<'_>> = commands.iter().map(|command| IoSlice::new(command)).collect();
    write_all(stream, &mut parts).map_err(|error| why_writing_failed(stream, error))?;
    let due = names(tensors);
    let mut replies = Replies::default();
    for _ in commands {
        let (bytes, reply) = replies.next(stream, REPLY_SLACK + due.len())?;
        check_description(bytes, &reply, &due)?;
    }
    replies.end()
}

fn check_description(bytes: &[u8], reply: &Reply, due: &[u8]) -> Result<()> {
    let Reply::Array(items) = reply else { bail!("the server answered {reply} where a dataset's description was due") };
    let text = |item: &Reply| if let Reply::Bulk(place) = item { &bytes[place.clone()] } else { &[] };
    let field = |name: &[u8]| items.chunks_exact(2).find(|pair| text(&pair[0]) == name).map(|pair| text(&pair[1]));
    ensure!(field(COMPLETE).is_some(), "a dataset of the list is not complete");
    ensure!(field(NAMES) == Some(due), "a dataset of the list has other tensors than those of this run");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // SmartRedis 0.6.1: include/metadatabuffer.h describes the value, src/cpp/client.cpp the commands
    #[test]
    fn a_dataset_is_put_as_smartredis_puts_it() {
        let Frame { head, tail } = Frame::new("{aggregation_rank_0}", 1);
        let head = String::from_utf8(head).unwrap();
        assert_eq!(
            head,
            "*2\r\n$3\r\nDEL\r\n$25\r\n{aggregation_rank_0}.meta\r\n*4\r\n$5\r\nHMSET\r\n$25\r\n{aggregation_rank_0}.meta\r\n\
             $13\r\n.tensor_names\r\n$17\r\n\u{7}\u{8}\0\0\0\0\0\0\0tensor_0\r\n"
        );
        let tail = String::from_utf8(tail).unwrap();
        assert_eq!(tail, "*4\r\n$4\r\nHSET\r\n$25\r\n{aggregation_rank_0}.meta\r\n$9\r\n.COMPLETE\r\n$1\r\n1\r\n");
        let all: Vec<String> = keys("{a}", 2).collect();
        assert_eq!(all, ["{a}.tensor_0", "{a}.tensor_1", "{a}.meta"]);
    }

    #[test]
    fn a_description_is_understood_in_any_order_and_held_against_the_run() {
        let describe = |fields: &[&[u8]]| {
            let mut bytes = Vec::new();
            resp::push_command(&mut bytes, fields);
            let (reply, _) = resp::parse(&bytes, 1 << 16).unwrap();
            check_description(&bytes, &reply, &names(2)).map_err(|error| error.to_string())
        };
        let (two, three) = (names(2), names(3));
        assert_eq!(describe(&[NAMES, &two, COMPLETE, b"1"]), Ok(()));
        assert_eq!(describe(&[COMPLETE, b"1", NAMES, &two]), Ok(()));
        assert!(describe(&[NAMES, &two]).unwrap_err().contains("not complete"));
        assert!(describe(&[]).unwrap_err().contains("not complete"));
        assert!(describe(&[NAMES, &three, COMPLETE, b"1"]).unwrap_err().contains("other tensors"));
    }
}
