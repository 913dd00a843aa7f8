import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { integerAt, textAt } from "../../ftrace/ring/field_values.ts";
import { KIND } from "../../ftrace/ring/columns.ts";
import {
  decodeFixture,
  FIXTURES,
  loadFixture,
} from "../../ftrace/ring/fixtures/load_fixture.ts";
import { TimeMerge } from "../../ftrace/ring/merge.ts";
import { writeBuffers } from "../write_buffers.ts";
import { BARE_GUEST, BARE_META, rowsOf } from "../writer_fixture.ts";
import { EventRun, type TraceSource } from "../writer.ts";
import { callRows, written } from "./call_fixture.ts";
import { PERFETTO, PerfettoWriter } from "./perfetto.ts";
import { readPerfetto } from "./perfetto_fixture.ts";

for (const name of FIXTURES) {
  Deno.test(`${name}: each event is in the trace, at its time and place`, () => {
    const fixture = loadFixture(name);
    const rows = decodeFixture(fixture);
    const { columns } = rows;
    const { meta } = fixture;
    const shown = readPerfetto(written(PERFETTO, rows, fixture));
    const expected: string[] = [];
    const merge = new TimeMerge(columns);
    for (let row = merge.next(); row >= 0; row = merge.next()) {
      const pid = columns.pid[row];
      const cpu = columns.cpu[row];
      const time = columns.timeAt(row);
      const where = pid === 0
        ? `swapper/${cpu}-0`
        : `${meta.comm(pid) ?? "<...>"}-${pid}`;
      if (columns.kind[row] === KIND.return) continue;
      if (columns.kind[row] !== KIND.other) {
        const func = meta.symbols.ps(
          columns.func[2 * row],
          columns.func[2 * row + 1],
        );
        expected.push(`begin ${time} ${where} ${func}`);
        continue;
      }
      const format = meta.format(columns.type[row]);
      if (format?.name !== "sched_switch") {
        const event = format?.name ?? `event ${columns.type[row]}`;
        if (!/^sched_wak/.test(event)) {
          expected.push(`instant ${time} ${where} ${event}`);
        }
        continue;
      }
      const field = (name: string) =>
        format.fields.find((each) => each.name === name)!;
      expected.push(
        `sched ${time} CPU ${cpu} ${integerAt(rows, row, field("prev_pid"))} ${
          integerAt(rows, row, field("prev_state"))
        } ${textAt(rows, row, field("next_comm"))} ${
          integerAt(rows, row, field("next_pid"))
        }`,
      );
    }
    assert.deepEqual(
      shown.filter(({ what, name }) =>
        what !== "end" && (what !== "sched" || name === "4")
      ).map(({ what, time, where, name, fields }) =>
        what === "sched"
          ? `sched ${time} ${where} ${fields[2]} ${fields[4]} ${fields[5]} ${
            fields[6]
          }`
          : `${what} ${time} ${where} ${name}`
      ),
      expected,
    );
    const count = (kind: string) =>
      shown.filter(({ what }) => what === kind).length;
    assert.equal(count("end"), count("begin"));
  });
}

Deno.test("slices end when calls return, and nest", () => {
  const shown = readPerfetto(written(
    PERFETTO,
    callRows([
      { func: 1, depth: 0, ts: 10 },
      { func: 2, depth: 1, ts: 20 },
      { func: 2, depth: 1, ts: 30, duration: 10 },
      { func: 3, depth: 1, ts: 40 },
      { func: 1, depth: 0, ts: 50, duration: 40 },
      { func: 9, depth: 0, ts: 60, duration: 1, pid: 8 },
    ]),
  ));
  assert.deepEqual(
    shown.map(({ what, time, where, name }) =>
      `${what} ${time - 1_000_000_000n} ${where} ${name}`.trim()
    ),
    [
      "begin 10 <...>-7 f1",
      "begin 20 <...>-7 f2",
      "end 30 <...>-7",
      "begin 40 <...>-7 f3",
      // Its return is missing: it ends when that is noticed, with its caller.
      "end 50 <...>-7",
      "end 50 <...>-7",
    ],
  );
});

