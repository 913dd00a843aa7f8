/**
 * A program that uses the library for long: it begins a sealed trace, switches
 * it off and on, ends it, verifies the recording, and begins another, in one
 * process. Prints a line of JSON for each trace, until its standard input ends.
 *
 * Arguments: the target, a folder, the seconds of one trace.
 *
 * @module
 */
import { SealedTracer } from "../../../engine/seal/tracer/sealed_tracer.ts";
import {
  isClean,
  verifyRecording,
} from "../../../engine/seal/recording/verify_recording.ts";
import { attach } from "../../../ffi/attach.ts";

/** What is said of each trace. */
export interface Cycle {
  readonly entries: number;
  readonly lost: number;
  readonly verified: number;
  readonly keySwitches: number;
  readonly findings: number;
  /** Whether nothing but lost entries is amiss. */
  readonly clean: boolean;
  /** Bytes. */
  readonly heap: number;
}

/** How long recording is on, and then off, ms. */
const ON_MS = 6000;
const OFF_MS = 3000;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function cycle(
  tracer: SealedTracer,
  folder: string,
  milliseconds: number,
): Promise<Cycle> {
  const files = {
    klogPath: `${folder}/service.klog`,
    recordingPath: `${folder}/service.xfs`,
  };
  await tracer.start({
    roots: ["sys_openat"],
    filter: ["vfs_open"],
    rotateMs: 10,
    ...files,
  });
  const end = performance.now() + milliseconds;
  let on = true;
  let next = performance.now() + ON_MS;
  while (performance.now() < end) {
    tracer.poll();
    if (performance.now() >= next) {
      on = !on;
      tracer.switch(on);
      next = performance.now() + (on ? ON_MS : OFF_MS);
    }
    await sleep(2.5);
  }
  const { entries, lost, keySwitches, findings } = await tracer.stop();
  const result = verifyRecording(files.recordingPath);
  for (const path of [files.recordingPath, files.klogPath]) {
    Deno.removeSync(path);
  }
  Deno.removeSync(`${files.klogPath}.head`);
  return {
    entries,
    lost,
    keySwitches,
    findings: findings.length,
    verified: result.total.verified,
    clean: isClean(result),
    heap: Deno.memoryUsage().heapUsed,
  };
}

if (import.meta.main) {
  const [target, folder, seconds] = Deno.args;
  using session = attach(target, { writable: true });
  const tracer = SealedTracer.find(session);
  if (tracer === undefined) throw new Error("the guest has no module");
  let over = false;
  const input = Deno.stdin.read(new Uint8Array(1)).then(() => over = true);
  while (!over) {
    const done = await cycle(tracer, folder, 1000 * Number(seconds));
    console.log(JSON.stringify(done));
    // The end of the input is noticed between two traces.
    await sleep(0);
  }
  await input;
}
