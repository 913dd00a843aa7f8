/**
 * What sealed tracing costs a guest: compares the same load untraced, with the
 * stock function_graph, and with the module and each of its seals, as ratios.
 *
 * With the flag off, there are two states: right after it was cleared, when the
 * kernel still calls the module at each call (measured with a trace that never
 * parks), and parked, when the module has removed its filter.
 *
 * It measures the time that the host's CPUs spend on the guest (all threads of
 * its process), and not how long the load takes, since other processes on the
 * host make it take longer. They also make it cost more (caches, memory), but
 * never less. Therefore each round measures all variants in turn, in short
 * bursts, and the lowest cost of each is compared.
 *
 * Loads: `read` reads and writes single bytes, which is the worst case: two
 * system calls that do almost nothing, and each is traced twice. `block`
 * reads and writes blocks of 4 KiB, `open` opens and closes a file from a
 * shell.
 *
 * `deno run -A bench/seal.ts [6.1|6.12] [narrow|all] [read|block|open]
 * [rounds] [seal,...]`
 *
 * @module
 */
import { CONTROL, CPU, type SealName } from "../engine/seal/page/abi.ts";
import { SealedTracer } from "../engine/seal/tracer/sealed_tracer.ts";
import { attach } from "../ffi/attach.ts";
import { Guest } from "../lab/mod.ts";
import { moduleFor } from "../tests/live/seal/support_fixture.ts";

const kernel = Deno.args[0] ?? "6.1";
const all = Deno.args[1] === "all";
const open = Deno.args[2] === "open";
const block = Deno.args[2] === "block";
const rounds = Number(Deno.args[3] ?? (all ? 3 : 10));
const SEALS = (["none", "xor", "siphash", "siphash+ratchet"] as const).filter(
  (seal) => Deno.args[4]?.split(",").includes(seal) ?? true,
);
const load = (count: number) =>
  open
    ? `i=0; while [ $i -lt ${count} ]; do : < /proc/version; i=$((i+1)); done`
    : `dd if=/dev/zero of=/dev/null bs=${
      block ? "4k" : 1
    } count=${count} 2>/dev/null`;
const COUNT = (open ? 8000 : 60_000) / (all ? 4 : 1);
/** Calls before a measurement, in which QEMU translates patched code again. */
const WARM = COUNT / 20;
const ROOTS = open ? ["sys_openat", "sys_close"] : ["sys_read", "sys_write"];
const FILTER = open ? ["do_filp_open", "vfs_open"] : ["vfs_read", "vfs_write"];
const SLOW = { timeoutMs: 300_000 };

const folder = Deno.makeTempDirSync();
const module = await moduleFor(kernel);
await using guest = await Guest.boot({ kernel, cpus: 2, mem: "1G" });
await guest.put(module, "/tmp/xftrace.ko");
await guest.sh("insmod /tmp/xftrace.ko ring_kib=32768");
using session = attach(guest.target, { writable: true });
const found = SealedTracer.find(session);
if (found === undefined) throw new Error("the guest has no module");
const tracer = found;
const { mailbox } = tracer;

/** How long the guest's process has run on the host's CPUs, ns. */
function cpuTime(): number {
  let sum = 0;
  const tasks = `/proc/${guest.pid}/task`;
  for (const { name } of Deno.readDirSync(tasks)) {
    sum += Number(
      Deno.readTextFileSync(`${tasks}/${name}/schedstat`).split(" ")[0],
    );
  }
  return sum;
}

/** CPU time that the load costs after a warm-up, ms. */
async function measure(poll?: () => void): Promise<number> {
  const run = async (command: string) => {
    let done = false;
    const running = guest.sh(command, SLOW).finally(() => done = true);
    while (!done) {
      poll?.();
      await sleep(20);
    }
    await running;
  };
  await run(load(WARM));
  const before = cpuTime();
  await run(load(COUNT));
  return (cpuTime() - before) / 1e6;
}

const results = new Map<string, number[]>();
function note(name: string, ms: number): void {
  const list = results.get(name) ?? [];
  list.push(ms);
  results.set(name, list);
}

async function stock(): Promise<void> {
  if (!all) {
    const names = [...ROOTS.map((name) => `__x64_${name}`), ...FILTER];
    await mailbox.writeTracefs("set_ftrace_filter", `${names.join(" ")}\n`);
    const set = await mailbox.readTracefs("set_ftrace_filter");
    if (set.trim().split("\n").length !== names.length) {
      throw new Error(`the stock filter is ${set}`);
    }
  }
  await mailbox.writeTracefs("current_tracer", "function_graph\n", SLOW);
  note("stock function_graph", await measure());
  await mailbox.writeTracefs("current_tracer", "nop\n", SLOW);
  if (!all) await mailbox.writeTracefs("set_ftrace_filter", "");
}