Deno.test("two guests are two machines, with threads and names of their own", () => {
  const guest = (target: string, comm: string): TraceSource => ({
    ...BARE_GUEST,
    kind: "collected",
    target,
    meta: { ...BARE_META, comm: () => comm },
    aligned: { clock: "a clock", errorNs: 123, torn: [] },
  });
  const sources = [guest("qemu:a", "cat"), guest("qemu:b", "dog")] as const;
  const parts: Uint8Array[] = [];
  const writer = PERFETTO.writer((chunk) => {
    assert.ok(typeof chunk !== "string");
    parts.push(chunk.slice());
  });
  writer.begin(sources);
  for (const from of [0, 2]) {
    for (const source of sources) {
      const { columns, arena } = callRows([
        { func: 1, depth: 0, ts: 10 },
        { func: 1, depth: 0, ts: 20, duration: 10 },
        { func: 2, depth: 0, ts: 30 },
        { func: 2, depth: 0, ts: 40, duration: 10 },
      ]);
      const run = new EventRun(source, columns, arena);
      run.from = from;
      run.to = from + 2;
      writer.events(run);
    }
  }
  writer.end({ events: 8, lost: 0, dropped: 0 });
  const shown = readPerfetto(Buffer.concat(parts));
  assert.deepEqual(
    shown.map(({ what, where, name, machine }) =>
      `${machine} ${where}: ${what} ${name}`.trimEnd()
    ),
    [
      "1 qemu:a clock: instant times of a clock",
      "1 qemu:a cat-7: begin f1",
      "1 qemu:a cat-7: end",
      "2 qemu:b clock: instant times of a clock",
      "2 qemu:b dog-7: begin f1",
      "2 qemu:b dog-7: end",
      "1 qemu:a cat-7: begin f2",
      "1 qemu:a cat-7: end",
      "2 qemu:b dog-7: begin f2",
      "2 qemu:b dog-7: end",
    ],
  );
  assert.deepEqual(shown[0].fields, { error_ns: "123", torn_spans: "0" });
  // Instances of one guest are one machine.
  const [{ meta }] = sources;
  const instances = [sources[0], { ...sources[1], meta }] as const;
  const bytes: Uint8Array[] = [];
  const other = PERFETTO.writer((chunk) => {
    assert.ok(typeof chunk !== "string");
    bytes.push(chunk.slice());
  });
  other.begin(instances);
  for (const source of instances) {
    const { columns, arena } = callRows([{ func: 1, depth: 0, ts: 10 }]);
    const run = new EventRun(source, columns, arena);
    run.to = 1;
    other.events(run);
  }
  other.end({ events: 2, lost: 0, dropped: 0 });
  const both = readPerfetto(Buffer.concat(bytes));
  assert.deepEqual(new Set(both.map(({ machine }) => machine)), new Set([0]));
});

Deno.test("threads beyond a number share a track, without their calls", () => {
  const parts: Uint8Array[] = [];
  const writer = new PerfettoWriter((chunk) => {
    assert.ok(typeof chunk !== "string");
    parts.push(chunk.slice());
  }, 2);
  const source: TraceSource = { ...BARE_GUEST, kind: "collected" };
  writer.begin([source]);
  const { columns, arena } = callRows([1, 2, 3, 4].flatMap((pid) => [
    { func: 1, depth: 0, ts: 10 * pid, pid },
    { func: 1, depth: 0, ts: 10 * pid + 5, duration: 5, pid },
  ]));
  columns.kind[7] = KIND.other;
  const run = new EventRun(source, columns, arena);
  run.to = columns.length;
  writer.events(run);
  writer.end();
  assert.deepEqual(
    readPerfetto(Buffer.concat(parts)).map(({ what, where }) =>
      `${where}: ${what}`
    ),
    [
      "<...>-1: begin",
      "<...>-1: end",
      "<...>-2: begin",
      "<...>-2: end",
      "other threads: instant",
    ],
  );
  assert.deepEqual(writer.leftOut(), [
    "calls of further threads, which have no track of their own, are left out: 2",
  ]);
});

Deno.test("losses are shown on a track of their CPU", () => {
  const shown = readPerfetto(written(PERFETTO, rowsOf([[0, 1], [1, 2, 7]])));
  assert.deepEqual(
    shown.map(({ what, time, where, name, fields }) => [
      what,
      time - 1_000_000_000n,
      where,
      name,
      fields,
    ]),
    [
      ["instant", 1n, "swapper/0-0", "event 0", {}],
      ["instant", 2n, "CPU 1: events lost", "events lost", { count: "7" }],
      ["instant", 2n, "swapper/1-0", "event 0", {}],
    ],
  );
});

Deno.test("fields by their kinds; the guest's texts stay texts", () => {
  const { columns, arena } = rowsOf([[0, 1]]);
  arena.acquire();
  arena.view.setInt32(8, -2, true);
  arena.view.setBigUint64(16, 0xffffffff81000010n, true);
  arena.bytes.set(new TextEncoder().encode('"\x1b['), 24);
  columns.type[0] = 700;
  columns.size[0] = 32;
  const field = (
    name: string,
    type: string,
    offset: number,
    size: number,
    signed = false,
  ) => ({ name, type, offset, size, signed });
  const parts: Uint8Array[] = [];
  writeBuffers(
    { columns, arena, cpus: [] },
    {
      ...BARE_GUEST,
      meta: {
        ...BARE_META,
        format: () => ({
          id: 700,
          system: "test",
          name: "event",
          printFmt: "",
          fields: [
            field("int", "int", 8, 4, true),
            field("function", "void *", 16, 8),
            field("skb", "void *", 16, 8),
            field("text", "char[8]", 24, 8),
            field("pair", "u16[2]", 8, 4),
            field("beyond", "u64", 40, 8),
          ],
        }),
      },
    },
    PERFETTO.writer((chunk) => {
      assert.ok(typeof chunk !== "string");
      parts.push(chunk);
    }),
  );
  const [{ fields }] = readPerfetto(parts[0]);
  assert.deepEqual(fields, {
    int: "-2",
    function: `f${0x81000010}`,
    skb: String(0xffffffff81000010n),
    text: '"\x1b[',
    pair: "feffffff",
    beyond: "",
  });
});
