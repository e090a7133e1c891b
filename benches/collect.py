#!/usr/bin/env python3
"""What `shardscale collect` costs: on our own runs as they grow, and on a tree of SmartSim-Scaling beside other tools.

    cargo build --release --bin shardscale --example synthetic
    benches/collect.py own      [--rounds 3] [--most 100]
    benches/collect.py smartsim [--rounds 3] [--peers] [--sessions 20] [--ranks 2048]

`own`: samples a second and peak memory for 1 to 64 runs and for up to 100 M samples, warm cache. Samples are all in the
files, warm-up included, since all are read. `smartsim`: sessions x ranks files of 203 lines, 8.3 M rows in 40,960 files by
default; interleaved in one go, each in a process of its own: `collect`; reading all files without looking into them (a
program of two threads with one buffer each: the floor); SmartSim-Scaling's statistics restated (csv reader, lists by
function, min/mean/max). With --peers also DuckDB, Polars and pandas on the rows concatenated beforehand, which is not
counted, from a virtual environment that it makes in target/bench-venv with packages of PyPI. "The same again" is a
collection to which no run is new. $SHARDSCALE_BEFORE, a program of an earlier release, runs along. Data goes below target/
and is removed.
"""

import argparse
import csv
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

TARGET = pathlib.Path(__file__).resolve().parent.parent / "target"
RELEASE = TARGET / "release"
PROGRAM = RELEASE / "shardscale"
VENV = TARGET / "bench-venv"
ITERATIONS = 100

# seconds after which `collect` remembers what it reads: files that are younger may change unseen
SETTLES = 4

# (runs, ranks, iterations, sizes); a run has ranks x (iterations + 2) x 2 x sizes samples
SHAPES = [
    (1, 512, 100, 11),
    (4, 512, 100, 11),
    (16, 512, 100, 11),
    (64, 512, 100, 11),
    (1, 16384, 100, 1),
    (1, 16384, 100, 11),
    (3, 16384, 100, 11),
    # beyond --most by default
    (8, 16384, 100, 11),
    (16, 16384, 100, 11),
]

# each prints a figure, so that nothing is left out as unused
PEERS = {
    "DuckDB, concatenated": """
import duckdb, sys
print(duckdb.connect(config={"threads": 2}).execute(f'''select session, op, quantile_cont(s, [.5, .9, .99]), count(*)
from read_csv('{sys.argv[1]}', header=false, columns={{'session': 'INT', 'rank': 'INT', 'op': 'VARCHAR', 's': 'DOUBLE'}})
where op in ('put_tensor', 'unpack_tensor') group by all''').fetchall()[0])
""",
    "Polars, concatenated": """
import os, sys
os.environ["POLARS_MAX_THREADS"] = "2"
import polars as pl
q = [pl.col("s").quantile(p).alias(str(p)) for p in (.5, .9, .99)]
print(pl.scan_csv(sys.argv[1], has_header=False, new_columns=["session", "rank", "op", "s"])
      .filter(pl.col("op").is_in(["put_tensor", "unpack_tensor"])).group_by("session", "op").agg(*q, pl.len()).collect()[0])
""",
    "pandas, concatenated": """
import sys, pandas
f = pandas.read_csv(sys.argv[1], header=None, names=["session", "rank", "op", "s"])
f = f[f.op.isin(["put_tensor", "unpack_tensor"])]
print(f.groupby(["session", "op"]).s.quantile([.5, .9, .99]).head(1))
""",
}


def make_tree(root, sessions, ranks):
    """Writes the tree; returns all rows as one file for those who want it so."""
    noise = random.Random(1)
    # texts of 1000 latencies: the tree is made in a minute, and no two files are alike
    texts = [f"{noise.lognormvariate(-8.5, 0.4):.9f}" for _ in range(1000)]
    joined = root / "joined.csv"
    with open(joined, "w") as every:
        for session in range(sessions):
            nodes, size = 2 ** (session % 4 + 2), 1024 * 4 ** (session // 4)
            folder = root / "tree" / "run-2023-07-05" / f"throughput-sess-cpp-N{nodes}-TB{size}-{session:04}"
            folder.mkdir(parents=True)
            (folder / "run.cfg").write_text(
                f"[run]\nname = bench\ndb = redis\n\n[attributes]\ncolocated = 0\nclient_total = {ranks}\n"
                f"client_per_node = {ranks // nodes}\nclient_nodes = {nodes}\ndatabase_nodes = 16\ndatabase_cpus = 8\n"
                f"iterations = {ITERATIONS}\ntensor_bytes = {size}\nlanguage = cpp\n")
            for rank in range(ranks):
                lines = [f"{rank},client(),1.5\n"]
                for sample in noise.choices(texts, k=ITERATIONS):
                    lines += [f"{rank},put_tensor,{sample}\n", f"{rank},unpack_tensor,{sample}\n"]
                lines += [f"{rank},loop_time,0.25\n", f"{rank},main(),2.0\n"]
                (folder / f"rank_{rank}_timing.csv").write_text("".join(lines))
                every.writelines(f"{session},{line}" for line in lines)
    return joined


def old_way(tree):
    """As SmartSim-Scaling makes its statistics, restated: a csv reader a file, lists by function, min, mean and max."""
    for run in os.scandir(tree):
        for session in os.scandir(run.path):
            timings = {}
            for entry in os.scandir(session.path):
                if entry.name.endswith("_timing.csv"):
                    with open(entry.path) as lines:
                        for _, function, seconds in csv.reader(lines):
                            timings.setdefault(function, []).append(float(seconds))
            for values in timings.values():
                min(values), sum(values) / len(values), max(values)


def child(action):
    """Seconds elapsed and peak memory in MB of a process that does `action`."""
    begun = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            action()
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"collect.py: a contender ended with status {status}")
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


