/**
 * GVA to GPA: a walk of the guest's x86-64 page tables, with 4 or 5 levels,
 * and pages of 4 KiB, 2 MiB and 1 GiB (Intel SDM vol. 3, 4.5).
 *
 * @module
 */
import { MemoryError } from "../base/errors.ts";
import type { PhysicalMemory } from "./physical_memory.ts";

/** Where a GVA lies in physical memory. */
export interface Translation {
  /** GPA of the byte asked for. */
  readonly gpa: number;
  /** Bytes from there to the end of the page that maps it. */
  readonly left: number;
  /** Size of that page, in bytes: 4 KiB, 2 MiB or 1 GiB. */
  readonly pageSize: number;
}

const PRESENT = 1;
const PAGE_SIZE_BIT = 0x80;
const KIB4 = 4096;
// Only huge pages are remembered: they map the kernel image and the direct
// map, which do not move, while 4 KiB mappings (vmalloc) come and go.
const REMEMBERED_PAGES = 4096;

/** One set of page tables over a guest's physical memory. */
export class AddressSpace {
  readonly memory: PhysicalMemory;
  /** GPA of the top-level table (the address in CR3). */
  readonly cr3: number;
  /** 4 or 5. */
  readonly levels: 4 | 5;
  readonly #entry = new Uint8Array(8);
  readonly #entryWords = new Uint32Array(this.#entry.buffer);
  readonly #word = new DataView(new ArrayBuffer(8));
  readonly #wordBytes = new Uint8Array(this.#word.buffer);
  readonly #huge = new Map<bigint, { gpa: number; size: number }>();

  constructor(memory: PhysicalMemory, cr3: number, levels: 4 | 5) {
    this.memory = memory;
    this.cr3 = cr3;
    this.levels = levels;
  }

  /**
   * Translates a GVA; `undefined` when nothing is mapped there.
   *
   * @throws {MemoryError} when a page table lies outside the guest's RAM.
   */
  tryTranslate(gva: bigint): Translation | undefined {
    const key = gva >> 21n;
    const known = this.#huge.get(key);
    if (known !== undefined) {
      const offset = Number(gva & BigInt(known.size - 1));
      return {
        gpa: known.gpa + offset,
        left: known.size - offset,
        pageSize: known.size,
      };
    }
    const hi = Number((gva >> 32n) & 0xffffffffn);
    const lo = Number(gva & 0xffffffffn);
    let table = this.cr3;
    for (let level: number = this.levels; level >= 1; level--) {
      const shift = 12 + 9 * (level - 1);
      const index = shift >= 32
        ? (hi >>> (shift - 32)) & 511
        : ((hi << (32 - shift)) | (lo >>> shift)) & 511;
      this.memory.read(table + index * 8, this.#entry);
      const entryLo = this.#entryWords[0];
      const entryHi = this.#entryWords[1];
      if ((entryLo & PRESENT) === 0) return undefined;
      // Bits 12..51 hold the address; C-bit and keys lie above.
      const next = (entryHi & 0xfffff) * 0x1_0000_0000 +
        ((entryLo & 0xfffff000) >>> 0);
      const leaf = level === 1 ||
        (level <= 3 && (entryLo & PAGE_SIZE_BIT) !== 0);
      if (!leaf) {
        table = next;
        continue;
      }
      const pageSize = 2 ** shift;
      // Bit 12 of a huge entry is PAT, not address.
      const base = next - next % pageSize;
      const offset = Number(gva & BigInt(pageSize - 1));
      if (pageSize > KIB4 && this.#huge.size < REMEMBERED_PAGES) {
        this.#huge.set(key, { gpa: base, size: pageSize });
      }
      return { gpa: base + offset, left: pageSize - offset, pageSize };
    }
    return undefined;
  }

  /**
   * Translates a GVA.
   *
   * @throws {MemoryError} (layer `paging`) when nothing is mapped there.
   */
  translate(gva: bigint): Translation {
    const found = this.tryTranslate(gva);
    if (found !== undefined) return found;
    throw new MemoryError("paging", gva, "no page is mapped there");
  }

  /**
   * Copies `into.length` bytes at `gva`, across pages.
   *
   * @throws {MemoryError} when a byte of it is not mapped or not RAM.
   */
  read(gva: bigint, into: Uint8Array): void {
    let done = 0;
    while (done < into.length) {
      const { gpa, left } = this.translate(gva + BigInt(done));
      const size = Math.min(left, into.length - done);
      this.memory.read(
        gpa,
        size === into.length ? into : into.subarray(done, done + size),
      );
      done += size;
    }
  }

  /** A copy of `size` bytes at `gva`. Throws as {@linkcode read}. */
  bytes(gva: bigint, size: number): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(size);
    this.read(gva, copy);
    return copy;
  }

  #load(gva: bigint, size: number): DataView {
    this.read(
      gva,
      size === 8 ? this.#wordBytes : this.#wordBytes.subarray(0, size),
    );
    return this.#word;
  }

  /** The byte at `gva`. Throws as {@linkcode read}. */
  u8(gva: bigint): number {
    return this.#load(gva, 1).getUint8(0);
  }
  /** The u16 at `gva`. Throws as {@linkcode read}. */
  u16(gva: bigint): number {
    return this.#load(gva, 2).getUint16(0, true);
  }
  /** The u32 at `gva`. Throws as {@linkcode read}. */
  u32(gva: bigint): number {
    return this.#load(gva, 4).getUint32(0, true);
  }
  /** The s32 at `gva`. Throws as {@linkcode read}. */
  s32(gva: bigint): number {
    return this.#load(gva, 4).getInt32(0, true);
  }
  /** The u64 (or pointer) at `gva`. Throws as {@linkcode read}. */
  u64(gva: bigint): bigint {
    return this.#load(gva, 8).getBigUint64(0, true);
  }

  /**
   * The NUL-terminated string at `gva`, as UTF-8, at most `limit` bytes.
   * Throws as {@linkcode read} when its start is not mapped; ends early where
   * mapped memory ends.
   */
  string(gva: bigint, limit = 256): string {
    const parts = new Uint8Array(limit);
    let length = 0;
    while (length < limit) {
      const at = gva + BigInt(length);
      const found = length === 0 ? this.translate(at) : this.tryTranslate(at);
      if (found === undefined) break;
      // To the end of the 4 KiB page at most, so that short strings stay cheap.
      const size = Math.min(
        limit - length,
        64,
        KIB4 - Number(at & 0xfffn),
      );
      const piece = parts.subarray(length, length + size);
      this.memory.read(found.gpa, piece);
      const nul = piece.indexOf(0);
      if (nul >= 0) {
        length += nul;
        break;
      }
      length += size;
    }
    return new TextDecoder().decode(parts.subarray(0, length));
  }
}
