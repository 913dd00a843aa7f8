/**
 * Reads a guest's virtual memory by GVA. Translation is left to the
 * architecture: see {@linkcode PageTables}.
 *
 * @module
 */
import { allocateBytes } from "../base/allocate.ts";
import { Budget } from "../base/budget.ts";
import { MemoryError } from "../base/errors.ts";
import { GRANULE } from "./elf_core_ranges.ts";
import type { GvaRange } from "./gva_ranges.ts";
import type {
  EachPage,
  Mappings,
  PageTables,
  Translation,
} from "./page_tables.ts";
import type { PhysicalMemory } from "./physical_memory.ts";

/** More bytes than anything that is copied as a whole has: 512 MiB. */
const MOST_BYTES = 512 << 20;

/**
 * A guest's virtual memory: its physical memory, read through its page tables.
 */
export class AddressSpace {
  readonly memory: PhysicalMemory;
  readonly tables: PageTables;
  /** What may be read; without limits until some are set. */
  readonly budget: Budget;
  readonly #word = new DataView(new ArrayBuffer(8));
  readonly #wordBytes = new Uint8Array(this.#word.buffer);

  /** @param budget what it spends; default: one of its own */
  constructor(tables: PageTables, budget: Budget = new Budget()) {
    this.tables = tables;
    this.budget = budget;
    this.memory = tables.memory;
  }

  /** Bytes of the smallest page: `PAGE_SIZE` of the guest's kernel. */
  get pageSize(): number {
    return this.tables.pageSize;
  }

  /** See {@linkcode PageTables.tryTranslate}. */
  tryTranslate(gva: bigint): Translation | undefined {
    return this.tables.tryTranslate(gva);
  }

  /** See {@linkcode PageTables.mappings}. */
  mappings(region: GvaRange, each?: EachPage): Mappings {
    return this.tables.mappings(region, this.budget, each);
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
   * Copies `into.length` bytes at `gva`; the range may span pages.
   *
   * @throws {MemoryError} when a byte of it is not mapped or not RAM.
   * @throws {BudgetError} when the budget is used up.
   */
  read(gva: bigint, into: Uint8Array): void {
    this.budget.read(gva, into.length);
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

  /**
   * A copy of `size` bytes at `gva`. Throws like {@linkcode read}.
   *
   * @throws {KernelError} when that is more than 512 MiB.
   */
  bytes(gva: bigint, size: number): Uint8Array<ArrayBuffer> {
    const copy = allocateBytes(size, MOST_BYTES, gva);
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

  /** The byte at `gva`. Throws like {@linkcode read}. */
  u8(gva: bigint): number {
    return this.#load(gva, 1).getUint8(0);
  }
  /** The u16 at `gva`. Throws like {@linkcode read}. */
  u16(gva: bigint): number {
    return this.#load(gva, 2).getUint16(0, true);
  }
  /** The u32 at `gva`. Throws like {@linkcode read}. */
  u32(gva: bigint): number {
    return this.#load(gva, 4).getUint32(0, true);
  }
  /** The s32 at `gva`. Throws like {@linkcode read}. */
  s32(gva: bigint): number {
    return this.#load(gva, 4).getInt32(0, true);
  }
  /** The u64 (or pointer) at `gva`. Throws like {@linkcode read}. */
  u64(gva: bigint): bigint {
    return this.#load(gva, 8).getBigUint64(0, true);
  }

  /**
   * The NUL-terminated string at `gva`, as UTF-8, at most `limit` bytes. Throws
   * like {@linkcode read} when its start is not mapped; is cut short where the
   * mapping ends.
   */
  string(gva: bigint, limit = 256): string {
    this.budget.read(gva, 0);
    const parts = allocateBytes(limit, MOST_BYTES, gva);
    let length = 0;
    while (length < limit) {
      const at = gva + BigInt(length);
      const found = length === 0 ? this.translate(at) : this.tryTranslate(at);
      if (found === undefined) break;
      // In small pieces, so that short strings stay cheap, and never across a
      // granule boundary: a recording may lack the next granule.
      const size = Math.min(
        limit - length,
        64,
        GRANULE - Number(at & BigInt(GRANULE - 1)),
      );
      const piece = parts.subarray(length, length + size);
      this.budget.hold(gva, size);
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
