/**
 * What sealed tracing costs a guest: the same load untraced, under the stock
 * function_graph and under the module with each seal, as ratios.
 *
 * `deno run -A bench/seal.ts [6.1|6.12] [narrow|all]`
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { CONTROL, type SealName } from "../engine/seal/abi.ts";
import { SealedTracer } from "../engine/seal/sealed_tracer.ts";
import { attach } from "../ffi/attach.ts";
import { Guest, kernelHeaders } from "../lab/mod.ts";
import { buildModule } from "../scripts/cli/guest.ts";

const kernel = Deno.args[0] ?? "6.1";
const scope = Deno.args[1] ?? "narrow";
const all = scope === "all";
const ROUNDS = 5;
/** Opens and closes a file so many times. */
const LOAD = `i=0; while [ $i -lt ${
  all ? 1500 : 15000
} ]; do : < /proc/version; i=$((i+1)); done`;
const ROOTS = ["sys_openat", "sys_read"];
const FILTER = ["vfs_open", "vfs_read", "do_filp_open"];

const folder = Deno.makeTempDirSync();
const module = await buildModule(
  fileURLToPath(import.meta.resolve("../guest")),
  await kernelHeaders(kernel),
  "xftrace.ko",
);
await using guest = await Guest.boot({ kernel, cpus: 2, mem: "1G" });
await guest.put(module, "/tmp/xftrace.ko");
await guest.sh("insmod /tmp/xftrace.ko ring_kib=32768");
using session = attach(guest.target, { writable: true });
const tracer = SealedTracer.find(session);
if (tracer === undefined) throw new Error("the guest has no module");

/** Milliseconds of guest time that the load takes: the best of some. */
async function measure(poll?: () => void): Promise<number> {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    let done = false;
    const run = guest.sh(
      `a=$(cut -d' ' -f1 /proc/uptime); ${LOAD}; b=$(cut -d' ' -f1 /proc/uptime); echo $a $b`,
      { timeoutMs: 300_000 },
    ).finally(() => done = true);
    while (!done) {
      poll?.();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const [a, b] = (await run).trim().split(" ").map(Number);
    best = Math.min(best, (b - a) * 1000);
  }
  return best;
}

const rows: [string, number][] = [];
const note = (name: string, ms: number) => {
  rows.push([name, ms]);
  console.log(
    `${name.padEnd(34)} ${ms.toFixed(0).padStart(7)} ms  ${
      (ms / rows[0][1]).toFixed(2)
    } of untraced`,
  );
};

note("untraced", await measure());
{
  const { mailbox } = tracer;
  if (!all) {
    const names = ["__x64_sys_openat", "__x64_sys_read", ...FILTER];
    await mailbox.writeTracefs("set_ftrace_filter", names.join(" "));
  }
  await mailbox.writeTracefs("current_tracer", "function_graph", {
    timeoutMs: 300_000,
  });
  note("stock function_graph", await measure());
  await mailbox.writeTracefs("current_tracer", "nop", { timeoutMs: 300_000 });
  if (!all) await mailbox.writeTracefs("set_ftrace_filter", " ");
}
for (const seal of ["none", "xor", "siphash", "siphash+ratchet"] as const) {
  await measureSeal(seal);
}
note("untraced again", await measure());
const stock = rows[1][1];
for (const [name, ms] of rows.slice(2)) {
  console.log(`${name.padEnd(34)} ${(ms / stock).toFixed(2)} of stock`);
}
Deno.removeSync(folder, { recursive: true });

async function measureSeal(seal: SealName): Promise<void> {
  const sealed = tracer;
  if (sealed === undefined) return;
  await sealed.start({
    roots: all ? [] : ROOTS,
    filter: all ? "all" : FILTER,
    hooks: false,
    arguments: false,
    seal,
    klogPath: `${folder}/${seal}.klog`,
    recordingPath: `${folder}/${seal}.xfs`,
  });
  const enabled = performance.now();
  note(`sealed: ${seal}`, await measure(() => sealed.poll()));
  if (seal === "siphash+ratchet") {
    sealed.page.setU32(CONTROL.enabled, 0);
    note("sealed, flag off", await measure());
    sealed.page.setU32(CONTROL.enabled, 1);
  }
  const { entries, lost, verification } = await sealed.stop();
  console.log(
    `  ${entries} entries in ${
      ((performance.now() - enabled) / 1000).toFixed(1)
    } s, ${verification.total.verified} verified, ${lost} lost`,
  );
}
