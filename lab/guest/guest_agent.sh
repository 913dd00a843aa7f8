#!/bin/sh
# Runs the host's commands, one after another: /lab/agent DEVICE NUMBER.
#
# The host sends   run TOKEN BYTES-OF-COMMAND BYTES-OF-INPUT \n COMMAND INPUT
# and receives     \036 TOKEN begin \n OUTPUT \036 TOKEN end STATUS \n
# where TOKEN is a random word that no output contains by chance. The host then
# sends a line (any) to acknowledge the end.
#
# Output goes through a FIFO and a copying process, so that a job left in the
# background blocks neither the channel nor the next command's output: what it
# prints after the command has ended is dropped.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root TERM=dumb
device=$1
me=/run/lab/$2
exec 3<>"$device"
if [ "$device" = /dev/ttyS1 ]; then
    stty raw -echo 115200 <&3
    echo "lab: ready serial" >/dev/ttyS0
fi
cd /root

while :; do
    read -r word token command input <&3 || { sleep 1; continue; }
    [ "$word" = run ] || continue
    # Read exactly these sizes: what follows belongs to the next request. A dd
    # of one full block is the only busybox tool that does not read ahead.
    dd bs="$command" count=1 iflag=fullblock <&3 >"$me.command" 2>/dev/null
    : >"$me.input"
    whole=$((input / 65536)) rest=$((input % 65536))
    [ "$whole" -eq 0 ] || dd bs=65536 count="$whole" iflag=fullblock \
        <&3 >>"$me.input" 2>/dev/null
    [ "$rest" -eq 0 ] || dd bs="$rest" count=1 iflag=fullblock \
        <&3 >>"$me.input" 2>/dev/null

    rm -f "$me.output"
    mkfifo "$me.output"
    exec 4<>"$me.output"
    cat <&4 >&3 4>&- &
    copy=$!
    printf '\036%s begin\n' "$token" >&4
    LAB_INPUT=$me.input setsid sh "$me.command" \
        <"$me.input" >"$me.output" 2>&1 3>&- 4>&- &
    child=$!
    echo "$child" >"$me.pid"
    wait "$child"
    status=$?
    rm -f "$me.pid"
    printf '\036%s end %s\n' "$token" "$status" >&4
    read -r _ <&3
    # Opened here and not by the background process, which might be late, open
    # the next command's FIFO and swallow its output.
    exec 5<"$me.output"
    cat <&5 >/dev/null 3>&- 4>&- 5<&- &
    exec 4>&- 5<&-
    kill "$copy" 2>/dev/null
    wait "$copy" 2>/dev/null
    rm -f "$me.output" "$me.input"
done
