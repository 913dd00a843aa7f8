#!/bin/sh
# The first program of a lab guest: sets up a small ordinary system, then runs
# busybox's init, which keeps the command agents running.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
ln -sf /proc/self/fd /dev/fd
mkdir -p /run/lab /root /var/log
ln -s /run /var/run
hostname "$(sed -n 's/.*xftrace_lab=\([^ ]*\).*/\1/p' /proc/cmdline)"
ip link set lo up

# The host reads these messages from the first serial line, whatever the
# console.
say() {
    if [ -c /dev/ttyS0 ]; then echo "$*" >/dev/ttyS0; else echo "$*"; fi
}

if grep -q xftrace_lab_probe /proc/cmdline; then
    say "lab: probe ok"
    poweroff -f
fi

for module in virtio_pci virtio_mmio virtio_console; do
    modprobe -q "$module" 2>/dev/null
done

# Ports appear one by one after the driver is loaded.
ports() {
    cat /sys/class/virtio-ports/*/name 2>/dev/null | grep -c '^lab\.'
}
if [ -d /sys/class/virtio-ports ]; then
    tries=0
    while [ "$(ports)" -lt "$LAB_PORTS" ] && [ "$tries" -lt 100 ]; do
        tries=$((tries + 1))
        sleep 0.05
    done
fi

{
    echo "::sysinit:/bin/true"
    channel=virtio
    if [ "$(ports)" -gt 0 ]; then
        for port in /sys/class/virtio-ports/*; do
            name=$(cat "$port/name")
            case $name in
            lab.*) echo "::respawn:/lab/agent /dev/${port##*/} ${name#lab.}" ;;
            esac
        done
    else
        channel=
        echo "::respawn:/lab/agent /dev/ttyS1 1"
    fi
    for port in /sys/class/virtio-ports/*; do
        # Restarted when it ends, so that it reads its configuration again.
        if [ "$(cat "$port/name" 2>/dev/null)" = org.qemu.guest_agent.0 ] &&
            [ -x /usr/sbin/qemu-ga ]; then
            echo "::respawn:/usr/sbin/qemu-ga -p /dev/${port##*/}"
        fi
    done
    echo "::ctrlaltdel:/sbin/reboot"
} >/etc/inittab
# A serial line loses what is sent before it is open, so there the agent itself
# reports that it is ready.
[ -z "$channel" ] || say "lab: ready $channel"
exec /bin/busybox init
