#!/bin/bash
# consumer.sh [ROUNDS] -- how near is a consumer of an aggregation to the limit of its sockets? Compares, in turn in one run on this
# machine: (a) bare sockets, as many as the consumer has threads, that fetch as many tensors (the floor); (b) the consumer's
# get_datasets_from_list over the plain wire; (c) where RIVAL names a program, what it prints: RIVAL is called as
# "RIVAL PORT DATASETS TENSORS BYTES ITERATIONS" against a server with the module REDISAI, and prints the median in us; then the
# consumer is measured over the redisai wire too.
#
# 4 producers x 4 tensors; one server or three shards, 1 and 3 threads; medians of the rounds (default 7), in Markdown. Needs
# redis-server, mpirun and two CPUs. All of it happens on the loopback of a network namespace of its own, without BBR.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${IN_NAMESPACE:-}" ]; then
  cargo build --release --locked --quiet -p shardscale-client --bins --examples
  user=()
  [ "$(id -u)" = 0 ] || user=(--user --map-current-user --keep-caps)
  IN_NAMESPACE=yes exec unshare "${user[@]}" --net "$0" "$@"
fi
ip link set lo up
control=/proc/sys/net/ipv4/tcp_congestion_control
{ echo cubic >"$control"; } 2>/dev/null || echo reno >"$control"

rounds=${1:-7}
sizes=${SIZES:-1024 65536 1048576 4194304}
producers=4 tensors=4
port=${PORT:-17580}
client=$PWD/target/release/shardscale-client
floor=$PWD/target/release/examples/list_floor
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1

work=$(mktemp -d)
servers=()
finish() {
  local pid
  for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap finish EXIT

serve() { # serve PORT [OPTION..]
  local port=$1
  shift
  mkdir "$work/$port"
  redis-server --port "$port" --bind 127.0.0.1 --save '' --dir "$work/$port" "$@" >"$work/$port/log" &
  servers+=($!)
  until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.05; done
}
serve "$port"
for i in 1 2 3; do serve $((port + i)) --cluster-enabled yes; done
redis-cli --cluster create 127.0.0.1:$((port + 1)) 127.0.0.1:$((port + 2)) 127.0.0.1:$((port + 3)) \
  --cluster-replicas 0 --cluster-yes >"$work/create"
until redis-cli -p $((port + 3)) cluster info | grep -q cluster_state:ok; do sleep 0.1; done
[ -z "${RIVAL:-}" ] || serve $((port + 9)) --loadmodule "${REDISAI:?names redisai.so}"
tags=()
for shard in 0 1 2; do
  for ((tag = 0; ; tag++)); do
    slot=$(redis-cli -p $((port + 1)) cluster keyslot "{$tag}")
    [ $((slot * 3 / 16384)) -ne "$shard" ] || break
  done
  tags+=("$tag")
done

iterations() { # iterations BYTES: about half a second
  local n=$((64 * 1024 * 1024 / ($1 * producers * tensors)))
  n=$((n < 10 ? 10 : n))
  echo $((n > 300 ? 300 : n))
}
consumer() { # consumer PORT THREADS BYTES WIRE: median us of get_datasets_from_list
  local n
  n=$(iterations "$3")
  mpirun --oversubscribe --bind-to none -n $((producers + 1)) "$client" run --ranks $((producers + 1)) --address "127.0.0.1:$1" \
    --workload aggregation --producers "$producers" --consumer-nodes 0 --consumer-threads "$2" --tensors "$tensors" --mix 0:1 \
    --keys balanced --wire "$4" --tensor-bytes "$3" --iterations "$n" --warmup 3 2>"$work/stderr" |
    awk 'NR == 1 { for (i = 1; i <= NF; i++) if ($i ~ /^get_datasets/) column = i } NR == 2 { print $(column + 1) }' ||
    { cat "$work/stderr" >&2; return 1; }
}
floor() { # floor SHARDS THREADS BYTES
  local places=() t
  for ((t = 0; t < $2; t++)); do
    case $1 in
    1) places+=(--thread "127.0.0.1:$port=0") ;;
    *) places+=(--thread "127.0.0.1:$((port + 1 + t % 3))=${tags[t % 3]}") ;;
    esac
  done
  "$floor" --tensors $((producers * tensors)) --bytes "$3" --iterations "$(iterations "$3")" "${places[@]}" | cut -d' ' -f1
}

for ((round = 1; round <= rounds; round++)); do
  echo "consumer.sh: round $round of $rounds" >&2
  for bytes in $sizes; do
    for case in 1:1 1:3 3:3; do
      shards=${case%:*} threads=${case#*:}
      at=$((shards == 1 ? port : port + 1))
      echo "$shards $threads $bytes $(consumer "$at" "$threads" "$bytes" plain) $(floor "$shards" "$threads" "$bytes")" >>"$work/figures"
    done
    [ -z "${RIVAL:-}" ] || echo "$bytes $(consumer $((port + 9)) 1 "$bytes" redisai) \
      $("$RIVAL" $((port + 9)) "$producers" "$tensors" "$bytes" "$(iterations "$bytes")")" >>"$work/rival"
  done
done

median() { sort -g | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
echo "$producers producers x $tensors tensors, medians of $rounds rounds (us; floor/consumer: part of the floor's speed)"
echo
echo "| shards | threads | size | consumer | floor | floor/consumer |"
echo "|---|---|---|---|---|---|"
for case in "1 1" "1 3" "3 3"; do
  for bytes in $sizes; do
    grep "^$case $bytes " "$work/figures" >"$work/one"
    printf '| %s | %s | %s KiB | %.0f | %.0f | %.2f |\n' "${case% *}" "${case#* }" $((bytes / 1024)) \
      "$(cut -d' ' -f4 "$work/one" | median)" "$(cut -d' ' -f5 "$work/one" | median)" \
      "$(awk '{ print $5 / $4 }' "$work/one" | median)"
  done
done
[ -n "${RIVAL:-}" ] || exit 0
echo
echo "| size | consumer, redisai wire | $(basename "$RIVAL") | times as fast |"
echo "|---|---|---|---|"
for bytes in $sizes; do
  grep "^$bytes " "$work/rival" >"$work/one"
  printf '| %s KiB | %.0f | %.0f | %.2f |\n' $((bytes / 1024)) "$(awk '{ print $2 }' "$work/one" | median)" \
    "$(awk '{ print $3 }' "$work/one" | median)" "$(awk '{ print $3 / $2 }' "$work/one" | median)"
done
