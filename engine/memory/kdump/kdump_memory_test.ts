import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { refuseNamedMachine } from "../../arch/all.ts";
import { MemoryError, XftraceError } from "../../base/errors.ts";
import { memoryIn } from "../dump/open_core.ts";
import { encodeNotes } from "../elf_core_notes.ts";
import { bytesSource } from "../elf_core_source.ts";
import type { PhysicalMemory } from "../physical_memory.ts";
import {
  flattened,
  type KdumpContent,
  type MadeKdump,
  makeKdump,
  PAGE,
} from "./kdump_fixture.ts";

const open = (bytes: Uint8Array) =>
  memoryIn("x.kdump", bytesSource(bytes), { refuseNamed: refuseNamedMachine });

function read(memory: PhysicalMemory, gpa: number, n: number): number[] {
  const into = new Uint8Array(n);
  memory.read(gpa, into);
  return [...into];
}

function page(value: number): Uint8Array {
  return new Uint8Array(PAGE).fill(value).fill(value + 1, 100, 200);
}

const INFO = "OSRELEASE=6.1.0\nKERNELOFFSET=1000000\n";
const NOTES = encodeNotes([
  { name: "CORE", type: 1, desc: new Uint8Array(336) },
  { name: "QEMU", type: 0, desc: new Uint8Array(440) },
]);
const FRAMES = 40_000;
const CONTENT: KdumpContent = {
  frames: FRAMES,
  pages: new Map([
    [1, page(1)],
    [2, page(2)],
    [4, new Uint8Array(PAGE)],
    [5, new Uint8Array(PAGE)],
    [6, new Uint8Array(PAGE)],
    [511, page(3)],
    [512, page(4)],
    [39_999, page(5)],
  ]),
  leftOut: [3, 700],
  notes: NOTES,
  vmcoreinfo: INFO,
};

for (const packing of ["zlib", "zstd", "raw"] as const) {
  for (const flat of [false, true]) {
    Deno.test(`a kdump is read by GPA: ${packing}${flat ? ", flattened" : ""}`, () => {
      const { bytes } = makeKdump({ ...CONTENT, packing });
      using memory = open(flat ? flattened(bytes) : bytes);
      assert.deepEqual(read(memory, 2 * PAGE - 2, 4), [1, 1, 2, 2]);
      assert.deepEqual(read(memory, PAGE + 99, 2), [1, 2]);
      assert.deepEqual(read(memory, 4 * PAGE, 3), [0, 0, 0]);
      assert.deepEqual(read(memory, 512 * PAGE - 1, 2), [3, 4]);
      assert.deepEqual(read(memory, FRAMES * PAGE - 1, 1), [5]);
      assert.deepEqual(memory.ranges, [
        { start: PAGE, end: 3 * PAGE },
        { start: 4 * PAGE, end: 7 * PAGE },
        { start: 511 * PAGE, end: 513 * PAGE },
        { start: 39_999 * PAGE, end: FRAMES * PAGE },
      ]);
      assert.deepEqual(memory.ram, [
        { start: PAGE, end: 7 * PAGE },
        { start: 511 * PAGE, end: 513 * PAGE },
        { start: 700 * PAGE, end: 701 * PAGE },
        { start: 39_999 * PAGE, end: FRAMES * PAGE },
      ]);
      assert.equal(memory.vmcoreinfo, INFO);
      assert.equal(memory.cpuNotes, 1);
      assert.equal(memory.notes.length, 2);
      assert.deepEqual(memory.search(Uint8Array.of(1, 1, 2, 2)), [
        PAGE + 98,
        2 * PAGE - 2,
      ]);
      // Two pages of zeros in a row tell which they are.
      assert.deepEqual(memory.dataRanges(), [
        { start: PAGE, end: 3 * PAGE },
        { start: 4 * PAGE, end: 5 * PAGE },
        { start: 511 * PAGE, end: 513 * PAGE },
        { start: 39_999 * PAGE, end: FRAMES * PAGE },
      ]);
      assert.throws(() => memory.write(PAGE, page(0)), /cannot be written/);
      assert.throws(() => memory.makeWritable(), /is a recording/);
    });
  }
}

