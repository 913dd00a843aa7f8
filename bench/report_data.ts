/**
 * Records what bench/report.ts measures: the memory of a guest whose buffers
 * are full, and the same buffers as a trace.dat.
 *
 *     deno run --allow-all bench/report_data.ts FOLDER [KIB_PER_CPU [KERNEL [TRACE...]]]
 *
 * Three traces, with `KIB_PER_CPU` (default 24576) of buffer for each of two
 * CPUs:
 *
 * - `mix`: function graph of file operations, with the events of sched,
 *   syscalls and irq
 * - `graph`: function graph of all functions
 * - `events`: the events alone
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Guest, stderrProgress } from "../lab/mod.ts";

const TRACING = "/sys/kernel/tracing";
const XFTRACE = fileURLToPath(import.meta.resolve("../scripts/xftrace.ts"));
/** Under emulation, tracing all functions makes a guest very slow. */
const PATIENT = { timeoutMs: 900_000 };

const EVENTS = `for system in sched raw_syscalls syscalls irq; do
  echo 1 > events/$system/enable
done
echo 0 > events/raw_syscalls/enable`;

const TRACES: Readonly<Record<string, string>> = {
  mix: `echo > set_graph_function
for name in vfs_read vfs_write vfs_open do_filp_open schedule \\
    __do_softirq handle_softirqs hrtimer_interrupt; do
  echo $name >> set_graph_function || true
done
echo function_graph > current_tracer
${EVENTS}`,
  graph: `echo > set_graph_function
echo function_graph > current_tracer`,
  events: EVENTS,
};

const WORK = `i=0
while [ $i -lt 4000 ]; do
  find /proc /sys/kernel > /dev/null 2>&1
  cat /proc/meminfo /proc/stat /proc/self/maps > /dev/null
  dd if=/dev/zero of=/dev/null bs=512 count=2000 2> /dev/null
  i=$((i + 1))
  used=$(awk '/^overrun/ { sum += $2 } END { print sum }' \\
    ${TRACING}/per_cpu/cpu*/stats)
  [ "$used" -gt 1000 ] && break
done`;

const [folder, kib = "24576", kernel = "6.12", ...wanted] = Deno.args;
if (folder === undefined) {
  console.error("usage: report_data.ts FOLDER [KIB_PER_CPU [KERNEL]]");
  Deno.exit(1);
}
Deno.mkdirSync(folder, { recursive: true });
const progress = stderrProgress(kernel);
await using guest = await Guest.boot({
  kernel,
  mem: `${512 + Math.ceil(2 * Number(kib) / 1024)}M`,
  onProgress: progress.step,
});
progress.done();
for (const [name, setup] of Object.entries(TRACES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  await guest.sh(
    `cd ${TRACING}
echo 0 > tracing_on
echo nop > current_tracer
echo 0 > events/enable
echo ${kib} > buffer_size_kb
${setup}
echo > trace
echo 1 > tracing_on
(${WORK}) &
(${WORK})
wait
echo 0 > tracing_on`,
    PATIENT,
  );
  // A copy, holes left out, so that it is there when the guest is not.
  await run(
    "cp",
    "--sparse=always",
    guest.memoryFile!,
    join(folder, `${name}.mem`),
  );
  await run(
    Deno.execPath(),
    "run",
    "--allow-all",
    XFTRACE,
    "report",
    "-t",
    guest.target,
    "-f",
    "dat",
    "-o",
    join(folder, `${name}.dat`),
  );
  console.log(
    name,
    await guest.sh(
      `cd ${TRACING}; head -3 trace; cat per_cpu/cpu*/stats | grep entries`,
      PATIENT,
    ),
  );
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed`);
}
