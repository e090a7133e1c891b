#!/bin/bash
# node-init.sh I -- pid 1 of virtual node cn<I>, in its own namespaces; node.sh starts it.
# bash as pid 1 reaps orphans; when it is killed, the kernel kills everything in the node.
set -e
. "$(dirname "$0")/common.sh"
# shellcheck source=/dev/null # SHARED, SOCKETS, CORES, THREADS
. "$RUN/node.env"
i=$1 n=cn$1
hostname "$n"
mount --make-rprivate /
mount -t sysfs sysfs /sys # the one of this network namespace
if [ "$CGROUPS" = 1 ]; then # a cpuset for the node, which is the root of all that slurmd sees
  mount -t tmpfs none /sys/fs/cgroup
  mkdir /sys/fs/cgroup/cpuset
  mount -t cgroup -o cpuset none /sys/fs/cgroup/cpuset
fi
mount --bind "$RUN/hosts" /etc/hosts
mount -t tmpfs -o mode=1777 none /dev/shm
# a private /tmp, with the shared folder put back where it lies below it
case $SHARED/ in
/tmp/*)
  mount -t tmpfs none /mnt
  mkdir /mnt/hold
  mount --rbind "$SHARED" /mnt/hold # with what is mounted below it
  mount -t tmpfs -o mode=1777 none /tmp
  mkdir -p "$SHARED"
  mount --move /mnt/hold "$SHARED"
  umount /mnt
  ;;
*) mount -t tmpfs -o mode=1777 none /tmp ;;
esac
for network in eth0:10.77.0 hsn0:10.78.0 hsn1:10.79.0; do
  interface=${network%%:*}
  for _ in $(seq 250); do ip link show "$interface" >/dev/null 2>&1 && break; sleep 0.02; done
  ip addr add "${network#*:}.$i/24" dev "$interface"
  ip link set "$interface" up
done
ip link set lo up
set +e
# hwloc and fakecpu.so show slurmd and slurmstepd the declared CPUs; neither variable reaches the jobs. Indexes: CPUs
# are numbered as Linux does, first threads of all cores, then second threads
fake=()
if [ -e "$RUN/fakecpu.so" ]; then
  all=$((SOCKETS * CORES)) topology="pack:$SOCKETS core:$CORES pu:$THREADS"
  [ "$THREADS" = 1 ] || topology="$topology(indexes=$THREADS*$all:$all*1)"
  fake=("HWLOC_SYNTHETIC=$topology" "FAKECPUS=$((all * THREADS))" "LD_PRELOAD=$RUN/fakecpu.so")
fi
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${fake[@]}" \
  slurmd -D -N "$n" -f "$RUN/slurm.conf" &
slurmd=$!
trap 'kill $slurmd' TERM
# wait returns early for the trap
while kill -0 $slurmd 2>/dev/null; do wait $slurmd; done
