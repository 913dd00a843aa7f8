/**
 * Follows one CPU's ring buffer while the guest writes to it: no lock, no
 * write, no event twice, and every event that could not be read counted.
 *
 * @module
 */
import { KernelError, MemoryError } from "../errors.ts";
import { EventColumns, type PageArena } from "./columns.ts";
import type { TraceLayout } from "./meta.ts";
import { PAGE_STATUS, PageDecoder } from "./page.ts";
import { PageSet } from "./page_set.ts";
import type { CpuBuffer } from "./ring_buffer.ts";

/** What a CPU's follower has accounted for since it started. */
export interface CpuAccount {
  readonly cpu: number;
  /** Events decoded. */
  decoded: number;
  /** Events the guest wrote that could not be read: overwritten too soon. */
  lost: number;
  /** Events the guest itself could not write (dropped, commit overrun). */
  dropped: number;
  /** Events overwritten in the guest's buffer, whether read by us or not. */
  overrun: number;
  /** Times that the guest emptied the buffer. */
  resets: number;
  /** Page copies given up because the page was reused meanwhile. */
  torn: number;
  /** Whether `decoded + lost` equalled the guest's count at the last poll. */
  exact: boolean;
}

/** Tries for a moment in which nothing is being written. */
const QUIET_TRIES = 64;
/** Tries to find such a moment with everything decoded, at the start. */
const START_TRIES = 10_000;
/** Tries to list a ring that is being resized. */
const LIST_TRIES = 20;

/** Where a follower starts. */
export interface FollowStart {
  /** Begin with what the buffer holds; default: with what comes next. */
  readonly fromBuffer?: boolean;
  /** With `fromBuffer`: pass over events up to this time, ns since epoch. */
  readonly after?: number;
}

/** A queue of decoded events of one CPU, in time order. */
export class CpuFollower {
  readonly buffer: CpuBuffer;
  readonly account: CpuAccount;
  /** Decoded rows; those before {@linkcode head} were taken already. */
  readonly columns: EventColumns;
  /** First row not yet taken. */
  head = 0;
  /** Everything up to this time (ns since epoch) has been decoded. */
  complete = -Infinity;
  /** Time of the newest event decoded, ns since epoch. */
  newest = -Infinity;
  /** The pages that the rows' payloads lie in. */
  readonly arena: PageArena;
  readonly #layout: TraceLayout;
  readonly #decoder: PageDecoder;
  readonly #slots: { slot: number; end: number }[] = [];
  #set: PageSet;
  #ring: { pages: number; removed: number };
  #read: number;
  #baseEntries = 0;
  #decodedSinceBase = 0;
  #lostSinceBase = 0;
  #lastEntries = -1;
  #lastDropped = 0;
  #lastOverrun = 0;

  /**
   * Lists the CPU's pages.
   *
   * @throws {KernelError} when the ring cannot be listed.
   */
  constructor(
    buffer: CpuBuffer,
    arena: PageArena,
    layout: TraceLayout,
    epoch: bigint,
  ) {
    this.buffer = buffer;
    this.arena = arena;
    this.#layout = layout;
    this.columns = new EventColumns(epoch, 4096);
    this.#decoder = new PageDecoder(layout, this.columns);
    this.account = {
      cpu: buffer.cpu,
      decoded: 0,
      lost: 0,
      dropped: 0,
      overrun: 0,
      resets: 0,
      torn: 0,
      exact: false,
    };
    this.#ring = this.#ringNow();
    this.#read = buffer.object.number("read");
    this.#set = this.#list();
  }

