/**
 * Everything in a guest's memory that describes itself as its kernel. Anybody
 * who controls the guest can write such descriptions, so each is judged by
 * whether it agrees with itself.
 *
 * @module
 */
import { architectures, readableArchs } from "../../arch/all.ts";
import type { Arch } from "../../arch/arch.ts";
import { KernelError, MemoryError } from "../../base/errors.ts";
import { AddressSpace } from "../../memory/address_space.ts";
import { totalBytes } from "../../memory/elf_core_ranges.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import { SymbolTable } from "../symbols/symbol_table.ts";
import type { Symbols } from "../symbols/symbols.ts";
import { findKallsyms, type FoundImage } from "./kallsyms_scan.ts";
import {
  findVmcoreinfo,
  parseVmcoreinfo,
  type Vmcoreinfo,
} from "./vmcoreinfo.ts";

/** A description whose page tables map the kernel to where it says. */
export interface Located {
  readonly arch: Arch;
  readonly space: AddressSpace;
  readonly physBase: number;
  /** How it was found: `vmcoreinfo`, `kallsyms scan`. */
  readonly by: string;
  readonly note: Vmcoreinfo | undefined;
  /** Its symbols, if it was found through them. */
  readonly image: FoundImage | undefined;
}

/** A description that is not a kernel's. */
export interface Refused {
  readonly note: Vmcoreinfo | undefined;
  readonly image: FoundImage | undefined;
  /** Part of a sentence: `its page tables do not map it`. */
  readonly why: string;
}

/** Bytes of `struct uts_namespace` in which its release is looked for. */
const UTS_BYTES = 400;

/**
 * The kernels that describe themselves in memory.
 *
 * @param given the text of a note from another source, such as a core's: then
 * no other is looked for
 * @throws {KernelError} when there is none, or suspiciously many.
 */
export function locateKernels(
  memory: PhysicalMemory,
  given?: string,
): { located: Located[]; refused: Refused[] } {
  const note = given === undefined ? undefined : parseVmcoreinfo(given);
  const notes = note === undefined ? findVmcoreinfo(memory) : [note];
  const judged = notes.map((note) => byNote(memory, note));
  const located = judged.filter((one) => "space" in one);
  const refused = judged.filter((one) => "why" in one);
  if (located.length > 0) return { located, refused };
  let images: FoundImage[];
  try {
    images = findKallsyms(memory);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    const { ram, ranges } = memory;
    // A dump that breaks off, or from which too much was left out.
    if (ram !== undefined && notes.length > 0) {
      throw new KernelError(
        `${memory.name} holds ${mib(totalBytes(ranges))} of the guest's ${
          mib(totalBytes(ram))
        } of memory, and its kernel is not in them; dump it again as a whole`,
        { cause: error },
      );
    }
    throw new KernelError(
      `no running Linux kernel was found in ${memory.name}: neither a vmcoreinfo note nor a kernel symbol table; the guest may still be in its firmware or boot loader (try again when it has booted), or this is not the memory of a Linux guest that can be read (${readableArchs()})`,
      { cause: error },
    );
  }
  for (const image of images) {
    const { arch, textGva, textGpa } = image;
    const symbols = new SymbolTable(image.blob, textGva);
    const place = arch.finder.byImage(memory, { textGva, textGpa, symbols });
    if (place === undefined) {
      refused.push({ note: undefined, image, why: UNMAPPED });
      continue;
    }
    const { tables, physBase } = place;
    const space = new AddressSpace(tables);
    located.push({
      arch,
      space,
      physBase,
      by: "kallsyms scan",
      note: undefined,
      image,
    });
  }
  if (located.length > 0) return { located, refused };
  throw new KernelError(
    `a kernel's symbol table was found in ${memory.name}, but its page tables do not map it: the guest is still booting; try again`,
  );
}

const UNMAPPED = "its page tables do not map the kernel to where it says";

/**
 * A kernel's memory, through page tables that are read again; `undefined` when
 * they no longer map it to where it was.
 */
export function spaceAgain(located: Located): AddressSpace | undefined {
  const { space, note, arch, physBase } = located;
  // A search through all of memory would take too long.
  if (note === undefined) return space;
  const place = arch.finder.byNote(space.memory, note);
  return place?.physBase === physBase
    ? new AddressSpace(place.tables)
    : undefined;
}

/** Whether a note has appeared that describes a kernel, beside those known. */
export function newNotes(
  memory: PhysicalMemory,
  known: ReadonlySet<string>,
): boolean {
  return findVmcoreinfo(memory).some((note) =>
    !known.has(note.text) && "space" in byNote(memory, note)
  );
}

function byNote(memory: PhysicalMemory, note: Vmcoreinfo): Located | Refused {
  const refuse = (why: string) => ({ note, image: undefined, why });
  for (const arch of architectures) {
    const place = arch.finder.byNote(memory, note);
    if (place === undefined) continue;
    const space = new AddressSpace(place.tables);
    if (releaseDiffers(space, note)) {
      return refuse(`init_uts_ns does not hold its release ${note.release}`);
    }
    const { physBase } = place;
    return { arch, space, physBase, by: "vmcoreinfo", note, image: undefined };
  }
  return refuse(UNMAPPED);
}

/** Whether the running kernel's name (`uname -r`) is not the note's. */
function releaseDiffers(space: AddressSpace, note: Vmcoreinfo): boolean {
  const at = note.symbol("init_uts_ns");
  if (at === undefined) return false;
  let bytes: Uint8Array;
  try {
    bytes = space.bytes(at, UTS_BYTES);
  } catch (error) {
    // A recording may lack this page.
    if (error instanceof MemoryError) return false;
    throw error;
  }
  const text = new TextDecoder("latin1").decode(bytes);
  return !text.includes(`\0${note.release}\0`);
}

/**
 * The GPA to which a kernel's own `vmcoreinfo_data` leads, where its note is;
 * `undefined` when that cannot be told, because it has no such symbol, or a
 * recording lacks the page.
 */
export function ownNote(
  space: AddressSpace,
  symbols: Symbols,
): number | undefined {
  const at = symbols.tryAddress("vmcoreinfo_data");
  if (at === undefined) return undefined;
  try {
    return space.tryTranslate(space.u64(at))?.gpa;
  } catch (error) {
    if (error instanceof MemoryError) return undefined;
    throw error;
  }
}

/**
 * The image's symbols in physical memory that a note's page tables map.
 *
 * @throws {KernelError} when there are none, or several.
 */
export function imageOf({ space, note }: Located): FoundImage {
  const images = findKallsyms(space.memory);
  const stext = note?.symbol("_stext");
  const own = images.filter(({ blob, textGva, textGpa }) => {
    const symbols = new SymbolTable(blob, textGva);
    return space.tryTranslate(textGva)?.gpa === textGpa &&
      (stext === undefined || symbols.tryImageAddress("_stext") === stext);
  });
  if (own.length === 1) return own[0];
  throw new KernelError(
    own.length === 0
      ? `${space.memory.name}: no symbol table in this memory is that of the kernel which its vmcoreinfo note describes`
      : `${space.memory.name} holds ${own.length} symbol tables of the same kernel (at GPA ${
        own.map(({ tokenTableGpa }) => `0x${tokenTableGpa.toString(16)}`)
          .join(", ")
      }): all but one are forged, and which cannot be told`,
  );
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
