/**
 * x86-64 kernel image files: a bzImage that contains a packed ELF file,
 * followed by the relocations that the boot code applies.
 *
 * Sources: Documentation/arch/x86/boot.rst, arch/x86/boot/compressed/misc.c
 * (handle_relocations), arch/x86/tools/relocs.c.
 *
 * @module
 */
import { allocateWords } from "../../base/allocate.ts";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { XftraceError } from "../../base/errors.ts";
import { codeOf } from "../../base/file_error.ts";
import type { KernelFiles, Unpack } from "../kernel_file.ts";

const MAGIC: readonly (readonly [string, readonly number[]])[] = [
  ["elf", [0x7f, 0x45, 0x4c, 0x46]],
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ["lz4", [0x02, 0x21, 0x4c, 0x18]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["lzma", [0x5d, 0x00, 0x00]],
  ["lzop", [0x89, 0x4c, 0x5a]],
];

/** Low halves of the GVAs to relocate, by the kind of relocation. */
export interface RelocationLists {
  readonly add32: Uint32Array;
  readonly subtract32: Uint32Array;
  readonly add64: Uint32Array;
}

const starts = (bytes: Uint8Array, magic: readonly number[]) =>
  magic.every((byte, i) => bytes[i] === byte);

function unpackBzImage(
  source: string,
  file: Uint8Array,
  unpack: Unpack,
): Uint8Array | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const isBzImage = file.length > 0x250 && view.getUint32(0x202, true) ===
      0x53726448;
  if (!isBzImage) return undefined;
  const setup = ((file[0x1f1] || 4) + 1) * 512;
  const start = setup + view.getUint32(0x248, true);
  const payload = file.subarray(start, start + view.getUint32(0x24c, true));
  const format = MAGIC.find(([, magic]) => starts(payload, magic))?.[0];
  // The build appends the unpacked size (4 bytes) in all formats but gzip,
  // which already contains it.
  const packed = payload.subarray(0, payload.length - 4);
  switch (format) {
    case "elf":
      return payload;
    case "gzip":
      return whole(source, () => gunzipSync(payload, LIMIT));
    case "zstd":
      return whole(source, () => zstdDecompressSync(packed, LIMIT));
    case "xz":
    case "lz4":
    case "bzip2":
    case "lzma":
    case "lzop":
      return unpack(format, packed);
    default:
      throw new XftraceError(
        `${source} is packed in a way that is not known; unpack it with the kernel's scripts/extract-vmlinux and give the result`,
      );
  }
}

/** More bytes than an unpacked kernel has. */
const LIMIT = { maxOutputLength: 256 << 20 };

function whole(source: string, unpack: () => Uint8Array): Uint8Array {
  try {
    return unpack();
  } catch (cause) {
    if (codeOf(cause) === "ERR_BUFFER_TOO_LARGE") {
      throw new XftraceError(
        `${source} unpacks to more than the ${LIMIT.maxOutputLength} bytes that a kernel may have; give the right file`,
        { cause },
      );
    }
    throw new XftraceError(
      `${source} is damaged: what is packed in it cannot be unpacked`,
      { cause },
    );
  }
}

/**
 * Reads the relocations after the ELF file: three lists, each terminated by a
 * zero and read backwards from the end; since Linux 6.15 two, without that of
 * inverse relocations ("x86/boot/64: Remove inverse relocations"). There are
 * none when the kernel is not relocatable.
 */
export function relocationLists(
  elf: Uint8Array,
  elfEnd: number,
): RelocationLists {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  let at = view.byteLength - (view.byteLength - elfEnd) % 4 - 4;
  const list = (): Uint32Array => {
    // Counted first: as JavaScript's numbers they would take several times the
    // size of the file, which decides how many there are.
    const last = at;
    while (at >= elfEnd && view.getUint32(at, true) !== 0) at -= 4;
    const found = allocateWords(
      Uint32Array,
      (last - at) / 4,
      elf.length / 4,
      "the list of relocations",
    );
    for (let i = 0; i < found.length; i++) {
      found[i] = view.getUint32(last - 4 * i, true);
    }
    at -= 4;
    return found;
  };
  const [add32, second, third] = [list(), list(), list()];
  // No kernel with 32-bit relocations lacks 64-bit ones: its tables of pointers
  // have them.
  return third.length === 0
    ? { add32, subtract32: third, add64: second }
    : { add32, subtract32: second, add64: third };
}

/**
 * Adds `slide` to, or subtracts it from, the places in `bytes` that the lists
 * name.
 */
function apply(
  { add32, subtract32, add64 }: RelocationLists,
  bytes: Uint8Array,
  linked: bigint,
  slide: bigint,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const low = Number(linked & 0xffffffffn);
  const by = Number(BigInt.asIntN(32, slide));
  const each = (
    list: Uint32Array,
    width: number,
    patch: (at: number) => void,
  ) => {
    for (let i = 0; i < list.length; i++) {
      const at = list[i] - low;
      if (at >= 0 && at + width <= bytes.length) patch(at);
    }
  };
  each(add32, 4, (at) => {
    view.setInt32(at, view.getInt32(at, true) + by, true);
  });
  each(subtract32, 4, (at) => {
    view.setInt32(at, view.getInt32(at, true) - by, true);
  });
  each(add64, 8, (at) => {
    view.setBigInt64(at, view.getBigInt64(at, true) + slide, true);
  });
}

/** See {@linkcode KernelFiles}. */
export const kernelFiles: KernelFiles = {
  unpack: unpackBzImage,
  relocations(elf, end) {
    const lists = relocationLists(elf, end);
    return {
      apply: (bytes, linked, slide) => apply(lists, bytes, linked, slide),
    };
  },
};
