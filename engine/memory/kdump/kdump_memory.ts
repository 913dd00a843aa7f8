/**
 * Guest memory from a compressed kdump: of makedumpfile, and of QEMU's
 * dump-guest-memory. Pages are read and unpacked one by one, when they are asked
 * for.
 *
 * A page that was left out of the dump (free, of user space, of the page cache)
 * is no memory, and is never read as zeros. A page of zeros is in the dump: all
 * of them share one descriptor's bytes.
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";
import { MemoryError, XftraceError } from "../../base/errors.ts";
import {
  countCpuNotes,
  notedVmcoreinfo,
  type RecordedMemory,
} from "../dump/recorded_memory.ts";
import type { ElfNote } from "../elf_core_notes.ts";
import { mergeRanges } from "../elf_core_ranges.ts";
import { searchRanges } from "../elf_core_search.ts";
import type { ByteSource } from "../elf_core_source.ts";
import {
  CLOSED,
  type GpaRange,
  type PhysicalMemory,
  recordingRefusal,
} from "../physical_memory.ts";
import { ReadOnlyMemory } from "../write_guard.ts";
import {
  DESCRIPTOR_BYTES,
  type KdumpHeader,
  parseKdumpHeader,
  type RefuseNamedMachine,
} from "./header.ts";
import { PageBitmap } from "./page_bitmap.ts";
import { mostPacked, unpackPage } from "./page_data.ts";

/** Bytes of unpacked pages that are kept. */
const CACHED_BYTES = 32 << 20;
/** Descriptors that are read at a time. */
const DESCRIPTORS = 2048;
/** How many places are looked at for the page of zeros. */
const MOST_ZERO_TRIES = 16;

/** Where a page is in the file. */
interface Descriptor {
  readonly offset: number;
  readonly size: number;
  readonly flags: number;
}

/** A page that was unpacked, and how its descriptor described it. */
interface KeptPage extends Omit<Descriptor, "offset"> {
  readonly page: Uint8Array;
}

