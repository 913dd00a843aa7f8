import assert from "node:assert/strict";
import { XftraceError } from "../base/errors.ts";
import { textAt } from "../ftrace/ring/field_values.ts";
import { DAT_KINDS, datFile, kindName, openDatBytes } from "./dat_fixture.ts";
import type { DatTrace } from "./dat_trace.ts";
import { eventFormat } from "./format_file.ts";

interface Noted {
  readonly rows: string[];
  readonly losses: string[];
}

function noted(trace: DatTrace, only = {}): Noted {
  const rows: string[] = [];
  const losses: string[] = [];
  trace.read({
    events({ buffer, columns, from, to }) {
      for (let row = from; row < to; row++) {
        rows.push(
          `${buffer.name}${columns.cpu[row]}@${
            columns.timeAt(row) - 5_000_000_000_000n
          } ${columns.type[row]} ${columns.pid[row]} ${columns.kind[row]} ${
            columns.func[2 * row].toString(16)
          } ${columns.depth[row]} ${columns.duration[row]}`,
        );
      }
    },
    lost: ({ cpu, count, before, first }) =>
      losses.push(
        `${cpu}: ${count} before ${before - 5_000_000_000_000n} ${first}`,
      ),
  }, only);
  return { rows, losses };
}

for (const kind of DAT_KINDS) {
  Deno.test(`${kindName(kind)}: names, formats and events in order of time`, () => {
    using trace = openDatBytes(datFile(kind));
    const { header } = trace;
    assert.equal(header.version, kind.version);
    assert.equal(header.little, kind.little);
    assert.equal(header.longSize, kind.longSize);
    assert.equal(header.cpuCount, 2);
    assert.equal(header.clock, "local");
    assert.equal(header.badFormats, 0);
    assert.deepEqual(header.buffers.map(({ name }) => name), ["", "other"]);
    assert.deepEqual([...trace.comms], [[7, "bash"]]);
    assert.deepEqual([...trace.printk.values()], ["said %d"]);
    assert.equal(trace.functions.size, 3);
    const { rows, losses } = noted(trace);
    assert.deepEqual(rows, [
      "0@0 11 7 1 c0100000 0 0",
      "0@1000 11 7 1 c0100010 1 0",
      "1@2000 316 0 0 0 0 0",
      "0@3500 10 7 2 c0100010 1 2400",
      "0@9000 10 7 2 c0100000 0 8000",
      "0@60000000000 700 9 0 0 0 0",
      "1@60000000500 999 9 0 0 0 0",
      "other1@60000000600 316 0 0 0 0 0",
    ]);
    assert.deepEqual(losses, ["0: 3 before 60000000000 true"]);
    assert.deepEqual(noted(trace, { instance: "other" }).rows, [rows[7]]);
    assert.deepEqual(noted(trace, { cpu: 1, instance: "" }).rows, [
      rows[2],
      rows[6],
    ]);
  });
}

Deno.test("fields are where the format says, in every byte order", () => {
  for (const kind of DAT_KINDS) {
    using trace = openDatBytes(datFile(kind));
    const texts: string[] = [];
    trace.read({
      events({ columns, arena, from, to }) {
        for (let row = from; row < to; row++) {
          const event = trace.layout.events.get(columns.type[row]);
          if (event === undefined) continue;
          for (const field of eventFormat(event).fields) {
            if (field.type.includes("char")) {
              texts.push(textAt({ columns, arena }, row, field));
            }
          }
        }
      },
      lost: () => {},
    });
    assert.deepEqual(texts, ["sh", "hello", "worker"], kindName(kind));
  }
});

Deno.test("what is no trace.dat, or ends too early, is one clear error", () => {
  const refused = (bytes: Uint8Array<ArrayBuffer>, expected: RegExp) =>
    assert.throws(() => {
      using trace = openDatBytes(bytes);
      trace.read({ events: () => {}, lost: () => {} });
    }, (error) => {
      assert.ok(error instanceof XftraceError, String(error));
      assert.match(error.message, expected);
      assert.match(error.message, /^test\.dat: at byte \d+: /);
      return true;
    });
  refused(new Uint8Array(20), /no trace\.dat/);
  for (const version of [6, 7] as const) {
    const whole = datFile({ version, little: true, longSize: 8 });
    const other = whole.slice();
    other[10] = 0x39;
    refused(other, /version "9", and versions 6 and 7 are read/);
    for (const size of [17, 40, 400, 1500, whole.length - 1]) {
      refused(whole.slice(0, size), /./);
    }
  }
});

