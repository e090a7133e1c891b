#!/bin/bash
# host-init.sh I -- first process of host pn<I>, in namespaces of its own; up.sh starts it, and kills it in the end.
set -e
# shellcheck source=tests/pbs/common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=/dev/null # SHARED
. "$RUN/node.env"
i=$1
hostname "pn$i"
mount --make-rprivate /
mount --bind "$RUN/hosts" /etc/hosts
mount -t tmpfs -o mode=1777 none /dev/shm
# node-local /tmp, unless what the hosts share lies below it
case $SHARED/ in
/tmp/*) ;;
*) mount -t tmpfs -o mode=1777 none /tmp ;;
esac
for network in eth0:10.87.0 hsn0:10.88.0; do
  interface=${network%%:*}
  for _ in $(seq 250); do ip link show "$interface" > /dev/null 2>&1 && break; sleep 0.02; done
  ip addr add "${network#*:}.$i/24" dev "$interface"
  ip link set "$interface" up
done
ip link set lo up
touch "$RUN/pid/pn$i.ready"
exec sleep infinity
