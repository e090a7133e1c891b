//! What the client is compared with in benches/client.sh: two other ways to put a payload into a Redis server and to get it
//! back, timed in the same way.
//!
//! - `floor`: bare sockets, the least that can be done. The header and the caller's buffer go out in one writev; the reply's
//!   header, the caller's buffer and CRLF come in by readv; nothing is allocated in the loop.
//! - `redis-crate`: the ordinary path of the redis crate, SET and GET with vectors of bytes.
//!
//! Each target is a process with a connection of its own, as a rank is. For each size a line goes to stdout: size in bytes,
//! median put and get in us, CPU time of a put+get pair in us (of several processes their means), GB/s of all together.

#![allow(clippy::unwrap_used, reason = "a benchmark ends by panicking")]

use std::io::{BufRead, BufReader, IoSlice, IoSliceMut, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;

use clap::{Parser, ValueEnum};
use shardscale_client::buffer::Buffer;
use shardscale_client::clock::now_ns;
use shardscale_client::effort::Meter;

#[derive(Parser)]
struct Args {
    #[arg(long)]
    way: Way,
    /// HOST:PORT=KEY or /SOCKET=KEY; one process each
    #[arg(long, required = true)]
    target: Vec<Target>,
    #[arg(long, value_delimiter = ',', required = true)]
    sizes: Vec<usize>,
    #[arg(long)]
    iterations: usize,
    #[arg(long)]
    warmup: usize,
    /// Measure one target and one size when standard input says so, for a parent that has several
    #[arg(long, hide = true)]
    one_of_several: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Way {
    Floor,
    RedisCrate,
}

#[derive(Clone)]
struct Target {
    address: String,
    key: String,
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, key) = text.split_once('=').ok_or("write ADDRESS=KEY")?;
        Ok(Target { address: address.to_owned(), key: key.to_owned() })
    }
}

trait Pair {
    fn put(&mut self);
    fn get(&mut self);
}

trait Socket: Read + Write {}
impl Socket for TcpStream {}
impl Socket for UnixStream {}

struct Floor<S> {
    socket: S,
    put_head: Vec<u8>,
    get: Vec<u8>,
    due: Vec<u8>,
    head: Vec<u8>,
    source: Buffer,
    target: Buffer,
}

impl<S: Socket> Floor<S> {
    fn new(socket: S, key: &str, bytes: usize) -> Floor<S> {
        let due = format!("${bytes}\r\n").into_bytes();
        Floor {
            socket,
            put_head: format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${bytes}\r\n", key.len()).into_bytes(),
            get: format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()).into_bytes(),
            head: vec![0; due.len()],
            due,
            source: Buffer::new(bytes),
            target: Buffer::new(bytes),
        }
    }
}

impl<S: Socket> Pair for Floor<S> {
    fn put(&mut self) {
        let mut parts = [&self.put_head[..], self.source.bytes(), b"\r\n"].map(IoSlice::new);
        let mut rest = &mut parts[..];
        while !rest.is_empty() {
            let n = self.socket.write_vectored(rest).unwrap();
            IoSlice::advance_slices(&mut rest, n);
        }
        let mut reply = [0; 5];
        self.socket.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"+OK\r\n");
    }

    fn get(&mut self) {
        self.socket.write_all(&self.get).unwrap();
        let mut tail = [0; 2];
        let mut parts = [&mut self.head[..], self.target.bytes_mut(), &mut tail].map(IoSliceMut::new);
        let mut rest = &mut parts[..];
        while !rest.is_empty() {
            let n = self.socket.read_vectored(rest).unwrap();
            assert_ne!(n, 0, "the server closed the connection");
            IoSliceMut::advance_slices(&mut rest, n);
        }
        assert_eq!((&self.head, &tail), (&self.due, b"\r\n"));
    }
}

struct Crate {
    connection: redis::Connection,
    key: String,
    source: Vec<u8>,
}

impl Pair for Crate {
    fn put(&mut self) {
        redis::cmd("SET").arg(&self.key).arg(&self.source[..]).exec(&mut self.connection).unwrap();
    }

    fn get(&mut self) {
        let got: Vec<u8> = redis::cmd("GET").arg(&self.key).query(&mut self.connection).unwrap();
        assert_eq!(got.len(), self.source.len());
        std::hint::black_box(got);
    }
}