def program(*argv):
    argv = [str(word) for word in argv]
    return lambda: os.execv(argv[0], argv)


def collectors(folder, report):
    """`collect` that reads everything, one after it to which nothing is new, and an earlier release where there is one."""
    found = {"shardscale collect": program(PROGRAM, "collect", folder, "--fresh", "--out", report),
             "the same again": program(PROGRAM, "collect", folder, "--out", report)}
    if before := os.environ.get("SHARDSCALE_BEFORE"):
        found["earlier collect"] = program(os.path.abspath(before), "collect", folder, "--out", f"{report}-before")
    return found


def interleaved(actions, rounds):
    """Name -> (median of seconds, peak of MB)."""
    measured = {}
    for _ in range(rounds):
        for name, action in actions.items():
            measured.setdefault(name, []).append(child(action))
    return {name: (statistics.median(s for s, _ in runs), max(mb for _, mb in runs)) for name, runs in measured.items()}


def own(arguments):
    print(f"{'':<20}{'runs':>6}{'ranks':>8}{'M samples':>11}{'s':>8}{'M/s':>8}{'ns each':>9}{'peak MB':>9}")
    for runs, ranks, iterations, sizes in SHAPES:
        samples = runs * ranks * (iterations + 2) * 2 * sizes / 1e6
        if samples > arguments.most * 1.2:
            continue
        with tempfile.TemporaryDirectory(dir=TARGET) as folder:
            root = pathlib.Path(folder)
            shape = [str(number) for number in (runs, ranks, iterations, sizes)]
            subprocess.run([RELEASE / "examples" / "synthetic", root / "out", *shape], check=True)
            time.sleep(SETTLES)
            for name, (s, mb) in interleaved(collectors(root / "out", root / "report"), arguments.rounds).items():
                print(f"{name:<20}{runs:>6}{ranks:>8}{samples:>11.1f}{s:>8.2f}{samples / s:>8.1f}{s * 1e3 / samples:>9.1f}{mb:>9.0f}",
                      flush=True)


def smartsim(arguments):
    rows = arguments.sessions * arguments.ranks * (2 * ITERATIONS + 3) / 1e6
    with tempfile.TemporaryDirectory(dir=TARGET) as folder:
        root = pathlib.Path(folder)
        joined = make_tree(root, arguments.sessions, arguments.ranks)
        tree = root / "tree"
        print(f"{rows:.2f} M rows in {arguments.sessions * arguments.ranks} files, warm cache")
        actions = collectors(tree, root / "report")
        actions["reading all files"] = program(RELEASE / "examples" / "synthetic", "--read", tree)
        actions["SmartSim-Scaling's loop"] = lambda: old_way(tree)
        if arguments.peers:
            python = VENV / "bin" / "python"
            if not python.exists():
                subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
                subprocess.run([python, "-m", "pip", "install", "-q", "duckdb", "polars", "pandas"], check=True)
            for name, code in PEERS.items():
                actions[name] = program(python, "-c", code, joined)
        measured = interleaved(actions, arguments.rounds)
        base = measured["shardscale collect"][0]
        print(f"{'':<26}{'s':>8}{'M rows/s':>10}{'x collect':>11}{'peak MB':>9}")
        for name, (s, mb) in measured.items():
            print(f"{name:<26}{s:>8.2f}{rows / s:>10.2f}{s / base:>11.2f}{mb:>9.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["own", "smartsim"])
    parser.add_argument("--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--most", type=float, default=100, help="own: millions of samples, default: 100")
    parser.add_argument("--peers", action="store_true", help="smartsim: also DuckDB, Polars and pandas")
    parser.add_argument("--sessions", type=int, default=20, help="smartsim: default 20")
    parser.add_argument("--ranks", type=int, default=2048, help="smartsim: default 2048")
    arguments = parser.parse_args()
    if not (RELEASE / "examples" / "synthetic").exists() or not PROGRAM.exists():
        sys.exit("collect.py: build first: cargo build --release --bin shardscale --example synthetic")
    {"own": own, "smartsim": smartsim}[arguments.what](arguments)


if __name__ == "__main__":
    main()
