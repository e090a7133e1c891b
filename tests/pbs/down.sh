#!/bin/bash
# down.sh -- end all jobs and hosts of the stand-in, by their process ids. Safe at any time.
set -u
# shellcheck source=tests/pbs/common.sh
. "$(dirname "$0")/common.sh"
running() { for job in "$RUN"/jobs/*/; do [ ! -e "$job/pid" ] || [ -e "$job/rc" ] || basename "$job"; done; }
for id in $(running); do "$EXEC/bin/qdel" "$id" 2> /dev/null; done
for _ in $(seq 130); do [ -n "$(running)" ] || break; sleep 0.1; done
for file in "$RUN"/pid/pn*; do
  case $file in *.ready | *'*') continue ;; esac
  kill -KILL "$(cat "$file")" 2> /dev/null
done
for interface in $(ip -o link | grep -oE 'pb[mh][0-9]+|pbsbr-[a-z]+' | sort -u); do
  ip link del "$interface" 2> /dev/null
done
exit 0
