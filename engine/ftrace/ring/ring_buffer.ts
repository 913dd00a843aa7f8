/**
 * The ring buffer's structures in guest memory: `trace_buffer`, its per-CPU
 * buffers and their sub-buffers (kernel/trace/ring_buffer.c). Writes nothing
 * and takes no lock.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { KernelObject } from "../../kernel/core/object.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";

/** A sub-buffer of one CPU's ring buffer: a `struct buffer_page`. */
export interface RingPage {
  /** GVA of the `struct buffer_page`. */
  readonly gva: bigint;
  /** GPA of its member `page`, the pointer to the data page. */
  readonly pointer: number;
  /**
   * GPA of its member `write`: bytes reserved, with a count of nested writers
   * in the upper bits.
   */
  readonly write: number;
  /**
   * GPA of its member `read`: how many bytes a reader in the guest has read.
   */
  readonly readAt: number;
  /**
   * GVA of the data page (`struct buffer_data_page`) at the time of listing.
   */
  readonly data: bigint;
  /** GPA of the data page. */
  readonly gpa: number;
}

/** A page to read, in the order in which events were written. */
export interface ChainPage extends RingPage {
  /** How many bytes of its data a reader in the guest has already consumed. */
  readonly read: number;
}

/** The counters of one CPU, as shown in the guest's `per_cpu/cpuN/stats`. */
export interface CpuCounters {
  /** Events written since the buffer was last emptied. */
  readonly entries: number;
  /** Events overwritten before anybody in the guest read them. */
  readonly overrun: number;
  /** Events lost because nested writers lapped the commit page. */
  readonly commitOverrun: number;
  /** Events dropped because the buffer is not in overwrite mode. */
  readonly dropped: number;
  /** Events that a reader in the guest has consumed. */
  readonly read: number;
  /** Number of sub-buffers in the ring, without the reader page. */
  readonly pages: number;
  /** Whether this CPU's buffer accepts no new events (`record_disabled`). */
  readonly recordDisabled: number;
}

/** The low bits of a ring's list pointers are flags: RB_PAGE_HEAD, _UPDATE. */
const FLAG_BITS = 3n;
const RB_PAGE_HEAD = 1n;
const POINTER = ~FLAG_BITS & 0xffff_ffff_ffff_ffffn;
const MAX_PAGES = 1 << 22;
/** The kernel allows no larger sub-buffers (MAX_PAGE_ORDER). */
const MAX_ORDER = 10;
const LIST_TRIES = 8;

/** More sub-buffers than one ring has: they all lie in the guest's RAM. */
function mostPages({ memory, pageSize }: Kernel): number {
  const ram = memory.ranges.reduce((sum, r) => sum + r.end - r.start, 0);
  return Math.min(MAX_PAGES, Math.floor(ram / pageSize));
}

/** One CPU's buffer: a `struct ring_buffer_per_cpu`. */
export class CpuBuffer {
  readonly kernel: Kernel;
  readonly cpu: number;
  readonly object: KernelObject;
  readonly #next: bigint;
  readonly #page: bigint;
  /** Distance from a `buffer_page`'s member `page` to its `write`. */
  readonly #write: number;
  /** Distance from a `buffer_page`'s member `page` to its `read`. */
  readonly #read: number;

  constructor(kernel: Kernel, cpu: number, gva: bigint) {
    this.kernel = kernel;
    this.cpu = cpu;
    this.object = kernel.object("ring_buffer_per_cpu", gva);
    this.#next = BigInt(kernel.types.offset("buffer_page", "list.next"));
    const page = kernel.types.offset("buffer_page", "page");
    this.#page = BigInt(page);
    this.#write = kernel.types.offset("buffer_page", "write") - page;
    this.#read = kernel.types.offset("buffer_page", "read") - page;
  }

  /** The current counters. They are read one after another, not atomically. */
  counters(): CpuCounters {
    const { object } = this;
    return {
      entries: object.number("entries"),
      overrun: object.number("overrun"),
      commitOverrun: object.number("commit_overrun"),
      dropped: object.number("dropped_events"),
      read: object.number("read"),
      pages: object.number("nr_pages"),
      recordDisabled: object.s32("record_disabled"),
    };
  }

