# Sourced by up.sh, down.sh and node.sh: where the cluster keeps its state, and which of its processes live.
# shellcheck shell=bash

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$LAB/../.." && pwd)
RUN=${RUN:-$ROOT/target/slurm-lab} # configuration, keys, logs, pids, spool
MGT=lsbr-mgt                       # bridge of the management network; its existence says that a cluster is up
HSN=lsbr-hsn                       # bridge of the "high speed" network
HSN1=lsbr-hsn1                     # and of a second one, for nodes with two interfaces
export LAB ROOT RUN MGT HSN HSN1

# has_cpusets: cpusets of cgroup v1 can be made here
has_cpusets() { unshare --mount bash -c 'mount -t cgroup -o cpuset none /mnt && [ -w /mnt/cpuset.cpus ]' 2>/dev/null; }

# is PID COMM: the process exists, is no zombie, and is that program still (pids are used again)
is() {
  local stat
  stat=$(ps -o stat=,comm= -p "$1" 2>/dev/null) && [[ $stat != Z* && ${stat##* } == "$2" ]]
}

# stop PIDFILE COMM SIGNAL: the signal, KILL after 5 s, and wait for the end
stop() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 0
  if is "$pid" "$2"; then
    kill "-$3" "$pid"
    for _ in $(seq 50); do is "$pid" "$2" || break; sleep 0.1; done
    ! is "$pid" "$2" || kill -KILL "$pid"
    while is "$pid" "$2"; do sleep 0.05; done
  fi
  rm -f "$1"
}
