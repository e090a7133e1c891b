#!/bin/bash
# down.sh -- end the virtual cluster: its processes (by pid), its namespaces, its interfaces.
# Safe at any time, also after half an up.sh or a reboot. The state folder stays for its logs; up.sh empties it.
set -u
. "$(dirname "$0")/common.sh"

# the pid on file is `unshare --kill-child`: with it goes the node's pid 1, with that all processes of the node, and
# with those the node's network namespace and both its interfaces
for file in "$RUN"/pid/cn*; do
  [ -e "$file" ] && stop "$file" unshare KILL
done
stop "$RUN/pid/slurmctld" slurmctld TERM
stop "$RUN/pid/munged" munged TERM
for bridge in "$MGT" "$HSN" "$HSN1"; do
  ! ip link show "$bridge" >/dev/null 2>&1 || ip link del "$bridge"
done
# what CGROUPS=1 made; all clusters of this machine see one tree of cpusets, and the empty ones of another are in use
if grep -qx CGROUPS=1 "$RUN/node.env" 2>/dev/null; then
  unshare --mount bash -c 'mount -t cgroup -o cpuset none /mnt && find /mnt -depth -path "/mnt/slurm_cn*" -type d -exec rmdir {} +' 2>/dev/null
fi
# the kernel takes dead namespaces apart in the background, and late where a connection died in the middle
mapfile -t interfaces < <(ip -o link | grep -oE '\bls[mhi][0-9]+\b')
for interface in "${interfaces[@]}"; do ip link del "$interface" 2>/dev/null; done
for _ in $(seq 50); do
  ip -o link | grep -qE '^[0-9]+: ls[mhi][0-9]+@' || exit 0
  sleep 0.1
done
echo "down.sh: interfaces of nodes are left: $(ip -o link | grep -oE 'ls[mhi][0-9]+' | tr '\n' ' ')" >&2
exit 1
