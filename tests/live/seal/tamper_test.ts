/**
 * An intruder who controls the guest's kernel: each way to tamper with a sealed
 * trace or its tracer, done in guest memory, and how it is reported.
 */
import assert from "node:assert/strict";
import { LONG } from "../../../engine/base/long_fixture.ts";
import { NEWEST, OLDEST } from "../support_fixture.ts";
import {
  CONTROL,
  CPU,
  ENTRY,
  SEAL_NUMBER,
  type SealName,
} from "../../../engine/seal/page/abi.ts";
import type { CpuArea } from "../../../engine/seal/page/control_page.ts";
import { sealEntry } from "../../../engine/seal/keys/seals_fixture.ts";
import type { SealedTracer } from "../../../engine/seal/tracer/sealed_tracer.ts";
import type { SealedSummary } from "../../../engine/seal/tracer/trace_results.ts";
import { isUntouched } from "../../../engine/seal/recording/verifier_fixture.ts";
import {
  isClean,
  verifyRecording,
} from "../../../engine/seal/recording/verify_recording.ts";
import type { Guest } from "../../../lab/mod.ts";
import type { Session } from "../../../engine/session.ts";
import {
  assertNoOops,
  explain,
  openLoad,
  pollUntil,
  Scratch,
  SEAL_KERNELS,
  sealedGuest,
  steer,
  tracerOf,
  waitUntil,
} from "./support_fixture.ts";

/** What an intruder can use. */
interface Intruder {
  readonly guest: Guest;
  readonly session: Session;
  readonly tracer: SealedTracer;
  readonly area: CpuArea;
  readonly seal: number;
  /** Entries in the ring that the collector has not read yet. */
  readonly from: number;
  readonly to: number;
  /** The address of an entry. */
  gpa(sequence: number): number;
  read(sequence: number): Int32Array;
  write(sequence: number, words: Int32Array): void;
  /** The key that is in the module's memory now. */
  currentKey(): Int32Array;
}

type Undo = void | (() => void | Promise<unknown>);

interface Tampering {
  readonly name: string;
  /** Done between two polls; returns what repairs the guest. */
  readonly act: (intruder: Intruder) => Undo | Promise<Undo>;
  /** How long polls go on before the trace is stopped, ms. */
  readonly settleMs?: number;
  /** Set if a search of all memory is needed to find it. */
  readonly searched?: boolean;
  /** How it is reported: a verdict on entries, or the name of a problem. */
  readonly found: (summary: SealedSummary) => boolean;
  /** Seals that are known not to detect it. */
  readonly missedBy?: readonly SealName[];
  /** If set, only these seals are tried. */
  readonly only?: readonly SealName[];
}

const verdict =
  (...names: (keyof SealedSummary["verification"]["total"])[]) =>
  ({ verification }: SealedSummary) =>
    names.some((name) => verification.total[name] > 0);
const problem = (name: string) => ({ findings }: SealedSummary) =>
  findings.some((f) => f.problem === name);

/** An entry in the middle of those not yet read. */
const middle = ({ from, to }: Intruder) => Math.floor((from + to) / 2);

const guessed = Int32Array.of(0x1234, 0x5678, 0x9abc, 0xdef0);