/** A compressed kdump as memory; read-only, not live. */
export class KdumpMemory extends ReadOnlyMemory
  implements PhysicalMemory, RecordedMemory {
  readonly name: string;
  protected readonly kind = "the dump";
  readonly ranges: readonly GpaRange[];
  readonly notes: readonly ElfNote[];
  readonly vmcoreinfo: string | undefined;
  readonly cpuNotes: number;
  readonly ram: readonly GpaRange[] | undefined;
  readonly #path: string;
  readonly #source: ByteSource;
  readonly #header: KdumpHeader;
  readonly #bitmap: PageBitmap;
  /** Unpacked pages by their offset in the file, the oldest first. */
  readonly #cache = new Map<number, KeptPage>();
  readonly #descriptor = new DataView(new ArrayBuffer(DESCRIPTOR_BYTES));
  #lastFrame = -1;
  #lastPage: Uint8Array = new Uint8Array(0);
  #data: GpaRange[] | undefined;
  #closed = false;

  /**
   * @param path For messages.
   * @param source is closed together with this.
   * @throws {XftraceError} as {@linkcode parseKdumpHeader}, and when pages of
   * the dump are missing.
   */
  constructor(path: string, source: ByteSource, refuse?: RefuseNamedMachine) {
    super();
    this.name = `core:${path}`;
    this.#path = path;
    this.#source = source;
    const header = parseKdumpHeader(path, source, refuse);
    this.#header = header;
    const { frames, pageSize } = header;
    this.notes = header.notes;
    this.vmcoreinfo = header.vmcoreinfo ?? notedVmcoreinfo(header.notes);
    this.cpuNotes = countCpuNotes(header.notes);
    this.#bitmap = new PageBitmap(source, header.bitmap, frames, path);
    if (this.#bitmap.count === 0) {
      throw new XftraceError(`${path} holds no memory, only headers`);
    }
    const ram = header.bitmap === header.ramBitmap
      ? this.#bitmap
      : new PageBitmap(source, header.ramBitmap, frames, path);
    this.#judgeEnd();
    const written = header.incomplete ? this.#eachDescriptor() : undefined;
    this.ranges = this.#bitmap.ranges(
      path,
      pageSize,
      written && ((rank) => written(rank).offset !== 0),
    );
    this.ram = header.incomplete || ram.count > this.#bitmap.count
      ? mergeRanges([...ram.ranges(path, pageSize), ...this.ranges])
      : undefined;
  }

  dataRanges(): GpaRange[] {
    return [...this.#data ??= this.#closed ? [] : this.#withoutZeros()];
  }

  read(gpa: number, into: Uint8Array): void {
    const { pageSize } = this.#header;
    for (let done = 0; done < into.length;) {
      const at = gpa + done;
      const frame = Math.floor(at / pageSize);
      const from = at - frame * pageSize;
      const length = Math.min(pageSize - from, into.length - done);
      const page = this.#page(frame, at);
      into.set(
        length === pageSize ? page : page.subarray(from, from + length),
        done,
      );
      done += length;
    }
  }

  /** No view is given out: the pages are packed. */
  view(): undefined {
    return undefined;
  }

  search(needle: Uint8Array, limit?: number): number[] {
    return searchRanges(
      this.dataRanges(),
      (gpa, into) => this.read(gpa, into),
      needle,
      limit,
    );
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#lastFrame = -1;
    this.#cache.clear();
    this.#source[Symbol.dispose]();
  }

  override makeWritable(): never {
    throw new XftraceError(recordingRefusal(this.name));
  }

  /** The page with that number. */
  #page(frame: number, gpa: number): Uint8Array {
    if (frame === this.#lastFrame) return this.#lastPage;
    if (this.#closed) throw new MemoryError(this.name, gpa, CLOSED);
    const rank = this.#bitmap.rank(frame);
    if (rank < 0) throw this.#missing(gpa, frame);
    const found = this.#descriptorAt(rank, gpa);
    const page = this.#unpacked(found, gpa);
    this.#lastFrame = frame;
    this.#lastPage = page;
    return page;
  }

  #descriptorAt(rank: number, gpa: number): Descriptor {
    const at = this.#header.descriptors + rank * DESCRIPTOR_BYTES;
    if (at + DESCRIPTOR_BYTES > this.#source.size) throw this.#unwritten(gpa);
    this.#source.readAt(at, new Uint8Array(this.#descriptor.buffer));
    return descriptorIn(this.#descriptor, 0);
  }

  #unpacked(descriptor: Descriptor, gpa: number): Uint8Array {
    const { offset, size, flags } = descriptor;
    const { pageSize, incomplete } = this.#header;
    const kept = this.#cache.get(offset);
    // In a file that lies, other descriptors may lead to the same bytes.
    if (kept?.size === size && kept.flags === flags) {
      // The pages that were used last are at the end.
      this.#cache.delete(offset);
      this.#cache.set(offset, kept);
      return kept.page;
    }
    const wrong = (what: string) =>
      new MemoryError(
        this.name,
        gpa,
        `this page is damaged: ${what}; copy or dump it again`,
      );
    if (incomplete && offset === 0) throw this.#unwritten(gpa);
    if (!(offset >= this.#header.descriptors) || size === 0) {
      throw wrong("its descriptor leads to no bytes of pages");
    }
    const packed = allocateBytes(size, mostPacked(pageSize), this.name, {
      error: () => wrong(`it claims ${size} bytes in the file`),
    });
    if (offset + size > this.#source.size) {
      if (incomplete) throw this.#unwritten(gpa);
      throw wrong("its bytes lie behind the end of the file");
    }
    try {
      this.#source.readAt(offset, packed);
    } catch (error) {
      if (!(error instanceof XftraceError)) throw error;
      throw wrong(error.message);
    }
    const page = unpackPage(packed, flags, pageSize);
    if (typeof page === "string") throw wrong(page);
    if (this.#cache.size >= CACHED_BYTES / pageSize) {
      for (const oldest of this.#cache.keys()) {
        this.#cache.delete(oldest);
        break;
      }
    }
    this.#cache.set(offset, { size, flags, page });
    return page;
  }

  /** Why a page that is not in the bitmap is not there. */
  #missing(gpa: number, frame: number): MemoryError {
    const { ramBitmap, bitmap } = this.#header;
    const at = Math.floor(frame / 8);
    const byte = new Uint8Array(1);
    if (ramBitmap !== bitmap && frame >= 0 && frame < this.#header.frames) {
      this.#source.readAt(ramBitmap + at, byte);
    }
    return new MemoryError(
      this.name,
      gpa,
      ((byte[0] >> (frame % 8)) & 1) === 1
        ? "this page was left out of the dump (makedumpfile -d); dump it again with -d 1, or with a makedumpfile that knows this kernel"
        : "the dump holds no memory there",
    );
  }

  #unwritten(gpa: number): MemoryError {
    return new MemoryError(
      this.name,
      gpa,
      "this page was not written: the disk was full when the dump was made; dump it again with more room",
    );
  }

  /** Refuses a dump whose last descriptor, or last page, is not in the file. */
  #judgeEnd(): void {
    if (this.#header.incomplete) return;
    const judge = (end: number) => {
      if (end <= this.#source.size) return;
      throw new XftraceError(
        `${this.#path} is cut short: ${
          end - this.#source.size
        } of its first ${end} bytes are missing; dump or copy it again`,
      );
    };
    const end = this.#header.descriptors +
      this.#bitmap.count * DESCRIPTOR_BYTES;
    judge(end);
    this.#source.readAt(
      end - DESCRIPTOR_BYTES,
      new Uint8Array(this.#descriptor.buffer),
    );
    const { offset, size } = descriptorIn(this.#descriptor, 0);
    judge(offset + size);
  }

  /** Reads descriptors in ascending order, many at a time. */
  #eachDescriptor(): (rank: number) => Descriptor {
    const block = new DataView(
      new ArrayBuffer(DESCRIPTORS * DESCRIPTOR_BYTES),
    );
    let first = -1;
    return (rank) => {
      const start = rank - rank % DESCRIPTORS;
      if (start !== first) {
        const bytes = new Uint8Array(block.buffer);
        const at = this.#header.descriptors + start * DESCRIPTOR_BYTES;
        const there = Math.min(
          bytes.length,
          Math.max(0, this.#source.size - at),
        );
        bytes.fill(0);
        if (there > 0) this.#source.readAt(at, bytes.subarray(0, there));
        first = start;
      }
      return descriptorIn(block, (rank - start) * DESCRIPTOR_BYTES);
    };
  }

  /** The ranges of pages that do not share the bytes of the page of zeros. */
  #withoutZeros(): GpaRange[] {
    const each = this.#eachDescriptor();
    const { incomplete, pageSize } = this.#header;
    let zeros = -1;
    let before = -1;
    let tries = 0;
    return this.#bitmap.ranges(this.#path, pageSize, (rank) => {
      const descriptor = each(rank);
      const { offset } = descriptor;
      if (incomplete && offset === 0) return false;
      // Only zeros share their bytes: two pages in a row tell where they are.
      if (
        zeros < 0 && offset === before && tries < MOST_ZERO_TRIES
      ) {
        tries++;
        if (this.#isZero(descriptor)) zeros = offset;
      }
      before = offset;
      return zeros < 0 || offset !== zeros;
    });
  }

  #isZero(descriptor: Descriptor): boolean {
    try {
      return this.#unpacked(descriptor, 0).every((byte) => byte === 0);
    } catch (error) {
      if (error instanceof MemoryError) return false;
      throw error;
    }
  }
}

function descriptorIn(view: DataView, at: number): Descriptor {
  return {
    offset: Number(view.getBigUint64(at, true)),
    size: view.getUint32(at + 8, true),
    flags: view.getUint32(at + 12, true),
  };
}
