/**
 * A guest that owns the module's pages: each word of them is changed in turn.
 * The host must end within bounds, with an error or a verdict.
 */
import assert from "node:assert/strict";
import { XftraceError } from "../../base/errors.ts";
import { LONG } from "../../base/long_fixture.ts";
import { CONTROL, CPU, ENTRY_KIND } from "../page/abi.ts";
import { ModuleGuest } from "../page/module_fixture.ts";
import { isClean, verifyRecording } from "../recording/verify_recording.ts";
import type { SealedOptions } from "./running_trace.ts";
import { SealedTracer } from "./sealed_tracer.ts";

/** Nothing that is done to this small guest takes longer, in milliseconds. */
const MOST_MS = 5000;
const EXTREMES = [
  0n,
  1n,
  0x8000_0000n,
  0xffff_ffffn,
  0x8000_0000_0000_0000n,
  0xffff_ffff_ffff_ffffn,
  // Addresses: not canonical, not mapped.
  0x1234_5678_9abc_def0n,
  0xffff_c900_dead_0000n,
];

/** A word of the control page, or of a CPU's area. */
interface Word {
  readonly name: string;
  readonly gva: bigint;
}

function wordsOf(guest: ModuleGuest): Word[] {
  const words: Word[] = [];
  for (let at = 0; at < CONTROL.bytes; at += 4) {
    words.push({ name: `page+${at}`, gva: guest.control + BigInt(at) });
  }
  for (let at = 0; at < CPU.bytes; at += 4) {
    words.push({ name: `CPU+${at}`, gva: guest.cpus[1].gva + BigInt(at) });
  }
  return words;
}

/** Stores a word: eight bytes where they fit, else four. */
function store(guest: ModuleGuest, { gva }: Word, value: bigint): void {
  if (gva % 8n === 0n) guest.fixture.setU64(gva, value);
  else guest.fixture.setU32(gva, Number(BigInt.asUintN(32, value)));
}

/** What became of a trace in a guest that changes one word. */
type Outcome = "error" | "not clean" | "clean";

/** Runs a step; errors that are meant for users are an outcome. */
async function attempt(
  what: string,
  step: () => Promise<Outcome>,
): Promise<Outcome> {
  const start = performance.now();
  let outcome: Outcome;
  try {
    outcome = await step();
  } catch (error) {
    assert.ok(error instanceof XftraceError, `${what}: ${error}`);
    outcome = "error";
  }
  const elapsed = performance.now() - start;
  assert.ok(elapsed < MOST_MS, `${what}: ${elapsed} ms`);
  return outcome;
}

function work(guest: ModuleGuest): void {
  guest.cpus.forEach((_, cpu) => {
    for (let i = 0; i < 3; i++) {
      guest.push(cpu, { kind: ENTRY_KIND.entry, func: guest.text });
    }
  });
}

function optionsIn(folder: string): SealedOptions {
  return {
    roots: [],
    filter: "all",
    rotateMs: 0,
    commandMs: 30,
    klogPath: `${folder}/klog`,
    recordingPath: `${folder}/trace.xfs`,
  };
}

/** Traces in a guest; `change` is called at a moment of the caller's choice. */
async function traced(
  guest: ModuleGuest,
  folder: string,
  change: () => void,
): Promise<Outcome> {
  const tracer = SealedTracer.find({ target: "t", kernel: guest.kernel });
  if (tracer === undefined) return "error";
  try {
    await tracer.start(optionsIn(folder));
    work(guest);
    tracer.poll();
    change();
    work(guest);
    let failed: unknown;
    try {
      tracer.poll();
      tracer.checkNow();
    } catch (error) {
      failed = error;
    }
    const { findings } = await tracer.stop();
    if (failed !== undefined) throw failed;
    const result = verifyRecording(`${folder}/trace.xfs`);
    return findings.length === 0 && isClean(result) ? "clean" : "not clean";
  } finally {
    tracer.detach();
  }
}

/** Tries all words with all values; returns how often each outcome was seen. */
async function tried(
  run: (
    guest: ModuleGuest,
    folder: string,
    change: () => void,
  ) => Promise<Outcome>,
  seen: (
    outcome: Outcome,
    word: Word,
    value: bigint,
    guest: ModuleGuest,
  ) => void = () => {},
): Promise<Record<Outcome, number>> {
  const counts = { error: 0, "not clean": 0, clean: 0 };
  const { length } = wordsOf(new ModuleGuest({ entries: 64 }));
  for (let i = 0; i < length; i++) {
    const values = LONG ? EXTREMES : [EXTREMES[i % EXTREMES.length]];
    for (const value of values) {
      const guest = new ModuleGuest({ entries: 64 });
      const word = wordsOf(guest)[i];
      const folder = Deno.makeTempDirSync();
      try {
        const outcome = await attempt(
          `${word.name} = ${value}`,
          () => run(guest, folder, () => store(guest, word, value)),
        );
        counts[outcome]++;
        seen(outcome, word, value, guest);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    }
  }
  return counts;
}

Deno.test("each word of the module's pages, changed before the host looks", async () => {
  const counts = await tried((guest, folder, change) => {
    change();
    return traced(guest, folder, () => {});
  });
  console.log(counts);
  assert.ok(counts.error > 0 && counts.clean > 0);
});

Deno.test("each word of the module's pages, changed during a trace", async () => {
  const left: string[] = [];
  const counts = await tried(traced, (_outcome, word, value, guest) => {
    // Whatever the guest says, the host has taken back its own word, unless the
    // page does not look like the module's any more.
    const mine = guest.get64(CONTROL.magic) !== 0n &&
      guest.get64(CONTROL.self) === guest.control;
    if (mine && guest.get32(CONTROL.enabled) !== 0) {
      left.push(`${word.name} = ${value}`);
    }
  });
  console.log(counts);
  assert.deepEqual(
    // Without its magic number it is not the module's page, which is reported.
    left.filter((each) => !/^page\+[04] /.test(each)),
    [],
  );
  assert.ok(counts["not clean"] > 30);
});
