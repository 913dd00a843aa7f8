#!/bin/sh
# Runs QEMU, ends it in time and cleans up after it:
#   guard.sh FOLDER MEMORY-FILE SECONDS OWNER-PID OUTLIVE QEMU ARGUMENT...
# The guest ends after SECONDS at the latest. It also ends soon after its owner,
# unless OUTLIVE is set and the guest was up by then. MEMORY-FILE and OUTLIVE
# may be empty. The owner creates the file "ready" once the guest is up; until
# then, the folder is kept for the logs of a failed start. Memory that was plugged
# in is in MEMORY-FILE.ID.
umask 077
folder=$1 memory=$2 seconds=$3 owner=$4 outlive=$5
shift 5
echo $$ >"$folder/guard.pid"
timeout --kill-after=5 "$seconds" "$@" >"$folder/qemu.log" 2>&1 &
limit=$!
settled() { [ -n "$outlive" ] && [ -e "$folder/ready" ]; }
{
    while [ -d "/proc/$owner" ] && ! settled; do sleep 2; done
    settled || kill "$limit"
} &
watch=$!
wait "$limit"
status=$?
kill "$watch" 2>/dev/null
[ -z "$memory" ] || rm -f "$memory" "$memory".*
if [ -e "$folder/ready" ] || [ ! -d "/proc/$owner" ]; then
    rm -rf "$folder"
else
    echo "$status" >"$folder/exit"
fi
