import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { MemoryError, XftraceError } from "../base/errors.ts";
import { openCore } from "./dump/open_core.ts";
import { refuseMachine } from "../arch/all.ts";
import { encodeNotes, parseNotes } from "./elf_core_notes.ts";
import { bytesSource, openSource } from "./elf_core_source.ts";
import type { PhysicalMemory } from "./physical_memory.ts";
import { coreFromBytes } from "./snapshot_fixture.ts";

/** A PT_LOAD segment for {@linkcode makeCore}. */
interface Load {
  readonly paddr: number;
  readonly vaddr?: bigint;
  readonly bytes: Uint8Array;
  readonly memSize?: number;
}

function makeCore(
  loads: readonly Load[],
  notes: Uint8Array,
  patch: (view: DataView) => void = () => {},
): Uint8Array<ArrayBuffer> {
  const count = 1 + loads.length;
  const notesAt = 64 + 56 * count;
  let at = notesAt + notes.length;
  const offsets = loads.map((load) => {
    const offset = at;
    at += load.bytes.length;
    return offset;
  });
  const bytes = new Uint8Array(at);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 4, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, count, true);
  view.setUint32(64, 4, true);
  view.setBigUint64(72, BigInt(notesAt), true);
  view.setBigUint64(96, BigInt(notes.length), true);
  bytes.set(notes, notesAt);
  loads.forEach((load, i) => {
    const header = 64 + 56 * (i + 1);
    view.setUint32(header, 1, true);
    view.setBigUint64(header + 8, BigInt(offsets[i]), true);
    view.setBigUint64(header + 16, load.vaddr ?? BigInt(load.paddr), true);
    view.setBigUint64(header + 24, BigInt(load.paddr), true);
    view.setBigUint64(header + 32, BigInt(load.bytes.length), true);
    view.setBigUint64(
      header + 40,
      BigInt(load.memSize ?? load.bytes.length),
      true,
    );
    bytes.set(load.bytes, offsets[i]);
  });
  patch(view);
  return bytes;
}

function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}

const INFO = "OSRELEASE=6.1.0\nKERNELOFFSET=1000000\n";
const NOTES = encodeNotes([
  { name: "CORE", type: 1, desc: new Uint8Array(336) },
  { name: "VMCOREINFO", type: 0, desc: new TextEncoder().encode(INFO) },
]);

const SMALL = makeCore([
  { paddr: 0x1000, bytes: filled(0x1000, 1) },
  { paddr: 0x2000, bytes: filled(0x1000, 2), memSize: 0x3000 },
  { paddr: 0x1_0000_0000, bytes: filled(0x2000, 3) },
], NOTES);

function read(core: PhysicalMemory, gpa: number, n: number) {
  const into = new Uint8Array(n);
  core.read(gpa, into);
  return [...into];
}

Deno.test("a core is read by GPA, across segments and into zeros", () => {
  using core = coreFromBytes("x", SMALL);
  assert.deepEqual(read(core, 0x1ffe, 4), [1, 1, 2, 2]);
  assert.deepEqual(read(core, 0x2fff, 3), [2, 0, 0]);
  assert.deepEqual(read(core, 0x1_0000_1fff, 1), [3]);
  assert.deepEqual(core.ranges, [
    { start: 0x1000, end: 0x5000 },
    { start: 0x1_0000_0000, end: 0x1_0000_2000 },
  ]);
  assert.deepEqual(core.dataRanges(), [
    { start: 0x1000, end: 0x3000 },
    { start: 0x1_0000_0000, end: 0x1_0000_2000 },
  ]);
  assert.equal(core.vmcoreinfo, INFO);
  assert.equal(core.cpuNotes, 1);
  assert.equal(core.manifest, undefined);
  assert.deepEqual([...core.view(0x2000, 2)!], [2, 2]);
  assert.equal(core.view(0x1fff, 2), undefined);
  assert.throws(() => read(core, 0x5000, 1), MemoryError);
  assert.throws(() => core.write(0x1000, filled(1, 0)), /cannot be written/);
  assert.throws(() => core.makeWritable(), {
    message:
      "core:x is a recording: it can be read, but there is no guest to steer",
  });
});

