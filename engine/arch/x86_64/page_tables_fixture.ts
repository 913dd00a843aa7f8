/**
 * Makes x86-64 page tables in a byte array, for tests.
 *
 * @module
 */
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import { X86PageTables } from "./page_tables.ts";

const PRESENT_WRITABLE = 3n;
const PAGE_SIZE_BIT = 0x80n;
const TABLE = 4096;

/** Page tables that are built one mapping at a time. */
export class PageTableBuilder {
  /** GPA of the top-level table. */
  readonly root: number;
  readonly levels: 4 | 5;
  readonly #view: DataView;
  #next: number;

  /**
   * @param bytes guest memory from GPA 0
   * @param first GPA from which tables are allocated, one after another
   */
  constructor(bytes: Uint8Array, levels: 4 | 5, first: number) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.levels = levels;
    this.#next = first;
    this.root = this.#table();
  }

  /** The tables as an object that reads them. */
  over(memory: PhysicalMemory): X86PageTables {
    return new X86PageTables(memory, this.root, this.levels);
  }

  /** GPA after the last table. */
  get end(): number {
    return this.#next;
  }

  #table(): number {
    this.#next += TABLE;
    return this.#next - TABLE;
  }

  /**
   * Maps one page of 4 KiB, 2 MiB or 1 GiB.
   *
   * @param extra further bits to set in the entry
   */
  map(gva: bigint, gpa: bigint, pageSize: number, extra = 0n): void {
    const huge = pageSize > TABLE ? PAGE_SIZE_BIT : 0n;
    this.#set(gva, pageSize, gpa | PRESENT_WRITABLE | huge | extra);
  }

  /** Takes a mapped page of 4 KiB away. */
  unmap(gva: bigint): void {
    this.#set(gva, TABLE, 0n);
  }

  #set(gva: bigint, pageSize: number, value: bigint): void {
    let table = this.root;
    for (let level: number = this.levels; level >= 1; level--) {
      const shift = 12 + 9 * (level - 1);
      const at = table + Number((gva >> BigInt(shift)) & 511n) * 8;
      if (2 ** shift === pageSize) {
        this.#view.setBigUint64(at, value, true);
        return;
      }
      const entry = this.#view.getBigUint64(at, true);
      if (entry === 0n) {
        table = this.#table();
        this.#view.setBigUint64(at, BigInt(table) | PRESENT_WRITABLE, true);
      } else table = Number(entry & 0x000f_ffff_ffff_f000n);
    }
  }
}
