import assert from "node:assert/strict";
import { EventColumns, PageArena } from "../ftrace/ring/columns.ts";
import type { SyscallTarget } from "../query/program.ts";
import { callFrame } from "./fields/frame.ts";
import { SyscallCalls, type UserString } from "./syscall_calls.ts";

const OPENAT: SyscallTarget = {
  name: "sys_openat",
  addresses: [0xffffffff81000010n, 0xffffffff81000014n],
  enter: 10,
  exit: 11,
  args: ["dfd", "filename", "flags"],
  types: ["int", "const char *", "int"],
};
const EXECVE: SyscallTarget = {
  name: "sys_execve",
  addresses: [],
  enter: 20,
  exit: 21,
  args: ["filename", "argv"],
  types: ["const char *", "const char *const *"],
};

interface Event {
  readonly type: number;
  readonly ts: number;
  readonly pid?: number;
  /** Arguments, or the return value. */
  readonly values?: readonly bigint[];
  /** Size of the event in bytes, if the guest states another one. */
  readonly size?: number;
}

function batch(events: readonly Event[]) {
  const arena = new PageArena(4096);
  arena.acquire();
  // What lies after an event belongs to others.
  arena.bytes.fill(0xee);
  const columns = new EventColumns(0n);
  columns.reserve(events.length);
  let offset = 8;
  events.forEach(({ type, ts, pid = 1, values = [], size }, row) => {
    columns.type[row] = type;
    columns.ts[row] = ts;
    columns.pid[row] = pid;
    columns.offset[row] = offset;
    columns.size[row] = size ?? 16 + 8 * values.length;
    values.forEach((value, i) =>
      arena.view.setBigUint64(
        offset + 16 + 8 * i,
        BigInt.asUintN(64, value),
        true,
      )
    );
    offset += 80;
  });
  columns.length = events.length;
  return { columns, arena };
}

/** The calls that batches yield. */
function run(
  batches: readonly (readonly Event[])[],
  userString?: UserString,
  openat = OPENAT,
) {
  const calls = new SyscallCalls([openat, EXECVE], userString);
  const out = callFrame(0n, new PageArena(64));
  for (const events of batches) {
    const { columns, arena } = batch(events);
    const rows = Uint32Array.from(events.keys());
    calls.take(columns, arena, rows, rows.length, out);
  }
  return {
    calls,
    ended: Array.from({ length: out.columns.length }, (_, row) => ({
      name: [OPENAT, EXECVE][out.calls.call[row]].name,
      pid: out.columns.pid[row],
      func: out.columns.functionAt(row),
      ts: out.columns.ts[row],
      duration: out.columns.duration[row],
      ret: out.calls.ret[row],
      args: [...out.calls.args.subarray(12 * row, 12 * row + 12)],
      texts: out.calls.texts[row],
    })),
  };
}

Deno.test("an enter and an exit are a call, also from one batch to the next", () => {
  const { ended, calls } = run([
    [{ type: 10, ts: 5, values: [-100n, 0x7f00_00001000n, 2n] }],
    [{ type: 11, ts: 25, values: [3n] }],
  ]);
  assert.deepEqual(ended, [{
    name: "sys_openat",
    pid: 1,
    func: OPENAT.addresses[0],
    ts: 25,
    duration: 20,
    ret: 3,
    args: [0xffffff9c, 0xffffffff, 0x1000, 0x7f00, 2, 0, 0, 0, 0, 0, 0, 0],
    texts: undefined,
  }]);
  assert.equal(calls.open, 0);
});

Deno.test("return values have a sign, and large ones stay addresses", () => {
  const ret = (value: bigint) =>
    run([[
      { type: 10, ts: 1 },
      { type: 11, ts: 2, values: [value] },
    ]]).ended[0].ret;
  assert.equal(ret(-2n), -2);
  assert.equal(ret(0x7f00_00001000n), 0x7f00_00001000);
});