async function sealed(seal: SealName): Promise<void> {
  await tracer.start({
    roots: all ? [] : ROOTS,
    filter: all ? "all" : FILTER,
    hooks: false,
    arguments: false,
    seal,
    idleMs: 0,
    klogPath: `${folder}/${seal}.klog`,
    recordingPath: `${folder}/${seal}.xfs`,
  });
  note(`sealed: ${seal}`, await measure(() => tracer.poll()));
  if (seal === "siphash+ratchet") {
    tracer.switch(false);
    note("flag off, never parked", await measure());
    tracer.switch(true);
  }
  const { entries, lost, verification } = await tracer.stop();
  if (verification.total.verified !== entries) {
    throw new Error(`${entries} entries: ${JSON.stringify(verification)}`);
  }
  counts.set(seal, { entries, lost });
}

/** Waits until the module is parked, with the traced functions restored. */
async function parked(): Promise<void> {
  await tracer.start({
    roots: ROOTS,
    filter: FILTER,
    hooks: false,
    arguments: false,
    klogPath: `${folder}/parked.klog`,
    recordingPath: `${folder}/parked.xfs`,
  });
  tracer.switch(false);
  await untilParked();
  note("flag off, parked", await measure());
  await latency("off for 50 ms", 5, () => sleep(50));
  await latency("off for 1 s", 2, () => sleep(1000));
  // Longer than the time for which the module's thread looks often.
  await latency("off for 4 s", 2, () => sleep(4000));
  tracer.switch(true);
  const { entries, lost, verification } = await tracer.stop();
  if (verification.total.verified + lost !== entries + lost) {
    throw new Error(`${entries} entries: ${JSON.stringify(verification)}`);
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function untilParked(): Promise<void> {
  const until = performance.now() + 20_000;
  while (tracer.page.u32(CONTROL.parked) !== 1) {
    if (performance.now() > until) throw new Error("the module does not park");
    await sleep(5);
  }
}

const heads = () =>
  tracer.page.cpus.reduce(
    (sum, area) => sum + tracer.page.cpuNumber(area, CPU.head),
    0,
  );

/** Measures from the host's write of the flag to the first or last entry. */
async function latency(
  name: string,
  times: number,
  wait: () => Promise<unknown>,
): Promise<void> {
  const { first, last } = latencies.get(name) ?? { first: [], last: [] };
  latencies.set(name, { first, last });
  // A load without pauses, so that only the guest's module causes the wait.
  const pid = (await guest.sh(
    `(${load(1e9)}) >/dev/null 2>&1 & echo $!`,
  )).trim();
  firstEntry();
  tracer.switch(false);
  for (let n = 0; n < times; n++) {
    await wait();
    first.push(firstEntry());
    await sleep(20);
    const off = performance.now();
    tracer.switch(false);
    let seen = heads();
    let lastAt = off;
    while (performance.now() - off < 50) {
      const now = heads();
      if (now !== seen) lastAt = performance.now();
      seen = now;
    }
    last.push(lastAt - off);
    tracer.poll();
  }
  await guest.sh(`kill ${pid}`);
}

/** Switches on; returns the time until the first entry, ms. */
function firstEntry(): number {
  const before = heads();
  const on = performance.now();
  tracer.switch(true);
  while (heads() === before) {
    if (performance.now() - on > 20_000) throw new Error("no entry comes");
  }
  return performance.now() - on;
}

const latencies = new Map<string, { first: number[]; last: number[] }>();
const counts = new Map<SealName, { entries: number; lost: number }>();

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
}

for (let round = 0; round < rounds; round++) {
  note("untraced", await measure());
  await stock();
  note("loaded, not tracing", await measure());
  for (const seal of SEALS) await sealed(seal);
  if (!all) await parked();
}
const least = (name: string) => Math.min(...results.get(name) ?? []);
console.log(
  `kernel ${session.kernel.facts.release}, ${
    all ? "all functions" : "narrow filter"
  }, load ${
    open ? "open" : block ? "block" : "read"
  }, least CPU time of ${rounds} rounds (medians in brackets)`,
);
for (const [name, values] of results) {
  const against = (base: string) =>
    `${(least(name) / least(base)).toFixed(2)} (${
      (median(values) / median(results.get(base) ?? [])).toFixed(2)
    }) of ${base}`;
  console.log(
    `${name.padEnd(24)} ${least(name).toFixed(0).padStart(7)} ms  ${
      against("untraced")
    }  ${against("stock function_graph")}`,
  );
}
for (const [seal, { entries, lost }] of counts) {
  console.log(
    `  ${seal}: ${entries} entries in a round, all verified, ${lost} lost`,
  );
}
for (const [name, { first, last }] of latencies) {
  console.log(
    `${name}: flag to first entry: median ${
      median(first).toFixed(2)
    } ms, most ${
      Math.max(...first).toFixed(2)
    } ms; flag to last entry: median ${median(last).toFixed(2)} ms, most ${
      Math.max(...last).toFixed(2)
    } ms`,
  );
}
Deno.removeSync(folder, { recursive: true });
