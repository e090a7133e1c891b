//! Replies whole, torn, oversized and hostile.

use proptest::prelude::*;

use super::*;

const LONGEST: usize = 1 << 20;

/// Gives `bytes` in pieces of at most `piece` bytes, then the end of the connection.
struct Torn<'a> {
    bytes: &'a [u8],
    piece: usize,
}

impl Read for Torn<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = buffer.len().min(self.piece).min(self.bytes.len());
        buffer[..n].copy_from_slice(&self.bytes[..n]);
        self.bytes = &self.bytes[n..];
        Ok(n)
    }
}

/// What a reply is on the wire and what it should be read as, bulk strings by content.
fn encode(reply: &Tree, to: &mut Vec<u8>) {
    match reply {
        Tree::Simple(text) => to.extend(format!("+{text}\r\n").bytes()),
        Tree::Error(text) => to.extend(format!("-{text}\r\n").bytes()),
        Tree::Integer(value) => to.extend(format!(":{value}\r\n").bytes()),
        Tree::Bulk(bytes) => push_bulk(to, bytes),
        Tree::Nil => to.extend(b"$-1\r\n"),
        Tree::Array(items) => {
            to.extend(format!("*{}\r\n", items.len()).bytes());
            items.iter().for_each(|item| encode(item, to));
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Tree {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Nil,
    Array(Vec<Tree>),
}

fn resolve(bytes: &[u8], reply: Reply) -> Tree {
    match reply {
        Reply::Simple(text) => Tree::Simple(text),
        Reply::Error(text) => Tree::Error(text),
        Reply::Integer(value) => Tree::Integer(value),
        Reply::Bulk(place) => Tree::Bulk(bytes[place].to_vec()),
        Reply::Nil => Tree::Nil,
        Reply::Array(items) => Tree::Array(items.into_iter().map(|item| resolve(bytes, item)).collect()),
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        "[ -~]{0,30}".prop_map(Tree::Simple),
        "[ -~]{0,30}".prop_map(Tree::Error),
        any::<i64>().prop_map(Tree::Integer),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Tree::Bulk),
        Just(Tree::Nil),
    ];
    leaf.prop_recursive(3, 20, 6, |inner| prop::collection::vec(inner, 0..6).prop_map(Tree::Array))
}

proptest! {
    #[test]
    fn any_reply_is_read_however_it_is_torn(tree in trees(), piece in 1usize..100, known in 0usize..40) {
        let mut bytes = Vec::new();
        encode(&tree, &mut bytes);
        let (known, rest) = bytes.split_at(known.min(bytes.len()));
        let (read, reply) = read_reply(&mut Torn { bytes: rest, piece }, known.to_vec(), LONGEST).unwrap();
        prop_assert_eq!(&read, &bytes);
        prop_assert_eq!(resolve(&read, reply), tree);
    }

    #[test]
    fn a_reply_that_breaks_off_is_an_error(tree in trees(), cut in any::<prop::sample::Index>(), piece in 1usize..50) {
        let mut bytes = Vec::new();
        encode(&tree, &mut bytes);
        let cut = cut.index(bytes.len());
        let error = read_reply(&mut Torn { bytes: &bytes[..cut], piece }, Vec::new(), LONGEST).unwrap_err();
        prop_assert_eq!(error.to_string(), "the server closed the connection");
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes, LONGEST);
    }

    #[test]
    fn nor_do_bytes_that_look_like_a_reply(text in r"([*$:+-](-?[0-9]{0,20}|[A-Z]{0,5})(\r\n)?){0,12}") {
        let _ = parse(text.as_bytes(), LONGEST);
    }
}

#[test]
fn lengths_are_not_trusted() {
    let hostile = [
        "$9999999999\r\n",
        "$-2\r\n",
        "$99999999999999999999\r\n",
        "*-7\r\n",
        "*2000000000\r\n",
        "$x\r\n",
        "HTTP/1.1 400\r\n",
    ];
    for text in hostile {
        assert!(matches!(parse(text.as_bytes(), LONGEST), Err(NoReply::Malformed(_))), "{text:?}");
    }
    let deep = "*1\r\n".repeat(100);
    assert!(matches!(parse(deep.as_bytes(), LONGEST), Err(NoReply::Malformed(_))));
    let endless = [b'+'; LONGEST_LINE + 2];
    assert!(matches!(parse(&endless, LONGEST), Err(NoReply::Malformed(_))));
}

#[test]
fn a_reply_above_the_limit_and_bytes_behind_a_reply_are_refused() {
    let mut many = b"*1024\r\n".to_vec();
    (0..1024).for_each(|_| push_bulk(&mut many, &[7; 900]));
    let error = read_reply(&mut Torn { bytes: &many, piece: 4096 }, Vec::new(), 100_000).unwrap_err();
    assert!(error.to_string().contains("exceeds 100000 bytes"), "{error}");
    let error = read_reply(&mut Torn { bytes: b"+OK\r\n+OK\r\n", piece: 99 }, Vec::new(), 100).unwrap_err();
    assert!(error.to_string().contains("5 bytes more behind \"OK\""), "{error}");
}