Deno.test("a page that was left out is no memory, and is told from none", () => {
  using memory = open(makeKdump(CONTENT).bytes);
  assert.throws(() => read(memory, 3 * PAGE, 1), (error) => {
    assert.ok(error instanceof MemoryError);
    assert.match(error.message, /was left out of the dump \(makedumpfile -d\)/);
    return true;
  });
  assert.throws(() => read(memory, 700 * PAGE + 5, 1), /left out/);
  assert.throws(() => read(memory, 8 * PAGE, 1), /holds no memory there/);
  assert.throws(() => read(memory, 2 * PAGE + 4000, 200), /left out/);
  for (const gpa of [FRAMES * PAGE, 2 ** 52, -PAGE]) {
    assert.throws(() => read(memory, gpa, 1), /holds no memory there/);
  }
});

Deno.test("a kdump that has been closed says so", () => {
  const memory = open(makeKdump(CONTENT).bytes);
  assert.equal(read(memory, PAGE, 1).length, 1);
  memory[Symbol.dispose]();
  assert.throws(() => read(memory, PAGE, 1), /has been closed/);
  assert.deepEqual(memory.dataRanges(), []);
});

Deno.test("old headers: 32-bit page counts, no notes", () => {
  const made = makeKdump({ ...CONTENT, version: 2 });
  made.view.setBigUint64(made.sub + 96, 0xffff_ffff_ffffn, true);
  using memory = open(made.bytes);
  assert.equal(memory.vmcoreinfo, undefined);
  assert.equal(memory.notes.length, 0);
  assert.deepEqual(read(memory, 512 * PAGE, 1), [4]);
});

Deno.test("pages that an incomplete dump lacks are named", () => {
  const made = makeKdump({ ...CONTENT, status: 8 });
  // The last two pages, of which the disk had no room.
  for (const i of [6, 7]) made.view.setBigUint64(at(made, i), 0n, true);
  using memory = open(made.bytes);
  assert.deepEqual(memory.ranges.at(-1), {
    start: 511 * PAGE,
    end: 512 * PAGE,
  });
  assert.throws(() => read(memory, 512 * PAGE, 1), /was not written/);
  using cut = open(made.bytes.subarray(0, made.descriptors + 24));
  assert.ok(cut.ram!.length > 1);
  assert.deepEqual(cut.ranges, [{ start: PAGE, end: 2 * PAGE }]);
  assert.throws(() => read(cut, PAGE, 1), /was not written/);
});

/** Offset of a descriptor. */
function at(made: MadeKdump, index: number): number {
  return made.descriptors + 24 * index;
}

/** How a dump lies, and the error. */
const BAD: readonly [string, (made: MadeKdump) => void, RegExp][] = [
  [
    "version",
    ({ view }) => view.setUint32(8, 7, true),
    /version 7, .* up to 6; use a newer/,
  ],
  [
    "big-endian",
    ({ view }) => view.setUint32(8, 6, false),
    /not a little-endian one/,
  ],
  [
    "small blocks",
    ({ view }) => view.setUint32(428, 512, true),
    /claims pages of 512 bytes/,
  ],
  [
    "odd blocks",
    ({ view }) => view.setUint32(428, 5000, true),
    /claims pages of 5000 bytes/,
  ],
  [
    "large blocks",
    ({ view }) => view.setUint32(428, 1 << 20, true),
    /claims pages of 1048576 bytes/,
  ],
  ["no sub-header", ({ view }) => view.setUint32(432, 0, true), /sub-header/],
  [
    "sub-header",
    ({ view }) => view.setUint32(432, 0xffffffff, true),
    /sub-header of 4294967295 blocks/,
  ],
  [
    "bitmaps",
    ({ view }) => view.setUint32(436, 0xffffffff, true),
    /is cut short: \d+ of its first \d+ bytes/,
  ],
  ["no bitmap", ({ view }) => view.setUint32(436, 0, true), /too small for/],
  [
    "frames",
    ({ view, sub }) => view.setBigUint64(sub + 96, 1n << 31n, true),
    /too small for 2147483648 pages/,
  ],
  [
    "more frames",
    ({ view, sub }) => view.setBigUint64(sub + 96, 1n << 40n, true),
    /1099511627776 pages/,
  ],
  [
    "impossible frames",
    ({ view, sub }) => view.setBigUint64(sub + 96, 1n << 63n, true),
    /impossible number of pages/,
  ],
  [
    "no frames",
    ({ view, sub }) => view.setBigUint64(sub + 96, 0n, true),
    /holds no memory/,
  ],
  [
    "nothing written",
    ({ bytes, bitmap }) => bytes.fill(0, bitmap, bitmap + PAGE * 2),
    /holds no memory/,
  ],
  [
    "too much written",
    ({ bytes, bitmap }) => bytes.fill(0xff, bitmap, bitmap + PAGE),
    /is cut short: \d+ of its first/,
  ],
  [
    "split",
    ({ view, sub }) => view.setUint32(sub + 12, 1, true),
    /one part of a dump that was split .*--reassemble x\.kdump/,
  ],
  [
    "notes",
    ({ view, sub }) => view.setBigUint64(sub + 56, 1n << 32n, true),
    /claims 4294967296 bytes of notes/,
  ],
  [
    "notes elsewhere",
    ({ view, sub }) => view.setBigUint64(sub + 48, 1n << 40n, true),
    /is cut short/,
  ],
  [
    "vmcoreinfo",
    ({ view, sub }) => view.setBigUint64(sub + 40, 1n << 20n, true),
    /claims 1048576 bytes of vmcoreinfo/,
  ],
  [
    "i386",
    ({ bytes }) => bytes.set([0x69, 0x36, 0x38, 0x36, 0, 0], 272),
    /a machine called "i686"; only 64-bit/,
  ],
  [
    "arm64",
    ({ bytes }) => bytes.set([...new TextEncoder().encode("aarch64\0")], 272),
    /arm64/,
  ],
];

