/**
 * A ring buffer of one CPU in a fixture's memory, with a writer and readers
 * that change it step by step like kernel/trace/ring_buffer.c; between two
 * steps, anything may read it.
 *
 * @module
 */
import type { FixtureGuest } from "../../kernel/core/kernel_fixture.ts";

/** Size of a sub-buffer in bytes, and size of its header. */
export const SUB_BUFFER = 4096;
const HEADER = 16;
const DATA = SUB_BUFFER - HEADER;
/** The id of the written events; not one of the tracers' own ids. */
export const SIM_TYPE = 30;

const HEAD = 1n;
const UPDATE = 2n;
const POINTER = 0xffff_ffff_ffff_fffcn;
const PADDING = 29;
const TIME_EXTEND = 30;
/** Space too small for an event (RB_EVNT_MIN_SIZE). */
const LEAST = 8;
/**
 * Added to a page's `write` when a writer moves onto it; the bits below are the
 * position.
 */
const RB_WRITE_INTCNT = 1n << 20n;
const RB_WRITE_MASK = RB_WRITE_INTCNT - 1n;

/** An event to write. */
export interface SimEvent {
  /** Words of the entry, at least 3, at most 1000. */
  readonly words: number;
  /** Time since the previous event in ns; default 1. */
  readonly delta?: number;
  /** Discarded by a filter after it has been written. */
  readonly discard?: boolean;
  /** An event written by an interrupt before this one is complete. */
  readonly nested?: SimEvent;
  /**
   * An event written by an interrupt when this one is committed but its writer
   * has not left rb_end_commit() yet.
   */
  readonly late?: SimEvent;
}

/** The word at a position of the payload, after the sequence number. */
export function filler(sequence: number, word: number): number {
  return (Math.imul(sequence + 1, 0x9e3779b1) ^ word) >>> 0;
}

/** One CPU's ring buffer with its writer and readers. */
export class SimRing {
  readonly guest: FixtureGuest;
  /** GVA of the `ring_buffer_per_cpu`. */
  readonly gva: bigint;
  /** Time stamp of each event written, by sequence number; never reset. */
  readonly times: bigint[] = [];
  /**
   * Whether the ring overwrites old events; otherwise it drops new ones when
   * full.
   */
  overwrite = true;
  /** How often it was emptied. */
  resets = 0;
  #now: bigint;
  /** Number of events covered by each page's commit. */
  readonly #committed = new Map<bigint, number>();
  /** Number of events of the reader page that were consumed. */
  #consumed = 0;
  /** A data page that readers exchange for another one. */
  #spare: bigint;

