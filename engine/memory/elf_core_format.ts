/**
 * Parses the headers of an ELF core: whether it is a kernel core that can be
 * read, and where its bytes are. Pure: works on a {@linkcode ByteSource}.
 *
 * @module
 */

import { allocateBytes, wholeSize } from "../base/allocate.ts";
import { XftraceError } from "../base/errors.ts";
import type { ByteSource } from "./elf_core_source.ts";
import {
  type ElfNote,
  MOST_NOTE_BYTES,
  MOST_NOTES,
  parseNotes,
} from "./elf_core_notes.ts";

/** ELF constants (System V gABI; include/uapi/linux/elf.h). */
export const ELF = {
  ET_CORE: 4,
  PT_LOAD: 1,
  PT_NOTE: 4,
  /** Value of e_phnum when the real count is in the first section's sh_info. */
  PN_XNUM: 0xffff,
  headerSize: 64,
  programHeaderSize: 56,
  sectionHeaderSize: 64,
} as const;

/** A PT_LOAD segment. */
export interface LoadSegment {
  /** GPA of the first byte. */
  readonly paddr: number;
  /** GVA of the first byte as the writer gave it; not always meaningful. */
  readonly vaddr: bigint;
  /** Offset in the file, in bytes. */
  readonly offset: number;
  /** Bytes in the file. */
  readonly fileSize: number;
  /** Bytes in memory; those beyond `fileSize` are zeros. */
  readonly memSize: number;
}

/** What an ELF file's first bytes say about its machine. */
export interface ElfMachine {
  /** `e_machine`. */
  readonly machine: number;
  readonly is64: boolean;
  readonly littleEndian: boolean;
}

/**
 * Says why cores of a machine cannot be read, as the end of a sentence that
 * begins with the file's name; `undefined` when they can be read.
 */
export type RefuseMachine = (elf: ElfMachine) => string | undefined;

/** Refuses machines whose headers have another form. */
const OTHER_HEADERS: RefuseMachine = ({ is64, littleEndian }) =>
  is64 && littleEndian
    ? undefined
    : "is of a guest that is not a 64-bit, little-endian one";

/** What a core's headers hold. */
export interface CoreHeaders {
  readonly loads: readonly LoadSegment[];
  readonly notes: readonly ElfNote[];
}

/** More program headers than any core has; those of all sizes of RAM. */
export const MOST_HEADERS = 1 << 20;

const NOT_CORES = ["an unknown ELF file", "an object file", "an executable"];

/** Formats other than ELF, recognized by their first bytes. */
const OTHER_FORMATS: readonly [string, string][] = [
  ["DISKDUMP", "a diskdump; only ELF cores, kdumps and LiME dumps can be read"],
  ["LibvirtQemudSave", "a libvirt save image; use `virsh dump --memory-only`"],
  ["QEVM", "a QEMU migration stream; use `virsh dump --memory-only`"],
  [
    "PAGEDU64",
    "a Windows crash dump (QEMU's format win-dmp); only dumps of Linux can be read",
  ],
  [
    "AVML",
    "an AVML dump with compressed ranges; unpack it with avml-convert, and give the result",
  ],
  ["\xfd7zXZ", "compressed with xz; decompress it first"],
  ["BZh", "compressed with bzip2; decompress it first"],
  ["\x04\x22\x4d\x18", "compressed with lz4; decompress it first"],
];

/**
 * Reads the headers and notes of a kernel core.
 *
 * @param refuse by default refuses machines whose headers have another form
 * @throws {XftraceError} one sentence that names `path` and the fault: not an
 * ELF core (and what it is instead), a 32-bit core, another architecture, a
 * file cut short (and by how many bytes), a user program's core, or malformed
 * headers.
 */
