/**
 * Objects of slab caches by their physical place: which cache a page belongs
 * to, and whether an object of it is allocated.
 *
 * Sources: mm/slab.h (struct slab), mm/slub.c (freelist_ptr_decode),
 * include/linux/slub_def.h.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { listNodes, steady } from "../core/lists.ts";
import type { KernelObject } from "../core/object.ts";
import { readable } from "../core/present.ts";
import { cpuFreeBlocks } from "./cpu_free_pages.ts";
import { sheafObjects } from "./slab_sheaves.ts";

/** More caches than a kernel has. */
const CACHES = { limit: 65536 };
/** `objects` of struct slab has 15 bits. */
const MOST_OBJECTS = 1 << 15;
/** MAX_ORDER of the page allocator. */
const MOST_ORDER = 10;
/** Orders of the blocks of several pages that the lists of CPUs hold. */
const BLOCKS = [1, 2, 3, 9];
/** How often a list is read that changes. */
const TRIES = 4;
/** Pages of the largest slab: MAX_ORDER allocations. */
const MOST_PAGES = 1 << 10;

const NONE: ReadonlySet<bigint> = new Set();
/** include/linux/page-flags.h. */
const FLAGS = ["PG_lru", "PG_swapbacked", "PG_uptodate"];

/** An object of a slab cache. */
export interface SlabObject {
  /** The cache's name: `filp`, `kmalloc-64`. */
  readonly cache: string;
  /** GVA of the object, in the direct map. */
  readonly gva: bigint;
  /** Bytes from one object to the next. */
  readonly size: number;
  /** Bytes from the object's start to the place that was asked for. */
  readonly offset: number;
  /**
   * Whether other caches of objects of this size were merged with it: its name
   * does not tell what the object is.
   */
  readonly merged: boolean;
  /** Whether it is on a list of free objects. */
  readonly free: boolean;
}

/** What is known of a page of physical memory. */
export interface PageUse {
  /**
   * `slab`: of a slab cache; `mapped`: of a process or of a file; `free`: nobody
   * has a reference to it; `kernel`: anything else.
   */
  readonly kind: "slab" | "mapped" | "free" | "kernel";
  /** For a slab. */
  readonly object?: SlabObject;
}

/**
 * The struct that has the words of a slab: before d122019bf061 (5.17), that of
 * its page.
 */
export function slabStruct({ types }: Kernel): "slab" | "page" {
  return types.tryStruct("slab") === undefined ? "page" : "slab";
}

/** Finds out what the pages of a guest's memory are used for. */
export class PageUses {
  readonly #kernel: Kernel;
  readonly #pages: bigint;
  readonly #direct: bigint;
  readonly #struct: bigint;
  readonly #caches: ReadonlySet<bigint>;
  /** Flags that only the pages of files and processes have. */
  readonly #used: bigint;
  readonly #free = new Map<bigint, ReadonlySet<bigint>>();
  #blocks: ReadonlyMap<bigint, number> | undefined;
  readonly #sheaves = new Map<bigint, ReadonlySet<bigint>>();