  constructor(
    guest: FixtureGuest,
    cpu: number,
    pages: number,
    start = 1_000_000_000_000n,
  ) {
    this.guest = guest;
    this.#now = start;
    this.gva = guest.create("ring_buffer_per_cpu");
    guest.setU32(this.gva, cpu);
    const ring = Array.from({ length: pages }, () => this.#newPage());
    ring.forEach((page, i) => this.#link(page, ring[(i + 1) % pages]));
    this.#setNext(ring[pages - 1], ring[0], HEAD);
    const reader = this.#newPage();
    this.#link(reader, reader);
    this.#set("nr_pages", pages);
    this.#set("pages", ring[0]);
    this.#set("head_page", ring[0]);
    this.#set("tail_page", ring[0]);
    this.#set("commit_page", ring[0]);
    this.#set("reader_page", reader);
    this.#spare = guest.allocate(SUB_BUFFER, SUB_BUFFER);
  }

  /** Number of events written so far, independent of resets. */
  get written(): number {
    return this.times.length;
  }

  #get(name: string): bigint {
    const { guest } = this;
    return guest.u64(guest.at("ring_buffer_per_cpu", this.gva, name));
  }
  #set(name: string, value: bigint | number): void {
    const { guest } = this;
    guest.setU64(guest.at("ring_buffer_per_cpu", this.gva, name), value);
  }
  #add(name: string, by: number): void {
    this.#set(name, this.#get(name) + BigInt(by));
  }
  /** A counter, as a Number. */
  count(name: string): number {
    return Number(this.#get(name));
  }

  /**
   * Whether pages that are handed back lose their stamps, as in 7.2
   * (rb_init_data_page()).
   */
  clearsStamps = false;

  #newPage(): bigint {
    const page = this.guest.create("buffer_page");
    const data = this.guest.allocate(SUB_BUFFER, SUB_BUFFER);
    this.#setPage(page, "page", data);
    return page;
  }
  #page(page: bigint, name: string): bigint {
    return this.guest.u64(this.guest.at("buffer_page", page, name));
  }
  #setPage(page: bigint, name: string, value: bigint | number): void {
    this.guest.setU64(this.guest.at("buffer_page", page, name), value);
  }
  #writeOf(page: bigint): number {
    return Number(this.#page(page, "write") & RB_WRITE_MASK);
  }
  #setWrite(page: bigint, write: number): void {
    const moves = this.#page(page, "write") & ~RB_WRITE_MASK;
    this.#setPage(page, "write", moves | BigInt(write));
  }
  // The list is the first member of a buffer_page, so their GVAs are equal.
  #next(page: bigint): bigint {
    return this.#page(page, "list.next") & POINTER;
  }
  #flag(page: bigint): bigint {
    return this.#page(page, "list.next") & ~POINTER;
  }
  #setNext(page: bigint, next: bigint, flag = 0n): void {
    this.#setPage(page, "list.next", next | flag);
  }
  #link(page: bigint, next: bigint, flag = 0n): void {
    this.#setNext(page, next, flag);
    this.#setPage(next, "list.prev", page);
  }
  #commitOf(page: bigint): number {
    return Number(this.guest.u64(this.#page(page, "page") + 8n));
  }
  #setCommit(page: bigint, commit: number | bigint): void {
    this.guest.setU64(this.#page(page, "page") + 8n, commit);
    this.#committed.set(page, Number(this.#page(page, "entries")));
  }

  /** Writes an event, in steps; returns `false` when there is no room. */
  *write(event: SimEvent): Generator<undefined, boolean> {
    this.#add("committing", 1);
    yield;
    this.#now += BigInt(event.delta ?? 1);
    const at = yield* this.#reserve(event);
    if (at === undefined) {
      yield* this.#endCommit();
      return false;
    }
    const { page, offset } = at;
    const sequence = this.times.length;
    if (event.discard !== true) this.times.push(this.#now);
    yield;
    if (event.nested !== undefined) yield* this.write(event.nested);
    this.#fill(page, offset, sequence, event);
    yield;
    if (event.discard === true) {
      this.#setPage(page, "entries", this.#page(page, "entries") - 1n);
    } else this.#add("entries", 1);
    yield;
    yield* this.#endCommit(event.late);
    return true;
  }

  #last = 0n;

  *#reserve(
    event: SimEvent,
  ): Generator<undefined, { page: bigint; offset: number } | undefined> {
    const bytes = event.words * 4 + (event.words > 28 ? 8 : 4);
    for (;;) {
      const page = this.#get("tail_page");
      const offset = this.#writeOf(page);
      const delta = this.#now - this.#last;
      const extend = offset > 0 && delta >= 1n << 27n ? 8 : 0;
      if (offset + extend + bytes > DATA) {
        if (!(yield* this.#moveTail(page, offset))) return undefined;
        continue;
      }
      this.#setWrite(page, offset + extend + bytes);
      this.#setPage(page, "entries", this.#page(page, "entries") + 1n);
      const data = this.#page(page, "page");
      if (offset === 0) this.guest.setU64(data, this.#now);
      const at = data + BigInt(HEADER + offset);
      if (extend > 0) {
        const low = Number(delta & 0x7ffffffn);
        this.guest.setU32(at, low * 32 + TIME_EXTEND);
        this.guest.setU32(at + 4n, Number(delta >> 27n));
      }
      const short = offset === 0 || extend > 0 ? 0 : Number(delta);
      const length = event.words > 28 ? 0 : event.words;
      if (event.discard === true) {
        // Its delta does not count for the events after it.
        this.guest.setU32(at + BigInt(extend), 32 + PADDING);
        this.guest.setU32(at + BigInt(extend + 4), bytes - 4);
        // The stamp of the first event is the page's and does count.
        if (offset === 0 || extend > 0) this.#last = this.#now;
      } else {
        this.guest.setU32(at + BigInt(extend), short * 32 + length);
        this.#last = this.#now;
      }
      return { page, offset: offset + extend };
    }
  }

  #fill(
    page: bigint,
    offset: number,
    sequence: number,
    { words, discard }: SimEvent,
  ): void {
    if (discard === true) return;
    let at = this.#page(page, "page") + BigInt(HEADER + offset + 4);
    if (words > 28) {
      this.guest.setU32(at, words * 4 + 4);
      at += 4n;
    }
    this.guest.setU32(at, SIM_TYPE);
    this.guest.setU32(at + 4n, 100 + sequence % 3);
    this.guest.setU32(at + 8n, sequence);
    for (let i = 3; i < words; i++) {
      this.guest.setU32(at + BigInt(i * 4), filler(sequence, i));
    }
  }

  /** Like rb_move_tail(). */
  *#moveTail(tail: bigint, write: number): Generator<undefined, boolean> {
    const next = this.#next(tail);
    const commit = this.#get("commit_page");
    const refuse = (counter: string) => {
      this.#add(counter, 1);
      this.#pad(tail, write);
      return false;
    };
    if (next === commit) return refuse("commit_overrun");
    if (this.#flag(tail) === HEAD) {
      if (commit !== this.#get("reader_page")) {
        if (!this.overwrite) return refuse("dropped_events");
        this.#setNext(tail, next, UPDATE);
        this.#add("overrun", Number(this.#page(next, "entries")));
        yield;
        this.#setNext(next, this.#next(next), HEAD);
        yield;
        this.#setNext(tail, next);
      } else if (commit !== tail) return refuse("commit_overrun");
    }
    this.#setPage(next, "write", RB_WRITE_INTCNT);
    yield;
    this.#setPage(next, "entries", 0);
    this.#setCommit(next, 0);
    yield;
    this.#set("tail_page", next);
    this.#add("pages_touched", 1);
    yield;
    this.#pad(tail, write);
    yield;
    yield* this.#endCommit();
    this.#add("committing", 1);
    return true;
  }

  /** Like rb_reset_tail(). */
  #pad(page: bigint, write: number): void {
    if (write >= DATA) return;
    const at = this.#page(page, "page") + BigInt(HEADER + write);
    if (write > DATA - LEAST) {
      // Like the kernel: the write index stays before the padding.
      this.guest.setU32(at, PADDING);
      return;
    }
    this.guest.setU32(at, 32 + PADDING);
    this.guest.setU32(at + 4n, DATA - write - 4);
    this.#setWrite(page, DATA);
  }

  /** Like rb_end_commit(), with an interrupt in the middle. */
  *#endCommit(late?: SimEvent): Generator<undefined, void> {
    for (let interrupt = late;; interrupt = undefined) {
      if (this.#get("committing") === 1n) {
        while (this.#get("commit_page") !== this.#get("tail_page")) {
          const page = this.#get("commit_page");
          this.#setCommit(page, this.#writeOf(page));
          yield;
          this.#set("commit_page", this.#next(page));
          yield;
        }
        const page = this.#get("commit_page");
        this.#setCommit(page, this.#writeOf(page));
        yield;
      }
      if (interrupt !== undefined) yield* this.write(interrupt);
      this.#add("committing", -1);
      // More was written since; the kernel notices through its `commits`.
      if (interrupt === undefined || this.#get("committing") !== 0n) return;
      yield;
      this.#add("committing", 1);
    }
  }

  #findHead(): bigint | undefined {
    const start = this.#get("pages");
    let page = start;
    do {
      if (this.#flag(page) === HEAD) return this.#next(page);
      page = this.#next(page);
    } while (page !== start);
    return undefined;
  }

  /** Like rb_get_reader_page(): whether there is something to read. */
  swap(): boolean {
    if (this.#locked) return false;
    const empty = this.#get("reader_page");
    if (this.#readOf(empty) < this.#commitOf(empty)) return true;
    if (this.#get("commit_page") === empty) return false;
    if (this.count("entries") - this.count("overrun") === this.count("read")) {
      return false;
    }
    const head = this.#findHead();
    // The writer is moving the head; the kernel would wait for it.
    if (head === undefined) return false;
    this.#setPage(empty, "write", 0);
    this.#setPage(empty, "entries", 0);
    this.#setCommit(empty, 0);
    if (this.clearsStamps) this.guest.setU64(this.#page(empty, "page"), 0n);
    const before = this.#page(head, "list.prev");
    const after = this.#next(head);
    this.#link(empty, after, HEAD);
    this.#set("pages", before);
    this.#link(before, empty);
    this.#set("head_page", after);
    this.#set("reader_page", head);
    this.#setRead(head, 0);
    this.#consumed = 0;
    return this.#commitOf(head) > 0;
  }

  #readOf(page: bigint): number {
    const { guest } = this;
    return Number(
      guest.u64(guest.at("buffer_page", page, "read")) & 0xffffffffn,
    );
  }
  #setRead(page: bigint, read: number): void {
    this.guest.setU32(this.guest.at("buffer_page", page, "read"), read);
  }

  /**
   * A reader in the guest (`trace_pipe`) reads the content of the current
   * reader page.
   */
  consume(): void {
    if (!this.swap()) return;
    const page = this.#get("reader_page");
    const committed = this.#committed.get(page) ?? 0;
    this.#add("read", committed - this.#consumed);
    this.#consumed = committed;
    this.#setRead(page, this.#commitOf(page));
  }

  /**
   * A splice reader (`trace_pipe_raw`) takes a whole data page away and applies
   * `then` to it.
   */
  splice(then: (bytes: Uint8Array) => void = () => {}): void {
    if (!this.swap()) return;
    const page = this.#get("reader_page");
    if (page === this.#get("commit_page") || this.#readOf(page) !== 0) return;
    this.#add("read", Number(this.#page(page, "entries")));
    const taken = this.#page(page, "page");
    this.guest.setU64(this.#spare + 8n, 0n);
    this.#setPage(page, "page", this.#spare);
    this.#setPage(page, "write", 0);
    this.#setPage(page, "entries", 0);
    this.#committed.set(page, 0);
    // The kernel gives the next reader a page that was read before.
    this.#spare = taken;
    this.#scribble(taken, then);
  }

  #scribble(page: bigint, then: (bytes: Uint8Array) => void): void {
    const at = this.guest.gpa(page);
    then(this.guest.bytes.subarray(at, at + SUB_BUFFER));
  }

  /** Whether a reset is holding the `reader_lock`. */
  #locked = false;

  /** A reset in one go. */
  reset(): void {
    for (const _ of this.resetting());
  }

  /** Like ring_buffer_reset_cpu(), in steps; not allowed during a write. */
  *resetting(): Generator<undefined, void> {
    const { guest } = this;
    const disable = (by: number) => {
      for (const name of ["resize_disabled", "record_disabled"]) {
        const at = guest.at("ring_buffer_per_cpu", this.gva, name);
        guest.setU32(at, Number(guest.u64(at) & 0xffffffffn) + by);
      }
    };
    disable(1);
    yield;
    this.#locked = true;
    yield* this.#reset();
    this.#locked = false;
    yield;
    disable(-1);
  }

  /** Like rb_reset_cpu(). */
  *#reset(): Generator<undefined, void> {
    this.resets++;
    const start = this.#get("pages");
    const clear = (page: bigint) => {
      this.#setPage(page, "write", 0);
      this.#setPage(page, "entries", 0);
      this.#setCommit(page, 0);
      if (this.clearsStamps) this.guest.setU64(this.#page(page, "page"), 0n);
      this.#setRead(page, 0);
    };
    let page = start;
    do {
      clear(page);
      const next = this.#next(page);
      this.#setNext(page, next, next === start ? HEAD : 0n);
      yield;
      page = next;
    } while (page !== start);
    for (const name of ["head_page", "tail_page", "commit_page"]) {
      this.#set(name, start);
    }
    clear(this.#get("reader_page"));
    this.#consumed = 0;
    const zeroed = [
      "overrun",
      "commit_overrun",
      "dropped_events",
      "entries",
      "read",
      "pages_removed",
      "pages_touched",
    ];
    for (const name of zeroed) {
      yield;
      this.#set(name, 0);
    }
    this.#last = 0n;
  }

  /** Adds pages all at once. */
  grow(pages: number): void {
    for (const _ of this.growing(pages));
  }

  /**
   * Like rb_insert_pages(), in steps: new pages between the newest and the
   * oldest. Not allowed during a write.
   *
   * @param meanwhile what interrupts do at the points where they are allowed
   */
  *growing(
    pages: number,
    meanwhile: () => Iterable<undefined> = () => [],
  ): Generator<undefined, void> {
    this.#set("nr_pages_to_update", pages);
    const added = Array.from({ length: pages }, () => this.#newPage());
    yield* meanwhile();
    this.#locked = true;
    const head = this.#findHead();
    if (head === undefined) throw new Error("no head page at rest");
    const last = this.#page(head, "list.prev");
    added.forEach((page, i) => {
      if (i > 0) this.#link(added[i - 1], page);
    });
    this.#setPage(added[0], "list.prev", last);
    this.#setNext(added[pages - 1], head, HEAD);
    yield;
    this.#setNext(last, added[0]);
    yield;
    this.#setPage(head, "list.prev", added[pages - 1]);
    this.#locked = false;
    yield* meanwhile();
    this.#add("nr_pages", pages);
    yield* meanwhile();
    this.#set("nr_pages_to_update", 0);
    yield;
  }

  /** Removes pages all at once. */
  shrink(pages: number, scribble: (bytes: Uint8Array) => void): void {
    for (const _ of this.shrinking(pages, scribble));
  }

  /**
   * Like rb_remove_pages(), in steps: removes the oldest pages, and applies
   * `scribble`, which stands for the memory's next user. Not allowed during a
   * write.
   *
   * @param meanwhile what interrupts do at the points where they are allowed
   */
  *shrinking(
    pages: number,
    scribble: (bytes: Uint8Array) => void,
    meanwhile: () => Iterable<undefined> = () => [],
  ): Generator<undefined, void> {
    const { guest } = this;
    const disabled = guest.at(
      "ring_buffer_per_cpu",
      this.gva,
      "record_disabled",
    );
    const disable = (by: number) =>
      guest.setU32(disabled, Number(guest.u64(disabled) & 0xffffffffn) + by);
    this.#set("nr_pages_to_update", -pages);
    yield* meanwhile();
    this.#locked = true;
    disable(1);
    yield;
    const tail = this.#get("tail_page");
    const from = tail === this.#get("reader_page") ? this.#next(tail) : tail;
    let at = from;
    let flag = 0n;
    const removed: bigint[] = [];
    for (let i = 0; i < pages; i++) {
      flag |= this.#flag(at) & HEAD;
      at = this.#next(at);
      removed.push(at);
    }
    flag |= this.#flag(at) & HEAD;
    const next = this.#next(at);
    this.#add("pages_removed", pages);
    yield;
    this.#setNext(from, next, flag);
    yield;
    this.#setPage(next, "list.prev", from);
    yield;
    this.#set("pages", next);
    yield;
    if (flag !== 0n) this.#set("head_page", next);
    disable(-1);
    this.#locked = false;
    yield* meanwhile();
    for (const page of removed) {
      this.#add("overrun", Number(this.#page(page, "entries")));
      this.#scribble(this.#page(page, "page"), scribble);
      yield* meanwhile();
    }
    this.#add("nr_pages", -pages);
    yield* meanwhile();
    this.#set("nr_pages_to_update", 0);
    yield;
  }
}