  #ringNow(): { pages: number; removed: number } {
    const { object } = this.buffer;
    return {
      pages: object.number("nr_pages"),
      removed: object.has("pages_removed") ? object.number("pages_removed") : 0,
    };
  }

  #list(): PageSet {
    for (let tries = 1;; tries++) {
      try {
        return new PageSet(
          this.buffer.kernel.space,
          this.buffer.pages(),
          this.#layout.page,
          this.arena.slotSize,
        );
      } catch (error) {
        const passing = error instanceof KernelError ||
          error instanceof MemoryError;
        if (!passing || tries >= LIST_TRIES) throw error;
      }
    }
  }

  /** Lists the pages again when the ring was resized or pages exchanged. */
  #relist(): void {
    const ring = this.#ringNow();
    const read = this.buffer.object.number("read");
    if (
      ring.pages !== this.#ring.pages || ring.removed !== this.#ring.removed
    ) {
      // A page that leaves the ring may hold what was not read yet.
      this.#take();
      const before = this.#set;
      this.#set = this.#list();
      this.#set.inherit(before);
      this.#ring = ring;
      this.#read = read;
      return;
    }
    if (read === this.#read) return;
    this.#read = read;
    this.#set.refresh();
  }

  /**
   * Begins. Without `fromBuffer`, what the buffer holds is passed over.
   */
  start(options: FollowStart = {}): void {
    this.#lastDropped = this.#droppedNow();
    this.#lastOverrun = this.buffer.object.number("overrun");
    if (options.fromBuffer === true) {
      const { overrun, read } = this.buffer.counters();
      this.#baseEntries = overrun + read;
      this.#skipRead();
      // The decoder skips what is earlier than its start; one ns later.
      if (options.after !== undefined) {
        this.#decoder.timeStart = options.after + 1;
      }
      return;
    }
    let entries = -1;
    for (let tries = 0; entries < 0 && tries < START_TRIES; tries++) {
      this.#take();
      this.release(this.columns.length);
      entries = this.#quiet();
    }
    if (entries < 0) {
      throw new KernelError(
        `CPU ${this.buffer.cpu} writes so fast that no beginning could be found; try again, or trace fewer functions`,
      );
    }
    this.#baseEntries = entries;
    this.#lastEntries = entries;
    this.#decodedSinceBase = 0;
    this.account.decoded = 0;
    this.account.torn = 0;
    this.account.exact = true;
  }

  /** Passes over what a reader in the guest consumed of the reader page. */
  #skipRead(): void {
    const reader = this.buffer.readerPage();
    const read = this.buffer.kernel.object("buffer_page", reader.gva)
      .number("read");
    if (read === 0) return;
    const slot = this.arena.acquire();
    // Index 0 of a set is the reader page.
    if (this.#set.copy(0, this.arena, slot)) {
      const { header } = this.#set;
      const stamp = this.columns.sinceEpoch(header.stampLo, header.stampHi);
      this.#decoder.decode(
        this.arena,
        slot,
        this.buffer.cpu,
        Math.min(read, header.commit),
        0,
        stamp,
      );
      this.#set.mark(0, header, read, this.#decoder.lastTs);
      this.columns.clear();
    }
    this.arena.release(slot);
  }

  #droppedNow(): number {
    const { object } = this.buffer;
    return object.number("dropped_events") + object.number("commit_overrun");
  }

  /**
   * Reads what the guest has written since the last poll.
   *
   * @param now a time (ns since epoch) that the guest's clock has passed: when
   * no write is under way, all events up to it are in the buffer.
   */
  poll(now: number): void {
    const { account } = this;
    const { object } = this.buffer;
    // Read before the pages: what is reserved later is later than `now`.
    const writing = object.number("committing") !== 0;
    const entries = object.number("entries");
    if (entries < this.#lastEntries) this.#reset();
    this.#relist();
    const rows = this.columns.length;
    const losses = this.columns.lost.length;
    if (entries !== this.#lastEntries || writing || !account.exact) {
      this.#take();
    }
    this.#lastEntries = entries;
    this.#settle(rows, losses);
    const dropped = this.#droppedNow();
    account.dropped += Math.max(0, dropped - this.#lastDropped);
    this.#lastDropped = dropped;
    const overrun = object.number("overrun");
    account.overrun += Math.max(0, overrun - this.#lastOverrun);
    this.#lastOverrun = overrun;
    this.complete = writing ? this.newest : Math.max(now, this.newest);
  }

  #reset(): void {
    this.account.resets++;
    this.#set = this.#list();
    this.#ring = this.#ringNow();
    this.#baseEntries = 0;
    this.#decodedSinceBase = 0;
    this.#lostSinceBase = 0;
    this.#lastEntries = -1;
    this.#lastDropped = 0;
    this.#lastOverrun = 0;
    this.account.exact = false;
  }

  /**
   * The guest's `entries` at a moment in which all of them were decoded, or
   * -1 when no such moment was found.
   */
  #quiet(): number {
    const { object } = this.buffer;
    for (let tries = 0; tries < QUIET_TRIES; tries++) {
      const entries = object.number("entries");
      if (object.number("committing") !== 0) continue;
      if (this.#anyChanged()) return -1;
      if (
        object.number("committing") === 0 &&
        object.number("entries") === entries
      ) return entries;
    }
    return -1;
  }

  #anyChanged(): boolean {
    const set = this.#set;
    for (let i = 0; i < set.size; i++) {
      if (set.changed(i, set.load(i))) return true;
    }
    return false;
  }

  /** Compares with the guest's own count, when it stands still. */
  #settle(firstRow: number, losses: number): void {
    const entries = this.#quiet();
    this.account.exact = entries >= 0;
    if (entries < 0) return;
    const missing = entries - this.#baseEntries - this.#decodedSinceBase;
    const lost = missing - this.#lostSinceBase;
    this.#lostSinceBase = missing;
    this.account.lost += lost;
    if (lost > 0 && this.columns.lost.length === losses) {
      const { cpu } = this.buffer;
      this.columns.lost.push({ row: firstRow, cpu, count: lost });
    }
  }

  /** Decodes all changed pages, oldest first. */
  #take(): void {
    const set = this.#set;
    let newestLo = 0;
    let newestHi = -1;
    for (let i = 0; i < set.size; i++) {
      const header = set.load(i);
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
      const header = set.load(index);
      const { stampLo: lo, stampHi: hi } = header;
      if (!set.changed(index, header)) continue;
      if (hi > newestHi || (hi === newestHi && lo > newestLo)) continue;
      pages.push({ index, lo, hi });
    }
    pages.sort((a, b) => a.hi - b.hi || a.lo - b.lo);
    for (const { index, lo, hi } of pages) this.#takePage(index, lo, hi);
  }

  #takePage(index: number, lo: number, hi: number): void {
    const set = this.#set;
    const { account, columns } = this;
    const slot = this.arena.acquire();
    const copied = set.copy(index, this.arena, slot);
    const { header } = set;
    // Reused since it was listed: it is the newest page now, and the next
    // poll takes it in its turn.
    if (!copied || header.stampLo !== lo || header.stampHi !== hi) {
      account.torn++;
      this.arena.release(slot);
      return;
    }
    const same = lo === set.stampLo[index] && hi === set.stampHi[index];
    const status = this.#decoder.decode(
      this.arena,
      slot,
      this.buffer.cpu,
      header.commit,
      same ? set.consumed[index] : 0,
      same ? set.lastTs[index] : columns.sinceEpoch(lo, hi),
    );
    if (status !== PAGE_STATUS.ok) account.torn++;
    const { events, skipped, lastTs } = this.#decoder;
    account.decoded += events;
    this.#decodedSinceBase += events + skipped;
    if (events > 0 && lastTs > this.newest) this.newest = lastTs;
    // A page that does not decode is not tried again: what is missing of it
    // counts as lost.
    set.mark(index, header, header.commit, lastTs);
    if (events > 0) this.#slots.push({ slot, end: columns.length });
    else this.arena.release(slot);
  }

  /** Gives back the rows before `row` and the pages that held them. */
  release(row: number): void {
    this.head = row;
    while (this.#slots.length > 0 && this.#slots[0].end <= row) {
      this.arena.release(this.#slots[0].slot);
      this.#slots.shift();
    }
    if (row === this.columns.length) {
      this.columns.clear();
      this.head = 0;
    }
  }
}