Deno.test("a core that has been closed says so", () => {
  const core = coreFromBytes("x", SMALL);
  assert.equal(read(core, 0x1000, 1).length, 1);
  core[Symbol.dispose]();
  assert.throws(
    () => read(core, 0x1000, 1),
    /core:x: it has been closed: .* the block that opened it/,
  );
  assert.equal(core.view(0x1000, 1), undefined);
});

Deno.test("a search finds a match that spans two segments, and honours the limit", () => {
  using core = coreFromBytes("x", SMALL);
  const needle = Uint8Array.of(1, 1, 2, 2);
  assert.deepEqual(core.search(needle), [0x1ffe]);
  assert.deepEqual(core.search(Uint8Array.of(3), 2), [
    0x1_0000_0000,
    0x1_0000_0001,
  ]);
  assert.deepEqual(core.search(Uint8Array.of(9)), []);
});

Deno.test("where segments overlap the first takes precedence, and bytes before zeros", () => {
  using core = coreFromBytes(
    "x",
    makeCore([
      { paddr: 0x8000, bytes: filled(0x1000, 8) },
      { paddr: 0x2000, bytes: new Uint8Array(0), memSize: 0x6000 },
      { paddr: 0x7000, bytes: filled(0x3000, 7) },
    ], NOTES),
  );
  assert.deepEqual(read(core, 0x6fff, 2), [0, 7]);
  assert.deepEqual(read(core, 0x7fff, 2), [7, 8]);
  assert.deepEqual(read(core, 0x8fff, 2), [8, 7]);
});

/**
 * One file for each way in which a core can be wrong, and the message expected.
 */
const BAD: readonly [string, Uint8Array, RegExp][] = [
  ["empty", new Uint8Array(0), /is empty/],
  ["random", filled(5000, 0xa5), /not an ELF core.*file:PATH/],
  ["tiny", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46), /60 of its 64 bytes/],
  [
    "cut",
    SMALL.subarray(0, SMALL.length - 10),
    /is cut short: 10 of its \d+ bytes are missing/,
  ],
  [
    "arm64",
    makeCore([], NOTES, (v) => v.setUint16(18, 183, true)),
    /arm64 \(aarch64\) guest; only 64-bit x86_64/,
  ],
  [
    "i386",
    makeCore([], NOTES, (v) => {
      v.setUint8(4, 1);
      v.setUint16(18, 3, true);
    }),
    /32-bit x86 \(i386\) guest/,
  ],
  [
    "s390x",
    makeCore([], NOTES, (v) => {
      v.setUint8(5, 2);
      v.setUint16(18, 22, false);
    }),
    /s390x guest/,
  ],
  [
    "program",
    makeCore([], NOTES, (v) => v.setUint16(16, 2, true)),
    /is an executable, not a core/,
  ],
  ["headers only", makeCore([], NOTES), /holds no memory/],
  [
    "user core",
    makeCore(
      [{ paddr: 0, vaddr: 0x400000n, bytes: filled(4096, 1) }],
      encodeNotes([{ name: "CORE", type: 1, desc: filled(336, 0) }]),
    ),
    /core of a user program/,
  ],
  [
    "no headers",
    makeCore([], NOTES, (v) => v.setUint16(56, 0, true)),
    /no program headers/,
  ],
  [
    "diskdump",
    new TextEncoder().encode("DISKDUMPxxxxxxxx"),
    /is a diskdump; only/,
  ],
  [
    "virsh save",
    new TextEncoder().encode("LibvirtQemudSavexxxx"),
    /virsh dump --memory-only/,
  ],
  [
    "zst cut",
    cut(zstdCompressSync(crypto.getRandomValues(new Uint8Array(9000))), 5),
    /is cut short: its compressed data/,
  ],
  ["gz cut", cut(gzipSync(SMALL), 20), /is cut short: its compressed data/],
  [
    "zst damaged",
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x58, 7, 0, 0, 1, 2, 3),
    /is damaged/,
  ],
  ["gz of junk", gzipSync(filled(100, 7)), /not an ELF core/],
];

