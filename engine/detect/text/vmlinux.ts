/**
 * A kernel image file as distributions ship it: a bzImage with a packed ELF,
 * its sections, and the relocations that the boot code applies.
 *
 * Sources: Documentation/arch/x86/boot.rst, arch/x86/boot/compressed/misc.c
 * (handle_relocations), arch/x86/tools/relocs.c.
 *
 * @module
 */
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { XftraceError } from "../../base/errors.ts";

/** Unpacks one format that needs a tool of the host's. */
export type Unpack = (
  format: "xz" | "lz4" | "bzip2" | "lzma" | "lzop",
  packed: Uint8Array,
) => Uint8Array;

/** A section of the image. */
export interface Section {
  readonly name: string;
  /** GVA it is linked for. */
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** The image, unpacked. */
export interface Vmlinux {
  /** Where it came from, for messages. */
  readonly source: string;
  readonly sections: readonly Section[];
  /** BUILD-ID in hex; `undefined` when it has none. */
  readonly buildId: string | undefined;
  /** Low halves of the GVAs that are relocated, by how. */
  readonly relocations: {
    readonly add32: Uint32Array;
    readonly subtract32: Uint32Array;
    readonly add64: Uint32Array;
  };
}

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

const starts = (bytes: Uint8Array, magic: readonly number[]) =>
  magic.every((byte, i) => bytes[i] === byte);

/**
 * Reads a vmlinuz (bzImage) or an uncompressed vmlinux.
 *
 * @throws {XftraceError} in one sentence, what is wrong with the file.
 */
export function readVmlinux(
  source: string,
  file: Uint8Array,
  unpack: Unpack,
): Vmlinux {
  const elf = starts(file, MAGIC[0][1])
    ? file
    : unpackBzImage(source, file, unpack);
  if (!starts(elf, MAGIC[0][1])) {
    throw new XftraceError(`${source} does not unpack to an ELF kernel image`);
  }
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const sections: Section[] = [];
  const table = Number(view.getBigUint64(0x28, true));
  const size = view.getUint16(0x3a, true);
  const count = view.getUint16(0x3c, true);
  const namesAt = table + size * view.getUint16(0x3e, true);
  if (table === 0 || table + size * count > elf.length) {
    throw new XftraceError(`${source} has no table of sections`);
  }
  const names = Number(view.getBigUint64(namesAt + 0x18, true));
  let end = table + size * count;
  for (let i = 0; i < count; i++) {
    const at = table + i * size;
    const NOBITS = 8;
    const offset = Number(view.getBigUint64(at + 0x18, true));
    const length = view.getUint32(at + 4, true) === NOBITS
      ? 0
      : Number(view.getBigUint64(at + 0x20, true));
    let last = names + view.getUint32(at, true);
    const first = last;
    while (elf[last] !== 0 && last < elf.length) last++;
    sections.push({
      name: String.fromCharCode(...elf.subarray(first, last)),
      address: view.getBigUint64(at + 0x10, true),
      bytes: elf.subarray(offset, offset + length),
    });
    end = Math.max(end, offset + length);
  }
  return {
    source,
    sections,
    buildId: buildIdOf(sections),
    relocations: relocationsOf(view, end),
  };
}

function unpackBzImage(
  source: string,
  file: Uint8Array,
  unpack: Unpack,
): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const isBzImage = file.length > 0x250 && view.getUint32(0x202, true) ===
      0x53726448;
  if (!isBzImage) {
    throw new XftraceError(
      `${source} is no kernel image: give the vmlinuz that the guest booted, or its vmlinux`,
    );
  }
  const setup = ((file[0x1f1] || 4) + 1) * 512;
  const start = setup + view.getUint32(0x248, true);
  const payload = file.subarray(start, start + view.getUint32(0x24c, true));
  const format = MAGIC.find(([, magic]) => starts(payload, magic))?.[0];
  // The build appends the unpacked size, 4 bytes, to all formats but gzip,
  // which has it already.
  const packed = payload.subarray(0, payload.length - 4);
  switch (format) {
    case "elf":
      return payload;
    case "gzip":
      return whole(source, () => gunzipSync(payload));
    case "zstd":
      return whole(source, () => zstdDecompressSync(packed));
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

function whole(source: string, unpack: () => Uint8Array): Uint8Array {
  try {
    return unpack();
  } catch (cause) {
    throw new XftraceError(
      `${source} is damaged: what is packed in it cannot be unpacked`,
      { cause },
    );
  }
}

/** The GNU build id note, in `.notes`. */
function buildIdOf(sections: readonly Section[]): string | undefined {
  const notes = sections.find(({ name }) =>
    name === ".notes" || name === ".note.gnu.build-id"
  )?.bytes;
  if (notes === undefined) return undefined;
  const view = new DataView(notes.buffer, notes.byteOffset, notes.byteLength);
  const NT_GNU_BUILD_ID = 3;
  const aligned = (n: number) => (n + 3) & ~3;
  for (let at = 0; at + 12 <= notes.length;) {
    const nameSize = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    const name = at + 12;
    const desc = name + aligned(nameSize);
    const isGnu = nameSize === 4 && notes[name] === 0x47 &&
      notes[name + 1] === 0x4e && notes[name + 2] === 0x55;
    if (isGnu && view.getUint32(at + 8, true) === NT_GNU_BUILD_ID) {
      return [...notes.subarray(desc, desc + size)]
        .map((byte) => byte.toString(16).padStart(2, "0")).join("");
    }
    at = desc + aligned(size);
  }
  return undefined;
}

/**
 * The relocations behind the ELF file: three lists, each ended by a zero,
 * read from the end. None when the kernel cannot be relocated.
 */
function relocationsOf(
  view: DataView,
  elfEnd: number,
): Vmlinux["relocations"] {
  let at = view.byteLength - (view.byteLength - elfEnd) % 4 - 4;
  const list = (): Uint32Array => {
    const found: number[] = [];
    for (; at >= elfEnd; at -= 4) {
      const value = view.getUint32(at, true);
      if (value === 0) break;
      found.push(value);
    }
    at -= 4;
    return Uint32Array.from(found);
  };
  const [add32, subtract32, add64] = [list(), list(), list()];
  return { add32, subtract32, add64 };
}
