/**
 * Reads one CPU's pages into a queue, oldest first and each byte once, while
 * the guest writes to them.
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
 * Told of each run of bytes that was decoded, so that it can be kept.
 *
 * @param slot arena slot that holds the bytes
 * @param from first byte of the page's data that is new
 * @param to one past the last
 * @param fromTs time at `from`, ns since epoch
 */
export type RunSink = (
  slot: number,
  from: number,
  to: number,
  fromTs: number,
) => void;

/** One CPU's pages, and how far each was read. */
export class CpuPages {
  readonly queue: EventQueue;
  /** Told of what is decoded, when set. */
  onRun: RunSink | undefined;
  /**
   * Whether the guest has counted so many more events: those of a page that a
   * reader handed back are believed only then.
   */
  credible: (events: number) => boolean = () => true;
  /** Time of the newest event decoded, ns since epoch. */
  newest = -Infinity;
  /** Events put into the queue. */
  decoded = 0;
  /** Events found, with those that were passed over because of their time. */
  found = 0;
  /** Page copies given up because the page was reused meanwhile. */
  torn = 0;
  readonly #buffer: CpuBuffer;
  readonly #words: CpuWords;
  readonly #layout: TraceLayout;
  readonly #decoder: PageDecoder;
  #set: PageSet;
  /** Index of the newest page decoded, and the slot its rows point into. */
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
    this.#set = this.#listing.list();
  }

  /** Why the ring could not be listed when that was last tried. */
  get failure(): unknown {
    return this.#listing.failure;
  }

  /**
   * Whether the ring was resized since it was listed, or is being listed in
   * the midst of it: some of the pages may be somebody else's by now, others
   * not listed.
   */
  resized(): boolean {
    return this.#listing.stale();
  }

  /**
   * Lists the pages again, whatever they were. Pages that were not known and
   * yet are older than what was read already are passed over: their events
   * would come out of order, and count as lost.
   *
   * @param anew whether the buffer was emptied: what it holds is all later
   * @throws {KernelError} when the ring cannot be listed, and no resize is
   * under way.
   * @throws {MemoryError} when it cannot be read.
   */
  listAgain(anew = false): void {
    const before = this.#set;
    const read = this.#words.load("read");
    const set = this.#listing.tryList();
    // What is known of a page must not go because one list lacks it: nothing
    // is read until the pages are listed well.
    if (set === undefined || this.resized()) return;
    this.#read = read;
    this.#set = set;
    this.#set.inherit(before, anew);
    this.#cursor = this.#set.newestKnown();
    this.#cursorSlot = -1;
  }

  /**
   * Lists the pages again when the ring was resized, and finds those that were
   * exchanged for others.
   *
   * @param exact whether all was read when this was last called
   */
  refresh(exact: boolean): void {
    if (this.resized()) {
      // Pages that left the ring may be anything by now. They were its oldest:
      // what was not read of them counts as lost.
      this.listAgain();
      return;
    }
    const read = this.#words.load("read");
    // A reset sets the count back, maybe to what it was.
    if (read === this.#read && exact) return;
    this.#read = read;
    try {
      this.#set.refresh();
    } catch (error) {
      // What a page that left the ring points to is no page.
      if (!isPassing(error) || !this.resized()) throw error;
      this.listAgain();
    }
  }

  /** Takes over what was known of the same pages. */
  inherit(other: CpuPages): void {
    this.#set.inherit(other.#set);
    this.newest = other.newest;
  }

  /** Passes over what readers in the guest have read and handed back. */
  forget(): void {
    this.#set.forget();
  }

  /** Passes over events that are not later than a time, ns since epoch. */
  skipUpTo(time: number): void {
    // The decoder skips what is earlier than its start; one ns later.
    this.#decoder.timeStart = time + 1;
  }

  /** Passes over what a reader in the guest consumed of the reader page. */
  skipRead(): void {
    const reader = this.#buffer.readerPage();
    const read = this.#buffer.kernel.object("buffer_page", reader.gva)
      .number("read");
    if (read === 0) return;
    const { arena, columns } = this.queue;
    const slot = arena.acquire();
    // Index 0 of a set is the reader page.
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

  /** Events read that the pages still hold. */
  heldEvents(): number {
    return this.#set.heldEvents();
  }

  /** Whether the newest page was cleared: its commit never shrinks else. */
  emptied(): boolean {
    // Nothing of it was read: what it counts begins anew in any case.
    if (this.#cursor < 0) return true;
    const header = this.#set.load(this.#cursor);
    return !this.#set.same(this.#cursor, header) ||
      header.commit < this.#set.consumed[this.#cursor];
  }

  /**
   * Whether all events whose writers had finished before this was called are
   * committed. Nobody being at it (`committing`) does not say so: an interrupt
   * that comes between a writer's commit and its leaving leaves its own events
   * to that writer, who looks for them only after he has left
   * (rb_end_commit(), kernel/trace/ring_buffer.c).
   */
  allCommitted(): boolean {
    const commitPage = this.#words.load("commit_page");
    if (this.#words.load("tail_page") !== commitPage) return false;
    const index = this.#set.indexOf(commitPage);
    return index >= 0 && this.#set.committed(index);
  }

  /**
   * Reads what is new in the page that is being written to, provided that
   * nothing else is new.
   *
   * @returns `all` when there was nothing, `some` when there was, `others`
   * when other pages must be looked at.
   */
  takeNewest(): "all" | "some" | "others" {
    const set = this.#set;
    const cursor = this.#cursor;
    const commitPage = this.#words.load("commit_page");
    if (cursor < 0 || commitPage !== set.structLo[cursor]) {
      // Nothing decoded yet, or the page begun last is still empty: its first
      // event was discarded, or the buffer was emptied.
      return this.#allDecoded(commitPage) ? "all" : "others";
    }
    if (!set.holds(cursor)) return "others";
    const header = set.load(cursor);
    if (!set.changed(cursor, header)) return "all";
    if (!set.same(cursor, header)) return "others";
    this.#takePage(cursor, header.stampLo, header.stampHi);
    return "some";
  }

  /** Whether all pages are as they were read, the commit page among them. */
  #allDecoded(commitPage: number): boolean {
    const set = this.#set;
    let listed = false;
    for (let i = 0; i < set.size; i++) {
      if (set.changed(i, set.load(i)) || !set.holds(i)) return false;
      listed ||= set.structLo[i] === commitPage;
    }
    return listed;
  }

  /** Whether a reader handed back a page that is not read yet. */
  handedBack(): boolean {
    const set = this.#set;
    for (let i = 0; i < set.size; i++) {
      if (set.look(i).handedBack && set.changed(i, set.header)) return true;
    }
    return false;
  }

  /** Reads what is new, oldest first. */
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
    // The newest page's commit shows that all older pages are complete, also
    // those that were looked at before they changed: look again. What is
    // newer still waits for the next poll.
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
    // More of the page whose beginning rows still need goes into its slot.
    const grown = same && index === this.#cursor && this.#cursorSlot >= 0 &&
      queue.lastSlot === this.#cursorSlot;
    const slot = grown ? this.#cursorSlot : arena.acquire();
    const copied = set.copy(index, arena, slot, from);
    const { header } = set;
    // Reused since it was listed: it is the newest page now, and the next
    // poll takes it in its turn. After a resize the page may be somebody
    // else's, or older ones are not listed: the next poll lists them first.
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
    // A page that does not decode is not tried again: what is missing of it
    // counts as lost.
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
