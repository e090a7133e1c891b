//! `rank_N_timing.csv`: lines `rank,function,seconds` without a header, read as bytes.
//!
//! A line counts if it is whole: three fields, the file's own rank, a function that the client times, a number of seconds,
//! and a line feed. A torn last line has no line feed, and its digits may be some of the number's.

use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;

use anyhow::Result;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

/// Nanoseconds of a century: above it a number is damage.
const MOST_NS: f64 = 3.2e18;

/// The timings of a rank.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RankFile {
    /// Of each of the functions that were asked for, in their order.
    pub ops: Vec<Timings>,
    /// 0 where there is none.
    pub loop_ns: u64,
    /// Lines that are no timings.
    pub odd_lines: u64,
}

/// Durations in ns in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timings {
    /// All are shorter than 4.29 s.
    Narrow(Vec<u32>),
    Wide(Vec<u64>),
}

impl Default for Timings {
    fn default() -> Timings {
        Timings::Narrow(Vec::new())
    }
}

impl Timings {
    pub fn len(&self) -> usize {
        match self {
            Timings::Narrow(all) => all.len(),
            Timings::Wide(all) => all.len(),
        }
    }

    /// In ns.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        let (narrow, wide): (&[u32], &[u64]) = match self {
            Timings::Narrow(all) => (all, &[]),
            Timings::Wide(all) => (&[], all),
        };
        narrow.iter().map(|ns| u64::from(*ns)).chain(wide.iter().copied())
    }

    fn push(&mut self, ns: u64) {
        match (&mut *self, u32::try_from(ns)) {
            (Timings::Narrow(all), Ok(ns)) => all.push(ns),
            (Timings::Narrow(all), Err(_)) => {
                *self = Timings::Wide(all.iter().map(|ns| u64::from(*ns)).chain([ns]).collect());
            }
            (Timings::Wide(all), _) => all.push(ns),
        }
    }
}

/// Name of the file of `rank`.
pub fn name(rank: u32) -> String {
    format!("rank_{rank}_timing.csv")
}

/// Reads the file of `rank` in `folder`; `buffer` is working memory that callers keep from file to file.
///
/// A tree has thousands of files: they are opened from their folder, so that the kernel need not walk the whole path each
/// time, and not asked for their length, since the buffer soon has room for any of a session.
pub fn read(rank: u32, functions: &[&str], folder: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> Result<RankFile> {
    let file = openat(folder, name(rank).as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
    buffer.clear();
    File::from(file.map_err(std::io::Error::from)?).take(u64::MAX).read_to_end(buffer)?;
    Ok(parse(rank, functions, buffer))
}

/// Reads the bytes of a rank's file: the timings of `functions`.
pub fn parse(rank: u32, functions: &[&str], bytes: &[u8]) -> RankFile {
    let prefix = format!("{rank},");
    // a line has about 27 bytes
    let room = bytes.len() / 25 / functions.len().max(1);
    let timings = functions.iter().map(|_| Timings::Narrow(Vec::with_capacity(room)));
    let mut file = RankFile { ops: timings.collect(), ..RankFile::default() };
    let mut rest = bytes;
    loop {
        while let Some((op, ns, after)) = usual_line(rest, functions, prefix.as_bytes()) {
            file.ops[op].push(ns);
            rest = after;
        }
        let Some(end) = memchr::memchr(b'\n', rest) else { break };
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() && file.take(line, functions, prefix.as_bytes()).is_none() {
            file.odd_lines += 1;
        }
    }
    file.odd_lines += u64::from(!rest.is_empty());
    file
}

/// (place of the op, ns, what follows) where `text` begins with a line as the C++ client writes nearly all of its lines; `None`
/// for all others, which may be good as well. In one pass over the line, three times as fast as the general way.
fn usual_line<'a>(text: &'a [u8], functions: &[&str], prefix: &[u8]) -> Option<(usize, u64, &'a [u8])> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    let of = |function: &&str| rest.strip_prefix(function.as_bytes())?.strip_prefix(b",");
    let (op, rest) = functions.iter().enumerate().find_map(|(op, function)| Some((op, of(function)?)))?;
    // a call of memcmp for so few bytes would take longer
    if !start.iter().eq(prefix) {
        return None;
    }
    let (mut value, mut point) = (0u64, None);
    for (at, byte) in rest.iter().take(MOST_DIGITS + 1).enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(at),
            b'\n' => {
                let point = point.filter(|_| at > 1)?;
                return Some((op, fixed_point(value, (at - 1 - point) as u32)?, &rest[at + 1..]));
            }
            _ => return None,
        }
    }
    None
}

impl RankFile {
    fn take(&mut self, line: &[u8], functions: &[&str], prefix: &[u8]) -> Option<()> {
        let rest = line.strip_prefix(prefix)?;
        let comma = memchr::memchr(b',', rest)?;
        let ns = nanoseconds(&rest[comma + 1..])?;
        let name = &rest[..comma];
        if let Some(op) = functions.iter().position(|function| function.as_bytes() == name) {
            self.ops[op].push(ns);
            return Some(());
        }
        match name {
            b"loop_time" => self.loop_ns = ns,
            b"client()" | b"main()" => {}
            _ => return None,
        }
        Some(())
    }
}

/// Seconds as C++ and Python print them, rounded to ns; `None` for what is no time.
fn nanoseconds(text: &[u8]) -> Option<u64> {
    plain(text).or_else(|| {
        let seconds: f64 = std::str::from_utf8(text).ok()?.trim().parse().ok()?;
        let ns = seconds * 1e9;
        // NaN is in no range
        (0.0..MOST_NS).contains(&ns).then(|| ns.round() as u64)
    })
}

