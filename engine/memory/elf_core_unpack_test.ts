import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { XftraceError } from "../base/errors.ts";
import { openCore } from "./dump/open_core.ts";
import { ELF } from "./elf_core_format.ts";
import { encodeNotes } from "./elf_core_notes.ts";
import { spareMemory, unpackedLimit } from "./elf_core_unpack.ts";

const MIB = 1 << 20;
const GIB = 1 << 30;

/** A core of that many MiB of RAM, at GPA 0; the byte at each MiB is 7. */
function core(mib: number): Uint8Array<ArrayBuffer> {
  const notes = encodeNotes([
    { name: "VMCOREINFO", type: 0, desc: new TextEncoder().encode("A=1\n") },
  ]);
  const notesAt = ELF.headerSize + 2 * ELF.programHeaderSize;
  const bytes = new Uint8Array(65536 + mib * MIB);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, ELF.ET_CORE, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(32, BigInt(ELF.headerSize), true);
  view.setUint16(54, ELF.programHeaderSize, true);
  view.setUint16(56, 2, true);
  const header = (
    at: number,
    type: number,
    offset: number,
    size: number,
  ) => {
    view.setUint32(at, type, true);
    view.setBigUint64(at + 8, BigInt(offset), true);
    view.setBigUint64(at + 32, BigInt(size), true);
    view.setBigUint64(at + 40, BigInt(size), true);
  };
  header(ELF.headerSize, ELF.PT_NOTE, notesAt, notes.length);
  header(
    ELF.headerSize + ELF.programHeaderSize,
    ELF.PT_LOAD,
    65536,
    mib * MIB,
  );
  bytes.set(notes, notesAt);
  for (let i = 0; i < mib; i++) bytes[65536 + i * MIB] = 7;
  return bytes;
}

/** The bytes at the starts of some MiB of a core. */
function starts(path: string, mib: number, spare?: number): number[] {
  using memory = openCore(path, spare === undefined ? {} : { spare });
  const into = new Uint8Array(1);
  return [0, 1, mib - 1].map((i) => {
    memory.read(i * MIB, into);
    return into[0];
  });
}

/** The sentence with which opening a file ends. */
function refusal(path: string, spare: number): string {
  try {
    openCore(path, { spare })[Symbol.dispose]();
  } catch (error) {
    assert.ok(error instanceof XftraceError);
    return error.message;
  }
  assert.fail(`${path} was opened`);
}

Deno.test("what is unpacked takes no more than half of the memory to spare", () => {
  for (const spare of [0, GIB, 4 * GIB, 16 * GIB, 64 * GIB, 1024 * GIB]) {
    for (const size of [1, 4096, MIB, 16 * MIB, 100 * MIB, GIB, 8 * GIB]) {
      const limit = unpackedLimit(size, spare);
      // Held twice at the end, besides the file itself. 256 MiB always are.
      const held = size + 2 * limit;
      assert.ok(
        limit === 256 * MIB || held <= spare / 2,
        `${size} ${spare}: ${limit}`,
      );
      assert.ok(limit <= 8 * GIB && limit <= Math.max(256 * MIB, 64 * size));
    }
  }
  // A bomb of 16 MiB on a host that has 2 GiB to spare, and on one with plenty.
  assert.equal(unpackedLimit(16 * MIB, 2 * GIB), 504 * MIB);
  assert.equal(unpackedLimit(16 * MIB, 64 * GIB), GIB);
  // A core of a guest with 8 GiB.
  assert.equal(unpackedLimit(GIB, 64 * GIB), 8 * GIB);
  assert.ok(spareMemory() > 0);
});

Deno.test("a core that is too large unpacked opens after the command it names", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const plain = core(264);
    // Two frames, and padding to a size that allows for more than 256 MiB.
    const half = plain.length >> 1;
    const skippable = new Uint8Array(8 + 8 * MIB);
    new DataView(skippable.buffer).setUint32(0, 0x184d2a50, true);
    new DataView(skippable.buffer).setUint32(4, 8 * MIB, true);
    const zst = [
      zstdCompressSync(plain.subarray(0, half)),
      skippable,
      zstdCompressSync(plain.subarray(half)),
    ];
    const write = (name: string, parts: readonly Uint8Array[]) => {
      using file = Deno.createSync(`${folder}/${name}`);
      for (const part of parts) file.writeSync(part);
      return `${folder}/${name}`;
    };
    const path = write("big one.core.zst", zst);
    assert.deepEqual(starts(path, 264, 8 * GIB), [7, 7, 7]);
    const said = refusal(path, GIB);
    assert.match(said, /more than 256 MiB/);
    assert.ok(said.includes(`zstd -dk '${path}', and give`), said);
    const unpacked = write("big one.core", [plain]);
    assert.deepEqual(starts(unpacked, 264, 0), [7, 7, 7]);

    // Names without the suffix, which the tools refuse.
    const renamed = write("b.dump", zst);
    assert.ok(
      refusal(renamed, GIB).includes(
        `zstd -dc ${renamed} > ${renamed}.core, and give`,
      ),
    );
    const gz = gzipSync(plain, { level: 1 });
    assert.ok(refusal(write("c.gz", [gz]), GIB).includes(`gzip -dk ${folder}`));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a compressed file that is itself too large is not even read", () => {
  const path = Deno.makeTempFileSync({ suffix: ".zst" });
  try {
    {
      using file = Deno.openSync(path, { write: true });
      file.writeSync(zstdCompressSync(new Uint8Array(100)));
      file.truncateSync(20 * GIB);
    }
    const from = performance.now();
    assert.match(refusal(path, GIB), /more than 256 MiB/);
    assert.ok(performance.now() - from < 1000);
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("a small compressed core opens on a host that has little to spare", () => {
  const path = Deno.makeTempFileSync({ suffix: ".gz" });
  try {
    Deno.writeFileSync(path, gzipSync(core(3)));
    assert.deepEqual(starts(path, 3, 0), [7, 7, 7]);
  } finally {
    Deno.removeSync(path);
  }
});
