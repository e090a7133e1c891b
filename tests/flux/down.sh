#!/bin/bash
# down.sh -- end all hosts of the Flux lab, and with them all that runs there. Safe at any time.
set -u
# shellcheck source=tests/flux/common.sh
. "$(dirname "$0")/common.sh"
# the pid on file is `unshare --kill-child`: with it goes the host's first process, and with that all others
for file in "$RUN"/pid/fn*; do
  [ ! -e "$file" ] || kill -KILL "$(cat "$file")" 2> /dev/null
done
for interface in $(ip -o link | grep -oE 'fl[mh][0-9]+|flbr-[a-z]+' | sort -u); do
  ip link del "$interface" 2> /dev/null
done
exit 0