const TAMPERINGS: readonly Tampering[] = [
  {
    name: "flip a bit",
    act: (i) => {
      const words = i.read(middle(i));
      words[ENTRY.func / 4] ^= 0x40;
      i.write(middle(i), words);
    },
    found: verdict("forged"),
  },
  {
    name: "flip the same bit of an entry and of its seal",
    act: (i) => {
      const words = i.read(middle(i));
      words[ENTRY.func / 4] ^= 0x40;
      words[ENTRY.seal / 4] ^= 0x40;
      i.write(middle(i), words);
    },
    found: verdict("forged"),
    missedBy: ["xor"],
  },
  {
    name: "forge with a guessed key",
    act: (i) => {
      const words = i.read(middle(i));
      words[ENTRY.caller / 4] ^= 0x1000;
      sealEntry(i.seal, guessed, words, 0);
      i.write(middle(i), words);
    },
    found: verdict("forged"),
  },
  {
    name: "forge an earlier entry of the epoch with the current key",
    act: (i) => {
      const words = i.read(i.to - 1);
      words[ENTRY.caller / 4] ^= 0x1000;
      if (i.seal === SEAL_NUMBER.xor) return;
      sealEntry(i.seal, i.currentKey(), words, 0);
      i.write(i.to - 1, words);
    },
    found: verdict("forged"),
    only: ["siphash", "siphash+ratchet"],
    missedBy: ["siphash"],
  },
  {
    name: "swap two entries",
    act: (i) => {
      const [a, b] = [i.read(middle(i)), i.read(middle(i) + 1)];
      i.write(middle(i), b);
      i.write(middle(i) + 1, a);
    },
    found: verdict("reordered"),
  },
  {
    name: "replay entries",
    act: (i) => {
      const count = Math.floor((i.to - i.from) / 3);
      for (let n = 0; n < count; n++) {
        i.write(i.to - count + n, i.read(i.from + n));
      }
    },
    found: verdict("replayed"),
  },
  {
    name: "drop a page",
    act: (i) => {
      const page = i.gpa(middle(i)) - i.gpa(middle(i)) % 4096;
      i.session.memory.write(page, new Uint8Array(4096));
    },
    found: verdict("missing"),
  },
  {
    name: "zero the ring",
    act: (i) => {
      for (const page of i.area.pages) {
        i.session.memory.write(page, new Uint8Array(4096));
      }
    },
    found: verdict("missing"),
  },
  {
    name: "cut the tail",
    act: (i) => moveHead(i, BigInt(i.from - 5), (head) => head < i.to),
    found: (s) =>
      problem("head moved back")(s) || verdict("forged", "missing")(s),
  },
  {
    name: "claim entries that no CPU can have written",
    act: async (i) => {
      const before = new Uint8Array(8);
      i.session.memory.read(i.area.gpa + CPU.head, before);
      const far = 2 ** 40;
      await moveHead(i, BigInt(i.to + far), (head) => head > far);
      return () => i.session.memory.write(i.area.gpa + CPU.head, before);
    },
    found: problem("head moved ahead"),
  },
  {
    name: "claim not to be registered",
    act: ({ tracer: { page } }) => {
      page.setU32(CONTROL.registered, 0);
      return () => page.setU32(CONTROL.registered, 1);
    },
    settleMs: 300,
    found: problem("not registered"),
  },
  {
    name: "clear enabled",
    act: (i) => i.tracer.page.setU32(CONTROL.enabled, 0),
    settleMs: 300,
    found: problem("switched off"),
  },
  {
    name: "set enabled while the host has it cleared",
    act: ({ tracer }) => {
      tracer.switch(false);
      tracer.page.setU32(CONTROL.enabled, 1);
    },
    settleMs: 300,
    found: problem("switched on"),
  },
  {
    name: "take the parked module out of the function graph",
    act: async (i) => {
      i.tracer.switch(false);
      await waitUntil(() => i.tracer.page.u32(CONTROL.parked) === 1);
      const { kernel } = i.session;
      const { gpa, stub, before } = registrationOf(i);
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, stub, true);
      kernel.memory.write(gpa, bytes);
      return () => kernel.memory.write(gpa, before);
    },
    settleMs: 300,
    found: (s) =>
      problem("not registered")(s) || problem("handler replaced")(s),
  },
  {
    name: "keep the parked module from taking its filter up",
    act: async ({ tracer }) => {
      const { page } = tracer;
      tracer.switch(false);
      await waitUntil(() => page.u32(CONTROL.parked) === 1);
      page.setU32(CONTROL.registered, 0);
      tracer.switch(true);
      // The module has some seconds before this is reported: more of them where
      // the host does not let the guest run.
      await waitUntil(() => {
        tracer.poll();
        return isParked(tracer.findings);
      }, 60_000);
      return () => page.setU32(CONTROL.registered, 1);
    },
    only: ["siphash+ratchet"],
    found: ({ findings }) => isParked(findings),
  },
  {
    name: "turn Ftrace off",
    act: async ({ guest }) => {
      await guest.sh("echo 0 > /proc/sys/kernel/ftrace_enabled");
      return () => guest.sh("echo 1 > /proc/sys/kernel/ftrace_enabled");
    },
    searched: true,
    found: problem("not called"),
  },
  {
    name: "replace the handler pointer",
    act: (i) => {
      const { kernel } = i.session;
      const at = i.tracer.page.u64(CONTROL.graph_ops) +
        BigInt(kernel.types.offset("fgraph_ops", "retfunc"));
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(
        0,
        kernel.symbols.address("ftrace_stub"),
        true,
      );
      const { gpa } = kernel.space.translate(at);
      const before = kernel.space.bytes(at, 8);
      i.session.memory.write(gpa, bytes);
      return () => i.session.memory.write(gpa, before);
    },
    settleMs: 300,
    found: problem("handler replaced"),
  },
  {
    name: "change the module's code",
    act: (i) => {
      // The last byte of its text is padding, which never runs.
      const at = i.tracer.page.module.text.end - 1n;
      const { gpa } = i.session.kernel.space.translate(at);
      const byte = new Uint8Array(1);
      i.session.memory.read(gpa, byte);
      byte[0] ^= 1;
      i.session.memory.write(gpa, byte);
    },
    found: problem("module text changed"),
  },
  {
    name: "plant a second control page",
    act: (i) => {
      const page = new Uint8Array(4096);
      i.session.memory.read(i.tracer.page.gpa, page);
      // The mail's last page: memory that is not in use.
      const { mailGva, mailBytes } = i.tracer.page;
      const at = mailGva + BigInt(mailBytes - 4096);
      const { gpa } = i.session.kernel.space.translate(at);
      i.session.memory.write(gpa, page);
      return () => i.session.memory.write(gpa, new Uint8Array(4096));
    },
    searched: true,
    found: problem("foreign control page"),
  },
  {
    name: "write a key that the host did not send",
    act: (i) => {
      const { memory } = i.session;
      const epoch = new Uint8Array(8);
      // In the host's order, so that no half-written key is taken.
      memory.write(i.area.gpa + CPU.slot_epoch, epoch);
      const key = crypto.getRandomValues(new Uint8Array(16));
      memory.write(i.area.gpa + CPU.slot_key, key);
      new DataView(epoch.buffer).setBigUint64(0, 77777n, true);
      memory.write(i.area.gpa + CPU.slot_epoch, epoch);
    },
    settleMs: 300,
    found: problem("foreign key"),
  },
  {
    name: "give a command that the host did not give",
    act: ({ tracer: { page } }) => {
      page.setU32(CONTROL.command, 1);
      page.setU64(
        CONTROL.command_number,
        page.u64(CONTROL.command_number) + 1n,
      );
    },
    settleMs: 300,
    found: problem("foreign command"),
  },
];

