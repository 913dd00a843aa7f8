import assert from "node:assert/strict";
import { KIND } from "../ftrace/ring/columns.ts";
import { FixtureGuest, fixtureTypes } from "../kernel/core/kernel_fixture.ts";
import {
  ENTRY,
  ENTRY_FLAG,
  ENTRY_KIND,
  ENTRY_WORDS,
  PATH_BYTES,
  WORD,
} from "../seal/page/abi.ts";
import type { CallArguments, Frame } from "./fields/frame.ts";
import { ModuleEntries } from "./module_entries.ts";

/** The start of the traces in these tests, in ns. */
const START = 5_000_000_000_000n;
const TEXT = 0xffffffff81000100n;

interface Entry {
  readonly kind: number;
  readonly time?: bigint;
  readonly func?: bigint;
  readonly caller?: bigint;
  readonly argument?: bigint;
  readonly pid?: number;
  readonly depth?: number;
  readonly flags?: number;
  readonly extra?: number;
}

/** One row as passed on. */
interface Row {
  readonly cpu: number;
  /** In ns since the start of the trace. */
  readonly ts: number;
  readonly kind: number;
  readonly pid: number;
  readonly func: bigint;
  readonly caller: bigint;
  readonly depth: number;
  readonly duration: number;
  readonly comm: string | undefined;
  readonly args: CallArguments | undefined;
}

function rowsOf({ columns, details }: Frame): Row[] {
  assert.ok(details !== undefined);
  const { caller } = details;
  return Array.from({ length: columns.length }, (_, row) => ({
    cpu: columns.cpu[row],
    ts: Number(columns.timeAt(row) - START),
    kind: columns.kind[row],
    pid: columns.pid[row],
    func: columns.functionAt(row),
    caller: BigInt(caller[2 * row + 1]) << 32n | BigInt(caller[2 * row]),
    depth: columns.depth[row],
    duration: columns.duration[row],
    comm: details.comms[details.comm[row]],
    args: details.args[row],
  }));
}

class Receiver {
  readonly frames: Row[][] = [];
  readonly named: [pid: number, comm: string, tgid: number][] = [];
  readonly entries: ModuleEntries;
  readonly #sequences: number[] = [];

  constructor() {
    const guest = new FixtureGuest(fixtureTypes({}));
    this.entries = new ModuleEntries(
      guest.kernel,
      (frame) => this.frames.push(rowsOf(frame)),
      (...named) => this.named.push(named),
    );
  }

  /** Leaves out the sequence numbers of entries that were overwritten. */
  lose(cpu: number, count: number): void {
    this.#sequences[cpu] = (this.#sequences[cpu] ?? 0) + count;
  }

