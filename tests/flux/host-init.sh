#!/bin/bash
# host-init.sh I -- first process of host fn<I>, in namespaces of its own: interfaces, then its broker; up.sh starts it.
set -e
# shellcheck source=tests/flux/common.sh
. "$(dirname "$0")/common.sh"
i=$1
hostname "fn$i"
mount --make-rprivate /
mount -t sysfs sysfs /sys # the one of this network namespace
mount --bind "$RUN/hosts" /etc/hosts
mount -t tmpfs -o mode=1777 none /dev/shm
# a private /tmp, with what the hosts share put back where it lies below it
shared=("$ROOT" "$(dirname "$(dirname "$(command -v flux)")")")
mount -t tmpfs none /mnt
for n in 0 1; do
  mkdir "/mnt/$n"
  mount --rbind "${shared[n]}" "/mnt/$n"
done
mount -t tmpfs -o mode=1777 none /tmp
for n in 0 1; do
  mkdir -p "${shared[n]}"
  case ${shared[n]}/ in /tmp/*) mount --move "/mnt/$n" "${shared[n]}" ;; *) umount -l "/mnt/$n" ;; esac
done
umount /mnt
for network in eth0:10.97.0 hsn0:10.98.0; do
  interface=${network%%:*}
  for _ in $(seq 250); do ip link show "$interface" > /dev/null 2>&1 && break; sleep 0.02; done
  ip addr add "${network#*:}.$i/24" dev "$interface"
  ip link set "$interface" up
done
ip link set lo up
local=()
[ "$i" != 1 ] || local=("--setattr=local-uri=local://$RUN/socket")
# bash stays the first process, which ends all others with it, and reaps what brokers leave
env -u FLUX_URI flux broker --config-path="$RUN/conf" --setattr=log-stderr-level=4 --setattr=broker.quorum-warn=none "${local[@]}" sleep infinity &
wait $!
exec sleep infinity
