#!/bin/bash
# client.sh [ROUNDS] -- how near is shardscale-client to the limit of the socket? Compares, interleaved in one run, on this
# machine: (a) bare sockets that move the same bytes (the floor), (b) redis-benchmark, (c) the redis crate's ordinary path.
#
# One rank: client and server share one CPU, over TCP and over a UNIX socket; medians of put + get (means for redis-benchmark:
# 1 / requests a second), and CPU time of the pair.
# Several ranks: 4 processes and 1 or 3 shards, nobody pinned; GB/s of all together. A ratio is taken within a round; the table
# shows the median of the rounds (default 11), in Markdown. Needs redis-server, redis-benchmark, mpirun and two CPUs.
#
# All of it happens on the loopback of a network namespace of its own, under a TCP congestion control that sends as soon as it
# may: CONGESTION, by default cubic or, where the kernel does not admit that, reno. CONGESTION=bbr shows what pacing does.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${IN_NAMESPACE:-}" ]; then
  # before the network is gone, which cargo may need
  cargo build --release --locked --quiet -p shardscale-client --bins --examples
  user=()
  [ "$(id -u)" = 0 ] || user=(--user --map-current-user --keep-caps)
  IN_NAMESPACE=yes exec unshare "${user[@]}" --net "$0" "$@"
fi
ip link set lo up
control=/proc/sys/net/ipv4/tcp_congestion_control
if [ -n "${CONGESTION:-}" ]; then
  echo "$CONGESTION" >"$control"
else
  { echo cubic >"$control"; } 2>/dev/null || echo reno >"$control"
fi

rounds=${1:-11}
sizes=${SIZES:-1024 65536 262144 1048576 4194304 16777216}
many_sizes=${MANY_SIZES:-65536 1048576}
ranks=4
mpirun_cpus=0-1
port=${PORT:-17480}
[ "$(nproc)" -ge 2 ] || { echo "client.sh: needs two CPUs" >&2; exit 1; }

client=$PWD/target/release/shardscale-client
rivals=$PWD/target/release/examples/rivals
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

serve() { # serve PORT CPUS [OPTION..]
  local port=$1 cpus=$2
  shift 2
  mkdir "$work/$port"
  taskset -c "$cpus" redis-server --port "$port" --bind 127.0.0.1 --unixsocket "$work/$port/socket" --save '' \
    --dir "$work/$port" "$@" >"$work/$port/log" &
  servers+=($!)
  until redis-cli -p "$port" ping >/dev/null 2>&1; do sleep 0.05; done
}

iterations() { # iterations BYTES: enough for a median, about a second at most
  local n=$((192 * 1024 * 1024 / $1))
  n=$((n < 20 ? 20 : n))
  echo $((n > 3000 ? 3000 : n))
}