  #ringPage(gva: bigint): RingPage {
    const { space } = this.kernel;
    const pointer = space.translate(gva + this.#page).gpa;
    const data = space.u64(gva + this.#page);
    // An object in the direct map is contiguous in physical memory.
    return {
      gva,
      pointer,
      write: pointer + this.#write,
      readAt: pointer + this.#read,
      data,
      gpa: space.translate(data).gpa,
    };
  }

  /** The reader page: outside the ring, owned by readers in the guest. */
  readerPage(): RingPage {
    return this.#ringPage(this.object.u64("reader_page") & POINTER);
  }

  /** The page that is currently written, which holds the newest events. */
  commitPage(): RingPage {
    return this.#ringPage(this.object.u64("commit_page") & POINTER);
  }

  /**
   * GVAs of the ring's `buffer_page`s, in ring order, the head page first.
   *
   * @param resizing follow the links, whatever `nr_pages` says: a resize
   * changes the links first and the number last
   * @throws {KernelError} when the ring does not close.
   */
  ring(resizing = false): bigint[] {
    const { space } = this.kernel;
    const count = this.object.number("nr_pages");
    const most = mostPages(this.kernel);
    if (count === 0 || count > most) {
      throw new KernelError(
        `CPU ${this.cpu}'s ring buffer claims ${count} pages: it is not set up or damaged`,
      );
    }
    const start = this.object.u64("pages") & POINTER;
    const back = BigInt(this.kernel.types.offset("buffer_page", "list"));
    const pages: bigint[] = [];
    const seen = new Set<bigint>();
    let flagged = false;
    let head = 0;
    let at = start;
    do {
      // A walk that has missed the start would go round forever.
      if (pages.length >= (resizing ? most : count) || seen.has(at)) {
        throw new KernelError(
          `CPU ${this.cpu}'s ring buffer does not close after ${pages.length} pages: it is being resized or damaged`,
        );
      }
      seen.add(at);
      pages.push(at - back);
      const next = space.u64(at - back + this.#next);
      // The flag in a page's next pointer means that the next page is the head
      // page.
      if ((next & FLAG_BITS) === RB_PAGE_HEAD) {
        flagged = true;
        head = pages.length;
      }
      at = next & POINTER;
    } while (at !== start);
    if (!resizing && pages.length !== count) {
      throw new KernelError(
        `CPU ${this.cpu}'s ring buffer closes after ${pages.length} of ${count} pages: it is being resized or damaged`,
      );
    }
    // Without a flag (the head is being moved), use the cached head page.
    if (!flagged) head = pages.indexOf(this.object.u64("head_page"));
    if (head === pages.length) head = 0;
    return head <= 0 ? pages : [...pages.slice(head), ...pages.slice(0, head)];
  }

  /**
   * All sub-buffers as a set: the reader page, then those of the ring.
   *
   * @param resizing see {@linkcode ring}
   * @throws {KernelError} when readers in the guest take pages faster than
   * they can be listed.
   */
  pages(resizing = false): RingPage[] {
    const found = new Set<bigint>();
    for (let tries = 0; tries < LIST_TRIES; tries++) {
      const before = this.object.u64("reader_page") & POINTER;
      const ring = this.ring(resizing);
      const reader = this.object.u64("reader_page") & POINTER;
      for (const gva of [before, reader, ...ring]) found.add(gva);
      // A reader that swaps pages during the walk may hide one from it.
      const complete = before === reader ||
        found.size === this.object.number("nr_pages") + 1;
      if (!complete) continue;
      found.delete(reader);
      return [reader, ...found].map((gva) => this.#ringPage(gva));
    }
    throw new KernelError(
      `CPU ${this.cpu}'s ring buffer could not be listed: readers in the guest exchange its pages all the time`,
    );
  }

  /**
   * The pages that hold events, oldest first, as an iterator in the guest would
   * see them: the reader page, then head page to commit page. Only for buffers
   * that are not being written; a running buffer needs a follower.
   */
  chain(): ChainPage[] {
    const commit = this.object.u64("commit_page") & POINTER;
    const readOf = (gva: bigint) =>
      this.kernel.object("buffer_page", gva).number("read");
    const reader = this.readerPage();
    const chain: ChainPage[] = [{ ...reader, read: readOf(reader.gva) }];
    if (commit === reader.gva) return chain;
    for (const gva of this.ring()) {
      chain.push({ ...this.#ringPage(gva), read: 0 });
      if (gva === commit) return chain;
    }
    throw new KernelError(
      `CPU ${this.cpu}'s commit page is not in its ring: the buffer is in flux or damaged`,
    );
  }
}

/** A `struct trace_buffer` with its per-CPU buffers. */
export class RingBuffer {
  readonly kernel: Kernel;
  readonly object: KernelObject;

  constructor(kernel: Kernel, gva: bigint) {
    this.kernel = kernel;
    this.object = kernel.object("trace_buffer", gva);
  }

  /** Size of a sub-buffer in bytes, including its header. */
  get pageSize(): number {
    const { object } = this;
    // Variable since 6.8: f9b94daa542a ("Set new size of the ring buffer sub
    // page"); later kernels store only the order.
    if (!object.has("subbuf_order")) {
      const { members } = this.kernel.types.struct("trace_buffer");
      const other = [...members.keys()].find((name) =>
        name.startsWith("subbuf")
      );
      if (other === undefined) return this.kernel.pageSize;
      throw new KernelError(
        "this kernel keeps the size of sub-buffers where xftrace does not " +
          `know: struct trace_buffer has ${other}, but no subbuf_order`,
      );
    }
    const order = object.number("subbuf_order");
    const size = this.kernel.pageSize * 2 ** order;
    if (order > MAX_ORDER) {
      throw new KernelError(`a sub-buffer of ${size} bytes is not possible`);
    }
    return size;
  }

  /**
   * The buffers of all CPUs that have one, by CPU number.
   *
   * @throws {KernelError} when two CPUs have the same one: 8192 CPUs with one
   * ring would be as much to read as 8192 rings.
   */
  cpuBuffers(): CpuBuffer[] {
    const { space } = this.kernel;
    const array = this.object.u64("buffers");
    if (array === 0n) {
      throw new KernelError(
        "the guest's trace buffer has no per-CPU buffers yet: it is still booting",
      );
    }
    const found: CpuBuffer[] = [];
    const owners = new Map<bigint, number>();
    for (let cpu = 0; cpu < this.kernel.cpuIds; cpu++) {
      const gva = space.u64(array + BigInt(cpu * 8));
      if (gva === 0n) continue;
      const owner = owners.get(gva);
      if (owner !== undefined) {
        throw new KernelError(
          `the ring buffer of CPU ${cpu} is also that of CPU ${owner}: the guest's trace buffer is damaged`,
        );
      }
      owners.set(gva, cpu);
      found.push(new CpuBuffer(this.kernel, cpu, gva));
    }
    return found;
  }
}
