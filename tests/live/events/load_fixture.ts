/**
 * Work that causes events in a guest's kernel, and the events to record during
 * it. There are several rounds, since frequent events would overwrite rare
 * ones.
 *
 * @module
 */

/** One recording. */
export interface Round {
  readonly name: string;
  /** Systems, or `system/event`s, below tracefs' `events`. */
  readonly events: readonly string[];
  /** What the guest does during the recording. */
  readonly work: string;
}

/** Files, processes and pipes. */
const FILES = `
for i in 1 2 3; do
  ls -lR /proc/self /sys/kernel/tracing/events/irq > /dev/null 2>&1
  dd if=/dev/zero of=/tmp/f bs=64k count=8 2>/dev/null
  cp /tmp/f /tmp/g; mv /tmp/g /tmp/h; ln -s h /tmp/l; readlink /tmp/l > /dev/null
  chmod 600 /tmp/h; touch /tmp/h; rm -f /tmp/f /tmp/h /tmp/l
  mkdir /tmp/d; rmdir /tmp/d
  seq 200 | sort -r | md5sum > /dev/null
  sleep 0.05
done`;

/** Signals, priorities, CPUs, short sleeps. */
const PROCESSES = `
sh -c 'trap : USR1; kill -USR1 $$; sleep 0.05' &
sleep 5 & kill -TERM $!; wait $! 2>/dev/null
sleep 5 & kill -STOP $!; kill -CONT $!; kill -KILL $!; wait $! 2>/dev/null
nice -n 5 true; renice -n 3 $$ > /dev/null; renice -n 0 $$ > /dev/null 2>&1
taskset 1 true; taskset 2 true 2>/dev/null
chrt -f 10 true 2>/dev/null
timeout 1 sleep 0.1; usleep 20000
sh -c 'exit 3'; (exec ls /nosuch) 2>/dev/null
unshare -m true 2>/dev/null
true`;

/** Makes a file system on a loop device, uses, syncs and unmounts it. */
const DISK = `
mkdir -p /tmp/mnt
losetup /dev/loop0 /tmp/disk && mount -t ext4 /dev/loop0 /tmp/mnt || exit 1
for i in 1 2 3 4; do
  dd if=/dev/urandom of=/tmp/mnt/f$i bs=32k count=8 2>/dev/null
  mkdir /tmp/mnt/d$i; ln /tmp/mnt/f$i /tmp/mnt/d$i/x; ln -s x /tmp/mnt/d$i/y
  mv /tmp/mnt/f$i /tmp/mnt/g$i; truncate -s 1000 /tmp/mnt/g$i
done
sync
fallocate -l 200000 /tmp/mnt/big; fsync /tmp/mnt/big; rm -rf /tmp/mnt/d1
echo 3 > /proc/sys/vm/drop_caches
cat /tmp/mnt/g* > /dev/null; fstrim /tmp/mnt 2>/dev/null
umount /tmp/mnt; losetup -d /dev/loop0; true`;

/** Sockets on the loopback device. */
const NETWORK = `
ip addr show lo > /dev/null
ping -c 2 -i 0.1 127.0.0.1 > /dev/null 2>&1
(nc -l -p 7001 > /dev/null & echo hello | timeout 1 nc 127.0.0.1 7001; wait) 2>/dev/null
timeout 1 nslookup nothing 127.0.0.1 > /dev/null 2>&1
nc -w 1 127.0.0.1 7002 < /dev/null > /dev/null 2>&1
ip link add dum0 type dummy && ip link set dum0 up && ip link del dum0
ping6 -c 1 ::1 > /dev/null 2>&1; true`;

/** Memory, swap, control groups, modules, messages, power. */
const SYSTEM = `
head -c 3000000 /dev/zero | tail -c 1 > /dev/null
dd if=/dev/zero of=/tmp/swap bs=64k count=32 2>/dev/null
mkswap /tmp/swap > /dev/null 2>&1; mkdir -p /tmp/cg
mount -t cgroup2 none /tmp/cg 2>/dev/null && {
  mkdir -p /tmp/cg/one; sleep 5 & one=$!
  echo $one > /tmp/cg/one/cgroup.procs
  echo 1 > /tmp/cg/one/cgroup.freeze; sleep 0.1
  echo 0 > /tmp/cg/one/cgroup.freeze; kill $one; wait $one 2>/dev/null
}
echo hello > /dev/kmsg
modprobe msr; rmmod msr 2>/dev/null
echo 1 > /proc/sys/vm/compact_memory
echo marker > /sys/kernel/tracing/trace_marker
echo 0 > /sys/devices/system/cpu/cpu1/online 2>/dev/null
echo 1 > /sys/devices/system/cpu/cpu1/online 2>/dev/null
true`;

