import assert from "node:assert/strict";
import fc from "fast-check";
import {
  GuestGoneError,
  MemoryError,
  XftraceError,
} from "../engine/base/errors.ts";
import type { PhysicalMemory } from "../engine/memory/physical_memory.ts";
import { MappedMemory, type MemorySegment } from "./mapped_memory.ts";
import { HOLE, MemoryFile, pattern } from "./memory_file_fixture.ts";
import { PreadMemory } from "./pread_memory.ts";

/** Two backends; the first is split at 4 GiB, as QEMU does it. */
const HIGH = 2 ** 32;
const SEGMENTS: readonly MemorySegment[] = [
  { start: HIGH, end: HIGH + 2 * HOLE, backing: 0, offset: 2 * HOLE },
  { start: 0, end: 2 * HOLE, backing: 0, offset: 0 },
  // Adjacent to the first segment, but in another file.
  { start: HIGH + 2 * HOLE, end: HIGH + 3 * HOLE, backing: 1, offset: HOLE },
];

const MAKERS = {
  mapped: (
    paths: readonly string[],
    segments: readonly MemorySegment[],
    writable: boolean,
  ): PhysicalMemory =>
    new MappedMemory(
      "file:test",
      paths.map((path) => ({ path })),
      segments,
      { writable },
    ),
  read: (
    paths: readonly string[],
    segments: readonly MemorySegment[],
    writable: boolean,
  ): PhysicalMemory =>
    new PreadMemory("file:test", paths, segments, { writable }),
};

