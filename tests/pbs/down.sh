#!/bin/bash
# down.sh -- end all jobs and hosts of the stand-in, by their process ids. Safe at any time.
set -u
# shellcheck source=tests/pbs/common.sh
. "$(dirname "$0")/common.sh"
for job in "$RUN"/jobs/*/; do
  [ ! -e "$job/pid" ] || [ -e "$job/rc" ] || "$EXEC/bin/qdel" "$(basename "$job")" 2> /dev/null
done
for file in "$RUN"/pid/pn*; do
  case $file in *.ready | *'*') continue ;; esac
  kill -KILL "$(cat "$file")" 2> /dev/null
done
for bridge in "$MGT" "$HSN"; do
  ! ip link show "$bridge" > /dev/null 2>&1 || ip link del "$bridge"
done
