#!/bin/bash
# up.sh -- hosts and commands that behave as OpenPBS does where job scripts meet it; README.md beside it tells what is real.
#   HOSTS=5 tests/pbs/up.sh     then PATH=target/pbs-lab/exec/bin:$PATH qsub SCRIPT
set -euo pipefail
# shellcheck source=tests/pbs/common.sh
. "$(dirname "$0")/common.sh"
lab=$(cd "$(dirname "$0")" && pwd)
HOSTS=${HOSTS:-5}
SHARED=${SHARED:-$(cd "$lab/../.." && pwd)}
die() { echo "up.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "needs root, for namespaces and interfaces: sudo $0"
ip link add "$MGT" type bridge 2> /dev/null || die "hosts are up already: tests/pbs/down.sh ends them"
trap '[ $? = 0 ] || "$lab/down.sh"' EXIT
rm -rf "$RUN"
mkdir -p "$EXEC/bin" "$RUN"/{pid,busy,jobs}
cp "$lab"/bin/* "$lab/common.sh" "$EXEC/bin/"
printf 'SHARED=%q\n' "$SHARED" > "$RUN/node.env"
{
  echo "127.0.0.1 localhost"
  for i in $(seq "$HOSTS"); do printf '%s\n' "10.87.0.$i pn$i" "10.88.0.$i pn$i-hsn"; done
} > "$RUN/hosts"
ip link set "$MGT" up
ip link add "$HSN" up type bridge
for i in $(seq "$HOSTS"); do
  setsid unshare --net --uts --ipc --mount bash "$lab/host-init.sh" "$i" < /dev/null > "$RUN/init-pn$i.log" 2>&1 &
  echo $! > "$RUN/pid/pn$i"
done
own=$(readlink /proc/self/ns/net)
for i in $(seq "$HOSTS"); do
  pid=$(cat "$RUN/pid/pn$i")
  until [ "$(readlink "/proc/$pid/ns/net")" != "$own" ]; do sleep 0.02; done
  ip link add "pbm$i" master "$MGT" up type veth peer name eth0 netns "$pid"
  ip link add "pbh$i" master "$HSN" up type veth peer name hsn0 netns "$pid"
done
for i in $(seq "$HOSTS"); do
  for _ in $(seq 250); do [ -e "$RUN/pid/pn$i.ready" ] && continue 2; sleep 0.02; done
  die "pn$i does not come up: $(cat "$RUN/init-pn$i.log")"
done
echo "up: $HOSTS hosts; PATH=$EXEC/bin:\$PATH"
