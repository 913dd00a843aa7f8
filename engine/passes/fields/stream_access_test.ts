import assert from "node:assert/strict";
import { EventColumns, PageArena } from "../../ftrace/ring/columns.ts";
import type { EventFormat } from "../../ftrace/events/formats.ts";
import type { Selection, SyscallTarget } from "../../query/program.ts";
import { EventObject, valueAt } from "./event_object.ts";
import { CallColumns, type Frame } from "./frame.ts";
import { streamAccess } from "./stream_access.ts";

const NAMES = {
  func: (lo: number, hi: number) => `f${hi.toString(16)}:${lo.toString(16)}`,
  short: (name: string) => name,
  foreign: (lo: number) => lo === 0xbad,
  comm: (pid: number) => `task${pid}`,
};

const call = (
  name: string,
  ...args: readonly (readonly [type: string, name: string])[]
): SyscallTarget => ({
  name,
  addresses: [],
  enter: 1,
  exit: 2,
  args: args.map(([, name]) => name),
  types: args.map(([type]) => type),
});

const CALLS = [
  call("sys_read", ["unsigned int", "fd"], ["char *", "buf"], [
    "size_t",
    "count",
  ]),
  call("sys_openat", ["int", "fd"], ["const char *", "filename"]),
  call("sys_lseek", ["long", "count"]),
];

const format = (
  id: number,
  ...fields: readonly (readonly [
    name: string,
    type: string,
    offset: number,
    size: number,
  ])[]
): EventFormat => ({
  id,
  system: "s",
  name: `event${id}`,
  printFmt: "",
  fields: fields.map(([name, type, offset, size]) => ({
    name,
    type,
    offset,
    size,
    signed: type === "int",
  })),
});

const FORMATS = new Map([
  [7, format(7, ["n", "int", 8, 4], ["ip", "void *", 16, 8])],
  [8, format(8, ["n", "int", 16, 4], ["comm_name", "char[8]", 24, 8])],
  // The same name for a value of another kind.
  [9, format(9, ["n", "char[4]", 8, 4])],
]);

/** A field's values in rows; undefined where a row does not have it. */
function values(
  select: Selection,
  path: string,
  frame: Frame,
  graphRetval = -1,
): unknown[] | undefined {
  const access = streamAccess({
    select,
    names: NAMES,
    format: (id) => FORMATS.get(id),
    graphRetval,
  })(path);
  return access === undefined
    ? undefined
    : Array.from({ length: frame.columns.length }, (_, row) =>
      valueAt(access, frame, row));
}

/** Three calls, of which the last one is not a system call. */
function callsFrame(): Frame {
  const columns = new EventColumns(0n);
  columns.length = 3;
  columns.pid.set([4, 5, 6]);
  const calls = new CallColumns(3);
  calls.call.set([0, 1, -1]);
  calls.ret.set([-2, 7, NaN]);
  calls.args.set([0xffffffff, 9, 0x1000, 0x7f00, 5, 1], 0);
  calls.args.set([0xffffff9c, 0xffffffff, 0x2000, 0], 12);
  calls.texts[1] = [undefined, "/etc"];
  calls.comm.set([0, -1, 0]);
  calls.comms = ["sh"];
  calls.caller.set([0, 0, 0x10, 0xffffffff, 0xbad, 0]);
  return { columns, arena: new PageArena(64), calls, ordered: true };
}

const SYSCALLS: Selection = { via: "syscall events", calls: CALLS };
const MODULE: Selection = {
  via: "module calls",
  functions: undefined,
  under: [],
  depth: undefined,
  calls: CALLS,
};
const GRAPH: Selection = {
  via: "graph calls",
  functions: undefined,
  under: [],
  depth: undefined,
};

Deno.test("an argument by its name, whatever its place and width in each call", () => {
  const of = (path: string) => values(SYSCALLS, path, callsFrame());
  // 32 bits, of which the upper half is undefined: without and with a sign.
  assert.deepEqual(of("args.fd"), [0xffffffff, -100, undefined]);
  assert.deepEqual(of("args.count"), [0x1_00000005, undefined, undefined]);
  assert.deepEqual(of("args.buf"), [0x7f00_00001000n, undefined, undefined]);
  assert.deepEqual(of("args.filename"), [undefined, "/etc", undefined]);
  assert.equal(of("args.nonesuch"), undefined);
  assert.equal(of("n"), undefined);
});