export function parseCoreHeaders(
  path: string,
  source: ByteSource,
  refuse: RefuseMachine = OTHER_HEADERS,
): CoreHeaders {
  const fail = (what: string) => new XftraceError(`${path} ${what}`);
  const start = allocateBytes(
    Math.min(ELF.headerSize, source.size),
    ELF.headerSize,
    path,
  );
  source.readAt(0, start);
  const head = new DataView(start.buffer);
  if (start.length < 4 || head.getUint32(0, false) !== 0x7f454c46) {
    const text = String.fromCharCode(...start);
    for (const [magic, what] of OTHER_FORMATS) {
      if (text.startsWith(magic)) throw fail(`is ${what}`);
    }
    throw fail(
      "is not an ELF core, a kdump or a LiME dump; for a memory file of a VM use file:PATH, and for other raw memory describe where it lies in PATH.layout.json (docs/targets.md)",
    );
  }
  const cutShort = (end: number) =>
    fail(
      `is cut short: ${end - source.size} of its ${end} bytes are missing; ` +
        `dump or copy it again`,
    );
  if (start.length < ELF.headerSize) throw cutShort(ELF.headerSize);
  const refusal = refuse({
    machine: head.getUint16(18, start[5] !== 2),
    is64: start[4] === 2,
    littleEndian: start[5] === 1,
  });
  if (refusal !== undefined) throw fail(refusal);
  const type = head.getUint16(16, true);
  if (type !== ELF.ET_CORE) {
    throw fail(
      `is ${NOT_CORES[type] ?? "a shared object"}, not a core of a kernel`,
    );
  }
  const u64 = (view: DataView, at: number): number => {
    const value = view.getBigUint64(at, true);
    if (value > Number.MAX_SAFE_INTEGER) {
      throw fail("is damaged: a header holds an impossible number");
    }
    return Number(value);
  };
  const phoff = u64(head, 32);
  const entry = head.getUint16(54, true);
  let count = head.getUint16(56, true);
  if (count === ELF.PN_XNUM) {
    const shoff = u64(head, 40);
    if (shoff + ELF.sectionHeaderSize > source.size) {
      throw cutShort(shoff + ELF.sectionHeaderSize);
    }
    const section = new Uint8Array(ELF.sectionHeaderSize);
    source.readAt(shoff, section);
    count = new DataView(section.buffer).getUint32(44, true);
  }
  if (count === 0) throw fail("is damaged: it has no program headers");
  if (entry !== ELF.programHeaderSize) {
    throw fail(`is damaged: its program headers are ${entry} bytes, not 56`);
  }
  const tooMany = () => fail(`is damaged: it claims ${count} program headers`);
  wholeSize(count, MOST_HEADERS, path, "program headers", tooMany);
  const tableEnd = phoff + count * entry;
  if (tableEnd > source.size) throw cutShort(tableEnd);
  const table = allocateBytes(count * entry, MOST_HEADERS * entry, path, {
    error: tooMany,
  });
  source.readAt(phoff, table);
  const headers = new DataView(table.buffer);
  const loads: LoadSegment[] = [];
  const noteParts: { offset: number; size: number }[] = [];
  let end = 0;
  for (let at = 0; at < table.length; at += entry) {
    const kind = headers.getUint32(at, true);
    if (kind !== ELF.PT_LOAD && kind !== ELF.PT_NOTE) continue;
    const offset = u64(headers, at + 8);
    const fileSize = u64(headers, at + 32);
    if (fileSize > 0) end = Math.max(end, offset + fileSize);
    if (kind === ELF.PT_NOTE) {
      noteParts.push({ offset, size: fileSize });
      continue;
    }
    const memSize = Math.max(fileSize, u64(headers, at + 40));
    const paddr = headers.getBigUint64(at + 24, true);
    // The kernel sets all bits for memory without a physical address (vmalloc
    // in /proc/kcore).
    if (memSize === 0 || paddr === 0xffffffffffffffffn) continue;
    loads.push({
      paddr: u64(headers, at + 24),
      vaddr: headers.getBigUint64(at + 16, true),
      offset,
      fileSize,
      memSize,
    });
  }
  if (end > source.size) throw cutShort(end);
  const noteBytes = noteParts.reduce((sum, { size }) => sum + size, 0);
  const tooLong = () =>
    fail(`is damaged: it claims ${noteBytes} bytes of notes`);
  wholeSize(noteBytes, MOST_NOTE_BYTES, path, "bytes of notes", tooLong);
  const notes: ElfNote[] = [];
  for (const { offset, size } of noteParts) {
    const bytes = allocateBytes(size, MOST_NOTE_BYTES, path, {
      error: tooLong,
    });
    source.readAt(offset, bytes);
    for (const note of parseNotes(bytes)) notes.push(note);
    if (notes.length > MOST_NOTES) {
      throw fail(`is damaged: it has more than ${MOST_NOTES} notes`);
    }
  }
  if (loads.length === 0) throw fail("holds no memory, only headers");
  const kernels = ["VMCOREINFO", "QEMU", "XFTRACE"];
  if (
    !notes.some((note) => kernels.includes(note.name)) &&
    loads.every((load) => load.paddr === 0)
  ) {
    throw fail("is the core of a user program, not of a kernel");
  }
  return { loads, notes };
}
