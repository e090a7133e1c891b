#!/bin/bash
# node.sh I -- make and start virtual node cn<I>; also brings one back that was killed. up.sh calls it for each node.
set -euo pipefail
. "$(dirname "$0")/common.sh"
# shellcheck source=/dev/null # SHARED, SOCKETS, CORES, THREADS
. "$RUN/node.env"
i=${1:?the number of a node} n=cn$1
mkdir -p "$RUN/node/$n/spool"
# setsid: no ^C from a terminal
setsid unshare --net --uts --ipc --pid --mount --fork --kill-child --mount-proc \
  bash "$LAB/node-init.sh" "$i" </dev/null >"$RUN/log/init-$n.log" 2>&1 &
pid=$!
echo "$pid" >"$RUN/pid/$n"
# interfaces for it, once it has left the namespace of this host
here=$(readlink /proc/self/ns/net)
for _ in $(seq 100); do
  there=$(readlink "/proc/$pid/ns/net") || { cat "$RUN/log/init-$n.log" >&2; exit 1; }
  [ "$there" = "$here" ] || break
  sleep 0.02
done
[ "$there" != "$here" ] || { echo "node.sh: $n does not leave the host's network" >&2; exit 1; }
ip link add "lsm$i" master "$MGT" up type veth peer name eth0 netns "$pid"
ip link add "lsh$i" master "$HSN" up type veth peer name hsn0 netns "$pid"
ip link add "lsi$i" master "$HSN1" up type veth peer name hsn1 netns "$pid"
