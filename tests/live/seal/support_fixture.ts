/**
 * Helpers for live tests of the sealed tracer: modules built for a guest,
 * guests with the module loaded, and traces of some load.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { SealedOptions } from "../../../engine/seal/tracer/running_trace.ts";
import { SealedTracer } from "../../../engine/seal/tracer/sealed_tracer.ts";
import type { SealedSummary } from "../../../engine/seal/tracer/trace_results.ts";
import type { Session } from "../../../engine/session.ts";
import { attach } from "../../../ffi/attach.ts";
import { Guest, kernelHeaders } from "../../../lab/mod.ts";
import { buildModule } from "../../../engine/install/build.ts";

/** The kernels on which the sealed tracer is tested. */
export const SEAL_KERNELS = ["6.1", "6.12"] as const;

const built = new Map<string, Promise<Uint8Array>>();

/** A module of guest/, built once for a kernel series. */
export function moduleFor(
  kernel: string,
  name = "xftrace",
  folder = "../../../guest",
): Promise<Uint8Array> {
  const key = `${kernel} ${name}`;
  let module = built.get(key);
  if (module === undefined) {
    module = kernelHeaders(kernel).then((headers) =>
      buildModule(
        fileURLToPath(import.meta.resolve(folder)),
        headers,
        `${name}.ko`,
      )
    );
    built.set(key, module);
  }
  return module;
}

/** A guest with two CPUs and the module loaded. */
export async function sealedGuest(
  kernel: string,
  parameters = "",
): Promise<Guest> {
  const module = await moduleFor(kernel);
  const guest = await Guest.boot({ kernel, cpus: 2, mem: "512M" });
  await guest.put(module, "/tmp/xftrace.ko");
  await guest.sh(`insmod /tmp/xftrace.ko ${parameters}`);
  return guest;
}

/**
 * Says why a guest may not answer: what its tasks and CPUs are doing, as its
 * kernel prints it, and the guest's last messages.
 */
export async function explain(guest: Guest): Promise<void> {
  const { text } = await guest.exec(
    "for key in w l; do echo $key > /proc/sysrq-trigger; done; dmesg | tail -n 200",
    { timeoutMs: 30_000 },
  ).catch((error: unknown) => ({ text: String(error) }));
  console.log(`${text}\n--- the serial log's end:`);
  console.log(guest.serialLog().slice(-8000));
}

/** Attaches to a guest in order to change it. */
export function steer(guest: Guest): Session {
  return attach(guest.target, { writable: true });
}

/** The guest's sealed tracer; fails if it has none. */
export function tracerOf(session: Session): SealedTracer {
  const tracer = SealedTracer.find(session);
  assert.ok(tracer !== undefined, "the guest has no module");
  return tracer;
}

/** A folder for one test's files, removed at the end. */
export class Scratch implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "xftrace-seal-" });
  /** Paths for {@linkcode SealedOptions}. */
  get files(): { klogPath: string; recordingPath: string } {
    return {
      klogPath: `${this.folder}/trace.klog`,
      recordingPath: `${this.folder}/trace.xfs`,
    };
  }
  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** Polls until a promise is settled, and returns its result. */
export async function pollUntil<T>(
  tracer: SealedTracer,
  work: Promise<T>,
  everyMs = 5,
): Promise<T> {
  let done = false;
  const ended = work.finally(() => done = true);
  // The failure is reported by the await below.
  ended.catch(() => {});
  while (!done) {
    tracer.poll();
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  return await ended;
}

/** Traces while `work` runs. */
export async function traceAround(
  tracer: SealedTracer,
  options: SealedOptions,
  work: () => Promise<unknown>,
): Promise<SealedSummary> {
  await tracer.start(options);
  await pollUntil(tracer, work());
  return await tracer.stop();
}

/** Commands that open and read some files, `count` times. */
export function openLoad(count: number): string {
  return `i=0; while [ $i -lt ${count} ]; do cat /proc/self/maps /proc/modules > /dev/null; i=$((i+1)); done`;
}

/** Fails if the guest's kernel has reported a problem. */
export function assertNoOops(guest: Guest): void {
  const bad = guest.serialLog().split("\n").filter((line) =>
    /BUG:|Oops|WARNING:|general protection|Call Trace|Kernel panic|soft lockup|rcu_.*stall/
      .test(line)
  );
  assert.deepEqual(bad, [], "the guest's kernel complained");
}

/** Waits until a condition is true; fails after 20 s. */
export async function waitUntil(
  done: () => boolean,
  ms = 20_000,
): Promise<void> {
  const end = performance.now() + ms;
  while (!done()) {
    assert.ok(performance.now() < end, "it does not happen");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