/**
 * Moves the head of a ring. A CPU that is writing an entry then stores its own
 * head over it, so this is repeated until it `holds`.
 */
async function moveHead(
  { session, tracer, area }: Intruder,
  value: bigint,
  holds: (head: number) => boolean,
): Promise<void> {
  const head = new Uint8Array(8);
  new DataView(head.buffer).setBigUint64(0, value, true);
  await waitUntil(() => {
    session.memory.write(area.gpa + CPU.head, head);
    const end = performance.now() + 2;
    while (performance.now() < end);
    return holds(tracer.page.cpuNumber(area, CPU.head));
  });
}

/** Where Ftrace keeps its user's handlers, and their value without a user. */
function registrationOf(
  { session: { kernel }, tracer }: Intruder,
): { gpa: number; stub: bigint; before: Uint8Array } {
  const { symbols, space } = kernel;
  const array = symbols.tryAddress("fgraph_array");
  let at = array ?? symbols.address("__ftrace_graph_entry");
  if (array !== undefined) {
    const ops = tracer.page.u64(CONTROL.graph_ops);
    while (space.u64(at) !== ops) at += 8n;
  }
  const stub = symbols.address(
    array === undefined ? "ftrace_graph_entry_stub" : "fgraph_stub",
  );
  return { gpa: space.translate(at).gpa, stub, before: space.bytes(at, 8) };
}

