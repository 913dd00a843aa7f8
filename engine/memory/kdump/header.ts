/**
 * The headers of a compressed kdump, as makedumpfile and QEMU write it: what is
 * where in the file. Pure: works on a {@linkcode ByteSource}.
 *
 * The format is that of makedumpfile (its IMPLEMENTATION, diskdump_mod.h) for
 * 64-bit, little-endian machines: a header of one block, a sub-header with the
 * notes, two bitmaps with one bit for each page frame (which frames are RAM, and
 * which of them were written), one descriptor for each page that was written,
 * and the pages.
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";
import { XftraceError } from "../../base/errors.ts";
import { shellWord } from "../../base/shell_word.ts";
import { vmcoreinfoText } from "../dump/recorded_memory.ts";
import {
  type ElfNote,
  MOST_NOTE_BYTES,
  MOST_NOTES,
  parseNotes,
} from "../elf_core_notes.ts";
import { GRANULE } from "../elf_core_ranges.ts";
import type { ByteSource } from "../elf_core_source.ts";

/** The first bytes of a compressed kdump. */
export const KDUMP_MAGIC = "KDUMP   ";
/** Bytes of a page's descriptor: offset (8), size (4), flags (4), page flags (8). */
export const DESCRIPTOR_BYTES = 24;
/** Descriptor's flags: how the page is compressed; 0 is not at all. */
export const PACKED = { zlib: 1, lzo: 2, snappy: 4, zstd: 0x20 } as const;

/** Offsets in the header (struct disk_dump_header). */
const HEADER = {
  version: 8,
  machine: 12 + 4 * 65,
  machineBytes: 65,
  status: 424,
  blockSize: 428,
  subHeaderBlocks: 432,
  bitmapBlocks: 436,
  maxMapnr: 440,
  bytes: 464,
} as const;

/** Offsets in the sub-header (struct kdump_sub_header). */
const SUB = {
  split: 12,
  vmcoreinfo: 32,
  notes: 48,
  maxMapnr64: 96,
  bytes: 104,
} as const;

/** What stands there when the writer was not told; QEMU never is. */
const NAMELESS: ReadonlySet<string> = new Set(["", "Unknown"]);
/** The newest header_version that is known. */
const NEWEST = 6;
/** DUMP_DH_COMPRESSED_INCOMPLETE: the disk was full before all was written. */
const INCOMPLETE = 8;
/** The largest page of an architecture. */
export const MOST_BLOCK = 64 << 10;
/** More page frames than a dump has: 16 TiB with pages of 4 KiB. */
const MOST_PAGES = 2 ** 32 - 1;
/** More bytes than a kernel's vmcoreinfo has, which is one page. */
const MOST_VMCOREINFO = 64 << 10;

/**
 * Says why dumps of a machine cannot be read, as the end of a sentence that
 * begins with the file's name; `undefined` when they can be read.
 *
 * @param machine as `uname -m` prints it
 */
export type RefuseNamedMachine = (machine: string) => string | undefined;

/** What the headers of a kdump say. */
export interface KdumpHeader {
  /** Bytes of a page. */
  readonly pageSize: number;
  /** Number of page frames that the bitmaps describe. */
  readonly frames: number;
  /** Offset of the bitmap of the frames that are RAM. */
  readonly ramBitmap: number;
  /** Offset of the bitmap of the frames that were written. */
  readonly bitmap: number;
  /** Offset of the first descriptor. */
  readonly descriptors: number;
  /** Whether the disk was full before all pages were written. */
  readonly incomplete: boolean;
  readonly notes: readonly ElfNote[];
  /** Text of the vmcoreinfo, if it is there. */
  readonly vmcoreinfo: string | undefined;
}

/**
 * Reads the headers and notes of a compressed kdump.
 *
 * @throws {XftraceError} one sentence that names `path` and the fault: another
 * machine, a newer format, one part of a split dump, a file cut short (and by
 * how many bytes), or malformed headers.
 */
