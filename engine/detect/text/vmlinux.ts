/**
 * A kernel image file and its sections, however it is packed.
 *
 * @module
 */
import { architectures } from "../../arch/all.ts";
import type { Arch } from "../../arch/arch.ts";
import type { ImageRelocations, Unpack } from "../../arch/kernel_file.ts";
import { XftraceError } from "../../base/errors.ts";
import { hexDigits } from "../../base/hex.ts";

/** A section of the image. */
export interface Section {
  readonly name: string;
  /** GVA for which it was linked. */
  readonly address: bigint;
  readonly bytes: Uint8Array;
}

/** An unpacked kernel image. */
export interface Vmlinux {
  /** Its origin, for messages. */
  readonly source: string;
  readonly sections: readonly Section[];
  /** BUILD-ID in hex; `undefined` if it has none. */
  readonly buildId: string | undefined;
  readonly relocations: ImageRelocations;
}

const ELF_MAGIC = 0x7f454c46;
/** More bytes than a section's name has. */
const LONGEST_NAME = 256;

function isElf(file: Uint8Array): boolean {
  return file.length >= 4 &&
    new DataView(file.buffer, file.byteOffset).getUint32(0) === ELF_MAGIC;
}

/**
 * Reads a vmlinuz, as used by boot loaders, or an uncompressed vmlinux.
 *
 * @throws {XftraceError} with one sentence about what is wrong with the file.
 *
 * @example
 * ```ts ignore
 * import { zstdDecompressSync } from "node:zlib";
 * import { readVmlinux } from "xftrace/detect";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * const path = "/boot/vmlinuz-6.12.117+deb12-amd64";
 * const vmlinux = readVmlinux(path, Deno.readFileSync(path), (_, packed) =>
 *   zstdDecompressSync(packed));
 * const { outcomes } = await guest.check({ only: ["XF020"], vmlinux });
 * console.log(outcomes[0].findings);
 * ```
 */
export function readVmlinux(
  source: string,
  file: Uint8Array,
  unpack: Unpack,
): Vmlinux {
  const { elf, arch } = elfOf(source, file, unpack);
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
    while (last - first < LONGEST_NAME && elf[last] > 0) last++;
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
    relocations: arch.kernelFiles.relocations(elf, end),
  };
}

/** Extracts the ELF file, and determines the architecture. */
function elfOf(
  source: string,
  file: Uint8Array,
  unpack: Unpack,
): { elf: Uint8Array; arch: Arch } {
  if (isElf(file)) {
    const machine = new DataView(file.buffer, file.byteOffset, file.byteLength)
      .getUint16(18, true);
    const arch = architectures.find(({ elfMachine }) => elfMachine === machine);
    if (arch !== undefined) return { elf: file, arch };
  }
  for (const arch of architectures) {
    const elf = arch.kernelFiles.unpack(source, file, unpack);
    if (elf === undefined) continue;
    if (isElf(elf)) return { elf, arch };
    throw new XftraceError(`${source} does not unpack to an ELF kernel image`);
  }
  throw new XftraceError(
    `${source} is no kernel image: give the vmlinuz that the guest booted, or its vmlinux`,
  );
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
      return hexDigits(notes.subarray(desc, desc + size));
    }
    at = desc + aligned(size);
  }
  return undefined;
}