  /** @throws {KernelError} when this kernel's struct page is not understood. */
  constructor(kernel: Kernel) {
    const { image } = kernel.arch;
    const u64 = (gva: bigint) => kernel.space.u64(gva);
    const pages = image.pageStructs(kernel.symbols, u64);
    const direct = image.directMap(kernel.symbols, u64);
    if (pages === undefined || direct === undefined) {
      throw new KernelError("where memory is mapped is not known");
    }
    this.#kernel = kernel;
    this.#pages = pages;
    this.#direct = direct;
    this.#struct = BigInt(kernel.types.struct("page").size);
    this.#used = FLAGS.map((name) => kernel.types.tryEnumerator(name))
      .reduce(
        (bits: bigint, bit) =>
          bit === undefined ? bits : bits | 1n << BigInt(bit),
        0n,
      );
    const link = BigInt(kernel.types.offset("kmem_cache", "list"));
    const head = kernel.symbols.address("slab_caches");
    this.#caches = new Set(
      steady(() => listNodes(kernel, head, CACHES)).map((node) => node - link),
    );
  }

  /** GVA of a GPA in the direct map. */
  direct(gpa: number): bigint {
    return this.#direct + BigInt(gpa);
  }

  /**
   * What the page at a GPA is used for.
   *
   * @throws {MemoryError} when its struct page cannot be read.
   */
  at(gpa: number): PageUse {
    const { page, first } = this.#headOf(gpa);
    const object = this.#object(page.gva, first, gpa);
    if (object !== undefined) return { kind: "slab", object };
    if (this.#isMapped(page)) return { kind: "mapped" };
    return { kind: this.#isFree(page, first) ? "free" : "kernel" };
  }

  /** The page at a GPA, or the first of those that it was allocated with. */
  #headOf(gpa: number): { page: KernelObject; first: number } {
    const index = Math.floor(gpa / this.#kernel.pageSize);
    const page = this.#page(index);
    const head = this.#head(page);
    if (head === undefined) return { page, first: index };
    const first = Number((head - this.#pages) / this.#struct);
    const aligned = (head - this.#pages) % this.#struct === 0n;
    return aligned && first < index && index - first < MOST_PAGES &&
        this.#isBehind(page, index, first)
      ? { page: this.#page(first), first }
      : { page, first: index };
  }

  /**
   * Whether a page is one of those behind the first one of an allocation, as its
   * own count of references, the page before it and the first one say as well:
   * who names another page as the first does not make it a part of that.
   */
  #isBehind(page: KernelObject, index: number, first: number): boolean {
    if (page.number("_refcount.counter") !== 0) return false;
    const { gva } = this.#page(first);
    const before = this.#page(index - 1);
    if (before.gva !== gva && this.#head(before) !== gva) return false;
    const bit = this.#kernel.types.tryEnumerator("PG_head");
    return bit === undefined ||
      (this.#flags(this.#page(first)) >> BigInt(bit) & 1n) === 1n;
  }

  #flags(page: KernelObject): bigint {
    return page.u64(page.has("flags.f") ? "flags.f" : "flags");
  }

  /**
   * Whether a page's `mapping` leads to what it says: the pages of a file, which
   * its inode names as well, or those of processes. Any other word there is no
   * reason to pass over what the page holds, nor is this word alone: the flags
   * of such a page say that it can be reclaimed, or that it was read or filled.
   */
  #isMapped(page: KernelObject): boolean {
    const mapping = page.u64("mapping");
    if (mapping === 0n) return false;
    if ((this.#flags(page) & this.#used) === 0n) return false;
    const kernel = this.#kernel;
    const kind = mapping & 3n;
    const at = mapping - kind;
    // PAGE_MAPPING_ANON. Pages that were merged, or that can be moved, name
    // nothing that could be compared.
    if (kind === 1n) return this.#cacheOf(at) === "anon_vma";
    if (kind !== 0n) return false;
    const host = kernel.object("address_space", at);
    const inode = readable(() => host.u64("host")) ?? 0n;
    if (inode === 0n) return false;
    const own = kernel.object("inode", inode);
    return own.at("i_data") === at ||
      readable(() => own.u64("i_mapping")) === at;
  }

  /**
   * Whether a page is free: nobody has a reference to it, and the allocator has
   * it, in a block of free pages or on a list of a CPU. That a page says so does
   * not put it on a list.
   */
  #isFree(page: KernelObject, index: number): boolean {
    if (page.number("_refcount.counter") !== 0) return false;
    for (let order = 0; order <= MOST_ORDER; order++) {
      const head = this.#page(index - index % 2 ** order);
      const type = readable(() => head.number("page_type")) ?? 0;
      if (!isBuddy(type)) continue;
      const held = readable(() => head.u64("private")) ?? 0n;
      if (held >= BigInt(order) && this.#isListed(head)) return true;
    }
    return this.#isListed(page) || this.#isTail(index);
  }

  /** Whether both nodes beside a page on its list lead back to it. */
  #isListed(page: KernelObject): boolean {
    const node = page.at("lru");
    const { space } = this.#kernel;
    const linked = (at: bigint, back: bigint) =>
      readable(() => space.u64(space.u64(at) + back)) === node;
    return linked(node, 8n) && linked(node + 8n, 0n);
  }

  /**
   * Whether a page is behind the first one in a block of free pages on a list of
   * a CPU.
   */
  #isTail(index: number): boolean {
    this.#blocks ??= cpuFreeBlocks(this.#kernel);
    for (const order of BLOCKS) {
      const head = this.#page(index - index % 2 ** order);
      if (this.#blocks.get(head.gva) === order) return true;
    }
    return false;
  }

  /** Name of the cache that an object in the direct map belongs to. */
  #cacheOf(gva: bigint): string | undefined {
    const gpa = Number(gva - this.#direct);
    if (gva < this.#direct || gpa >= Number.MAX_SAFE_INTEGER) return undefined;
    return readable(() => {
      const { page, first } = this.#headOf(gpa);
      return this.#object(page.gva, first, gpa)?.cache;
    });
  }

  /**
   * GVA of the struct of the first page of those that `page` was allocated with,
   * unless it is the first itself. Since Linux 7.1 it may be told by a mask for
   * the address, when struct page has a size that is a power of two
   * (include/linux/page-flags.h, compound_info_has_mask).
   */
  #head(page: KernelObject): bigint | undefined {
    const masked = page.has("compound_info");
    const info = page.u64(masked ? "compound_info" : "compound_head");
    if ((info & 1n) === 0n) return undefined;
    // No struct page lies where all high bits are set, as a mask has them.
    const isMask = masked && info >> 40n === 0xffffffn;
    return isMask ? page.gva & info : info - 1n;
  }

  #page(index: number): KernelObject {
    const gva = this.#pages + BigInt(index) * this.#struct;
    return this.#kernel.object("page", gva);
  }

  #object(page: bigint, first: number, gpa: number): SlabObject | undefined {
    const kernel = this.#kernel;
    const slab = kernel.object(slabStruct(kernel), page);
    if (!slab.has("slab_cache")) return undefined;
    const at = slab.u64("slab_cache");
    if (!this.#caches.has(at)) return undefined;
    const cache = kernel.object("kmem_cache", at);
    const size = cache.number("size");
    if (size === 0) return undefined;
    const base = first * kernel.pageSize;
    const index = Math.floor((gpa - base) / size);
    const gva = this.direct(base + index * size);
    const offset = gpa - base - index * size;
    // Who says that objects are larger than they are makes this one a part of
    // the one before it.
    const inside = !cache.has("object_size") ||
      offset < cache.number("object_size");
    return {
      cache: readable(() => kernel.space.string(cache.u64("name"), 64)) ?? "",
      gva,
      size,
      offset,
      merged: cache.has("refcount") && cache.number("refcount") > 1,
      free: inside &&
        this.#freeObjects(cache, slab, this.direct(base)).has(gva),
    };
  }

  /**
   * The free objects of one slab: on its own list, or on one of a CPU. A list
   * that does not end, or leads out of the slab, frees nothing: somebody led it
   * to an object that is in use, or it changes.
   */
  #freeObjects(
    cache: KernelObject,
    slab: KernelObject,
    base: bigint,
  ): ReadonlySet<bigint> {
    const known = this.#free.get(slab.gva);
    if (known !== undefined) return known;
    const kernel = this.#kernel;
    const free = new Set(this.#still(() => {
      const own = this.#follow(cache, slab.u64("freelist"), base);
      if (!slab.has("inuse") || !slab.has("objects")) return own;
      // Who puts an object on this list, or ends it early, changes its length.
      const counted = slab.number("objects") - slab.number("inuse");
      return counted === own?.size ? own : undefined;
    }));
    this.#free.set(slab.gva, free);
    for (const gva of this.#inSheaves(cache)) free.add(gva);
    if (!cache.has("cpu_slab")) return free;
    const cpuSlab = cache.u64("cpu_slab");
    for (const offset of kernel.perCpuOffsets) {
      const at = BigInt.asUintN(64, cpuSlab + offset);
      const own = kernel.object("kmem_cache_cpu", at);
      const member = own.has("slab") ? "slab" : "page";
      const list = this.#still(() =>
        readable(() => own.u64(member)) === slab.gva
          ? this.#follow(cache, own.u64("freelist"), base)
          : NONE
      );
      for (const gva of list) free.add(gva);
    }
    return free;
  }

  /** A list of free objects; none if it is not whole whenever it is read. */
  #still(read: () => ReadonlySet<bigint> | undefined): ReadonlySet<bigint> {
    for (let tries = 0; tries < TRIES; tries++) {
      const found = read();
      if (found !== undefined) return found;
      if (!this.#kernel.memory.live) break;
    }
    return NONE;
  }

  #inSheaves(cache: KernelObject): ReadonlySet<bigint> {
    let free = this.#sheaves.get(cache.gva);
    if (free === undefined) {
      free = sheafObjects(this.#kernel, cache);
      this.#sheaves.set(cache.gva, free);
    }
    return free;
  }

  /**
   * The objects on a list of free ones; `undefined` unless it ends, and leads to
   * objects of this slab alone.
   *
   * @param base GVA of the slab's first object
   */
  #follow(
    cache: KernelObject,
    first: bigint,
    base: bigint,
  ): ReadonlySet<bigint> | undefined {
    const { pageSize, space } = this.#kernel;
    const offset = BigInt(cache.number("offset"));
    const size = BigInt(cache.number("size"));
    const past = base + BigInt(MOST_PAGES * pageSize);
    // CONFIG_SLAB_FREELIST_HARDENED.
    const random = cache.has("random") ? cache.u64("random") : undefined;
    const free = new Set<bigint>();
    for (let at = first; at !== 0n;) {
      const isObject = at >= base && at < past && (at - base) % size === 0n;
      if (!isObject || free.has(at) || free.size === MOST_OBJECTS) return;
      const place = at + offset;
      const word = readable(() => space.u64(place));
      if (word === undefined) return;
      space.budget.node(at);
      free.add(at);
      at = random === undefined ? word : word ^ random ^ swapped(place);
    }
    return free;
  }
}

/**
 * Whether a page's type is that of the first of a block of free pages
 * (PageBuddy): a bit that is cleared, another one since 6.9, and a number in the
 * highest byte since 6.11.
 */
function isBuddy(type: number): boolean {
  return type === 0xffff_ff7f || type === 0xbfff_ffff || type >>> 24 === 0xf0;
}

/** The bytes of a word in the other order. */
function swapped(word: bigint): bigint {
  let turned = 0n;
  for (let i = 0; i < 8; i++) {
    turned = (turned << 8n) | ((word >> BigInt(8 * i)) & 0xffn);
  }
  return turned;
}