for (const [how, make] of Object.entries(MAKERS)) {
  const open = (
    files: readonly MemoryFile[],
    writable = false,
  ): PhysicalMemory => make(files.map((file) => file.path), SEGMENTS, writable);

  Deno.test(`${how}: memory that has been closed says so`, () => {
    using first = new MemoryFile(4 * HOLE);
    using second = new MemoryFile(2 * HOLE);
    const memory = open([first, second]);
    memory[Symbol.dispose]();
    assert.throws(() => memory.read(0, new Uint8Array(8)), {
      name: "MemoryError",
      message: /file:test: it has been closed: .* the block that opened it/,
    });
    assert.equal(memory.view(0, 8), undefined);
  });

  Deno.test(`${how}: GPAs lead to the right place of the right file`, () => {
    using first = new MemoryFile(4 * HOLE);
    using second = new MemoryFile(2 * HOLE);
    first.put(pattern(64, 1), 0x1000);
    first.put(pattern(64, 2), 2 * HOLE + 0x2000);
    second.put(pattern(64, 3), HOLE);
    using memory = open([first, second]);
    assert.deepEqual(memory.ranges, [
      { start: 0, end: 2 * HOLE },
      { start: HIGH, end: HIGH + 2 * HOLE },
      { start: HIGH + 2 * HOLE, end: HIGH + 3 * HOLE },
    ]);
    const at = (gpa: number, length = 64) => {
      const into = new Uint8Array(length);
      memory.read(gpa, into);
      return into;
    };
    assert.deepEqual(at(0x1000), pattern(64, 1));
    assert.deepEqual(at(HIGH + 0x2000), pattern(64, 2));
    assert.deepEqual(at(HIGH + 2 * HOLE), pattern(64, 3));
    const across = at(HIGH + 2 * HOLE - 32);
    assert.deepEqual(across.slice(32), pattern(64, 3).slice(0, 32));
    assert.deepEqual(across.slice(0, 32), new Uint8Array(32));
    assert.equal(memory.live, true);
  });

  Deno.test(`${how}: memory opened read-only becomes writable on request`, () => {
    using first = new MemoryFile(4 * HOLE);
    using second = new MemoryFile(2 * HOLE);
    first.put(pattern(64, 1), 0x1000);
    using memory = open([first, second]);
    const seen = memory.view(0x1000, 64);
    const word = new Uint8Array(8);
    assert.equal(memory.writable, false);
    assert.throws(() => memory.write(0x1000, word), /opened read-only/);
    assert.throws(
      () => memory.compareExchange(0x1000, 8, 0n, 1n),
      /opened read-only/,
    );
    // The same file is reopened, not the one that has its name by now.
    const elsewhere = `${first.path}.moved`;
    Deno.renameSync(first.path, elsewhere);
    try {
      Deno.writeFileSync(first.path, new Uint8Array(4 * HOLE));
      memory.makeWritable();
      memory.makeWritable();
      assert.equal(memory.writable, true);
      memory.write(0x1000, pattern(16, 5));
      assert.equal(memory.compareExchange(HIGH + 2 * HOLE, 4, 0n, 7n), 0n);
      assert.deepEqual(
        Deno.readFileSync(elsewhere).slice(0x1000, 0x1010),
        pattern(16, 5),
      );
      assert.equal(Deno.readFileSync(first.path)[0x1000], 0);
    } finally {
      Deno.renameSync(elsewhere, first.path);
    }
    // Reads, and the view that was handed out before, show what was written.
    memory.read(0x1000, word);
    assert.deepEqual(word, pattern(16, 5).slice(0, 8));
    if (seen !== undefined) {
      assert.deepEqual(seen.slice(0, 16), pattern(16, 5));
    }
    memory.read(HIGH + 2 * HOLE, word);
    assert.equal(word[0], 7);
  });

  Deno.test(`${how}: addresses outside RAM are refused, with the memory's name`, () => {
    using first = new MemoryFile(4 * HOLE);
    using second = new MemoryFile(2 * HOLE);
    using memory = open([first, second]);
    for (
      const [gpa, length] of [
        [2 * HOLE, 1],
        [2 * HOLE - 4, 8],
        [HIGH - 4, 8],
        [HIGH + 3 * HOLE, 1],
        [2 ** 40, 4096],
      ]
    ) {
      assert.throws(
        () => memory.read(gpa, new Uint8Array(length)),
        (error) => {
          assert.ok(error instanceof MemoryError, String(error));
          assert.match(error.message, /^file:test: /);
          return true;
        },
      );
    }
  });

  Deno.test(`${how}: holes are found and not allocated`, () => {
    using first = new MemoryFile(4 * HOLE);
    using second = new MemoryFile(2 * HOLE);
    const needle = new TextEncoder().encode("a needle");
    first.put(pattern(4096), HOLE);
    first.put(needle, HOLE + 50);
    first.put(needle, 3 * HOLE);
    // Only the second half of this file is RAM.
    second.put(needle, 0);
    second.put(needle, HOLE + 4096 - 8);
    const before = [first.allocated, second.allocated];
    using memory = open([first, second]);
    assert.deepEqual(memory.dataRanges(), [
      { start: HOLE, end: HOLE + 4096 },
      { start: HIGH + HOLE, end: HIGH + HOLE + 4096 },
      { start: HIGH + 2 * HOLE, end: HIGH + 2 * HOLE + 4096 },
    ]);
    const all = [HOLE + 50, HIGH + HOLE, HIGH + 2 * HOLE + 4088];
    assert.deepEqual(memory.search(needle), all);
    assert.deepEqual(memory.search(needle, 2), all.slice(0, 2));
    assert.deepEqual(memory.search(new Uint8Array([1, 2, 0, 9])), []);
    assert.deepEqual([first.allocated, second.allocated], before);
  });

  Deno.test(`${how}: search finds hits that overlap and hits that span two chunks`, () => {
    using file = new MemoryFile(2 * HOLE);
    file.put(new Uint8Array(2 * HOLE).fill(0x2e), 0);
    file.put(new TextEncoder().encode("aaaa"), 100);
    file.put(new TextEncoder().encode("across"), (1 << 20) - 3);
    using memory = make(
      [file.path],
      [{ start: 0, end: 2 * HOLE, backing: 0, offset: 0 }],
      false,
    );
    const text = (needle: string) => new TextEncoder().encode(needle);
    assert.deepEqual(memory.search(text("aaa")), [100, 101]);
    assert.deepEqual(memory.search(text("across")), [(1 << 20) - 3]);
  });

  Deno.test(`${how}: read-only memory refuses all writes`, () => {
    using first = new MemoryFile(4 * HOLE);
    using second = new MemoryFile(2 * HOLE);
    using memory = open([first, second]);
    assert.equal(memory.writable, false);
    const readOnly = /opened read-only/;
    assert.throws(() => memory.write(0, pattern(4)), readOnly);
    assert.throws(() => memory.compareExchange(0, 4, 0n, 1n), readOnly);
    // Even when the value is not the expected one.
    assert.throws(() => memory.compareExchange(0, 4, 7n, 1n), readOnly);
    assert.deepEqual(first.read().slice(0, 4), new Uint8Array(4));
  });

  Deno.test(`${how}: writes bytes and exchanges words`, () => {
    using first = new MemoryFile(4 * HOLE);
    using second = new MemoryFile(2 * HOLE);
    using memory = open([first, second], true);
    memory.write(HIGH + 8, pattern(16));
    assert.deepEqual(
      first.read().slice(2 * HOLE + 8, 2 * HOLE + 24),
      pattern(16),
    );
    fc.assert(
      fc.property(
        fc.constantFrom<(4 | 8)[]>(4, 8),
        fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        (width, a, b) => {
          const bits = width * 8;
          const held = BigInt.asUintN(bits, a);
          const next = BigInt.asUintN(bits, b);
          const start = new Uint8Array(16).fill(0xee);
          memory.write(0x100, start);
          const bytes = new Uint8Array(8);
          new DataView(bytes.buffer).setBigUint64(0, held, true);
          memory.write(0x100, bytes.subarray(0, width));
          const wrong = held ^ 1n;
          assert.equal(
            memory.compareExchange(0x100, width, wrong, next),
            held,
          );
          assert.equal(memory.compareExchange(0x100, width, held, next), held);
          assert.equal(memory.compareExchange(0x100, width, next, next), next);
          const after = new Uint8Array(16);
          memory.read(0x100, after);
          assert.deepEqual(after.slice(width), start.slice(width));
        },
      ),
      { numRuns: 50 },
    );
    assert.throws(
      () => memory.compareExchange(0x102, 4, 0n, 1n),
      /not aligned to 4 bytes/,
    );
    assert.throws(
      () => memory.compareExchange(0x104, 8, 0n, 1n),
      /not aligned to 8 bytes/,
    );
    assert.throws(
      () => memory.compareExchange(2 * HOLE, 8, 0n, 1n),
      MemoryError,
    );
  });

  Deno.test(`${how}: an error names the missing file, and the others are closed`, () => {
    using first = new MemoryFile(4 * HOLE);
    assert.throws(
      () => make([first.path, "/no/such/file"], SEGMENTS, false),
      (error) => {
        assert.ok(error instanceof XftraceError);
        assert.match(error.message, /cannot open \/no\/such\/file/);
        return true;
      },
    );
  });
}