function intruder(
  guest: Guest,
  session: Session,
  tracer: SealedTracer,
  seal: SealName,
  read: ReadonlyMap<number, number>,
): Intruder {
  const unread = (area: CpuArea) =>
    tracer.page.cpuNumber(area, CPU.head) - (read.get(area.cpu) ?? 0);
  const area = tracer.page.cpus.reduce((a, b) => unread(b) > unread(a) ? b : a);
  const from = (read.get(area.cpu) ?? 0) + 1;
  const to = tracer.page.cpuNumber(area, CPU.head);
  const gpa = (sequence: number) => {
    const index = (sequence - 1) % area.entries;
    return area.pages[Math.floor(index / 64)] + index % 64 * ENTRY.bytes;
  };
  return {
    guest,
    session,
    tracer,
    area,
    seal: SEAL_NUMBER[seal],
    from,
    to,
    gpa,
    read: (sequence) => {
      const bytes = new Uint8Array(ENTRY.bytes);
      session.memory.read(gpa(sequence), bytes);
      return new Int32Array(bytes.buffer);
    },
    write: (sequence, words) =>
      session.memory.write(gpa(sequence), new Uint8Array(words.buffer)),
    currentKey: () => {
      const bytes = new Uint8Array(16);
      session.memory.read(area.gpa + CPU.key, bytes);
      return new Int32Array(bytes.buffer);
    },
  };
}

async function run(
  guest: Guest,
  session: Session,
  seal: SealName,
  tampering: Tampering | undefined,
): Promise<{ summary: SealedSummary; clean: boolean; tried: boolean }> {
  using scratch = new Scratch();
  const tracer = tracerOf(session);
  await tracer.start({
    roots: ["sys_openat", "sys_read"],
    filter: ["vfs_open", "vfs_read", "do_sys_openat2"],
    seal,
    rotateMs: 30,
    heartbeatMs: 50,
    ...scratch.files,
  }).catch(async (error: unknown) => {
    await explain(guest);
    throw error;
  });
  await pollUntil(tracer, guest.sh(openLoad(2)));
  tracer.poll();
  const read = new Map(tracer.positions());
  // The collector is now between two polls, and does not look.
  await guest.sh(openLoad(4));
  const who = intruder(guest, session, tracer, seal, read);
  assert.ok(who.to - who.from > 30, `${who.from} to ${who.to}`);
  const undo = await tampering?.act(who);
  const settle = new Promise((resolve) =>
    setTimeout(resolve, tampering?.settleMs ?? 20)
  );
  await pollUntil(tracer, settle);
  if (tampering?.searched === true) tracer.checkNow();
  await undo?.();
  const summary = await tracer.stop();
  const clean = isClean(verifyRecording(scratch.files.recordingPath));
  return { summary, clean, tried: tampering !== undefined };
}

function isParked(findings: SealedSummary["findings"]): boolean {
  return findings.some(({ problem, detail }) =>
    problem === "switched off" && detail.includes("parked")
  );
}

for (
  const kernel of LONG
    ? [OLDEST, ...SEAL_KERNELS, NEWEST]
    : SEAL_KERNELS.slice(-1)
) {
  Deno.test(`every kind of tampering is reported by its name, ${kernel}`, async () => {
    await using guest = await sealedGuest(kernel);
    using session = steer(guest);
    const seals: readonly SealName[] = ["xor", "siphash", "siphash+ratchet"];
    const table: string[] = [];
    const wrong: string[] = [];
    for (const tampering of TAMPERINGS) {
      const cells: string[] = [];
      for (const seal of seals) {
        if (tampering.only !== undefined && !tampering.only.includes(seal)) {
          cells.push("-");
          continue;
        }
        const { summary } = await run(guest, session, seal, tampering);
        const found = tampering.found(summary);
        cells.push(found ? "found" : "missed");
        const missed = tampering.missedBy?.includes(seal) === true;
        if (found === missed) {
          wrong.push(
            `${tampering.name}, ${seal}: ${
              JSON.stringify([summary.verification.total, summary.findings])
            }`,
          );
        }
      }
      table.push(
        tampering.name.padEnd(58) + cells.map((c) => c.padEnd(18)).join(""),
      );
      console.log(table.at(-1));
    }
    for (let n = 0; n < 10; n++) {
      const seal = seals[n % seals.length];
      const { summary, clean } = await run(guest, session, seal, undefined);
      if (
        !clean || !isUntouched(summary.verification) ||
        summary.findings.length > 0
      ) {
        wrong.push(`untouched, ${seal}: ${JSON.stringify(summary.findings)}`);
      }
    }
    console.log(`${kernel}: 10 untouched runs`);
    assert.deepEqual(wrong, []);
    assertNoOops(guest);
  });
}
