#!/bin/bash
# scale.sh -- what many ranks cost: start-up, connections, memory, files. Generated jobs of 16, 64 and 256 ranks against 3 and 8
# shards, all on this machine (site `local`), with TCP over loopback; what is printed is what the jobs recorded of themselves.
#
# RANKS and SHARDS (lists with commas) change the numbers. More ranks than cores: times of the measurement itself mean nothing
# here, those of the start are an upper bound. Needs redis-server, mpirun, jq and about 12 MB of memory a rank.
set -euo pipefail
cd "$(dirname "$0")/.."

ranks=${RANKS:-16,64,256}
shards=${SHARDS:-3,8}
cargo build --release --locked --quiet --workspace
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

target/release/shardscale gen --site local --client "$PWD/target/release/shardscale-client" --out "$work/out" \
  --deployment standard --clients-per-node "$ranks" --db-nodes "$shards" --tensor-bytes 1KiB,64KiB,1MiB \
  --iterations 100 --warmup 10 > "$work/made"

printf '| ranks | shards | MPI_Init | all else of the start | slowest connection | turns over | retries | clients of a shard | memory of a rank, median and most | samples.bin | a rank |\n'
printf '|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n'
while IFS= read -r script; do
  log=$work/$(basename "$script").log
  bash "$script" < /dev/null > "$log" 2>&1 || { cat "$log" >&2; tail -n 5 "${script%.sh}"/attempt-1/*.log >&2; exit 1; }
  attempt=${script%.sh}/attempt-1
  jq -n --slurpfile e "$attempt/environment.json" --slurpfile s "$attempt/store.json" \
    --argjson bytes "$(stat -c %s "$attempt/samples.bin")" -r '
    def ms: . / 1e6 | round | "\(.) ms";
    def mib: . / 1048576 * 10 | round / 10 | "\(.) MiB";
    $e[0] as $e | $s[0].shards as $shards | $e.mpi.world_size as $ranks
    | ($e.start_up | map(select(.name == "start MPI").ns) | add) as $init
    | ($e.start_up | map(.ns) | add) as $all
    | "| \($ranks) | \($shards | length) | \($init | ms) | \($all - $init | ms) | \($e.connections.slowest_ns | ms) | \($e.connections.spread_ns | ms) | \($e.connections.retries) | \($shards | map(.before.connected_clients | tonumber) | "\(min)-\(max)") | \($e.rank_memory.median_bytes | mib), \($e.rank_memory.most_bytes | mib) | \($bytes | mib) | \($bytes / $ranks | round) B |"'
done < <(printf '%s\n' "$work"/out/*.sh | sort -V)