/** Defines a synthetic event: how long a woken task waited to run. */
const WAKEUPS = `
for t in 'sched_waking hist:keys=pid:ts0=common_timestamp' \
  'sched_switch hist:keys=next_pid:delay=common_timestamp-$ts0:onmatch(sched.sched_waking).trace(wakeup,$delay,next_pid,next_comm)'
do echo "\${t#* }" > /sys/kernel/tracing/events/sched/\${t%% *}/trigger; done
# Kernels since 6.3 keep stacks in synthetic events.
[ ! -e /sys/kernel/tracing/events/synthetic/blocked ] ||
for t in 'hist:keys=next_pid:ts=common_timestamp.usecs,st=common_stacktrace if prev_state == 1||prev_state == 2' \
  'hist:keys=prev_pid:delta=common_timestamp.usecs-$ts,s=$st:onmatch(sched.sched_switch).trace(blocked,prev_pid,$delta,$s)'
do echo "$t" >> /sys/kernel/tracing/events/sched/sched_switch/trigger; done 2>/dev/null
`;

/** The rounds. */
export const ROUNDS: readonly Round[] = [
  {
    name: "system calls",
    events: ["syscalls", "raw_syscalls"],
    work: FILES + PROCESSES,
  },
  {
    name: "scheduler",
    events: [
      "sched",
      "task",
      "signal",
      "workqueue",
      "cgroup",
      "power",
      "rcu",
      "ipi",
      "csd",
      "context_tracking",
    ],
    work: FILES + PROCESSES,
  },
  {
    name: "interrupts and timers",
    events: ["irq", "irq_vectors", "timer", "nmi", "tlb", "xen", "x86_fpu"],
    work: FILES + PROCESSES,
  },
  {
    name: "memory",
    events: [
      "kmem",
      "filemap",
      "mmap",
      "mmap_lock",
      "exceptions",
      "vmscan",
      "compaction",
      "migrate",
      "huge_memory",
      "oom",
      "percpu",
      "pagemap",
      "page_pool",
      "maple_tree",
      "vmalloc",
    ],
    work: FILES + SYSTEM,
  },
  {
    name: "disks",
    events: [
      "block",
      "ext4",
      "jbd2",
      "writeback",
      "filelock",
      "filemap",
      "wbt",
      "iomap",
      "swiotlb",
      "notifier",
      "error_report",
    ],
    work: DISK,
  },
  {
    name: "network",
    events: [
      "net",
      "sock",
      "tcp",
      "udp",
      "skb",
      "napi",
      "qdisc",
      "fib",
      "fib6",
      "neigh",
      "netlink",
      "bridge",
      "mptcp",
      "icmp",
    ],
    work: NETWORK,
  },
  {
    name: "system",
    events: [
      "module",
      "printk",
      "cpuhp",
      "cgroup",
      "notifier",
      "random",
      "power",
      "initcall",
      "kvm",
      "hyperv",
      "msr",
      "iommu",
      "resctrl",
      "bpf_trace",
      "alarmtimer",
      "rseq",
      "rpm",
      "regmap",
      "devlink",
      "dev",
      "avc",
      "vsyscall",
      "capability",
      "thermal",
      "osnoise",
      "hwmon",
      "i2c",
      "clk",
      "gpio",
      "interconnect",
    ],
    work: SYSTEM + PROCESSES,
  },
  {
    name: "probes",
    events: [
      "kprobes",
      "uprobes",
      "synthetic",
      "eprobes",
      "own",
      "fprobes",
      "tracepoints",
      "sched/sched_process_exec",
    ],
    work: WAKEUPS + FILES,
  },
];

/** Probes that are added at run time, as users do. */
export const PROBES = `
cd /sys/kernel/tracing
echo 'wakeup u64 delay; pid_t pid; char comm[16]' > synthetic_events
echo 'p:openp do_sys_openat2 dfd=%di:s32 name=+0(%si):ustring how=+0(%dx):x64' > kprobe_events
echo 'r:openr do_sys_openat2 ret=$retval:s32' >> kprobe_events
echo 'p:readp vfs_read count=%dx:u64 pos=+0(%cx):u64 bytes=+0(%di):x8[4]' >> kprobe_events
echo 'p:sh /bin/busybox:0x1000 ip=%ip' > uprobe_events
for probe in \
  'e:eopen syscalls/sys_enter_openat file=+0($filename):ustring flags=$flags' \
  'e:own/eswitch sched/sched_switch pid=$next_pid:s32 comm=$next_comm:string' \
  's:blocked pid_t pid; u64 delta; unsigned long[] stack' \
  'f:freadret vfs_read%return ret=$retval:s64' \
  't:tswitch sched_switch prev=$arg2'
do echo "$probe" >> dynamic_events; done 2>/dev/null
true`;