# each prints: put_us get_us cpu_us_of_a_pair gb_per_s
by_client() { # by_client RANKS ADDRESS BYTES N [WRAPPER..]
  local ranks=$1 address=$2 bytes=$3 n=$4
  shift 4
  taskset -c "$mpirun_cpus" mpirun --oversubscribe --bind-to none -n "$ranks" "$@" "$client" run --ranks "$ranks" --address "$address" --wire plain \
    --keys balanced --tensor-bytes "$bytes" --iterations "$n" --warmup "$((n / 5))" 2>"$work/stderr" |
    awk 'NR == 2 { print $(NF-3), $(NF-2), 2 * $(NF-1), $NF }' || { cat "$work/stderr" >&2; return 1; }
}
by_rival() { # by_rival WAY BYTES N TARGET.. [-- WRAPPER..]
  local way=$1 bytes=$2 n=$3 targets=()
  shift 3
  while [ $# -gt 0 ] && [ "$1" != -- ]; do targets+=(--target "$1"); shift; done
  [ $# -eq 0 ] || shift
  "$@" "$rivals" --way "$way" --sizes "$bytes" --iterations "$n" --warmup "$((n / 5))" "${targets[@]}" | cut -d' ' -f2-
}
by_benchmark() { # by_benchmark BYTES N CLIENTS WHERE.. [-- WRAPPER..]
  local bytes=$1 n=$2 clients=$3 where=()
  shift 3
  while [ $# -gt 0 ] && [ "$1" != -- ]; do where+=("$1"); shift; done
  [ $# -eq 0 ] || shift
  # its latencies end at the first bytes of a reply: only its rates tell of whole transfers
  "$@" redis-benchmark "${where[@]}" -c "$clients" -n "$((n * clients))" -d "$bytes" -t set,get --csv 2>/dev/null | tr -d '"' |
    awk -F, -v bytes="$bytes" '
      $1 == "SET" { rate_put = $2 } $1 == "GET" { rate_get = $2 }
      END { print 1e6 / rate_put, 1e6 / rate_get, 0, 2 * bytes / (1 / rate_put + 1 / rate_get) / 1e9 }'
}

note() { # note CASE BYTES WHO FIGURES..
  echo "$1 $2 $round ${*:3}" >>"$work/figures"
}
in_turn() { # who comes first changes from round to round: the one before leaves the caches and the allocator to the next
  if [ $((round % 2)) = 0 ]; then echo floor client crate benchmark; else echo benchmark crate client floor; fi
}

one_rank() { # one_rank CASE CLIENT_ADDRESS RIVAL_ADDRESS BENCHMARK_WHERE..
  local name=$1 address=$2 rival=$3 bytes n
  shift 3
  for bytes in $sizes; do
    n=$(iterations "$bytes")
    for who in $(in_turn); do
      case $who in
      floor) note "$name" "$bytes" floor "$(by_rival floor "$bytes" "$n" "$rival=floor" -- taskset -c 0)" ;;
      client) note "$name" "$bytes" client "$(mpirun_cpus=1 by_client 1 "$address" "$bytes" "$n" taskset -c 0)" ;;
      crate) note "$name" "$bytes" crate "$(by_rival redis-crate "$bytes" "$n" "$rival=crate" -- taskset -c 0)" ;;
      *) note "$name" "$bytes" benchmark "$(by_benchmark "$bytes" "$n" 1 "$@" -- taskset -c 0)" ;;
      esac
    done
  done
}

several() { # several CASE CLIENT_ADDRESS BENCHMARK_PORT TARGET..
  local name=$1 address=$2 benchmark=$3 bytes n cluster=()
  shift 3
  [ "$name" = 1-shard ] || cluster=(--cluster)
  for bytes in $many_sizes; do
    n=$(($(iterations "$bytes") / 2))
    for who in $(in_turn); do
      case $who in
      floor) note "$name" "$bytes" floor "$(by_rival floor "$bytes" "$n" "$@")" ;;
      client) note "$name" "$bytes" client "$(by_client "$ranks" "$address" "$bytes" "$n")" ;;
      crate) note "$name" "$bytes" crate "$(by_rival redis-crate "$bytes" "$n" "$@")" ;;
      *) note "$name" "$bytes" benchmark "$(by_benchmark "$bytes" "$n" "$ranks" -p "$benchmark" "${cluster[@]}")" ;;
      esac
    done
  done
}

# --- servers: one that shares CPU 0 with its client, one that floats, three that form a cluster
serve "$port" 0
serve $((port + 1)) 0-1
for i in 2 3 4; do serve $((port + i)) 0-1 --cluster-enabled yes; done
redis-cli --cluster create 127.0.0.1:$((port + 2)) 127.0.0.1:$((port + 3)) 127.0.0.1:$((port + 4)) \
  --cluster-replicas 0 --cluster-yes >"$work/create"
until redis-cli -p $((port + 4)) cluster info | grep -q cluster_state:ok; do sleep 0.1; done
targets=() # ranks in turn over the shards, as --keys balanced has them
for ((rank = 0; rank < ranks; rank++)); do
  for ((tag = 0; ; tag++)); do
    slot=$(redis-cli -p $((port + 2)) cluster keyslot "{$tag}")
    [ $((slot * 3 / 16384)) -ne $((rank % 3)) ] || break
  done
  targets+=("127.0.0.1:$((port + 2 + rank % 3))={$tag}rank_$rank")
