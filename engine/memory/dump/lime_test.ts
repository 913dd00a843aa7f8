import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { MemoryError, XftraceError } from "../../base/errors.ts";
import { TemporaryFolder } from "../../base/temporary_folder_fixture.ts";
import { bytesSource } from "../elf_core_source.ts";
import { flattened } from "../kdump/kdump_fixture.ts";
import type { PhysicalMemory } from "../physical_memory.ts";
import { makeLime } from "./lime_fixture.ts";
import { memoryIn, openCore } from "./open_core.ts";

const open = (bytes: Uint8Array) => memoryIn("x.lime", bytesSource(bytes));

function read(memory: PhysicalMemory, gpa: number, n: number): number[] {
  const into = new Uint8Array(n);
  memory.read(gpa, into);
  return [...into];
}

const filled = (length: number, value: number) =>
  new Uint8Array(length).fill(value);

const DUMP = makeLime([
  [0x1000, filled(0x9c00, 1)],
  [0x100000, filled(0x2000, 2)],
  [0x1_0000_0000, filled(0x1000, 3)],
]);

Deno.test("a LiME dump is read by GPA", () => {
  using memory = open(DUMP);
  assert.deepEqual(memory.ranges, [
    { start: 0x1000, end: 0xac00 },
    { start: 0x100000, end: 0x102000 },
    { start: 0x1_0000_0000, end: 0x1_0000_1000 },
  ]);
  assert.deepEqual(memory.dataRanges(), memory.ranges);
  assert.deepEqual(read(memory, 0xabff, 1), [1]);
  assert.deepEqual(read(memory, 0x101fff, 1), [2]);
  assert.deepEqual(read(memory, 0x1_0000_0000, 2), [3, 3]);
  assert.equal(memory.ram, undefined);
  assert.equal(memory.vmcoreinfo, undefined);
  assert.equal(memory.cpuNotes, 0);
  for (const gpa of [0, 0xac00, 0x102000]) {
    assert.throws(() => read(memory, gpa, 1), (error) => {
      assert.ok(error instanceof MemoryError);
      assert.match(error.message, /the dump holds no memory there/);
      return true;
    });
  }
  assert.throws(() => memory.makeWritable(), /is a recording/);
});

Deno.test("a LiME dump is found by its first bytes, also packed", () => {
  using temporary = new TemporaryFolder();
  const folder = temporary.path;
  for (const [name, bytes] of [["a", DUMP], ["b.gz", gzipSync(DUMP)]]) {
    const path = `${folder}/${name}`;
    Deno.writeFileSync(path, bytes as Uint8Array);
    using memory = openCore(path, { inMemory: 0 });
    assert.deepEqual(read(memory, 0x100000, 1), [2]);
  }
});

Deno.test("a LiME dump that lies or is cut short gives one clear sentence", () => {
  const lie = (change: (view: DataView) => void) => {
    const bytes = DUMP.slice();
    change(new DataView(bytes.buffer));
    return bytes;
  };
  const second = 32 + 0x9c00;
  const bad: [Uint8Array, RegExp][] = [
    [lie((v) => v.setUint32(4, 2, true)), /version 2, and only version 1/],
    [lie((v) => v.setBigUint64(16, 5n, true)), /from 0x1000 to 0x5/],
    [lie((v) => v.setBigUint64(16, 1n << 52n, true)), /to 0x10000000000000/],
    [lie((v) => v.setBigUint64(8, 1n << 63n, true)), /at its byte 0 claims/],
    [lie((v) => v.setBigUint64(16, 1n << 40n, true)), /bytes of its range at/],
    [lie((v) => v.setUint32(second, 7)), /at its byte 39968, .*no LiME header/],
    [DUMP.subarray(0, 20), /ends within the header/],
    [DUMP.subarray(0, second + 31), /ends within the header/],
    [
      DUMP.subarray(0, DUMP.length - 1),
      /: 1 bytes of its range at 0x100000000/,
    ],
    [flattened(DUMP).subarray(0, 5000), /cut short/],
  ];
  for (const [bytes, expected] of bad) {
    assert.throws(() => open(bytes), (error) => {
      assert.ok(error instanceof XftraceError);
      assert.match(error.message, expected);
      assert.match(error.message, /^x\.lime is/);
      return true;
    });
  }
});

Deno.test("where ranges overlap the first one counts", () => {
  using memory = open(makeLime([
    [0x2000, filled(0x1000, 2)],
    [0x1000, filled(0x3000, 1)],
  ]));
  assert.deepEqual(read(memory, 0x1fff, 2), [1, 2]);
  assert.deepEqual(read(memory, 0x2fff, 2), [2, 1]);
});
