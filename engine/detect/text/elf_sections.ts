/**
 * The table of sections of an ELF-64 file. Kernel images and modules come from
 * the guest's disk or from elsewhere, so whatever the table says is checked.
 *
 * Source: the ELF-64 object file format.
 *
 * @module
 */
import type { XftraceError } from "../../base/errors.ts";
import { hexDigits } from "../../base/hex.ts";

const SHT_NOBITS = 8;
/** More bytes than the name of a section or a symbol has (KSYM_NAME_LEN: 512). */
const LONGEST_NAME = 512;
/** Bytes of a section header. */
const HEADER = 64;
const NT_GNU_BUILD_ID = 3;

/** A section as its header describes it. */
export interface ElfSection {
  readonly name: string;
  /** `SHT_*`. */
  readonly type: number;
  /** `SHF_*`. */
  readonly flags: number;
  /** GVA for which it was linked. */
  readonly address: bigint;
  /** Offset in the file, in bytes. */
  readonly offset: number;
  /** Size in memory, in bytes. */
  readonly size: number;
  /** Its content; empty for memory that starts as zeros. */
  readonly bytes: Uint8Array;
  readonly link: number;
  readonly info: number;
  readonly align: number;
}

/** A table of sections, and where the file proper ends. */
export interface ElfSections {
  readonly sections: readonly ElfSection[];
  /** One past the last byte of the table and of all sections. */
  readonly end: number;
}

/**
 * Reads the table of sections.
 *
 * @param bad makes the error about a file that is damaged; its argument is the
 * end of a sentence whose subject is the file
 * @throws what `bad` makes
 */
export function elfSections(
  file: Uint8Array,
  bad: (what: string) => XftraceError,
): ElfSections {
  const damaged = () => bad("is damaged or cut short");
  if (file.length < HEADER) throw damaged();
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const u64 = (at: number) => Number(view.getBigUint64(at, true));
  const table = u64(0x28);
  const step = view.getUint16(0x3a, true);
  const count = view.getUint16(0x3c, true);
  const named = view.getUint16(0x3e, true);
  if (table === 0 || count === 0) throw bad("has no table of sections");
  let end = table + step * count;
  if (step < HEADER || end > file.length || named >= count) throw damaged();
  const names = u64(table + named * step + 0x18);
  let held = 0;
  const sections: ElfSection[] = [];
  for (let at = table; at < table + step * count; at += step) {
    const type = view.getUint32(at + 4, true);
    const offset = u64(at + 0x18);
    const size = u64(at + 0x20);
    const length = type === SHT_NOBITS ? 0 : size;
    if (length > 0) end = Math.max(end, offset + length);
    held += length;
    // Sections do not overlap: otherwise a small file could hold any number of
    // symbols and relocations.
    if (end > file.length || held > file.length) throw damaged();
    sections.push({
      name: elfText(file, names + view.getUint32(at, true)),
      type,
      flags: u64(at + 8),
      address: view.getBigUint64(at + 0x10, true),
      offset,
      size,
      bytes: file.subarray(offset, offset + length),
      link: view.getUint32(at + 0x28, true),
      info: view.getUint32(at + 0x2c, true),
      align: u64(at + 0x30),
    });
  }
  return { sections, end };
}

/** The name at an offset of a file; cut when it is longer than any. */
export function elfText(file: Uint8Array, at: number): string {
  let end = at;
  while (end - at < LONGEST_NAME && file[end] > 0) end++;
  return new TextDecoder().decode(file.subarray(at, end));
}

/** The GNU build id in a section of notes, in hex. */
export function gnuBuildId(notes: Uint8Array): string | undefined {
  const view = new DataView(notes.buffer, notes.byteOffset, notes.byteLength);
  // Not by bits: sizes may be above 2^31.
  const aligned = (size: number) => Math.ceil(size / 4) * 4;
  for (let at = 0; at + 12 <= notes.length;) {
    const nameSize = view.getUint32(at, true);
    const size = view.getUint32(at + 4, true);
    const name = at + 12;
    const desc = name + aligned(nameSize);
    const isGnu = nameSize === 4 && notes[name] === 0x47 &&
      notes[name + 1] === 0x4e && notes[name + 2] === 0x55;
    if (isGnu && view.getUint32(at + 8, true) === NT_GNU_BUILD_ID) {
      return hexDigits(notes.subarray(desc, desc + Math.min(size, 64)));
    }
    at = desc + aligned(size);
  }
  return undefined;
}
