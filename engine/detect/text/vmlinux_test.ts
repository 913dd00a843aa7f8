import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { XftraceError } from "../../base/errors.ts";
import type { Unpack } from "../../arch/kernel_file.ts";
import { readVmlinux } from "./vmlinux.ts";

const noTool: Unpack = () => {
  throw new XftraceError("no tool");
};

/**
 * An ELF file with `.text` at 0xffffffff81000000, followed by its relocations.
 */
function elf(): Uint8Array {
  const file = new Uint8Array(0x400);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46]);
  view.setUint16(18, 62, true); // EM_X86_64
  view.setBigUint64(0x28, 0x200n, true); // section headers
  view.setUint16(0x3a, 0x40, true);
  view.setUint16(0x3c, 3, true);
  view.setUint16(0x3e, 2, true);
  const names = "\0.text\0.shstrtab\0";
  file.set(new TextEncoder().encode(names), 0x180);
  const section = (
    i: number,
    name: number,
    address: bigint,
    offset: number,
    size: number,
  ) => {
    const at = 0x200 + i * 0x40;
    view.setUint32(at, name, true);
    view.setUint32(at + 4, 1, true);
    view.setBigUint64(at + 0x10, address, true);
    view.setBigUint64(at + 0x18, BigInt(offset), true);
    view.setBigUint64(at + 0x20, BigInt(size), true);
  };
  section(1, 1, 0xffffffff81000000n, 0x100, 0x10);
  section(2, 7, 0n, 0x180, names.length);
  file[0x100] = 0xc3;
  const end = 0x200 + 3 * 0x40;
  // 0, 64-bit relocations, 0, inverse ones, 0, 32-bit ones.
  const words = [0, 0x81000020, 0, 0x81000030, 0, 0x81000008, 0x81000004];
  const image = new Uint8Array(end + 4 * words.length);
  image.set(file.subarray(0, end));
  words.forEach((word, i) =>
    new DataView(image.buffer).setUint32(end + 4 * i, word, true)
  );
  return image;
}

/** Builds a bzImage around a payload. */
function bzImage(payload: Uint8Array): Uint8Array {
  const image = new Uint8Array(1024 + payload.length);
  const view = new DataView(image.buffer);
  image[0x1f1] = 1;
  view.setUint32(0x202, 0x53726448, true);
  view.setUint32(0x248, 0, true);
  view.setUint32(0x24c, payload.length, true);
  image.set(payload, 1024);
  return image;
}

Deno.test("an image's sections and relocations, however it is packed", () => {
  const plain = elf();
  const sized = (packed: Uint8Array) =>
    Uint8Array.from([...packed, 1, 2, 3, 4]);
  for (
    const file of [
      plain,
      bzImage(gzipSync(plain)),
      bzImage(sized(zstdCompressSync(plain))),
    ]
  ) {
    const image = readVmlinux("vmlinuz", file, noTool);
    const text = image.sections.find(({ name }) => name === ".text");
    assert.equal(text?.address, 0xffffffff81000000n);
    assert.equal(text?.bytes.length, 0x10);
    assert.equal(text?.bytes[0], 0xc3);
    assert.equal(image.buildId, undefined);
    // At 4 and 8, in 32 bits; places named beyond the section are ignored.
    const moved = new Uint8Array(0x10);
    image.relocations.apply(moved, 0xffffffff81000000n, 0x200000n);
    const words = [...new Uint32Array(moved.buffer)];
    assert.deepEqual(words, [0, 0x200000, 0x200000, 0]);
  }
});

Deno.test("formats that need a tool are passed to it without the appended size", () => {
  const packed = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 9, 9, 9, 9];
  let given: [string, number] | undefined;
  readVmlinux("vmlinuz", bzImage(Uint8Array.from(packed)), (format, bytes) => {
    given = [format, bytes.length];
    return elf();
  });
  assert.deepEqual(given, ["xz", 6]);
});

Deno.test("a file that is not a kernel image is refused in one sentence", () => {
  for (
    const [file, expected] of [
      [new Uint8Array(4096), /^f is no kernel image: give the vmlinuz/],
      [bzImage(new Uint8Array(64)), /^f is packed in a way that is not known/],
      [bzImage(gzipSync(new Uint8Array(64))), /^f does not unpack to an ELF/],
      [bzImage(gzipSync(elf()).subarray(0, 40)), /^f is damaged/],
      [elf().subarray(0, 0x80), /^f is damaged or cut short/],
    ] as const
  ) {
    assert.throws(
      () => readVmlinux("f", file, noTool),
      (error: unknown) =>
        error instanceof XftraceError && expected.test(error.message),
      String(expected),
    );
  }
});

/** The file with other content at some places, and its section 1 with a name. */
function patched(
  change: (view: DataView, section: (i: number) => number) => void,
): Uint8Array {
  const file = elf();
  change(
    new DataView(file.buffer, file.byteOffset, file.byteLength),
    (i) => 0x200 + i * 0x40,
  );
  return file;
}

Deno.test("an image that is made to be endless, or leads out of itself, is refused", () => {
  const damaged = [
    // Names, and the table itself, out of the file.
    patched((view, at) => view.setBigUint64(at(2) + 0x18, 2n ** 63n, true)),
    patched((view) => view.setUint16(0x3e, 0xffff, true)),
    patched((view) => view.setUint16(0x3a, 0, true)),
    patched((view) => view.setBigUint64(0x28, 2n ** 64n - 1n, true)),
    // Sections that overlap: all of the file each.
    patched((view, at) => {
      view.setBigUint64(at(1) + 0x20, 0x400n, true);
      view.setBigUint64(at(2) + 0x20, 0x400n, true);
    }),
    elf().subarray(0, 40),
  ];
  for (const file of damaged) {
    try {
      readVmlinux("f", file, noTool);
    } catch (error) {
      assert.ok(error instanceof XftraceError, String(error));
      assert.match(error.message, /^f (is damaged or cut short|has no table)/);
    }
  }
  assert.throws(() => readVmlinux("f", damaged[4], noTool), /is damaged/);
  assert.throws(() => readVmlinux("f", damaged[5], noTool), /is damaged/);
});

Deno.test("a note whose size is negative for 32 bits does not lead back", () => {
  const file = patched((view, at) => {
    view.setUint32(at(1), 0, true);
    view.setBigUint64(at(1) + 0x18, 0x100n, true);
    view.setBigUint64(at(1) + 0x20, 0x40n, true);
    view.setUint32(0x100, 0xfffffff4, true);
    view.setUint32(0x104, 0, true);
    new Uint8Array(view.buffer).set(
      new TextEncoder().encode(".notes\0"),
      view.byteOffset + 0x180,
    );
  });
  assert.equal(readVmlinux("f", file, noTool).buildId, undefined);
});

Deno.test("an image that unpacks to more than a kernel has is called too large", () => {
  const bomb = bzImage(gzipSync(new Uint8Array((256 << 20) + 1), { level: 1 }));
  assert.throws(
    () => readVmlinux("f", bomb, noTool),
    /^XftraceError: f unpacks to more than the 268435456 bytes/,
  );
});
