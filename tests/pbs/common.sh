# Sourced by the scripts of the stand-in for PBS: where it keeps its state. Installed copies find it from their own place.
# shellcheck shell=bash

# a copy in $RUN/exec/bin; else the state is below the checkout
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case $here in
*/exec/bin) RUN=${here%/exec/bin} ;;
*) RUN=${RUN:-$(cd "$here/../.." && pwd)/target/pbs-lab} ;;
esac
EXEC=$RUN/exec
MGT=pbsbr-mgt # bridges; that the first exists says that hosts are up
HSN=pbsbr-hsn
export RUN EXEC MGT HSN

# session PID..: all processes of these sessions
sessions() { local sid; for sid in "$@"; do ps -o pid= -s "$sid" || true; done; }