Deno.test("only the arguments that an event holds are read", () => {
  const args = (size: number) =>
    run([[
      { type: 10, ts: 1, values: [1n, 2n, 3n, 4n], size },
      { type: 11, ts: 2, values: [0n] },
    ]]).ended[0].args.slice(0, 8);
  // A fourth one is not an argument of this call.
  assert.deepEqual(args(48), [1, 0, 2, 0, 3, 0, 0, 0]);
  assert.deepEqual(args(28), [1, 0, 2, 0, 0, 0, 0, 0]);
  assert.deepEqual(args(16), Array(8).fill(0));
  assert.deepEqual(args(4), Array(8).fill(0));
});

Deno.test("an exit event without room for a value returns nothing known", () => {
  const { ended } = run([[
    { type: 10, ts: 1 },
    { type: 11, ts: 2, size: 20 },
  ]]);
  assert.ok(Number.isNaN(ended[0].ret));
});

Deno.test("an exit without its enter, or of another call, is no call", () => {
  const { ended, calls } = run([[
    { type: 11, ts: 1, values: [0n] },
    { type: 20, ts: 2 },
    { type: 11, ts: 3, values: [0n] },
    { type: 10, ts: 4, pid: 2 },
    { type: 11, ts: 5, pid: 3, values: [0n] },
  ]]);
  assert.deepEqual([ended, calls.open], [[], 2]);
});

Deno.test("of two enters in a row, the exit belongs to the second", () => {
  const { ended, calls } = run([[
    { type: 10, ts: 1, values: [1n] },
    { type: 10, ts: 10, values: [2n] },
    { type: 11, ts: 15, values: [0n] },
    { type: 11, ts: 16, values: [0n] },
  ]]);
  assert.deepEqual(ended.map(({ duration, args }) => [duration, args[0]]), [
    [5, 2],
  ]);
  assert.equal(calls.open, 0);
});

Deno.test("threads do not mix", () => {
  const { ended } = run([[
    { type: 10, ts: 1, pid: 1 },
    { type: 10, ts: 2, pid: 2 },
    { type: 11, ts: 10, pid: 1, values: [0n] },
    { type: 11, ts: 20, pid: 2, values: [0n] },
  ]]);
  assert.deepEqual(ended.map(({ pid, duration }) => [pid, duration]), [
    [1, 9],
    [2, 18],
  ]);
});

Deno.test("strings are read at the enter, and an array of strings is none", () => {
  const asked: [number, number, number][] = [];
  const { ended } = run([[
    { type: 20, ts: 1, pid: 7, values: [0x7f00_00001000n, 0x2000n] },
    { type: 21, ts: 2, pid: 7, values: [0n] },
    { type: 10, ts: 3, values: [0n, 0x3000n, 0n] },
    { type: 11, ts: 4, values: [0n] },
  ]], (pid, lo, hi) => {
    asked.push([pid, lo, hi]);
    return hi === 0 ? undefined : "/bin/sh";
  });
  assert.deepEqual(asked, [[7, 0x1000, 0x7f00], [1, 0x3000, 0]]);
  assert.deepEqual(ended.map(({ texts }) => texts?.[0]), [
    "/bin/sh",
    undefined,
  ]);
});

Deno.test("a string that the event holds is not read from the process", () => {
  const openat = { ...OPENAT, strings: [{ arg: 1, at: 40 }] };
  const asked: number[] = [];
  const read: UserString = (pid) => {
    asked.push(pid);
    return "/changed";
  };
  // Behind the arguments: where the string is, and the string.
  const word = (at: number, length: number) => BigInt(at | length << 16);
  const path = word(44, 4) | 0x00632f62n << 32n;
  const texts = (data: bigint, userString?: UserString) =>
    run(
      [[
        { type: 10, ts: 1, values: [3n, 0x1000n, 0n, data] },
        { type: 11, ts: 2, values: [0n] },
      ]],
      userString,
      openat,
    ).ended[0].texts?.[1];
  assert.equal(texts(path, read), "b/c");
  // So it is also known of a recording, which has no processes.
  assert.equal(texts(path), "b/c");
  assert.deepEqual(asked, []);
  // The kernel could not read it.
  assert.equal(texts(word(44, 0), read), "/changed");
  assert.equal(texts(word(44, 0)), undefined);
  assert.deepEqual(asked, [1]);
  // A place outside the event.
  assert.equal(texts(word(0xfff0, 100), read), "");
});
