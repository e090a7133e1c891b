#!/bin/bash
# gen.sh -- what `shardscale gen` costs for 10,000 permutations, beside a plain loop that makes the same files and folders.
# Interleaved in one run, ROUNDS times (5); the figures to read are the medians and their ratio in the last lines.
#   cargo build --release && benches/gen.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=${CARGO_TARGET_DIR:-target}/release/shardscale
[ -x "$bin" ] || { echo "gen.sh: no $bin: cargo build --release makes it" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 - "$(realpath "$bin")" "$work" "${ROUNDS:-5}" <<'PY'
import os, resource, shutil, statistics, subprocess, sys, time

program, work, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
# 100 x 50 x 2 permutations of Frontier, each with a mask for every rank
arguments = ["gen", "--site", "frontier", "--deployment", "standard", "--cpu-bind", "mask", "--account", "abc123",
             "--client-nodes", ",".join(map(str, range(1, 101))), "--clients-per-node", ",".join(map(str, range(1, 51))),
             "--db-nodes", "1,2", "--out", f"{work}/gen"]


def measure(action):
    """Seconds elapsed, user seconds, peak memory in MB of a child that does `action`."""
    begun = time.perf_counter()
    child = os.fork()
    if child == 0:
        action()
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    assert status == 0, status
    return time.perf_counter() - begun, usage.ru_utime, usage.ru_maxrss / 1024


def gen():
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    os.execv(program, [program, *arguments])


def loop(files):
    """The floor: the same folders and the same bytes, nothing computed."""
    def action():
        os.mkdir(f"{work}/loop")
        for name, manifest, script in files:
            os.mkdir(f"{work}/loop/{name}")
            for path, text in ((f"{work}/loop/{name}/run.toml", manifest), (f"{work}/loop/{name}.sh", script)):
                file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
                os.write(file, text)
                os.close(file)
    return action


columns = {"gen, new": [], "gen, unchanged": [], "plain loop": []}
for number in range(rounds):
    shutil.rmtree(f"{work}/gen", ignore_errors=True)
    shutil.rmtree(f"{work}/loop", ignore_errors=True)
    columns["gen, new"].append(measure(gen))
    columns["gen, unchanged"].append(measure(gen))
    if number == 0:
        scripts = sorted(name[:-3] for name in os.listdir(f"{work}/gen") if name.endswith(".sh"))
        read = lambda path: open(path, "rb").read()
        files = [(name, read(f"{work}/gen/{name}/run.toml"), read(f"{work}/gen/{name}.sh")) for name in scripts]
        print(f"{len(files)} permutations, {sum(len(m) + len(s) for _, m, s in files) / 1e6:.0f} MB")
    columns["plain loop"].append(measure(loop(files)))
print(f"{'':16}{'elapsed s':>10}{'user s':>10}{'peak MB':>10}   (medians of {rounds})")
for name, runs in columns.items():
    elapsed, user, peak = (statistics.median(column) for column in zip(*runs))
    peak = f"{peak:10.0f}" if name != "plain loop" else f"{'':10}"  # the loop holds all texts, which says nothing
    print(f"{name:16}{elapsed:10.2f}{user:10.2f}{peak}")
floor = [run[0] for run in columns["plain loop"]]
for name in ("gen, new", "gen, unchanged"):
    ratios = [run[0] / base for run, base in zip(columns[name], floor)]
    print(f"{name} / plain loop: median of ratios {statistics.median(ratios):.2f}")
PY