Deno.test("a kdump whose headers lie gives one clear sentence", async (t) => {
  for (const [name, change, expected] of BAD) {
    await t.step(name, () => {
      const made = makeKdump(CONTENT);
      change(made);
      assert.throws(() => open(made.bytes), (error) => {
        assert.ok(error instanceof XftraceError, String(error));
        assert.match(error.message, expected);
        assert.ok(error.message.includes("x.kdump"));
        return true;
      });
    });
  }
});

Deno.test("QEMU's machine without a name is not refused", () => {
  using memory = open(makeKdump({ ...CONTENT, machine: "Unknown" }).bytes);
  assert.deepEqual(read(memory, PAGE, 1), [1]);
});

Deno.test("a kdump that is cut short says by how much, wherever it is cut", () => {
  const { bytes } = makeKdump(CONTENT);
  for (let length = 8; length < bytes.length; length += 97) {
    assert.throws(
      () => open(bytes.subarray(0, length)),
      /x\.kdump is cut short: \d+ of its first \d+ bytes are missing/,
    );
  }
  assert.throws(() => open(bytes.subarray(0, bytes.length - 1)), /: 1 of its/);
  const flat = flattened(bytes);
  for (let length = 20; length < flat.length; length += 97) {
    assert.throws(
      () => open(flat.subarray(0, length)),
      /x\.kdump is cut short: its last piece/,
    );
  }
});

/** How a descriptor of page 1 lies, and the error when it is read. */
const BAD_PAGES: readonly [string, (made: MadeKdump) => void, RegExp][] = [
  [
    "flags",
    (made) => made.view.setUint32(at(made, 0) + 12, 0x40, true),
    /flags 0x40 are unknown/,
  ],
  [
    "two kinds",
    (made) => made.view.setUint32(at(made, 0) + 12, 0x21, true),
    /flags 0x21 are unknown/,
  ],
  [
    "another kind",
    (made) => made.view.setUint32(at(made, 0) + 12, 0x20, true),
    /do not give a page of 4096 bytes/,
  ],
  [
    "not packed",
    (made) => made.view.setUint32(at(made, 0) + 12, 0, true),
    /bytes are not those of a page/,
  ],
  [
    "size",
    (made) => made.view.setUint32(at(made, 0) + 8, 0xffffffff, true),
    /claims 4294967295 bytes/,
  ],
  [
    "no size",
    (made) => made.view.setUint32(at(made, 0) + 8, 0, true),
    /leads to no bytes/,
  ],
  [
    "behind the end",
    (made) => made.view.setBigUint64(at(made, 0), 1n << 40n, true),
    /behind the end of the file/,
  ],
  [
    "far behind",
    (made) => made.view.setBigUint64(at(made, 0), 2n ** 64n - 1n, true),
    /behind the end of the file/,
  ],
  [
    "to the headers",
    (made) => made.view.setBigUint64(at(made, 0), 8n, true),
    /leads to no bytes/,
  ],
  [
    "damaged",
    (made) => {
      const offset = Number(made.view.getBigUint64(at(made, 0), true));
      made.bytes[offset + 4] ^= 0xff;
    },
    /do not give a page/,
  ],
];