function cut(bytes: Uint8Array, off: number): Uint8Array {
  return bytes.subarray(0, bytes.length - off);
}

Deno.test("a file that is not a kernel core gives one clear sentence", async (t) => {
  const folder = Deno.makeTempDirSync();
  try {
    for (const [name, bytes, expected] of BAD) {
      await t.step(name, () => {
        const path = `${folder}/${name}`;
        Deno.writeFileSync(path, bytes);
        const open = () => openCore(path, { refuse: refuseMachine });
        assert.throws(open, (error) => {
          assert.ok(error instanceof XftraceError, String(error));
          assert.match(error.message, expected);
          assert.ok(error.message.includes(path));
          return true;
        });
      });
    }
    assert.throws(() => openCore(`${folder}/none`), /no such file/);
    assert.throws(() => openCore(folder), /is a folder/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("reading in pieces, from memory and decompressed gives the same bytes", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const big = crypto.getRandomValues(new Uint8Array(60000));
    const data = new Uint8Array(600_000);
    for (let i = 0; i < 10; i++) data.set(big, i * 60000);
    const core = makeCore([{ paddr: 0x100000, bytes: data }], NOTES);
    Deno.writeFileSync(`${folder}/plain`, core);
    Deno.writeFileSync(`${folder}/gz`, gzipSync(core));
    const half = core.length >> 1;
    const frames = [core.subarray(0, half), core.subarray(half)]
      .map((part) => zstdCompressSync(part));
    const skippable = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 1);
    Deno.writeFileSync(
      `${folder}/zst`,
      new Uint8Array(concatenated([frames[0], skippable, frames[1]])),
    );
    using whole = openCore(`${folder}/plain`);
    using pieces = openCore(`${folder}/plain`, { inMemory: 0 });
    using gz = openCore(`${folder}/gz`);
    using zst = openCore(`${folder}/zst`);
    assert.equal(pieces.view(0x100000, 8), undefined);
    for (
      const [gpa, n] of [[0x100000, 600_000], [0x10ffff, 65_537], [0x1234ab, 3]]
    ) {
      const expected = read(whole, gpa, n);
      assert.deepEqual(read(pieces, gpa, n), expected);
      assert.deepEqual(read(gz, gpa, n), expected);
      assert.deepEqual(read(zst, gpa, n), expected);
    }
    assert.throws(
      () => openSource(`${folder}/gz`, { decompressed: 1000 }),
      /too large to decompress/,
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

function concatenated(parts: readonly Uint8Array[]): number[] {
  return parts.flatMap((part) => [...part]);
}

Deno.test("notes are read back as they were written", () => {
  fc.assert(fc.property(
    fc.array(fc.record({
      name: fc.stringMatching(/^[A-Z]{0,12}$/),
      type: fc.nat(),
      desc: fc.uint8Array({ maxLength: 40 }),
    })),
    (notes) => {
      const back = parseNotes(encodeNotes(notes));
      assert.deepEqual(
        back.map((n) => ({ ...n, desc: [...n.desc] })),
        notes.map((n) => ({ ...n, desc: [...n.desc] })),
      );
    },
  ));
});

Deno.test("random bytes never cause worse than a clear error", () => {
  const headers = 64 + 56 * 4 + NOTES.length;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(headers - 1), fc.nat(255)), {
        minLength: 1,
        maxLength: 20,
      }),
      fc.nat(SMALL.length),
      (edits, length) => {
        const bytes = SMALL.slice(0, length);
        for (const [at, value] of edits) {
          if (at < length) bytes[at] = value;
        }
        if (length === 0) return;
        try {
          using core = coreFromBytes("fuzzed", bytes);
          for (const { start, end } of core.ranges.slice(0, 4)) {
            core.read(start, new Uint8Array(Math.min(64, end - start)));
          }
        } catch (error) {
          assert.ok(error instanceof XftraceError, String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("a source refuses to read past its end", () => {
  assert.throws(
    () => bytesSource(filled(4, 0)).readAt(2, filled(3, 0)),
    XftraceError,
  );
});

/** The note part of a core: `count` notes without name or content. */
function emptyNotes(count: number): Uint8Array {
  return new Uint8Array(12 * count);
}

Deno.test("a small file that claims much is one clear sentence, and soon", () => {
  const load = { paddr: 0, bytes: filled(4096, 1) };
  const claims: [RegExp, Uint8Array][] = [
    [/more than \d+ notes/, makeCore([load], emptyNotes(300_000))],
    [/more than \d+ notes/, makeCore([load], emptyNotes(5_000_000))],
    [/bytes of notes/, makeCore([load], emptyNotes(6_000_000))],
    [
      /program headers/,
      makeCore([load], NOTES, (view) => {
        // The real count is in a section header.
        view.setUint16(56, 0xffff, true);
        view.setBigUint64(40, 64n, true);
        view.setUint32(64 + 44, 0x7fff_ffff, true);
      }),
    ],
    [
      /claim more memory/,
      makeCore([load], NOTES, (view) => {
        view.setBigUint64(64 + 56 + 40, (1n << 52n) + 1n, true);
      }),
    ],
    [
      /claim more memory/,
      makeCore(Array(3000).fill(load), NOTES, (view) => {
        // All segments have the bytes of the whole file.
        for (let i = 1; i <= 3000; i++) {
          view.setBigUint64(64 + 56 * i + 8, 0n, true);
          view.setBigUint64(64 + 56 * i + 24, BigInt(i) << 32n, true);
          view.setBigUint64(64 + 56 * i + 32, 8_000_000n, true);
        }
      }),
    ],
    [
      /XFTRACE note/,
      makeCore(
        [load],
        encodeNotes([{
          name: "XFTRACE",
          type: 1,
          desc: filled(2 << 20, 0x5b),
        }]),
      ),
    ],
    [
      /XFTRACE note/,
      makeCore(
        [load],
        encodeNotes([{
          name: "XFTRACE",
          type: 1,
          desc: filled(900_000, 0x5b),
        }]),
      ),
    ],
  ];
  for (const [what, bytes] of claims) {
    const from = performance.now();
    assert.throws(
      () => coreFromBytes("x.core", bytes),
      (error) => error instanceof XftraceError && what.test(error.message),
    );
    assert.ok(performance.now() - from < 5000);
  }
});

Deno.test("a file that decompresses to much more than its size is refused", () => {
  const path = Deno.makeTempFileSync({ suffix: ".core.zst" });
  try {
    const zeros = new Uint8Array(300 << 20);
    const frame = zstdCompressSync(new Uint8Array(1 << 20));
    const bombs = [
      zstdCompressSync(zeros),
      gzipSync(zeros, { level: 1 }),
      // Many frames, each of them small.
      new Uint8Array(
        Array<number[]>(300).fill([...frame]).flat(),
      ),
    ];
    for (const packed of bombs) {
      Deno.writeFileSync(path, packed);
      assert.throws(
        () => openSource(path),
        (error) =>
          error instanceof XftraceError &&
          /decompress it first/.test(error.message),
      );
    }
    const empty = zstdCompressSync(new Uint8Array(0));
    Deno.writeFileSync(
      path,
      new Uint8Array(Array<number[]>(70_000).fill([...empty]).flat()),
    );
    assert.throws(() => openSource(path), /is damaged/);
  } finally {
    Deno.removeSync(path);
  }
});
