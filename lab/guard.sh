#!/bin/sh
# Runs QEMU, ends it in time and clears up after it:
#   guard.sh STATE-FOLDER MEMORY-FILE SECONDS OWNER-PID QEMU ARGUMENT...
# MEMORY-FILE and OWNER-PID may be empty. The guest ends after SECONDS, or soon
# after the owner has. Whoever started the guest tells by the file "ready" that
# it no longer needs the logs of a failed start.
umask 077
state=$1 memory=$2 seconds=$3 owner=$4
shift 4
echo $$ >"$state/guard.pid"
timeout --kill-after=5 "$seconds" "$@" >"$state/qemu.log" 2>&1 &
limit=$!
watch=
if [ -n "$owner" ]; then
    while [ -d "/proc/$owner" ]; do sleep 2; done && kill "$limit" &
    watch=$!
fi
wait "$limit"
status=$?
[ -z "$watch" ] || kill "$watch" 2>/dev/null
[ -z "$memory" ] || rm -f "$memory"
if [ -e "$state/ready" ] || [ ! -d "/proc/${owner:-self}" ]; then
    rm -rf "$state"
else
    echo "$status" >"$state/exit"
fi
