/**
 * Records the guests of testdata/ again: for each kernel a snapshot of a
 * stopped trace, and the guest's own `trace` file of the same buffers.
 *
 * ```sh
 * deno run --allow-all scripts/dev/record_testdata.ts [6.1 6.12]
 * ```
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { Follower, TraceArray, traceLayout } from "xftrace/ftrace";
import { open } from "xftrace/live";
import { Guest, stderrProgress } from "../../lab/mod.ts";

const TRACING = "/sys/kernel/tracing";
const SLOW = { timeoutMs: 120_000 };

/**
 * Records some system calls with the functions that they call, and events. The
 * filters come first: the buffers are small, and should hold whole calls.
 */
const RECORD = `
cd ${TRACING}
echo 0 > tracing_on
echo 128 > buffer_size_kb
for glob in 'vfs_*' 'do_*open*' 'do_filp*' 'path_*' '__x64_sys_*' 'ksys_*' \\
    'security_file*' 'getname*' 'kmem_cache_*' 'link_path_walk*' \\
    schedule __do_softirq handle_softirqs hrtimer_interrupt; do
  echo "$glob" >> set_ftrace_filter || true
done
echo __x64_sys_openat > set_graph_function
echo __x64_sys_read >> set_graph_function
echo __x64_sys_newfstatat >> set_graph_function
for name in schedule __do_softirq handle_softirqs \\
    hrtimer_interrupt; do
  echo $name >> set_graph_function || true
done
echo function_graph > current_tracer
echo 1 > events/syscalls/sys_enter_openat/enable
echo 1 > events/syscalls/sys_exit_openat/enable
echo 1 > events/syscalls/sys_enter_read/enable
echo 1 > events/syscalls/sys_exit_read/enable
echo 1 > events/sched/sched_switch/enable
echo 1 > events/sched/sched_process_fork/enable
echo 1 > events/sched/sched_process_exec/enable
echo 1 > events/irq/softirq_entry/enable
echo > trace
echo 1 > tracing_on
for i in 1 2 3; do
  (grep -c a /proc/meminfo /proc/self/maps; wc /proc/stat; ls -l /sys/kernel) >/dev/null &
  find /proc/self >/dev/null 2>&1
done
wait
echo 0 > tracing_on
`;

async function record(kernel: string, folder: string): Promise<void> {
  const progress = stderrProgress(kernel);
  await using guest = await Guest.boot({
    kernel,
    append: "trace_clock=mono",
    onProgress: progress.step,
  });
  progress.done();
  await guest.sh(RECORD, SLOW);
  const text = await guest.get(`${TRACING}/trace`);
  await using opened = await open(guest.target, { cache: false });
  const name = `${folder}/guest-${kernel}`;
  const taken = await opened.snapshot(`${name}.core.zst`, {
    level: 19,
    // A follower reads all pages, even empty ones: put them into the snapshot.
    also: (kernel) => {
      const instance = TraceArray.global(kernel);
      const layout = traceLayout(kernel.types);
      new Follower(instance, layout, { fromBuffer: true }).poll();
    },
  });
  Deno.writeFileSync(`${name}.trace.txt`, text);
  const lines = new TextDecoder().decode(text).split("\n").length - 1;
  const size = Deno.statSync(`${name}.core.zst`).size;
  console.log(
    `${kernel}: ${taken.events} events, ${lines} lines, ${size} bytes`,
  );
}

const folder = fileURLToPath(import.meta.resolve("../../testdata"));
Deno.mkdirSync(folder, { recursive: true });
for (const kernel of Deno.args.length > 0 ? Deno.args : ["6.1", "6.12"]) {
  await record(kernel, folder);
}
