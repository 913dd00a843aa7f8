/**
 * A kernel image file and its sections, however it is packed.
 *
 * @module
 */
import { architectures } from "../../arch/all.ts";
import type { Arch } from "../../arch/arch.ts";
import type { ImageRelocations, Unpack } from "../../arch/kernel_file.ts";
import { XftraceError } from "../../base/errors.ts";
import { elfSections, gnuBuildId } from "./elf_sections.ts";

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
  const { sections, end } = elfSections(
    elf,
    (what) => new XftraceError(`${source} ${what}`),
  );
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
  if (file.length >= 20 && isElf(file)) {
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
  return notes && gnuBuildId(notes);
}