  add(cpu: number, entry: Entry, bytes?: Uint8Array): void {
    // Entries arrive in the middle of larger blocks.
    const at = ENTRY_WORDS;
    const words = new Int32Array(3 * ENTRY_WORDS).fill(-1);
    const view = new DataView(words.buffer, 4 * at);
    const sequence = (this.#sequences[cpu] ?? 0) + 1;
    this.#sequences[cpu] = sequence;
    view.setBigUint64(4 * WORD.time, entry.time ?? START, true);
    view.setBigUint64(4 * WORD.func, entry.func ?? 0n, true);
    view.setBigUint64(4 * WORD.caller, entry.caller ?? 0n, true);
    view.setBigUint64(4 * WORD.argument, entry.argument ?? 0n, true);
    view.setInt32(4 * WORD.pid, entry.pid ?? 1, true);
    words[at + WORD.shape] = (entry.depth ?? 0) | entry.kind << 16 |
      (entry.flags ?? 0) << 24;
    view.setInt32(4 * WORD.epoch, 1, true);
    view.setInt32(4 * WORD.extra, entry.extra ?? 0, true);
    view.setBigUint64(ENTRY.sequence, BigInt(sequence), true);
    if (bytes !== undefined) {
      assert.ok(bytes.length <= PATH_BYTES);
      const place = new Uint8Array(words.buffer, 4 * (at + WORD.time));
      place.fill(0, 0, PATH_BYTES);
      place.set(bytes);
    }
    this.entries.add(cpu, words, at);
  }

  enter(cpu: number, ns: number, more: Partial<Entry> = {}): void {
    this.add(cpu, {
      kind: ENTRY_KIND.entry,
      time: START + BigInt(ns),
      ...more,
    });
  }

  /** A system call's entry: its first argument is 1. */
  syscall(cpu: number): void {
    this.enter(cpu, 0, {
      flags: ENTRY_FLAG.root,
      extra: 1,
      argument: 1n,
    });
  }

  arguments(cpu: number): void {
    this.add(cpu, {
      kind: ENTRY_KIND.arguments,
      time: 0x2_00000002n,
      func: 3n,
      caller: 4n,
      argument: 5n,
      pid: 6,
      extra: 7,
    });
  }

  piece(cpu: number, argument: number, piece: number, text: string): void {
    this.add(
      cpu,
      { kind: ENTRY_KIND.path, extra: argument << 8 | piece },
      new TextEncoder().encode(text),
    );
  }

  /** All rows, after the last entry. */
  rows(): Row[] {
    this.entries.flush(Infinity);
    return this.frames.flat();
  }

  /** What the first row's arguments point to. */
  texts(): readonly (string | undefined)[] {
    return [...this.rows()[0].args?.texts ?? []];
  }
}

const LONG = "a".repeat(PATH_BYTES);

Deno.test("an entry and a return become rows", () => {
  const got = new Receiver();
  got.enter(2, 10, { func: TEXT, pid: 7, depth: 3, caller: TEXT + 5n });
  got.add(2, {
    kind: ENTRY_KIND.return,
    time: START + 30n,
    func: TEXT,
    pid: 7,
    depth: 3,
    argument: 0x1_00000002n,
  });
  const [entry, exit] = got.rows();
  const both = { cpu: 2, pid: 7, func: TEXT, depth: 3, comm: undefined };
  assert.deepEqual(entry, {
    ...both,
    ts: 10,
    kind: KIND.entry,
    caller: TEXT,
    duration: 0,
    args: undefined,
  });
  assert.deepEqual(exit, {
    ...both,
    ts: 30,
    kind: KIND.return,
    caller: 0n,
    duration: 0x1_00000002,
    args: undefined,
  });
});

Deno.test("a return address is shown as the function that contains the call", () => {
  const got = new Receiver();
  const of = (caller: bigint) => {
    got.enter(0, 0, { caller });
    return got.rows().at(-1)?.caller;
  };
  // The call may be the last instruction of its function.
  assert.equal(of(0xffffffff81200000n), TEXT);
  assert.equal(of(0n), 0n);
  // Code outside the kernel stays an address.
  assert.equal(of(0xffffffffc0001234n), 0xffffffffc0001234n);
  assert.equal(of(0x7f0012345678n), 0x7f0012345678n);
});

Deno.test("names of threads apply to the rows that follow", () => {
  const got = new Receiver();
  const comm = (pid: number, name: string, tgid: number) =>
    got.add(0, {
      kind: ENTRY_KIND.comm,
      pid,
      argument: BigInt(tgid),
      func: new DataView(
        new TextEncoder().encode(name.padEnd(8, "\0")).buffer,
      ).getBigUint64(0, true),
    });
  got.enter(0, 1, { pid: 7 });
  comm(7, "sh", 5);
  got.enter(0, 2, { pid: 7 });
  got.enter(0, 3, { pid: 8 });
  comm(7, "ls", 5);
  got.enter(1, 4, { pid: 7 });
  assert.deepEqual(got.named, [[7, "sh", 5], [7, "ls", 5]]);
  assert.deepEqual(got.rows().map(({ comm }) => comm), [
    undefined,
    "sh",
    undefined,
    "ls",
  ]);
});

Deno.test("the arguments of a system call, and the path to which one points", () => {
  const got = new Receiver();
  got.syscall(0);
  got.arguments(0);
  got.piece(0, 1, 0, "/etc/passwd");
  const [{ args }] = got.rows();
  assert.deepEqual(args, {
    words: Uint32Array.of(1, 0, 2, 2, 3, 0, 4, 0, 5, 0, 6, 7),
    texts: [, "/etc/passwd"],
    complete: true,
  });
});

Deno.test("an entry without arguments, or that is not a root, has none", () => {
  const got = new Receiver();
  got.enter(0, 0, { flags: ENTRY_FLAG.root });
  got.enter(0, 1, { extra: 1 });
  got.arguments(0);
  got.piece(0, 0, 0, "/tmp");
  assert.deepEqual(got.rows().map(({ args }) => args), [undefined, undefined]);
});

Deno.test("a long path is joined, and cut off where the module cuts it off", () => {
  const joined = new Receiver();
  joined.syscall(0);
  joined.piece(0, 0, 0, LONG);
  joined.piece(0, 0, 1, "/end");
  joined.piece(0, 1, 0, "/second");
  assert.deepEqual(joined.texts(), [`${LONG}/end`, "/second"]);

  const long = new Receiver();
  long.syscall(0);
  for (let piece = 0; piece < 4; piece++) long.piece(0, 0, piece, LONG);
  assert.deepEqual(long.texts(), [LONG.repeat(4)]);
});

Deno.test("a path of which a part could not be read is not shown as another one", () => {
  const got = new Receiver();
  got.syscall(0);
  got.piece(0, 0, 0, LONG);
  got.piece(0, 0, 0xff, "\xff");
  got.piece(0, 1, 0xff, "\xff");
  got.piece(0, 2, 0, "/ok");
  const texts = got.texts();
  assert.deepEqual([texts[0], texts[1], texts[2]], [
    undefined,
    undefined,
    "/ok",
  ]);
});

Deno.test("a path of which a piece was lost is not shown as another one", () => {
  // Its middle, and its end.
  for (const last of [2, undefined]) {
    const got = new Receiver();
    got.syscall(0);
    got.piece(0, 0, 0, LONG);
    got.lose(0, 1);
    if (last !== undefined) got.piece(0, 0, last, "/end");
    got.enter(0, 1);
    assert.equal(got.texts()[0], undefined);
  }
});

Deno.test("after a loss, arguments and paths do not go to an earlier call", () => {
  const got = new Receiver();
  got.syscall(0);
  got.lose(0, 2);
  got.arguments(0);
  got.piece(0, 0, 0, "/of/another/call");
  const [{ args }] = got.rows();
  assert.deepEqual([args?.complete, args?.texts], [false, []]);
});

Deno.test("pieces and arguments that no system call has are ignored", () => {
  const got = new Receiver();
  got.syscall(0);
  got.piece(0, 6, 0, "/seventh");
  got.piece(0, 0xffffff, 0, "/far");
  got.piece(0, 0, 3, "/end without a beginning");
  got.piece(0, 0, 0, LONG);
  for (let i = 0; i < 100; i++) got.piece(0, 0, 1, LONG);
  got.add(0, { kind: 99 });
  assert.deepEqual(got.texts(), []);
});

Deno.test("the paths of two CPUs do not mix", () => {
  const got = new Receiver();
  got.syscall(0);
  got.syscall(1);
  got.piece(0, 0, 0, LONG);
  got.piece(1, 0, 0, "/one");
  got.piece(0, 0, 1, "/zero");
  assert.deepEqual(got.rows().map(({ args }) => args?.texts), [
    [`${LONG}/zero`],
    ["/one"],
  ]);
});

Deno.test("rows are passed on up to a time, and those of a CPU stay in their order", () => {
  const got = new Receiver();
  // Rows count from 2^32 ns before the first entry.
  const epoch = 2 ** 32 - 10;
  got.enter(0, 10);
  got.enter(1, 40);
  // The clock of CPU 1 stepped back.
  got.enter(1, 15);
  got.enter(0, 20);
  assert.equal(got.entries.newest, epoch + 40);
  got.entries.flush(epoch + 15);
  got.entries.flush(epoch + 15);
  got.entries.flush(epoch + 30);
  got.entries.flush(epoch + 40);
  got.entries.flush(Infinity);
  const times = got.frames.map((rows) => rows.map(({ cpu, ts }) => [cpu, ts]));
  assert.deepEqual(times, [[[0, 10]], [[0, 20]], [[1, 40], [1, 15]]]);
});

Deno.test("many rows, and their details, survive being held back", () => {
  const got = new Receiver();
  for (let i = 0; i < 10_000; i++) {
    got.enter(i % 2, i, { pid: i, caller: 0x7f0000000000n + BigInt(i) });
  }
  got.entries.flush(2 ** 32 + 4999);
  const rows = got.rows();
  assert.deepEqual(got.frames.map((frame) => frame.length), [5000, 5000]);
  assert.ok(
    rows.every(({ pid, ts, caller }, i) =>
      pid === i && ts === i && caller === 0x7f0000000000n + BigInt(i)
    ),
  );
});

Deno.test("entries that are earlier than the first one of the trace keep their time", () => {
  const got = new Receiver();
  got.enter(0, 0);
  got.enter(1, -3_000_000_000);
  got.enter(1, -6_000_000_000);
  assert.deepEqual(got.rows().map(({ ts }) => ts), [
    0,
    -3_000_000_000,
    -6_000_000_000,
  ]);
});

Deno.test("nothing is passed on when there is nothing", () => {
  const got = new Receiver();
  got.entries.flush(Infinity);
  got.entries.refresh();
  got.add(0, { kind: ENTRY_KIND.heartbeat });
  got.entries.flush(Infinity);
  assert.deepEqual(got.frames, []);
  assert.equal(got.entries.newest, 2 ** 32);
});