Deno.test("a page whose descriptor lies is refused, and the others are read", async (t) => {
  for (const [name, change, expected] of BAD_PAGES) {
    await t.step(name, () => {
      const made = makeKdump(CONTENT);
      change(made);
      using memory = open(made.bytes);
      assert.throws(() => read(memory, PAGE + 7, 1), (error) => {
        assert.ok(error instanceof MemoryError, String(error));
        assert.match(error.message, expected);
        assert.match(error.message, /core:x\.kdump.*address 0x1007/);
        return true;
      });
      assert.deepEqual(read(memory, 2 * PAGE, 1), [2]);
    });
  }
});

Deno.test("descriptors that lead to the same bytes are told apart", () => {
  const made = makeKdump(CONTENT);
  // Page 2 has the bytes of page 1, but says that they are not packed.
  const [first, second] = [at(made, 0), at(made, 1)];
  made.bytes.copyWithin(second, first, first + 12);
  made.view.setUint32(second + 12, 0, true);
  using memory = open(made.bytes);
  assert.deepEqual(read(memory, PAGE, 1), [1]);
  assert.throws(() => read(memory, 2 * PAGE, 1), /are not those of a page/);
});

Deno.test("what a page unpacks to is limited to its size", () => {
  const bomb = new Uint8Array(zstdCompressSync(new Uint8Array(64 << 20)));
  assert.ok(bomb.length < 2 * PAGE);
  const made = makeKdump({ ...CONTENT, packing: "raw" });
  const grown = new Uint8Array(made.bytes.length + bomb.length);
  grown.set(made.bytes);
  grown.set(bomb, made.bytes.length);
  const view = new DataView(grown.buffer);
  view.setBigUint64(at(made, 0), BigInt(made.bytes.length), true);
  view.setUint32(at(made, 0) + 8, bomb.length, true);
  view.setUint32(at(made, 0) + 12, 0x20, true);
  using memory = open(grown);
  assert.throws(() => read(memory, PAGE, 1), /do not give a page/);
});

Deno.test("pieces of a flattened file that lie are refused", () => {
  const { bytes } = makeKdump(CONTENT);
  const lies: [(view: DataView) => void, RegExp][] = [
    [
      (view) => view.setBigInt64(16, 2n),
      /type 2 and version 1.*makedumpfile -R/,
    ],
    [
      (view) => view.setBigInt64(4096, -5n),
      /at its byte 4096 claims 100 bytes/,
    ],
    [(view) => view.setBigInt64(4104, 0n), /claims 0 bytes/],
    [(view) => view.setBigInt64(4104, -1n), /claims -1 bytes/],
    [(view) => view.setBigInt64(4104, 1n << 62n), /claims \d+ bytes/],
    [(view) => view.setBigInt64(4104, 1n << 40n), /cut short/],
  ];
  for (const [lie, expected] of lies) {
    const flat = flattened(bytes);
    lie(new DataView(flat.buffer));
    assert.throws(() => open(flat), expected);
  }
});

Deno.test("a hole in a flattened file is not filled with zeros", () => {
  const made = makeKdump(CONTENT);
  const flat = flattened(made.bytes);
  const view = new DataView(flat.buffer);
  // The piece in which the bytes of page 511 begin.
  const offset = Number(made.view.getBigUint64(at(made, 5), true));
  const piece = Math.floor(offset / 1000);
  const head = 4096 + 116 + piece * 1016;
  assert.equal(view.getBigInt64(head), BigInt(piece * 1000));
  view.setBigInt64(head, 1n << 30n);
  using memory = open(flat);
  assert.throws(() => read(memory, 511 * PAGE, 1), (error) => {
    assert.ok(error instanceof MemoryError);
    assert.match(error.message, /no piece of it holds byte \d+ of the dump/);
    return true;
  });
});

Deno.test("any set of pages is read back, and no other", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(5000), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 5000 }),
      fc.boolean(),
      (numbers, size, flat) => {
        const frames = Math.max(...numbers) + 1;
        const pages = new Map(numbers.map((n) => [n, page(n % 250)]));
        const { bytes } = makeKdump({ frames, pages, packing: "raw" });
        using memory = open(flat ? flattened(bytes, size) : bytes);
        for (let frame = 0; frame < frames; frame++) {
          if (pages.has(frame)) {
            assert.equal(read(memory, frame * PAGE, 1)[0], frame % 250);
          } else assert.throws(() => read(memory, frame * PAGE, 1));
        }
      },
    ),
    { numRuns: 20 },
  );
});
