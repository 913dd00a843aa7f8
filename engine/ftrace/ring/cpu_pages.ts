/**
 * Reads one CPU's pages into a queue, the oldest first and each byte once,
 * while the guest writes to them.
 *
 * @module
 */
import type { PageArena } from "./columns.ts";
import type { CpuWords } from "./cpu_words.ts";
import { EventQueue } from "./event_queue.ts";
import type { TraceLayout } from "./meta.ts";
import { PAGE_STATUS, PageDecoder } from "./page.ts";
import type { PageSet } from "./page_set.ts";
import type { CpuBuffer } from "./ring_buffer.ts";
import { isPassing, RingListing } from "./ring_listing.ts";

/**
 * Called with each run of decoded bytes, so that it can be stored.
 *
 * @param slot the arena slot that holds the bytes
 * @param from the first new byte of the page's data
 * @param to one past the last new byte
 * @param fromTs time at `from`, ns since epoch
 */
export type RunSink = (
  slot: number,
  from: number,
  to: number,
  fromTs: number,
) => void;

/** One CPU's pages, and how far each has been read. */
export class CpuPages {
  readonly queue: EventQueue;
  /** Receives what is decoded, when set. */
  onRun: RunSink | undefined;
  /**
   * Whether the guest has counted that many more events; events of a page that
   * a reader handed back are accepted only then.
   */
  credible: (events: number) => boolean = () => true;
  /** Time of the newest decoded event, in ns since the epoch. */
  newest = -Infinity;
  /** Number of events put into the queue. */
  decoded = 0;
  /** Number of events found, including those skipped because of their time. */
  found = 0;
  /** Page copies that were discarded because the page was reused meanwhile. */
  torn = 0;
  readonly #buffer: CpuBuffer;
  readonly #words: CpuWords;
  readonly #layout: TraceLayout;
  readonly #decoder: PageDecoder;
  #set: PageSet;
  /**
   * Index of the newest decoded page, and the slot that its rows point into.
   */
  #cursor = -1;
  #cursorSlot = -1;
  readonly #listing: RingListing;
  #read: number;

