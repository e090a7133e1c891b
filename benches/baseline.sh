#!/bin/bash
# baseline.sh [REPEATS] -- what `collect --baseline` says of real runs on this machine: the same study measured twice (an A/A pair,
# which must come out as noise), and once more with a server that was slowed on purpose (each of its writes held back).
#
# Site `local`, 2 ranks, a colocated store over a UNIX socket; REPEATS (default 5) of each, in turns, so that a machine that drifts
# drifts for all three. The server is slowed by strace, which delays its writes by DELAY_US and
# takes 0.1 to 0.2 ms itself. Prints the three comparisons and the exit codes of
# --fail-if slower=5%. Needs redis-server, mpirun and strace; takes about ten seconds a repeat.
set -euo pipefail
cd "$(dirname "$0")/.."

repeats=${1:-5}
delay_us=${DELAY_US:-10}
cargo build --release --locked --quiet --workspace
shardscale=$PWD/target/release/shardscale
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf '#!/bin/sh\nexec redis-server "$@"\n' >"$work/server"
printf '#!/bin/sh\nexec strace -f --seccomp-bpf -qq -o /dev/null -e trace=write,writev -e inject=write,writev:delay_enter=%s redis-server "$@"\n' \
  "$delay_us" >"$work/slow-server"
chmod +x "$work/server" "$work/slow-server"
for out in first again slowed; do
  server=$work/server
  [ "$out" != slowed ] || server=$work/slow-server
  "$shardscale" gen --site local --client "$PWD/target/release/shardscale-client" --out "$work/$out" --store-server "$server" \
    --deployment colocated --transport uds --clients-per-node 2 --tensor-bytes 1KiB,64KiB,1MiB --iterations 500 \
    --repeats "$repeats" >"$work/made"
done
for ((repeat = 1; repeat <= repeats; repeat++)); do
  # who comes first changes: what one leaves in the machine's caches is the next one's
  order=(first again slowed)
  [ $((repeat % 2)) = 1 ] || order=(slowed again first)
  for out in "${order[@]}"; do
    echo "baseline.sh: repeat $repeat of $repeats, $out" >&2
    for script in "$work/$out"/*-r"$repeat".sh; do
      bash "$script" </dev/null >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    done
  done
done
for out in again slowed; do
  echo "== $out against first: shardscale collect $out --baseline first --fail-if slower=5%"
  code=0
  (cd "$work" && "$shardscale" collect "$out" --baseline first --fail-if slower=5%) 2>"$work/errors" || code=$?
  echo "exit code $code"
done
