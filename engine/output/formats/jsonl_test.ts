import assert from "node:assert/strict";
import type { EventField, EventFormat } from "../../ftrace/events/formats.ts";
import { EventColumns, KIND, PageArena } from "../../ftrace/ring/columns.ts";
import {
  decodeFixture,
  FIXTURES,
  loadFixture,
} from "../../ftrace/ring/fixtures/load_fixture.ts";
import { LAYOUT_6_1 } from "../../ftrace/ring/layout_fixture.ts";
import { RunBuilder } from "../run_builder.ts";
import type { TraceMeta } from "../text/environment.ts";
import { writeBuffers } from "../write_buffers.ts";
import { BARE_GUEST, BARE_META, rowsOf } from "../writer_fixture.ts";
import type { TraceSource } from "../writer.ts";
import { JSONL } from "./jsonl.ts";

interface Line {
  readonly ts: number;
  readonly cpu: number;
  readonly pid: number;
  readonly comm: string | null;
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

for (const name of FIXTURES) {
  Deno.test(`${name}: a line for each event, which agrees with the guest's own text`, () => {
    const fixture = loadFixture(name);
    const { columns, arena } = decodeFixture(fixture);
    let text = "";
    writeBuffers(
      { columns, arena, cpus: [] },
      fixture,
      JSONL.writer((chunk) => text += chunk),
    );
    const lines: Line[] = text.trimEnd().split("\n").map((l) => JSON.parse(l));
    assert.equal(lines.length, columns.length);
    assert.deepEqual(
      lines.map((line) => line.ts),
      lines.map((line) => line.ts).sort((a, b) => a - b),
    );
    // The guest's own text for some events.
    const own = [...fixture.text.matchAll(
      /sched_switch: prev_comm=(.*) prev_pid=(\d+) .* next_comm=(.*) next_pid=(\d+) /g,
    )].map(([, ...values]) => values);
    const switches = lines.filter((line) => line.name === "sched_switch").map((
      { fields },
    ) => [
      fields.prev_comm,
      String(fields.prev_pid),
      fields.next_comm,
      String(fields.next_pid),
    ]);
    assert.deepEqual(switches, own);
    const calls = lines.filter((line) => line.name === "funcgraph_entry");
    if (name.endsWith("graph")) {
      const drawn = fixture.text.split("\n").filter((line) =>
        /\(\)(;| \{)/.test(line)
      ).map((line) => /([\w.]+)(?: \[\w+\])?\(\)/.exec(line)?.[1]);
      assert.ok(drawn.length > 100);
      assert.deepEqual(
        calls.map(({ fields }) => String(fields.func).replace(/ \[.*/, "")),
        drawn,
      );
    }
  });
}

/** An event with these bytes, in a page of its own. */
function eventOf(
  bytes: readonly number[],
  type: number,
  change: (columns: EventColumns) => void = () => {},
): { columns: EventColumns; arena: PageArena } {
  const arena = new PageArena(4096);
  arena.acquire();
  arena.bytes.set(bytes);
  const columns = new EventColumns(5_000_000_000n);
  columns.length = 1;
  columns.ts[0] = 17;
  columns.cpu[0] = 3;
  columns.pid[0] = 42;
  columns.type[0] = type;
  columns.size[0] = bytes.length;
  change(columns);
  return { columns, arena };
}

function lineOf(
  rows: { columns: EventColumns; arena: PageArena },
  meta: Partial<TraceMeta> = {},
): Line {
  let text = "";
  writeBuffers(
    { ...rows, cpus: [] },
    { ...BARE_GUEST, meta: { ...BARE_META, ...meta } },
    JSONL.writer((chunk) => text += chunk),
  );
  assert.equal(text.split("\n").length, 2);
  return JSON.parse(text);
}

/** Eight common bytes, followed by these. */
const after = (...bytes: number[]) => [0, 0, 0, 0, 0, 0, 0, 0, ...bytes];
const le = (value: bigint, size: number) =>
  Array.from({ length: size }, (_, i) => Number(value >> BigInt(8 * i) & 255n));
const ascii = (text: string) => Array.from(text, (c) => c.charCodeAt(0));

function formatOf(
  fields: readonly (Partial<EventField> & Pick<EventField, "type">)[],
  more: Partial<EventFormat> = {},
): Partial<TraceMeta> {
  const format: EventFormat = {
    id: 700,
    system: "test",
    name: "test_event",
    printFmt: "",
    fields: fields.map((field, i) => ({
      name: `f${i}`,
      offset: 8,
      size: 8,
      signed: false,
      ...field,
    })),
    ...more,
  };
  return { format: (id) => id === 700 ? format : undefined };
}

Deno.test("the members before the fields", () => {
  const line = lineOf(eventOf(after(), 700), {
    ...formatOf([]),
    comm: () => 'a"\u001b[31m\n',
  });
  assert.deepEqual(line, {
    ts: 5_000_000_017,
    cpu: 3,
    pid: 42,
    comm: 'a"\u001b[31m\n',
    name: "test_event",
    fields: {},
  });
  assert.equal(lineOf(eventOf(after(), 700), formatOf([])).comm, null);
  const idle = eventOf(after(), 700, (columns) => columns.pid[0] = 0);
  assert.equal(lineOf(idle, formatOf([])).comm, "<idle>");
});

Deno.test("the guest's control characters do not reach a terminal", () => {
  let text = "";
  writeBuffers(
    { ...eventOf(after(...ascii("a\x1b[2J\n"), 0), 700), cpus: [] },
    {
      ...BARE_GUEST,
      meta: { ...BARE_META, ...formatOf([{ type: "char[7]", size: 7 }]) },
    },
    JSONL.writer((chunk) => text += chunk),
  );
  assert.ok(text.includes('"f0":"a\\u001b[2J\\n"'), text);
});

Deno.test("fields by their kinds", () => {
  const bytes = after(
    ...le(-2n, 4),
    ...le(0xffffffff81000010n, 8),
    ...le(0xfffffffffffffffen, 8),
    ...ascii("sh"),
    0,
    0,
  );
  const { fields } = lineOf(
    eventOf(bytes, 700),
    formatOf([
      { type: "int", size: 4, signed: true },
      { type: "unsigned int", size: 4 },
      { name: "function", type: "void *", offset: 12 },
      { name: "skb", type: "void *", offset: 12 },
      { type: "u64", offset: 20 },
      { type: "s64", offset: 20, signed: true },
      { type: "char[4]", offset: 28, size: 4 },
      { type: "u64", offset: 28 },
      { name: "skb2", type: "void *", offset: 28 },
    ]),
  );
  assert.deepEqual(fields, {
    f0: -2,
    f1: 0xfffffffe,
    // The meta without symbols names a function by the low half of its address.
    function: `f${0x81000010}`,
    skb: "0xffffffff81000010",
    // The JSON has all digits, but parsing it here loses some.
    f4: 18446744073709552000,
    f5: -2,
    f6: "sh",
    // A field that would extend beyond the event is null.
    f7: null,
    skb2: null,
  });
});

Deno.test("arrays wherever their bytes are, and structs as bytes", () => {
  const bytes = after(
    // 12: __data_loc of 8 bytes at 24; 16: __rel_loc of 2 bytes at 24.
    ...le(0n, 4),
    ...le(8n << 16n | 24n, 4),
    ...le(2n << 16n | 4n, 4),
    ...le(7n, 4),
    ...le(0x0102030405060708n, 8),
  );
  const { fields } = lineOf(
    eventOf(bytes, 700),
    formatOf([
      { type: "__data_loc u64[]", offset: 12, size: 4 },
      { type: "__data_loc u16[]", offset: 12, size: 4 },
      { type: "__rel_loc u8[]", offset: 16, size: 4 },
      { type: "u8[4]", offset: 24, size: 4 },
      { type: "unsigned long[1]", offset: 24, size: 8 },
      { type: "uuid_t", offset: 24, size: 3 },
      { type: "__data_loc char[]", offset: 12, size: 4 },
      // The array is longer than the event, so only the part in the event is
      // shown.
      { type: "u8[64]", offset: 30, size: 64 },
    ]),
  );
  assert.deepEqual(fields, {
    f0: [0x0102030405060708],
    f1: [0x0708, 0x0506, 0x0304, 0x0102],
    f2: [8, 7],
    f3: [8, 7, 6, 5],
    f4: [0x0102030405060708],
    f5: [8, 7, 6],
    f6: "\b\u0007\u0006\u0005\u0004\u0003\u0002\u0001",
    f7: [2, 1],
  });
});

Deno.test("arguments of system calls: an int uses half of its eight bytes", () => {
  const bytes = after(
    ...le(257n, 4),
    ...le(0n, 4),
    ...le(0xdead0000ffffff9cn, 8),
    ...le(0x7fff12345678n, 8),
  );
  const { fields } = lineOf(
    eventOf(bytes, 700),
    formatOf(
      [
        { name: "__syscall_nr", type: "int", size: 4, signed: true },
        { name: "dfd", type: "int", offset: 16 },
        { name: "filename", type: "const char *", offset: 24 },
      ],
      {
        name: "sys_enter_openat",
        syscall: { name: "sys_openat", exit: false, args: [], types: [] },
      },
    ),
  );
  assert.deepEqual(fields, {
    __syscall_nr: 257,
    dfd: -100,
    filename: "0x7fff12345678",
  });
});

const NEWER = {
  ...LAYOUT_6_1,
  graphEntry: { func: 8, depth: 16, size: 20, args: 24, retaddr: 24 },
  graphReturn: { ...LAYOUT_6_1.graphReturn, retval: 24 },
};

Deno.test("calls and returns, including what only newer kernels record", () => {
  const call = (kind: number, bytes: readonly number[], meta = {}) => {
    const { name, fields } = lineOf(
      eventOf(bytes, 11, (columns) => {
        columns.kind[0] = kind;
        columns.func[0] = 64;
        columns.func[1] = 0xffffffff;
        columns.depth[0] = 2;
        columns.duration[0] = 1500;
      }),
      meta,
    );
    return { name, ...fields };
  };
  const head = after(...le(64n, 8), ...le(2n, 8));
  const entry = { name: "funcgraph_entry", func: "f64", depth: 2 };
  const exit = { name: "funcgraph_exit", func: "f64", depth: 2 };
  assert.deepEqual(call(KIND.entry, head), entry);
  assert.deepEqual(call(KIND.return, head), { ...exit, duration: 1500 });
  const newer = { layout: NEWER };
  assert.deepEqual(call(KIND.entry, head, newer), entry);
  assert.deepEqual(
    call(KIND.entry, [...head, ...le(7n, 8), ...le(-1n, 8)], newer),
    { ...entry, args: ["0x7", "0xffffffffffffffff"] },
  );
  assert.deepEqual(
    call(KIND.entryRetaddr, [...head, ...le(128n, 8), ...le(7n, 8)], newer),
    { ...entry, retaddr: "f128", args: ["0x7"] },
  );
  assert.deepEqual(
    call(KIND.return, [...head, ...le(-22n, 8)], newer),
    { ...exit, duration: 1500, retval: -22 },
  );
});

Deno.test("messages, stacks, and events without a known format", () => {
  const { print, stack } = LAYOUT_6_1;
  const message = after(...le(0n, print.buf - 8), ...ascii("hello\n"), 0, 0);
  const { types } = LAYOUT_6_1;
  const said = lineOf(eventOf(message, types.print));
  assert.deepEqual([said.name, said.fields], ["print", { msg: "hello" }]);
  const frames = after(
    ...le(0n, stack.caller - 8),
    ...le(64n, 8),
    ...le(80n, 8),
    ...le(-1n, 8),
    ...le(96n, 8),
  );
  const stacked = lineOf(eventOf(frames, types.stack));
  assert.deepEqual([stacked.name, stacked.fields], [
    "kernel_stack",
    { caller: ["f64", "f80"] },
  ]);
  const other = lineOf(eventOf(after(1, 2, 255, 0), 999));
  assert.deepEqual([other.name, other.fields], [
    null,
    { type: 999, bytes: [1, 2, 255, 0] },
  ]);
});

Deno.test("losses have lines of their own, at the place where they happened", () => {
  let text = "";
  const rows = rowsOf([[0, 1, 12], [1, 2, -1]]);
  writeBuffers(
    { ...rows, cpus: [] },
    BARE_GUEST,
    JSONL.writer((chunk) => text += chunk),
  );
  const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines[0], { lost: 12, cpu: 0, before: 1_000_000_001 });
  assert.equal(lines[1].ts, 1_000_000_001);
  assert.deepEqual(lines[2], { lost: null, cpu: 1, before: 1_000_000_002 });
  assert.equal(lines[3].ts, 1_000_000_002);
});

Deno.test("with several guests each line names its guest; thread names are read again", () => {
  let text = "";
  let comm = "old";
  const writer = JSONL.writer((chunk) => text += chunk);
  const source = (target?: string): TraceSource => ({
    kind: "live",
    meta: { ...BARE_META, comm: () => comm },
    options: BARE_GUEST.options,
    ...(target === undefined ? {} : { target }),
  });
  const sources = [source("qemu:a"), source()] as const;
  writer.begin(sources);
  for (const each of sources) {
    const { columns, arena } = eventOf(after(), 700);
    const runs = new RunBuilder(each, writer);
    runs.add(columns, 0, arena);
    runs.flush();
    comm = "new";
    writer.refresh?.();
  }
  assert.equal(text, "");
  writer.end({ events: 2, lost: 0, dropped: 0 });
  assert.deepEqual(
    text.trimEnd().split("\n").map((line) => JSON.parse(line)).map((
      { target, comm },
    ) => [target, comm]),
    [["qemu:a", "old"], [null, "new"]],
  );
});