export function parseKdumpHeader(
  path: string,
  source: ByteSource,
  refuse?: RefuseNamedMachine,
): KdumpHeader {
  const fail = (what: string) => new XftraceError(`${path} ${what}`);
  const damaged = (what: string) => fail(`is damaged: ${what}`);
  const needs = (end: number) => {
    if (end > source.size) {
      throw fail(
        `is cut short: ${
          end - source.size
        } of its first ${end} bytes are missing; dump or copy it again`,
      );
    }
  };
  needs(HEADER.bytes);
  const bytes = new Uint8Array(HEADER.bytes);
  source.readAt(0, bytes);
  const head = new DataView(bytes.buffer);
  const field = bytes.subarray(
    HEADER.machine,
    HEADER.machine + HEADER.machineBytes,
  );
  const machine = new TextDecoder("latin1").decode(field).split("\0", 1)[0];
  const refusal = NAMELESS.has(machine) ? undefined : refuse?.(machine);
  if (refusal !== undefined) throw fail(refusal);
  const version = head.getUint32(HEADER.version, true);
  if (version > NEWEST) {
    throw head.getUint32(HEADER.version, false) <= NEWEST
      ? fail("is of a guest that is not a little-endian one")
      : fail(
        `has a kdump header of version ${version}, and this xftrace reads versions up to ${NEWEST}; use a newer xftrace`,
      );
  }
  const pageSize = head.getUint32(HEADER.blockSize, true);
  if (
    pageSize < GRANULE || pageSize > MOST_BLOCK ||
    (pageSize & (pageSize - 1)) !== 0
  ) {
    throw damaged(`its header claims pages of ${pageSize} bytes`);
  }
  const subBlocks = head.getUint32(HEADER.subHeaderBlocks, true);
  const bitmapBlocks = head.getUint32(HEADER.bitmapBlocks, true);
  if (subBlocks === 0 || subBlocks * pageSize > 2 * MOST_NOTE_BYTES) {
    throw damaged(`its header claims a sub-header of ${subBlocks} blocks`);
  }
  needs(pageSize + SUB.bytes);
  const sub = new DataView(new ArrayBuffer(SUB.bytes));
  source.readAt(pageSize, new Uint8Array(sub.buffer));
  const u64 = (at: number, what: string): number => {
    const value = sub.getBigUint64(at, true);
    if (value > Number.MAX_SAFE_INTEGER) {
      throw damaged(`its sub-header holds an impossible ${what}`);
    }
    return Number(value);
  };
  if (version >= 2 && sub.getUint32(SUB.split, true) !== 0) {
    throw fail(
      `is one part of a dump that was split (makedumpfile --split); join the parts with makedumpfile --reassemble ${
        shellWord(path)
      } OTHER_PARTS... WHOLE_DUMP, and give the result`,
    );
  }
  const frames = version >= 6
    ? u64(SUB.maxMapnr64, "number of pages")
    : head.getUint32(HEADER.maxMapnr, true);
  if (frames > MOST_PAGES) throw damaged(`it claims ${frames} pages`);
  if (frames === 0) throw fail("holds no memory, only headers");
  const oneBitmap = Math.ceil(Math.ceil(frames / 8) / pageSize);
  if (bitmapBlocks < oneBitmap) {
    throw damaged(
      `its bitmaps of ${bitmapBlocks} blocks are too small for ${frames} pages`,
    );
  }
  const ramBitmap = (1 + subBlocks) * pageSize;
  const descriptors = ramBitmap + bitmapBlocks * pageSize;
  needs(descriptors);
  const part = (
    since: number,
    at: number,
    most: number,
    what: string,
  ): Uint8Array | undefined => {
    if (version < since) return undefined;
    const offset = u64(at, `place of ${what}`);
    const size = u64(at + 8, `size of ${what}`);
    if (offset === 0 || size === 0) return undefined;
    const into = allocateBytes(size, most, path, {
      error: () => damaged(`it claims ${size} bytes of ${what}`),
    });
    needs(offset + size);
    source.readAt(offset, into);
    return into;
  };
  const noteBytes = part(4, SUB.notes, MOST_NOTE_BYTES, "notes");
  const notes = noteBytes === undefined ? [] : parseNotes(noteBytes);
  if (notes.length > MOST_NOTES) {
    throw damaged(`it has more than ${MOST_NOTES} notes`);
  }
  const info = part(3, SUB.vmcoreinfo, MOST_VMCOREINFO, "vmcoreinfo");
  return {
    pageSize,
    frames,
    ramBitmap,
    // Old dumps have one bitmap for both.
    bitmap: bitmapBlocks >= 2 * oneBitmap
      ? ramBitmap + bitmapBlocks * pageSize / 2
      : ramBitmap,
    descriptors,
    incomplete: (head.getUint32(HEADER.status, true) & INCOMPLETE) !== 0,
    notes,
    vmcoreinfo: info && vmcoreinfoText(info),
  };
}