fn connect(way: Way, target: &Target, bytes: usize) -> Box<dyn Pair> {
    let Target { address, key } = target;
    match way {
        Way::RedisCrate => {
            let url =
                if address.starts_with('/') { format!("redis+unix://{address}") } else { format!("redis://{address}") };
            let connection = redis::Client::open(url).unwrap().get_connection().unwrap();
            Box::new(Crate { connection, key: key.clone(), source: vec![0xA5; bytes] })
        }
        Way::Floor if address.starts_with('/') => {
            Box::new(Floor::new(UnixStream::connect(address).unwrap(), key, bytes))
        }
        Way::Floor => {
            let socket = TcpStream::connect(address).unwrap();
            socket.set_nodelay(true).unwrap();
            Box::new(Floor::new(socket, key, bytes))
        }
    }
}

/// What one process measured.
struct Measured {
    put_us: f64,
    get_us: f64,
    cpu_us_a_pair: f64,
    /// Start and end of the loop on the host's clock in ns.
    window: (i64, i64),
}

/// Waits for `together` between warm-up and loop.
fn measure(pair: &mut dyn Pair, args: &Args, together: impl FnOnce()) -> Measured {
    let (mut put, mut get) = (vec![1; args.iterations], vec![1; args.iterations]);
    (0..args.warmup).for_each(|_| {
        pair.put();
        pair.get();
    });
    together();
    let meter = Meter::start().unwrap();
    let first = now_ns();
    for iteration in 0..args.iterations {
        let start = now_ns();
        pair.put();
        put[iteration] = now_ns() - start;
        let start = now_ns();
        pair.get();
        get[iteration] = now_ns() - start;
    }
    let window = (first, now_ns());
    let cpu_us_a_pair = meter.read().unwrap().cpu_us as f64 / args.iterations as f64;
    Measured { put_us: median_us(put), get_us: median_us(get), cpu_us_a_pair, window }
}

fn median_us(mut values: Vec<i64>) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable(middle).1 as f64 / 1000.0
}

/// One of several: says that it is ready, starts when a line comes, tells what it measured.
fn be_one_of_several(pair: &mut dyn Pair, args: &Args) {
    let Measured { put_us, get_us, cpu_us_a_pair, window } = measure(pair, args, || {
        println!("ready");
        std::io::stdin().read_line(&mut String::new()).unwrap();
    });
    println!("{put_us} {get_us} {cpu_us_a_pair} {} {}", window.0, window.1);
}

/// A process for each target, as ranks are; all start their loops together.
fn measure_several(args: &Args, bytes: usize) -> Vec<Measured> {
    let way = args.way.to_possible_value().unwrap();
    let start = |target: &Target| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--one-of-several", "--way", way.get_name(), "--sizes", &bytes.to_string()])
            .args(["--iterations", &args.iterations.to_string(), "--warmup", &args.warmup.to_string()])
            .args(["--target", &format!("{}={}", target.address, target.key)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut children: Vec<Child> = args.target.iter().map(start).collect();
    let mut answers: Vec<_> =
        children.iter_mut().map(|child| BufReader::new(child.stdout.take().unwrap()).lines()).collect();
    answers.iter_mut().for_each(|lines| assert_eq!(lines.next().unwrap().unwrap(), "ready"));
    children.iter_mut().for_each(|child| child.stdin.take().unwrap().write_all(b"go\n").unwrap());
    let measured = answers.iter_mut().map(|lines| parse_measured(&lines.next().unwrap().unwrap())).collect();
    children.iter_mut().for_each(|child| assert!(child.wait().unwrap().success()));
    measured
}

fn parse_measured(line: &str) -> Measured {
    let mut words = line.split(' ').map(|word| word.parse::<f64>().unwrap());
    let mut next = || words.next().unwrap();
    Measured {
        put_us: next(),
        get_us: next(),
        cpu_us_a_pair: next(),
        // a double holds 104 days in ns
        window: (next() as i64, next() as i64),
    }
}

fn main() {
    let args = Args::parse();
    for bytes in args.sizes.iter().copied() {
        let measured = match &args.target[..] {
            [one] if args.one_of_several => return be_one_of_several(&mut *connect(args.way, one, bytes), &args),
            [alone] => vec![measure(&mut *connect(args.way, alone, bytes), &args, || ())],
            _ => measure_several(&args, bytes),
        };
        let mean = |of: fn(&Measured) -> f64| measured.iter().map(of).sum::<f64>() / measured.len() as f64;
        let first = measured.iter().map(|one| one.window.0).min().unwrap();
        let last = measured.iter().map(|one| one.window.1).max().unwrap();
        let moved = (2 * measured.len() * args.iterations * bytes) as f64;
        let (put, get, cpu) = (mean(|one| one.put_us), mean(|one| one.get_us), mean(|one| one.cpu_us_a_pair));
        println!("{bytes} {put:.2} {get:.2} {cpu:.2} {:.4}", moved / (last - first) as f64);
    }
}
