#!/bin/bash
# gen.sh -- what `shardscale gen` costs for 10,000 permutations, beside a plain loop that makes as many files and folders.
# Side by side in one run, three times each; the figures to read are medians and their ratio.
#   cargo build --release && benches/gen.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=${CARGO_TARGET_DIR:-target}/release/shardscale
[ -x "$bin" ] || { echo "gen.sh: no $bin: cargo build --release makes it" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nodes=$(seq -s, 1 100) ranks=$(seq -s, 1 50)
gen() { "$bin" gen --site frontier --deployment standard --queue extended --walltime 00:30:00 --client-nodes "$nodes" \
  --clients-per-node "$ranks" --db-nodes 1,2 --skip-refused --out "$work/gen" > "$work/list" 2> /dev/null; }
loop() { # the floor: the same number of folders with a file each, and as many scripts
  python3 - "$work/loop" "$(grep -c . "$work/list")" <<'PY'
import os, sys
root, count = sys.argv[1], int(sys.argv[2])
os.makedirs(root)
for i in range(count):
    os.mkdir(f"{root}/{i}")
    with open(f"{root}/{i}/run.toml", "w") as file:
        file.write("x" * 800)
    with open(f"{root}/{i}.sh", "w") as file:
        file.write("x" * 6000)
PY
}
TIMEFORMAT='%R s elapsed, %U s user, %S s system'
for round in 1 2 3; do
  rm -rf "$work/gen" "$work/loop"
  echo "round $round"
  printf '  gen, new:        '; { time gen; } 2>&1
  printf '  gen, unchanged:  '; { time gen; } 2>&1
  printf '  plain loop:      '; { time loop; } 2>&1
done
echo "permutations: $(grep -c . "$work/list")"
