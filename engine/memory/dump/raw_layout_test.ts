import assert from "node:assert/strict";
import { XftraceError } from "../../base/errors.ts";
import { TemporaryFolder } from "../../base/temporary_folder_fixture.ts";
import { bytesSource } from "../elf_core_source.ts";
import type { PhysicalMemory } from "../physical_memory.ts";
import { makeLime } from "./lime_fixture.ts";
import { memoryIn, openCore } from "./open_core.ts";
import { layoutPath } from "./raw_layout.ts";

const RAW = new Uint8Array(0x3000);
for (let i = 0; i < 3; i++) RAW.fill(i + 1, i * 0x1000, (i + 1) * 0x1000);

const open = (ranges: unknown, bytes = RAW) =>
  memoryIn("x.raw", bytesSource(bytes), { layout: JSON.stringify({ ranges }) });

function read(memory: PhysicalMemory, gpa: number, n: number): number[] {
  const into = new Uint8Array(n);
  memory.read(gpa, into);
  return [...into];
}

Deno.test("raw memory is read as its layout says", () => {
  using memory = open([
    { start: "0x100000000", end: "0x100001000", offset: "0x2000" },
    { start: 0, end: 4096, offset: 0 },
    { start: "0x2000", end: "0x3000" },
  ]);
  assert.deepEqual(memory.ranges, [
    { start: 0, end: 0x1000 },
    { start: 0x2000, end: 0x3000 },
    { start: 0x1_0000_0000, end: 0x1_0000_1000 },
  ]);
  assert.deepEqual(read(memory, 0xfff, 1), [1]);
  assert.deepEqual(read(memory, 0x2000, 1), [2]);
  assert.deepEqual(read(memory, 0x1_0000_0fff, 1), [3]);
  assert.equal(memory.ram, undefined);
  assert.throws(() => read(memory, 0x1000, 1), /the layout holds no memory/);
});

Deno.test("the layout beside a file decides, whatever the memory begins with", () => {
  using temporary = new TemporaryFolder();
  const folder = temporary.path;
  const path = `${folder}/web1.raw`;
  // A guest may make its memory look like a dump.
  const bytes = makeLime([[0x5000, RAW]]);
  Deno.writeFileSync(path, bytes);
  {
    using memory = openCore(path);
    assert.equal(memory.ranges[0].start, 0x5000);
  }
  Deno.writeTextFileSync(
    layoutPath(path),
    '{"ranges": [{"start": 0, "end": "0x3000"}]}',
  );
  using memory = openCore(path, { inMemory: 0 });
  assert.deepEqual(memory.ranges, [{ start: 0, end: 0x3000 }]);
  assert.deepEqual(read(memory, 0, 4), [...bytes.subarray(0, 4)]);
  Deno.writeTextFileSync(layoutPath(path), "ranges: 5");
  assert.throws(() => openCore(path), /web1\.raw\.layout\.json is no JSON/);
  Deno.writeFileSync(layoutPath(path), new Uint8Array(2 << 20));
  assert.throws(() => openCore(path), /web1\.raw\.layout\.json/);
});

Deno.test("a layout that is wrong gives one clear sentence", () => {
  const bad: [unknown, RegExp][] = [
    [undefined, /: ranges: .*write it like \{"ranges"/],
    [[], /: ranges: /],
    [[{ start: 0 }], /: ranges\.0\.end: /],
    [[{ start: 0, end: "4096" }], /: ranges\.0\.end: /],
    [[{ start: -1, end: 4096 }], /: ranges\.0\.start: /],
    [[{ start: 0, end: 1.5 }], /: ranges\.0\.end: /],
    [[{ start: 0, end: 2 ** 53 }], /: ranges\.0\.end: /],
    [[{ start: 0, end: "0xffffffffffffff" }], /: ranges\.0\.end: /],
    [[{ start: 0, end: 4096, ofset: 5 }], /: ranges\.0: .*ofset/],
    [[{ start: 4096, end: 4096 }], /: ranges\.0 ends before it begins/],
    [
      [{ start: 0, end: 0x4000 }],
      /ranges\.0 ends at byte 16384 of x\.raw, which has only 12288/,
    ],
    [
      [{ start: 0, end: 4096 }, { start: 4095, end: 8000, offset: 0 }],
      /two ranges hold 0xfff/,
    ],
    [
      [0, 1, 2].map((i) => ({
        start: i * 0x3000,
        end: (i + 1) * 0x3000,
        offset: 0,
      })),
      /claim more memory than x\.raw can hold/,
    ],
    [Array(5000).fill({ start: 0, end: 1 }), /: ranges: /],
  ];
  for (const [ranges, expected] of bad) {
    assert.throws(() => open(ranges), (error) => {
      assert.ok(error instanceof XftraceError, String(error));
      assert.match(error.message, expected);
      assert.match(error.message, /^x\.raw\.layout\.json/);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  }
});