Deno.test("sizes that a file claims are bounded", () => {
  const whole = datFile({ version: 6, little: true, longSize: 8 });
  const view = new DataView(whole.buffer);
  // The size of header_page follows its name, at byte 18.
  view.setBigUint64(30, 1n << 40n, true);
  assert.throws(
    () => openDatBytes(whole),
    /header_page claims to have 1099511627776 bytes, and 1048576 are the most/,
  );
  const packed = datFile({ version: 7, little: true, longSize: 8 });
  const at = Number(
    new DataView(packed.buffer).getBigUint64(18 + 5 + 6, true),
  );
  // The options' size after unpacking.
  new DataView(packed.buffer).setUint32(at + 16 + 4, 0xffffffff, true);
  assert.throws(
    () => openDatBytes(packed),
    /a section of 4294967295 bytes makes no sense/,
  );
  new DataView(packed.buffer).setUint32(at + 16 + 4, 5, true);
  assert.throws(
    () => openDatBytes(packed),
    /cannot be unpacked|claims to have/,
  );
});

Deno.test("a damaged page is told, and the others are read", () => {
  const whole = datFile({ version: 6, little: true, longSize: 8 });
  using good = openDatBytes(whole);
  const { offset } = good.header.buffers[0].cpus[0];
  // The length of the first event.
  new DataView(whole.buffer).setUint32(offset + 16, 0, true);
  new DataView(whole.buffer).setUint32(offset + 20, 0xfffffff0, true);
  using trace = openDatBytes(whole);
  let events = 0;
  const { problems, damaged } = trace.read({
    events: ({ from, to }) => events += to - from,
    lost: () => {},
  });
  assert.equal(damaged, 1);
  assert.match(
    problems[0],
    /^test\.dat: at byte \d+: the page of CPU 0 is damaged: an event claims to have/,
  );
  assert.equal(events, 4);
});

Deno.test("a file without any buffer holds no events", () => {
  using trace = openDatBytes(
    datFile({ version: 7, little: true, longSize: 8 }, []),
  );
  assert.deepEqual(trace.header.buffers, []);
  assert.equal(trace.text(), undefined);
  assert.deepEqual(noted(trace), { rows: [], losses: [] });
});

/** A file of version 6 with more options, and another clock. */
function withOptions(
  options: readonly (readonly [id: number, data: Uint8Array])[],
  clock = "[local] global",
): Uint8Array<ArrayBuffer> {
  const file = datFile({ version: 6, little: true, longSize: 8 }, [""]);
  const text = new TextDecoder("latin1").decode(file);
  const at = text.indexOf("options  \0") + 10;
  const end = text.lastIndexOf("[local] global") + clock.length;
  const extra = options.flatMap(([id, data]) => {
    const head = new DataView(new ArrayBuffer(6));
    head.setUint16(0, id, true);
    head.setUint32(2, data.length, true);
    return [...new Uint8Array(head.buffer), ...data];
  });
  const moved = file.slice(at, end);
  // The pages stay where they are: there is room before the first.
  file.set(extra, at);
  file.set(moved, at + extra.length);
  const shifted = new TextDecoder("latin1").decode(file);
  const bytes = new TextEncoder().encode(clock);
  for (const { index } of shifted.matchAll(/\[local\] global/g)) {
    file.set(bytes, index);
  }
  return file;
}

Deno.test("times: offsets, the TSC, and clocks that do not count ns", () => {
  const ascii = (text: string) => new TextEncoder().encode(`${text}\0`);
  const tsc = (mult: number, shift: number) =>
    new Uint8Array(new Uint32Array([mult, shift, 0, 0]).buffer);
  // As trace-cmd 3.1.6 prints them.
  const cases: [Uint8Array<ArrayBuffer>, bigint, boolean][] = [
    [withOptions([]), 5_000_000_000_000n, true],
    [withOptions([[1, ascii("0x3039")]]), 5_000_012_345_000n, true],
    [withOptions([[7, ascii("-5000")]]), 4_999_999_995_000n, true],
    [
      withOptions([[1, ascii("12")], [7, ascii("77")]]),
      5_000_000_012_077n,
      true,
    ],
    [withOptions([[14, tsc(0x40000000, 31)]]), 2_500_000_000_000n, true],
    [
      withOptions([[14, tsc(1234567, 21)]], "[x86_] global"),
      2_943_437_099_456n,
      true,
    ],
    [withOptions([], "[count] global"), 5_000_000_000_000n, false],
  ];
  for (const [file, first, inNs] of cases) {
    using trace = openDatBytes(file);
    assert.equal(trace.inNs, inNs);
    const times: bigint[] = [];
    trace.read({
      events: ({ columns, from }) => times.push(columns.timeAt(from)),
      lost: () => {},
    });
    assert.equal(times[0], first);
    assert.deepEqual(times, times.toSorted((a, b) => a < b ? -1 : 1));
  }
});