Deno.test("return values come from the exit event, or from the graph's entry", () => {
  assert.deepEqual(values(SYSCALLS, "ret", callsFrame()), [-2, 7, undefined]);
  assert.equal(values(GRAPH, "ret", callsFrame()), undefined);
  assert.equal(values(MODULE, "ret", callsFrame(), 16), undefined);

  const arena = new PageArena(64);
  arena.acquire();
  arena.view.setBigInt64(24, -5n, true);
  const columns = new EventColumns(0n);
  columns.length = 2;
  columns.offset.fill(8);
  // The second one is too short to have one.
  columns.size.set([24, 20]);
  const frame: Frame = { columns, arena, ordered: true };
  assert.deepEqual(values(GRAPH, "ret", frame, 16), [-5, undefined]);
});

Deno.test("names of threads as the module told them, or as the guest's tables have them", () => {
  assert.deepEqual(values(MODULE, "comm", callsFrame()), ["sh", "task5", "sh"]);
  assert.deepEqual(values(GRAPH, "comm", callsFrame()), [
    "task4",
    "task5",
    "task6",
  ]);
});

Deno.test("a thread without a name from the module is not taken for a named one", () => {
  const access = streamAccess({
    select: MODULE,
    names: NAMES,
    format: () => undefined,
    graphRetval: -1,
  })("comm");
  assert.ok(access?.shape === "text" && access.key !== undefined);
  const frame = callsFrame();
  frame.columns.pid.set([0, 0, 1]);
  frame.calls?.comm.set([-1, 0, -1]);
  const keys = [0, 1, 2].map((row) => access.key?.(frame, row));
  assert.equal(new Set(keys).size, 3);
});

Deno.test("callers, which may be unknown or foreign", () => {
  const frame = callsFrame();
  assert.deepEqual(values(GRAPH, "caller", frame), [
    undefined,
    "fffffffff:10",
    "f0:bad",
  ]);
  const access = streamAccess({
    select: GRAPH,
    names: NAMES,
    format: () => undefined,
    graphRetval: -1,
  })("caller");
  assert.ok(access?.shape === "text");
  assert.deepEqual([0, 1, 2].map((row) => access.foreign?.(frame, row)), [
    false,
    false,
    true,
  ]);
  // Rows that are not calls have none.
  const { calls: _, ...plain } = frame;
  assert.deepEqual(values(GRAPH, "caller", plain), Array(3).fill(undefined));
});

function eventsFrame(): Frame {
  const arena = new PageArena(128);
  arena.acquire();
  arena.view.setInt32(8, -3, true);
  arena.view.setBigUint64(16, 0xffffffff_00000010n, true);
  arena.view.setInt32(48 + 16, 5, true);
  arena.bytes.set(new TextEncoder().encode("abc"), 48 + 24);
  const columns = new EventColumns(0n);
  columns.length = 3;
  columns.type.set([7, 8, 7]);
  columns.offset.set([0, 48, 0]);
  // The last one is cut off before its fields.
  columns.size.set([24, 32, 8]);
  return { columns, arena, ordered: true };
}

Deno.test("a field that several events have is read where each of them has it", () => {
  const events: Selection = { via: "events", ids: [7, 8, 9] };
  const of = (path: string) => values(events, path, eventsFrame());
  assert.deepEqual(of("n"), [-3, 5, undefined]);
  assert.deepEqual(of("args.n"), of("n"));
  assert.deepEqual(of("comm_name"), [undefined, "abc", undefined]);
  assert.deepEqual(of("ip"), ["fffffffff:10", undefined, undefined]);
  assert.deepEqual(of("name"), ["event7", "event8", "event7"]);
  assert.equal(of("nonesuch"), undefined);
  assert.equal(of("duration"), undefined);
});

Deno.test("an event object follows its row, and a copy does not", () => {
  const fields = new Map(
    [
      ["pid", "number"],
      ["ret", "number"],
      ["args.fd", "number"],
      ["args.filename", "text"],
      ["nonesuch", "text"],
    ] as const,
  );
  const object = new EventObject(
    fields,
    streamAccess({
      select: SYSCALLS,
      names: NAMES,
      format: () => undefined,
      graphRetval: -1,
    }),
  );
  assert.equal(object.event.pid, undefined);
  const frame = callsFrame();
  const event = object.move(frame, 1);
  const args = event.args as Record<string, unknown>;
  assert.deepEqual([event.pid, event.ret, args.fd, args.filename], [
    5,
    7,
    -100,
    "/etc",
  ]);
  const copy = object.copy(frame, 2);
  // Without the fields that the event does not have.
  assert.deepEqual(copy, { pid: 6, args: {} });
  object.move(frame, 0);
  assert.deepEqual([event.pid, args.fd, copy.pid], [4, 0xffffffff, 6]);
  assert.equal("nonesuch" in event, false);
});
