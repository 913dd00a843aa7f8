/**
 * Builds small guests with kernel objects in their memory, for tests.
 *
 * @module
 */
import { AddressSpace } from "../../memory/address_space.ts";
import { BufferMemory } from "../../memory/buffer_memory_fixture.ts";
import { x86_64 } from "../../arch/x86_64/mod.ts";
import { PageTableBuilder } from "../../arch/x86_64/page_tables_fixture.ts";
import type { PhysicalMemory } from "../../memory/physical_memory.ts";
import { BtfBuilder } from "../btf/btf_fixture.ts";
import { BtfTypes } from "../btf/btf_types.ts";
import { Kernel } from "./kernel.ts";
import { LiveSymbols } from "../symbols/live_symbols.ts";
import {
  FIXTURE_TEXT,
  fixtureSymbolTable,
} from "../symbols/symbols_fixture.ts";
import type { Types } from "../btf/types.ts";

/** GVA of GPA 0: where the fixture's direct map begins. */
export const DIRECT_MAP = 0xffff888000000000n;

/**
 * A struct's members by name: offset in bytes and type, `u64`, a struct's name,
 * or several of one: `u64[2]`.
 */
export interface FixtureStruct {
  readonly size: number;
  readonly members: Readonly<Record<string, readonly [number, string]>>;
}

const INTEGERS: Readonly<Record<string, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  u64: 8,
};

/**
 * Builds the types of a kernel with these structs and enumerators. A struct may
 * embed structs that come before it.
 */
export function fixtureTypes(
  structs: Readonly<Record<string, FixtureStruct>>,
  enumerators: readonly (readonly [string, number])[] = [],
): Types {
  const builder = new BtfBuilder();
  const ids = new Map<string, number>();
  for (const [name, size] of Object.entries(INTEGERS)) {
    ids.set(name, builder.int(name, size));
  }
  const elements = (type: string): [element: string, count: number] => {
    const [, element, count] = /^(.+)\[(\d+)\]$/.exec(type) ?? [];
    return element === undefined ? [type, 1] : [element, Number(count)];
  };
  for (const [name, { size, members }] of Object.entries(structs)) {
    const list = Object.entries(members).map(([name, [offset, type]]) => {
      const [element, count] = elements(type);
      const id = ids.get(element);
      if (id === undefined) throw new Error(`the fixture has no type ${type}`);
      return {
        name,
        type: element === type ? id : builder.array(id, count),
        bits: offset * 8,
      };
    }).sort((a, b) => a.bits - b.bits);
    // Members of unnamed unions are given as if they were the struct's own.
    let end = 0;
    const overlap = Object.values(members).sort(([a], [b]) => a - b)
      .some(([offset, type]) => {
        const before = end;
        const [element, count] = elements(type);
        end = offset + count * (INTEGERS[element] ?? structs[element].size);
        return offset < before || end > size;
      });
    const kind = overlap ? "union" : "struct";
    ids.set(name, builder.compound(kind, name, size, list));
  }
  if (enumerators.length > 0) builder.enum("fixture_enum", enumerators);
  return new BtfTypes(builder.build());
}

/** Options of a {@linkcode FixtureGuest}. */
export interface FixtureGuestOptions {
  /** Size of the memory in bytes; default 1 MiB. */
  readonly size?: number;
  /** Creates the memory that is read; default: a {@linkcode BufferMemory}. */
  readonly memory?: (bytes: Uint8Array) => PhysicalMemory;
}

/**
 * A guest whose memory is a byte array, mapped as a whole from
 * {@linkcode DIRECT_MAP} on. Objects are allocated one after another.
 */
export class FixtureGuest {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly memory: PhysicalMemory;
  readonly types: Types;
  readonly space: AddressSpace;
  readonly #tables: PageTableBuilder;
  readonly #symbols: [string, bigint][] = [];
  #next: number;
  #kernel: Kernel | undefined;

