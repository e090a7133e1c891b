//! What a consumer of an aggregation is compared with in benches/consumer.sh: bare sockets, one for each thread, that fetch as many
//! tensors of as many bytes with GET, up to 64 commands ahead, into memory that was there before.
//!
//! One line goes to stdout: median time in us to fetch all, GB/s at that.

#![allow(clippy::unwrap_used, reason = "a benchmark ends by panicking")]

use std::io::{IoSliceMut, Read, Write};
use std::net::TcpStream;
use std::sync::Barrier;
use std::thread;

use clap::Parser;
use shardscale_client::buffer::Buffer;
use shardscale_client::clock::now_ns;

const AHEAD: usize = 64;

#[derive(Parser)]
struct Args {
    /// HOST:PORT=TAG, a thread for each; TAG is a hash tag of the server's
    #[arg(long, required = true)]
    thread: Vec<String>,
    /// Tensors of all threads together
    #[arg(long)]
    tensors: usize,
    #[arg(long)]
    bytes: usize,
    #[arg(long)]
    iterations: usize,
}

struct Worker {
    socket: TcpStream,
    commands: Vec<Vec<u8>>,
    head: Vec<u8>,
    targets: Vec<Buffer>,
}

impl Worker {
    fn new(place: &str, number: usize, tensors: usize, bytes: usize) -> Worker {
        let (address, tag) = place.split_once('=').unwrap();
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        let mut commands = Vec::new();
        for tensor in 0..tensors {
            let key = format!("{{{tag}}}floor_{number}_{tensor}");
            let set = format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${bytes}\r\n", key.len());
            socket.write_all(&[set.as_bytes(), &vec![7; bytes], b"\r\n"].concat()).unwrap();
            let mut reply = [0; 5];
            socket.read_exact(&mut reply).unwrap();
            assert_eq!(&reply, b"+OK\r\n");
            commands.push(format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()).into_bytes());
        }
        let head = format!("${bytes}\r\n").into_bytes();
        Worker { socket, commands, head, targets: (0..tensors).map(|_| Buffer::new(bytes)).collect() }
    }

    fn fetch(&mut self) {
        let mut heads = vec![[0u8; 24]; AHEAD];
        for (commands, targets) in self.commands.chunks(AHEAD).zip(self.targets.chunks_mut(AHEAD)) {
            self.socket.write_all(&commands.concat()).unwrap();
            let mut parts: Vec<IoSliceMut<'_>> = Vec::with_capacity(3 * AHEAD);
            let mut tails = vec![[0u8; 2]; targets.len()];
            for ((head, target), tail) in heads.iter_mut().zip(targets.iter_mut()).zip(&mut tails) {
                parts.push(IoSliceMut::new(&mut head[..self.head.len()]));
                parts.push(IoSliceMut::new(target.bytes_mut()));
                parts.push(IoSliceMut::new(tail));
            }
            let mut rest = &mut parts[..];
            while !rest.is_empty() {
                let read = self.socket.read_vectored(rest).unwrap();
                assert!(read > 0, "the server closed");
                IoSliceMut::advance_slices(&mut rest, read);
            }
        }
    }
}

fn main() {
    let args = Args::parse();
    let threads = args.thread.len();
    let share = |at: usize| args.tensors / threads + usize::from(at < args.tensors % threads);
    let workers: Vec<Worker> =
        args.thread.iter().enumerate().map(|(at, place)| Worker::new(place, at, share(at), args.bytes)).collect();
    let gate = Barrier::new(threads + 1);
    let mut took: Vec<i64> = thread::scope(|scope| {
        for mut worker in workers {
            let gate = &gate;
            scope.spawn(move || {
                for _ in 0..args.iterations {
                    gate.wait();
                    worker.fetch();
                    gate.wait();
                }
            });
        }
        let one = |_| {
            let start = now_ns();
            gate.wait();
            gate.wait();
            now_ns() - start
        };
        (0..args.iterations).map(one).collect()
    });
    took.sort_unstable();
    let median = took[took.len() / 2];
    println!("{:.1} {:.3}", median as f64 / 1e3, (args.tensors * args.bytes) as f64 / median as f64);
}