Deno.test("mapped: a view is the memory itself, not a copy", () => {
  using file = new MemoryFile(4 * HOLE);
  using second = new MemoryFile(2 * HOLE);
  using memory = MAKERS.mapped([file.path, second.path], SEGMENTS, false);
  const view = memory.view(HIGH + 64, 16);
  assert.ok(view);
  file.put(pattern(16), 2 * HOLE + 64);
  assert.deepEqual(view.slice(), pattern(16));
  // No view spans two files or leaves RAM.
  assert.equal(memory.view(HIGH + 2 * HOLE - 4, 8), undefined);
  assert.equal(memory.view(2 * HOLE, 8), undefined);
});

Deno.test("mapped: a layout that needs more than the file has is refused", () => {
  using file = new MemoryFile(HOLE);
  assert.throws(
    () =>
      MAKERS.mapped(
        [file.path],
        [{ start: 0, end: 2 * HOLE, backing: 0, offset: 0 }],
        false,
      ),
    /the RAM layout needs 4194304 bytes of .*, which has 2097152/,
  );
});

Deno.test("mapped: a truncated file is noticed, disposing detaches views", () => {
  using file = new MemoryFile(2 * HOLE);
  const memory = new MappedMemory(
    "file:test",
    [{ path: file.path }],
    [{ start: 0, end: 2 * HOLE, backing: 0, offset: 0 }],
  );
  const view = memory.view(0, 16);
  assert.equal(memory.intact, true);
  file.resize(HOLE);
  assert.equal(memory.intact, false);
  memory[Symbol.dispose]();
  assert.equal(view?.length, 0);
  assert.equal(memory.intact, false);
});

