#!/bin/bash
# up.sh -- a real Flux over several hosts that are namespaces of this machine; README.md beside it tells more.
#   HOSTS=6 CORES=8 tests/flux/up.sh     then . target/flux-lab/env.sh; flux batch SCRIPT
set -euo pipefail
# shellcheck source=tests/flux/common.sh
. "$(dirname "$0")/common.sh"
HOSTS=${HOSTS:-6}
CORES=${CORES:-8} # a host claims; they are this machine's own
die() { echo "up.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "needs root, for namespaces and interfaces: sudo $0"
for program in flux ip unshare nsenter; do command -v $program > /dev/null || die "$program is missing"; done
ip link add "$MGT" type bridge 2> /dev/null || die "hosts are up already: tests/flux/down.sh ends them"
trap '[ $? = 0 ] || "$LAB/down.sh"' EXIT
rm -rf "$RUN"
mkdir -p "$RUN"/{pid,log,conf}
{
  echo "127.0.0.1 localhost"
  for i in $(seq "$HOSTS"); do printf '%s\n' "10.97.0.$i fn$i" "10.98.0.$i fn$i-hsn"; done
} > "$RUN/hosts"
flux keygen "$RUN/curve.cert"
flux R encode --ranks="0-$((HOSTS - 1))" --cores="0-$((CORES - 1))" --hosts="fn[1-$HOSTS]" \
  | flux R set-property batch > "$RUN/R"
cat > "$RUN/conf/lab.toml" << END
[bootstrap]
curve_cert = "$RUN/curve.cert"
default_port = 8050
default_bind = "tcp://eth0:%p"
default_connect = "tcp://%h:%p"
hosts = [{ host = "fn[1-$HOSTS]" }]

[resource]
path = "$RUN/R"
noverify = true

[policy]
jobspec.defaults.system.queue = "batch"
limits.job-size.max.nnodes = $HOSTS

[queues.batch]
requires = ["batch"]
policy.limits.duration = "24h"

[queues.debug]
requires = ["batch"]
policy.limits.duration = "1h"
policy.limits.job-size.max.nnodes = 2
END
ip link set "$MGT" up
ip link add "$HSN" up type bridge
for i in $(seq "$HOSTS"); do
  setsid unshare --net --uts --ipc --mount --pid --fork --kill-child --mount-proc \
    bash "$LAB/host-init.sh" "$i" < /dev/null > "$RUN/log/fn$i.log" 2>&1 &
  echo $! > "$RUN/pid/fn$i"
done
own=$(readlink /proc/self/ns/net)
for i in $(seq "$HOSTS"); do
  pid=$(cat "$RUN/pid/fn$i")
  until [ "$(readlink "/proc/$pid/ns/net")" != "$own" ]; do sleep 0.02; done
  ip link add "flm$i" master "$MGT" up type veth peer name eth0 netns "$pid"
  ip link add "flh$i" master "$HSN" up type veth peer name hsn0 netns "$pid"
done
# the first host's broker is the one to talk with; its socket lies where this machine sees it
printf 'export FLUX_URI=local://%s\n' "$RUN/socket" > "$RUN/env.sh"
# shellcheck source=/dev/null
. "$RUN/env.sh"
for _ in $(seq 300); do
  up=$(flux resource list --states=free --no-header --format='{nnodes}' 2> /dev/null) || up=0
  [ "$up" = "$HOSTS" ] && flux queue start --all --quiet && break
  sleep 0.1
done
[ "$up" = "$HOSTS" ] || die "only $up of $HOSTS hosts are up: $(tail -n 5 "$RUN"/log/*)"
echo "up: $HOSTS hosts; . $RUN/env.sh"