done

for ((round = 1; round <= rounds; round++)); do
  echo "client.sh: round $round of $rounds" >&2
  one_rank tcp "127.0.0.1:$port" "127.0.0.1:$port" -p "$port"
  one_rank uds "unix://$work/$port/socket" "$work/$port/socket" -s "$work/$port/socket"
  several 1-shard "127.0.0.1:$((port + 1))" $((port + 1)) "127.0.0.1:$((port + 1))="{0,1,2,3}
  several 3-shards "127.0.0.1:$((port + 2))" $((port + 2)) "${targets[@]}"
done

awk -v ranks="$ranks" -v congestion="$(cat "$control")" '
  function median(list, n,   i, j, t) {
    for (i = 2; i <= n; i++) { t = list[i]; for (j = i; j > 1 && list[j-1] > t; j--) list[j] = list[j-1]; list[j] = t }
    return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2
  }
  function over_rounds(what, who,   n, r, list) {
    n = 0
    for (r = 1; r <= rounds; r++) list[++n] = figure(what, who, r)
    return median(list, n)
  }
  function figure(what, who, r,   a, b) {
    a = place SUBSEP who SUBSEP r
    b = place SUBSEP "floor" SUBSEP r
    if (what == "put") return put[a]
    if (what == "get") return get[a]
    if (what == "gb") return gb[a]
    if (what == "time") return (put[a] + get[a]) / (put[b] + get[b])
    if (what == "cpu") return cpu[a] / cpu[b]
    if (what == "rate") return gb[a] / gb[b]
    if (what == "faster") return (put[a] + get[a]) / (put[place SUBSEP "client" SUBSEP r] + get[place SUBSEP "client" SUBSEP r])
  }
  function size(bytes) { return bytes < 1048576 ? bytes / 1024 " KiB" : bytes / 1048576 " MiB" }
  {
    place = $1 SUBSEP $2
    if (!(place in seen)) { seen[place] = 1; order[++places] = place }
    put[place, $4, $3] = $5; get[place, $4, $3] = $6; cpu[place, $4, $3] = $7; gb[place, $4, $3] = $8
    if ($3 > rounds) rounds = $3
  }
  END {
    print "TCP congestion control: " congestion "\n"
    print "One rank, client and server on one CPU (medians of " rounds " rounds; put/get in us):\n"
    print "| | size | client | floor | client/floor: time | CPU | redis-benchmark/client | redis crate/client |"
    print "|---|---|---|---|---|---|---|---|"
    for (i = 1; i <= places; i++) {
      place = order[i]; split(place, part, SUBSEP)
      if (part[1] ~ /shard/) continue
      printf "| %s | %s | %.0f/%.0f | %.0f/%.0f | %.2f | %.2f | %.2f | %.2f |\n", part[1], size(part[2]),
        over_rounds("put", "client"), over_rounds("get", "client"), over_rounds("put", "floor"), over_rounds("get", "floor"),
        over_rounds("time", "client"), over_rounds("cpu", "client"), over_rounds("faster", "benchmark"), over_rounds("faster", "crate")
    }
    print "\n" ranks " ranks, nobody pinned (GB/s put+get, medians of " rounds " rounds):\n"
    print "| | size | client | floor | redis-benchmark | redis crate | client/floor |"
    print "|---|---|---|---|---|---|---|"
    for (i = 1; i <= places; i++) {
      place = order[i]; split(place, part, SUBSEP)
      if (part[1] !~ /shard/) continue
      printf "| %s | %s | %.2f | %.2f | %.2f | %.2f | %.2f |\n", part[1], size(part[2]), over_rounds("gb", "client"),
        over_rounds("gb", "floor"), over_rounds("gb", "benchmark"), over_rounds("gb", "crate"), over_rounds("rate", "client")
    }
  }' "$work/figures"