  /**
   * Lists the pages.
   *
   * @throws {KernelError} when the ring cannot be listed.
   * @throws {MemoryError} when it cannot be read.
   */
  constructor(
    buffer: CpuBuffer,
    words: CpuWords,
    arena: PageArena,
    layout: TraceLayout,
    epoch: bigint,
  ) {
    this.#buffer = buffer;
    this.#words = words;
    this.#layout = layout;
    this.queue = new EventQueue(arena, epoch);
    this.#decoder = new PageDecoder(layout, this.queue.columns);
    this.#listing = new RingListing(
      buffer,
      words,
      layout.page,
      arena.slotSize,
    );
    this.#read = words.load("read");
    this.#set = this.#counted(this.#listing.list());
  }

  /** Lets a set know how many pages the writer has begun. */
  #counted(set: PageSet): PageSet {
    const words = this.#words;
    if (words.has("pages_touched")) {
      set.touched = () => words.load("pages_touched");
    }
    return set;
  }

  /** Why the ring could not be listed when that was last tried. */
  get failure(): unknown {
    return this.#listing.failure;
  }

  /**
   * Whether the ring has been resized since it was listed, or was listed during
   * a resize: some of the pages may now belong to somebody else, and others may
   * not be listed.
   */
  resized(): boolean {
    return this.#listing.stale();
  }

  /**
   * Lists the pages again unconditionally. Pages that are new in the list but
   * older than what has been read are ignored: their events would come out of
   * order, so they count as lost.
   *
   * @param anew whether the buffer was emptied, so that all it holds is newer
   * @throws {KernelError} when the ring cannot be listed although no resize is
   * in progress.
   * @throws {MemoryError} when it cannot be read.
   */
  listAgain(anew = false): void {
    const before = this.#set;
    const read = this.#words.load("read");
    const set = this.#listing.tryList();
    // What is known about a page must not be lost because one listing lacks it:
    // nothing is read until a listing succeeds.
    if (set === undefined || this.resized()) return;
    this.#read = read;
    this.#set = this.#counted(set);
    this.#set.inherit(before, anew);
    this.#cursor = this.#set.newestKnown();
    this.#cursorSlot = -1;
  }

  /**
   * Lists the pages again if the ring was resized, and finds pages that were
   * exchanged for others.
   *
   * @param exact whether everything had been read at the last call
   */
  refresh(exact: boolean): void {
    if (this.resized()) {
      // Pages that left the ring may hold anything by now. They were its
      // oldest; what was not read from them counts as lost.
      this.listAgain();
      return;
    }
    const read = this.#words.load("read");
    // A reset sets the count back, possibly to the same value.
    if (read === this.#read && exact) return;
    this.#read = read;
    try {
      this.#set.refresh();
    } catch (error) {
      // The links of a page that left the ring lead to no page.
      if (!isPassing(error) || !this.resized()) throw error;
      this.listAgain();
    }
  }

  /** Takes over what was known about the same pages. */
  inherit(other: CpuPages): void {
    this.#set.inherit(other.#set);
    this.newest = other.newest;
  }

  /** Skips what readers in the guest have read and handed back. */
  forget(): void {
    this.#set.forget();
  }

  /** Skips events up to a time, in ns since the epoch. */
  skipUpTo(time: number): void {
    // The decoder skips events before its start time, so start one ns later.
    this.#decoder.timeStart = time + 1;
  }

  /** Skips what a reader in the guest has consumed from the reader page. */
  skipRead(): void {
    const reader = this.#buffer.readerPage();
    const read = this.#buffer.kernel.object("buffer_page", reader.gva)
      .number("read");
    if (read === 0) return;
    const { arena, columns } = this.queue;
    const slot = arena.acquire();
    // Index 0 of a page set is the reader page.
    if (this.#set.copy(0, arena, slot, 0)) {
      const { header } = this.#set;
      const stamp = columns.sinceEpoch(header.stampLo, header.stampHi);
      const end = Math.min(read, header.commit);
      this.#decoder.decode(arena, slot, this.#buffer.cpu, end, 0, stamp);
      this.#set.mark(0, header, read, this.#decoder.lastTs, 0);
      columns.clear();
    }
    arena.release(slot);
  }

  /** Number of decoded events that are still in the pages. */
  heldEvents(): number {
    return this.#set.heldEvents();
  }

  /**
   * Whether the newest page was cleared; otherwise its commit never shrinks.
   */
  emptied(): boolean {
    // Nothing was read from it, so its count starts from zero in any case.
    if (this.#cursor < 0) return true;
    const header = this.#set.load(this.#cursor);
    return !this.#set.same(this.#cursor, header) ||
      header.commit < this.#set.consumed[this.#cursor];
  }

  /**
   * Whether all events whose writers had finished before this was called are
   * committed. That `committing` is 0 is not enough: an interrupt between a
   * writer's commit and its decrement of `committing` leaves its own events to
   * that writer, which checks for them only after the decrement
   * (rb_end_commit(), kernel/trace/ring_buffer.c).
   */
  allCommitted(): boolean {
    const commitPage = this.#words.load("commit_page");
    if (this.#words.load("tail_page") !== commitPage) return false;
    const index = this.#set.indexOf(commitPage);
    return index >= 0 && this.#set.committed(index);
  }

  /**
   * Reads what is new in the page that is currently written, provided that no
   * other page has anything new.
   *
   * @returns `all` when there was nothing new, `some` when there was, `others`
   * when other pages must be examined.
   */
  takeNewest(): "all" | "some" | "others" {
    const set = this.#set;
    const cursor = this.#cursor;
    const commitPage = this.#words.load("commit_page");
    if (cursor < 0 || commitPage !== set.structLo[cursor]) {
      // Nothing has been decoded yet, or the newest page is still empty: its
      // first event was discarded, or the buffer was emptied.
      return this.#allDecoded(commitPage) ? "all" : "others";
    }
    if (!set.holds(cursor)) return "others";
    const header = set.load(cursor);
    if (!set.changed(cursor, header)) return "all";
    if (!set.same(cursor, header)) return "others";
    this.#takePage(cursor, header.stampLo, header.stampHi);
    return "some";
  }

  /** Whether all pages, including the commit page, are as they were read. */
  #allDecoded(commitPage: number): boolean {
    const set = this.#set;
    let listed = false;
    for (let i = 0; i < set.size; i++) {
      if (set.changed(i, set.load(i)) || !set.holds(i)) return false;
      listed ||= set.structLo[i] === commitPage;
    }
    return listed;
  }

  /** Whether a reader handed back a page that has not been read yet. */
  handedBack(): boolean {
    const set = this.#set;
    for (let i = 0; i < set.size; i++) {
      if (set.look(i).handedBack && set.changed(i, set.header)) return true;
    }
    return false;
  }

  /** Reads what is new, the oldest first. */
  take(): void {
    const set = this.#set;
    let newestLo = 0;
    let newestHi = -1;
    for (let i = 0; i < set.size; i++) {
      const header = set.look(i);
      const { stampLo: lo, stampHi: hi } = header;
      if (!set.changed(i, header)) continue;
      if (hi > newestHi || (hi === newestHi && lo > newestLo)) {
        newestHi = hi;
        newestLo = lo;
      }
    }
    if (newestHi < 0) return;
    // The newest page's commit shows that all older pages are complete,
    // including those that were examined before they changed, so examine them
    // again. Anything newer waits for the next poll.
    const pages: { index: number; lo: number; hi: number }[] = [];
    for (let index = 0; index < set.size; index++) {
      const header = set.look(index);
      const { stampLo: lo, stampHi: hi } = header;
      if (!set.changed(index, header)) continue;
      if (hi > newestHi || (hi === newestHi && lo > newestLo)) continue;
      pages.push({ index, lo, hi });
    }
    pages.sort((a, b) => a.hi - b.hi || a.lo - b.lo);
    for (const { index, lo, hi } of pages) {
      // What was given up because of a resize is older than what follows.
      if (!this.#takePage(index, lo, hi)) return;
    }
  }

  /** Reads what is new in a page; `false` when the ring was resized. */
  #takePage(index: number, lo: number, hi: number): boolean {
    const set = this.#set;
    const { queue } = this;
    const { arena, columns } = queue;
    const same = set.same(index, { stampLo: lo, stampHi: hi });
    const from = same ? set.consumed[index] : 0;
    const fromTs = same ? set.lastTs[index] : columns.sinceEpoch(lo, hi);
    // More of the page whose beginning is still needed by rows goes into the
    // same slot.
    const grown = same && index === this.#cursor && this.#cursorSlot >= 0 &&
      queue.lastSlot === this.#cursorSlot;
    const slot = grown ? this.#cursorSlot : arena.acquire();
    const copied = set.copy(index, arena, slot, from);
    const { header } = set;
    // Reused since it was listed: it is now the newest page, and the next poll
    // reads it in order. After a resize the page may belong to somebody else,
    // or older ones may not be listed: the next poll lists them first.
    const resized = this.resized();
    if (
      !copied || header.stampLo !== lo || header.stampHi !== hi || resized
    ) {
      this.torn++;
      if (!grown) arena.release(slot);
      return !resized;
    }
    const { cpu } = this.#buffer;
    const { commit } = header;
    const rows = columns.length;
    const decoder = this.#decoder;
    const status = decoder.decode(arena, slot, cpu, commit, from, fromTs);
    const found = decoder.events + decoder.skipped;
    if (status !== PAGE_STATUS.ok) this.torn++;
    if (
      header.handedBack && (status !== PAGE_STATUS.ok || !this.credible(found))
    ) {
      columns.length = rows;
      set.mark(index, header, commit, fromTs, 0);
      if (!grown) arena.release(slot);
      return true;
    }
    const { events, lastTs } = decoder;
    this.decoded += events;
    this.found += found;
    if (events > 0 && lastTs > this.newest) this.newest = lastTs;
    // A page that cannot be decoded is not tried again; the missing part counts
    // as lost.
    set.mark(index, header, commit, lastTs, found);
    this.#cursor = index;
    if (events > 0) {
      this.onRun?.(slot, from, decoder.nextOffset, fromTs);
      queue.hold(slot);
      this.#cursorSlot = slot;
    } else if (!grown) {
      arena.release(slot);
      this.#cursorSlot = -1;
    }
    return true;
  }
}