/// Digits and a point that fit into u64 whatever they are.
const MOST_DIGITS: usize = 18;

/// Digits with a point: exact, and much faster than the general form.
fn plain(text: &[u8]) -> Option<u64> {
    let point = text.iter().position(|byte| *byte == b'.').filter(|_| (2..=MOST_DIGITS).contains(&text.len()))?;
    let (whole, decimals) = (&text[..point], &text[point + 1..]);
    let digit = |value: u64, byte: &u8| byte.is_ascii_digit().then(|| value * 10 + u64::from(byte - b'0'));
    let value = whole.iter().chain(decimals).try_fold(0, digit)?;
    fixed_point(value, decimals.len() as u32)
}

/// ns of `value` / 10^`decimals` seconds.
fn fixed_point(value: u64, decimals: u32) -> Option<u64> {
    match decimals {
        0..=9 => value.checked_mul(10u64.pow(9 - decimals)).filter(|ns| (*ns as f64) < MOST_NS),
        _ => {
            let unit = 10u64.pow(decimals - 9);
            Some((value + unit / 2) / unit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [&str; 2] = ["put_tensor", "unpack_tensor"];
    use proptest::prelude::*;

    #[test]
    fn every_whole_line_counts_the_first_too() {
        let text = b"3,put_tensor,0.5\n3,unpack_tensor,1e-06\r\n\n3,loop_time,2\n3,main(),9.5\n";
        let file = parse(3, &BOTH, text);
        assert_eq!(
            file,
            RankFile {
                ops: [vec![500_000_000], vec![1000]].map(Timings::Narrow).to_vec(),
                loop_ns: 2_000_000_000,
                odd_lines: 0
            }
        );
    }

    #[test]
    fn odd_lines_are_counted_and_a_torn_one_is_not_read() {
        let text = b"rank,function,seconds\n4,put_tensor,1\n3,put_tensor,-1\n3,put_tensor,nan\n3,put_tensor,1e300\n\
            3,launch,1\n3,put_tensor\n3,put_tensor,1,2\n\xff\xfe\n3,put_tensor,.\n3,put_tensor,0.00012";
        let file = parse(3, &BOTH, text);
        assert_eq!((file.ops[0].len(), file.odd_lines), (0, 11));
    }

    #[test]
    fn more_digits_than_ns_are_rounded() {
        assert_eq!(nanoseconds(b"0.00012345649"), Some(123_456));
        assert_eq!(nanoseconds(b"0.0001234565"), Some(123_457));
        assert_eq!(nanoseconds(b"0.00012345678901234567"), Some(123_457));
        assert_eq!(nanoseconds(b" 5"), Some(5_000_000_000));
        assert_eq!((nanoseconds(b""), nanoseconds(b"1.2.3")), (None, None));
    }

    #[test]
    fn one_long_duration_widens_all() {
        let file = parse(0, &BOTH, b"0,put_tensor,1\n0,put_tensor,5.0\n0,put_tensor,2\n0,unpack_tensor,1\n");
        assert_eq!(file.ops[0], Timings::Wide(vec![1_000_000_000, 5_000_000_000, 2_000_000_000]));
        assert_eq!((file.ops[0].len(), &file.ops[1]), (3, &Timings::Narrow(vec![1_000_000_000])));
    }

    proptest! {
        #[test]
        fn both_ways_to_a_number_agree(ns in 0u64..1 << 50, digits in 0usize..12) {
            let text = format!("{:.*}", digits, ns as f64 / 1e9);
            let exact = text.parse::<f64>().unwrap() * 1e9;
            let ours = nanoseconds(text.as_bytes()).unwrap() as f64;
            prop_assert!((ours - exact).abs() <= 0.5 + exact * 1e-15, "{} {} {}", text, ours, exact);
        }

        #[test]
        fn the_quick_way_reads_what_the_general_one_does(number in "[0-9]{0,14}\\.?[0-9]{0,12}[e ]?", end in "\r?\n?", op in 0usize..2) {
            let name = ["put_tensor", "unpack_tensor"][op];
            let line = format!("12,{name},{number}{end}");
            let mut general = parse(12, &BOTH, b"");
            general.take(format!("12,{name},{number}").as_bytes(), &BOTH, b"12,");
            if let Some((place, ns, rest)) = usual_line(line.as_bytes(), &BOTH, b"12,") {
                let mut one = Timings::default();
                one.push(ns);
                prop_assert!(rest.is_empty() && end == "\n");
                prop_assert_eq!((place, &general.ops[op]), (op, &one));
            }
            prop_assert_eq!(usual_line(line.as_bytes(), &BOTH, b"1,"), None);
            let same = parse(12, &BOTH, line.as_bytes());
            prop_assert_eq!(same.ops, if end.ends_with('\n') { general.ops } else { parse(12, &BOTH, b"").ops });
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(0, &BOTH, &bytes);
        }

        #[test]
        fn a_cut_anywhere_keeps_whole_lines(lines in 1usize..20, cut in 0usize..400) {
            let text = "7,put_tensor,0.001000\n".repeat(lines);
            let cut = cut.min(text.len());
            prop_assert_eq!(parse(7, &BOTH, &text.as_bytes()[..cut]).ops[0].len(), cut / 22);
        }
    }
}
