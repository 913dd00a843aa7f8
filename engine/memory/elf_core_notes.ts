/**
 * The notes of a kernel core: VMCOREINFO, the CPUs' states, and our own
 * manifest.
 *
 * @module
 */

import { allocateBytes } from "../base/allocate.ts";

/** One ELF note. */
export interface ElfNote {
  /** Owner of the note: `CORE`, `QEMU`, `VMCOREINFO`, `XFTRACE` ... */
  readonly name: string;
  readonly type: number;
  readonly desc: Uint8Array;
}

/** NT_PRSTATUS, owner `CORE`: one note for each CPU. */
export const NT_PRSTATUS = 1;

/**
 * More notes than any core has: four for each of 8192 CPUs (NR_CPUS), and some
 * for all of them.
 */
export const MOST_NOTES = 4 * 8192 + 64;

/** More bytes than the name of a note's owner has. */
const MOST_NAME = 64;
/** More bytes of notes than any core has. */
export const MOST_NOTE_BYTES = 64 << 20;

const LATIN1 = new TextDecoder("latin1");

const align4 = (n: number) => Math.ceil(n / 4) * 4;

/**
 * Splits a PT_NOTE segment into its notes. A truncated or malformed note ends
 * the list without an error, as in readelf: the notes before it are still good.
 * Of too many notes, one more than {@linkcode MOST_NOTES} are returned.
 */
export function parseNotes(bytes: Uint8Array): ElfNote[] {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const notes: ElfNote[] = [];
  let at = 0;
  while (at + 12 <= bytes.length && notes.length <= MOST_NOTES) {
    const nameSize = data.getUint32(at, true);
    const descSize = data.getUint32(at + 4, true);
    const type = data.getUint32(at + 8, true);
    const descAt = at + 12 + align4(nameSize);
    if (descAt + descSize > bytes.length) break;
    let nameEnd = at + 12 + Math.min(nameSize, MOST_NAME);
    while (nameEnd > at + 12 && bytes[nameEnd - 1] === 0) nameEnd--;
    notes.push({
      name: LATIN1.decode(bytes.subarray(at + 12, nameEnd)),
      type,
      desc: bytes.subarray(descAt, descAt + descSize),
    });
    at = descAt + align4(descSize);
  }
  return notes;
}

/** Builds the bytes of a PT_NOTE segment that holds these notes. */
export function encodeNotes(
  notes: readonly ElfNote[],
): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const note of notes) {
    size += 12 + align4(note.name.length + 1) + align4(note.desc.length);
  }
  const bytes = allocateBytes(size, MOST_NOTE_BYTES, "a core's notes");
  const data = new DataView(bytes.buffer);
  let at = 0;
  for (const note of notes) {
    data.setUint32(at, note.name.length + 1, true);
    data.setUint32(at + 4, note.desc.length, true);
    data.setUint32(at + 8, note.type, true);
    bytes.set(new TextEncoder().encode(note.name), at + 12);
    at += 12 + align4(note.name.length + 1);
    bytes.set(note.desc, at);
    at += align4(note.desc.length);
  }
  return bytes;
}