  constructor(types: Types, options: FixtureGuestOptions = {}) {
    this.bytes = new Uint8Array(options.size ?? 1 << 20);
    this.view = new DataView(this.bytes.buffer);
    this.memory = options.memory?.(this.bytes) ?? new BufferMemory(this.bytes);
    this.types = types;
    this.#tables = new PageTableBuilder(this.bytes, 4, 0x1000);
    this.#tables.map(DIRECT_MAP, 0n, 2 ** 30);
    // Room for page tables: those of the direct map, and one path for the
    // image.
    this.#next = 0x10000;
    this.space = new AddressSpace(this.#tables.over(this.memory));
  }

  /** Bytes that can still be allocated. */
  get free(): number {
    return this.bytes.length - this.#next;
  }

  /** Allocates zeroed bytes and returns their GVA. */
  allocate(size: number, align = 64): bigint {
    const at = Math.ceil(this.#next / align) * align;
    this.#next = at + size;
    if (this.#next > this.bytes.length) {
      throw new Error("the fixture's memory is full");
    }
    return DIRECT_MAP + BigInt(at);
  }

  /** Allocates a zeroed object and returns its GVA. */
  create(struct: string): bigint {
    return this.allocate(this.types.struct(struct).size);
  }

  /** Maps a new page of the kernel image and returns its GVA. */
  image(index = 0): bigint {
    const page = this.allocate(4096, 4096) - DIRECT_MAP;
    const gva = FIXTURE_TEXT + 0x400000n + BigInt(index * 4096);
    this.#tables.map(gva, page, 4096);
    return gva;
  }

  /** Maps a page of the direct map a second time, at `gva`. */
  alias(gva: bigint, page: bigint): void {
    this.#tables.map(gva, BigInt(this.gpa(page)), 4096);
  }

  /** Takes such a mapping away. */
  unmap(gva: bigint): void {
    this.#tables.unmap(gva);
  }

  /**
   * Adds a symbol for a GVA of the image; must be called before
   * {@linkcode kernel} is used.
   */
  symbol(name: string, gva: bigint): void {
    this.#symbols.push([name, gva]);
  }

  /** GPA of a GVA, of the direct map or of the image. */
  gpa(gva: bigint): number {
    return this.space.translate(gva).gpa;
  }

  /** GVA of a member. */
  at(struct: string, gva: bigint, path: string): bigint {
    return gva + BigInt(this.types.offset(struct, path));
  }

  /** The u64 at a GVA. */
  u64(gva: bigint): bigint {
    return this.view.getBigUint64(this.gpa(gva), true);
  }

  /** Stores a u64 at a GVA. */
  setU64(gva: bigint, value: bigint | number): void {
    this.view.setBigUint64(this.gpa(gva), BigInt(value), true);
  }

  /** Stores a u32 at a GVA. */
  setU32(gva: bigint, value: number): void {
    this.view.setUint32(this.gpa(gva), value, true);
  }

  /** Links `struct list_head`s into one list: the head, then its nodes. */
  link(head: bigint, ...nodes: readonly bigint[]): void {
    const all = [head, ...nodes];
    all.forEach((at, i) => {
      const next = all[(i + 1) % all.length];
      this.setU64(at, next);
      this.setU64(next + 8n, at);
    });
  }

  /** Stores NUL-terminated text; returns its GVA. */
  text(text: string): bigint {
    const bytes = new TextEncoder().encode(text + "\0");
    const gva = this.allocate(bytes.length, 8);
    this.bytes.set(bytes, this.gpa(gva));
    return gva;
  }

  /** The kernel, with the symbols named so far. */
  get kernel(): Kernel {
    // Nothing here loads modules, so the part that watches them stays empty.
    const live: LiveSymbols = Object.create(LiveSymbols.prototype);
    return this.#kernel ??= new Kernel(
      x86_64,
      this.space,
      fixtureSymbolTable(this.#symbols),
      this.types,
      live,
      {
        release: "6.1.0-fixture",
        banner: "Linux version 6.1.0-fixture",
        buildId: undefined,
        kaslrOffset: 0n,
        physBase: 0,
        locatedBy: "vmcoreinfo",
        vmcoreinfo: undefined,
        describedBy: "guest memory",
      },
    );
  }
}