Deno.test({
  name: "mapped: what is cut off a file is an error, and no signal",
  // On other processors the signal ends the process.
  ignore: Deno.build.arch !== "x86_64",
  fn() {
    const word = (memory: MappedMemory, gpa: number) =>
      memory.compareExchange(gpa, 4, 0n, 1n);
    const ways: ((memory: MappedMemory) => void)[] = [
      (memory) => memory.read(HOLE + 16, new Uint8Array(16)),
      (memory) => memory.read(HOLE - 8, new Uint8Array(16)),
      (memory) => memory.write(HOLE + 16, Uint8Array.of(1)),
      (memory) => word(memory, HOLE + 16),
    ];
    for (const way of ways) {
      using file = new MemoryFile(2 * HOLE);
      file.put(Uint8Array.of(7), 0);
      using memory = new MappedMemory(
        "file:test",
        [{ path: file.path }],
        [{ start: 0, end: 2 * HOLE, backing: 0, offset: 0 }],
        { writable: true },
      );
      using other = new MappedMemory(
        "file:test",
        [{ path: file.path, length: HOLE }],
        [{ start: 0, end: HOLE, backing: 0, offset: 0 }],
      );
      const view = memory.view(0, 2 * HOLE);
      file.resize(HOLE);
      assert.throws(() => way(memory), GuestGoneError);
      assert.equal(memory.intact, false);
      // Views are not checked, but can be read.
      assert.equal(view?.[HOLE + 16], 0);
      assert.throws(() => memory.read(0, new Uint8Array(1)), GuestGoneError);
      assert.throws(() => memory.view(0, 1), GuestGoneError);
      // What was cut off is not part of this one.
      assert.equal(other.view(0, 1)?.[0], 7);
      assert.equal(other.intact, true);
    }
  },
});

Deno.test("read: a truncated file means that the guest is gone", () => {
  using file = new MemoryFile(2 * HOLE);
  using memory = MAKERS.read(
    [file.path],
    [{ start: 0, end: 2 * HOLE, backing: 0, offset: 0 }],
    false,
  );
  file.resize(HOLE);
  memory.read(0, new Uint8Array(16));
  assert.throws(
    () => memory.read(HOLE + 16, new Uint8Array(16)),
    GuestGoneError,
  );
  assert.throws(
    () => memory.read(HOLE - 8, new Uint8Array(16)),
    GuestGoneError,
  );
  assert.equal(memory.view(0, 8), undefined);
});

Deno.test("read: the caller can supply the data ranges", () => {
  using file = new MemoryFile(2 * HOLE);
  file.put(new TextEncoder().encode("needle"), 0x5000);
  const asked: number[][] = [];
  using memory = new PreadMemory(
    "pid:1",
    [file.path],
    [{ start: 0x10_0000, end: 0x10_0000 + HOLE, backing: 0, offset: 0 }],
    {
      dataRanges: (start, end) => {
        asked.push([start, end]);
        return [{ start: 0x5000, end: 0x6000 }];
      },
    },
  );
  assert.deepEqual(memory.dataRanges(), [{ start: 0x10_5000, end: 0x10_6000 }]);
  assert.deepEqual(
    memory.search(new TextEncoder().encode("needle")),
    [0x10_5000],
  );
  assert.deepEqual(asked[0], [0, HOLE]);
});

Deno.test("read: a process's memory can be reopened for writing", () => {
  const bytes = pattern(4096, 3);
  const offset = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
  using memory = new PreadMemory(
    "pid:self",
    [`/proc/${Deno.pid}/mem`],
    [{ start: 0, end: bytes.length, backing: 0, offset: Number(offset) }],
  );
  assert.throws(() => memory.write(0, bytes), /opened read-only/);
  memory.makeWritable();
  memory.write(16, Uint8Array.of(9, 8, 7));
  assert.deepEqual([...bytes.subarray(16, 19)], [9, 8, 7]);
});
