/**
 * Follows one CPU's ring buffer while the guest writes to it: no lock, no
 * write, no event twice, and every event that could not be read counted.
 *
 * @module
 */
import { KernelError, MemoryError } from "../errors.ts";
import type { PageArena } from "./columns.ts";
import { CpuWords } from "./cpu_words.ts";
import { EventQueue } from "./event_queue.ts";
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
  /**
   * Of these, the times that it was not seen at rest before: events that the
   * guest threw away unread then are in no count.
   */
  blindResets: number;
  /** Page copies given up because the page was reused meanwhile. */
  torn: number;
  /** Whether `decoded + lost` equalled the guest's count at the last poll. */
  exact: boolean;
}

/** Tries, a poll, for a moment in which nothing is being written. */
const QUIET_TRIES = 200;
/** Tries to find such a moment with everything decoded, at the start. */
const START_TRIES = 10_000;
/** How long a CPU must be in the midst of a write to count as stuck in it. */
const STUCK_MS = 1000;
/** A count that changed so lately is that of a CPU which writes, ms. */
const BUSY_MS = 10;
/** Tries to list a ring that is being resized. */
const LIST_TRIES = 20;

/** Where a follower starts. */
export interface FollowStart {
  /** Begin with what the buffer holds; default: with what comes next. */
  readonly fromBuffer?: boolean;
  /** With `fromBuffer`: pass over events up to this time, ns since epoch. */
  readonly after?: number;
}

/**
 * Told of each run of bytes that was decoded, so that it can be kept.
 *
 * @param slot arena slot that holds the bytes
 * @param from first byte of the page's data that is new
 * @param to one past the last
 * @param fromTs time at `from`, ns since epoch
 */
export type SegmentSink = (
  follower: CpuFollower,
  slot: number,
  from: number,
  to: number,
  fromTs: number,
) => void;

/** Reads one CPU's events into a queue. */
export class CpuFollower {
  readonly buffer: CpuBuffer;
  /** A number that no other follower has, to tell a CPU's rings apart. */
  readonly ring: number;
  readonly account: CpuAccount;
  readonly queue: EventQueue;
  /** Time of the newest event decoded, ns since epoch. */
  newest = -Infinity;
  /** The host's clock, ms. */
  clock: () => number = () => performance.now();
  /** Told of what is decoded, when set. */
  onSegment: SegmentSink | undefined;
  readonly #layout: TraceLayout;
  readonly #decoder: PageDecoder;
  readonly #words: CpuWords;
  #set: PageSet;
  /** Index of the newest page decoded, and the slot its rows point into. */
  #cursor = -1;
  #cursorSlot = -1;
  #ring: { pages: number; removed: number };
  #read: number;
  /** All was decoded, and the guest could write no more, at the last poll. */
  #sealed = false;
  /** The guest said that it empties its buffers; this one is still full. */
  #emptying = false;
  /** The last poll found nothing, and yet the counts did not agree. */
  #stuck = false;
  /** No count to compare with yet: it began in the midst of a write. */
  #baseless = false;
  /** The guest's count when a write was first seen under way, and when. */
  readonly #writing = { entries: -1, since: 0 };
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
    ring = 0,
  ) {
    this.buffer = buffer;
    this.ring = ring;
    this.#layout = layout;
    this.queue = new EventQueue(arena, epoch);
    this.#decoder = new PageDecoder(layout, this.queue.columns);
    this.account = {
      cpu: buffer.cpu,
      decoded: 0,
      lost: 0,
      dropped: 0,
      overrun: 0,
      resets: 0,
      blindResets: 0,
      torn: 0,
      exact: false,
    };
    this.#words = new CpuWords(buffer);
    this.#ring = this.#ringNow();
    this.#read = this.#words.load("read");
    this.#set = this.#list();
  }

  /** Says that the guest is about to empty its buffers, or just has. */
  expectReset(): void {
    this.#emptying = true;
  }

  #ringNow(): { pages: number; removed: number } {
    const words = this.#words;
    return {
      pages: words.load("nr_pages"),
      removed: words.load("pages_removed"),
    };
  }

  #list(): PageSet {
    for (let tries = 1;; tries++) {
      try {
        return new PageSet(
          this.buffer.kernel.space,
          this.buffer.pages(true),
          this.#layout.page,
          this.queue.arena.slotSize,
        );
      } catch (error) {
        const passing = error instanceof KernelError ||
          error instanceof MemoryError;
        if (!passing || tries >= LIST_TRIES) throw error;
      }
    }
  }

  /** Whether the ring was resized since it was listed. */
  #resized(): boolean {
    const words = this.#words;
    return words.load("nr_pages") !== this.#ring.pages ||
      words.load("pages_removed") !== this.#ring.removed;
  }

  /** Lists the pages; returns how many were listed before. */
  /** Lists the pages again, whatever they were. */
  #listAgain(): void {
    const before = this.#set;
    this.#ring = this.#ringNow();
    this.#read = this.#words.load("read");
    this.#set = this.#list();
    this.#set.inherit(before);
    this.#cursor = this.#set.newestKnown();
    this.#cursorSlot = -1;
  }

  /** Lists the pages again when the ring was resized or pages exchanged. */
  #relist(): void {
    // A resize and a reset between two looks may leave the numbers as they
    // were: then nothing fits any more.
    if (this.#stuck || this.#resized()) {
      // Pages that left the ring may be anything by now. They were its oldest:
      // what was not read of them counts as lost.
      this.#listAgain();
      return;
    }
    const read = this.#words.load("read");
    // A reset sets the count back, maybe to what it was.
    if (read === this.#read && this.account.exact) return;
    this.#read = read;
    this.#set.refresh();
  }

  /**
   * Reads what is left in pages that the guest is about to exchange: it says
   * the sub-buffers' new size first. Nothing when they are gone.
   */
  takeLast(): void {
    if (!this.#resized()) this.#take();
  }

  /**
   * Takes over the account of a follower whose pages are exchanged for
   * sub-buffers of another size: what it had not read counts as lost.
   */
  succeed(other: CpuFollower): void {
    // The old ones may still be listed.
    this.#set.inherit(other.#set);
    this.#lastDropped = other.#lastDropped;
    this.#lastOverrun = other.#lastOverrun;
    this.#baseEntries = other.#baseEntries;
    this.#decodedSinceBase = other.#decodedSinceBase;
    this.#lostSinceBase = other.#lostSinceBase;
    this.newest = other.newest;
    other.account.exact = true;
  }

  /**
   * Begins. Without `fromBuffer`, what the buffer holds is passed over.
   */
  start(options: FollowStart = {}): void {
    this.#lastDropped = this.#droppedNow();
    this.#lastOverrun = this.#words.load("overrun");
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
    for (let tries = 0; entries < 0; tries++) {
      this.#take();
      this.queue.release(this.queue.columns.length);
      entries = this.#quiet();
      if (entries >= 0 || this.#stuckInWrite()) break;
      if (
        tries >= START_TRIES && this.clock() - this.#writing.since < BUSY_MS
      ) {
        throw new KernelError(
          `CPU ${this.buffer.cpu} writes so fast that no beginning could be found; try again, or trace fewer functions`,
        );
      }
    }
    this.#baseless = entries < 0;
    // What was decoded in the quiet moment itself belongs to the past too.
    this.queue.release(this.queue.columns.length);
    this.#baseEntries = entries;
    this.#lastEntries = this.#baseless ? this.#words.load("entries") : entries;
    this.#decodedSinceBase = 0;
    this.account.decoded = 0;
    this.account.torn = 0;
    this.account.exact = !this.#baseless;
  }

  /**
   * Whether the CPU has been in the midst of one write for so long that it may
   * never end: the guest is paused, or died there.
   */
  #stuckInWrite(): boolean {
    const words = this.#words;
    const idle = words.load("committing") === 0 && this.#allCommitted();
    const entries = idle ? -1 : words.load("entries");
    const now = this.clock();
    if (idle || entries !== this.#writing.entries) {
      this.#writing.entries = entries;
      this.#writing.since = now;
    }
    return now - this.#writing.since > STUCK_MS;
  }

  /** Passes over what a reader in the guest consumed of the reader page. */
  #skipRead(): void {
    const reader = this.buffer.readerPage();
    const read = this.buffer.kernel.object("buffer_page", reader.gva)
      .number("read");
    if (read === 0) return;
    const { arena, columns } = this.queue;
    const slot = arena.acquire();
    // Index 0 of a set is the reader page.
    if (this.#set.copy(0, arena, slot, 0)) {
      const { header } = this.#set;
      const stamp = columns.sinceEpoch(header.stampLo, header.stampHi);
      const end = Math.min(read, header.commit);
      this.#decoder.decode(arena, slot, this.buffer.cpu, end, 0, stamp);
      this.#set.mark(0, header, read, this.#decoder.lastTs, 0);
      columns.clear();
    }
    arena.release(slot);
  }

  #droppedNow(): number {
    const words = this.#words;
    return words.load("dropped_events") + words.load("commit_overrun");
  }

  /**
   * Reads what the guest has written since the last poll.
   *
   * @param now a time (ns since epoch) that the guest's clock has passed: when
   * no write is under way, all events up to it are in the buffer.
   * @param stopped whether the guest could begin no write any more before this
   * was called
   */
  poll(now: number, stopped = false): void {
    const { account } = this;
    const words = this.#words;
    const committing = words.load("committing") !== 0;
    // Nothing new is begun while a reset is prepared.
    const idle = stopped || words.load("record_disabled") !== 0;
    let entries = words.load("entries");
    if (
      entries < this.#lastEntries ||
      words.load("overrun") < this.#lastOverrun ||
      (this.#emptying && this.#emptied())
    ) {
      if (this.#resetting()) {
        // The pages and the counters do not fit together now.
        account.exact = false;
        this.queue.complete = this.newest;
        return;
      }
      this.#reset();
      entries = words.load("entries");
    }
    this.#relist();
    // Read before the pages: what is reserved later is later than `now`.
    const writing = committing || !this.#allCommitted();
    const { columns } = this.queue;
    const rows = columns.length;
    const losses = columns.lost.length;
    const { decoded } = account;
    if (entries !== this.#lastEntries || writing || !account.exact) {
      this.#take();
    }
    this.#lastEntries = entries;
    this.#settle(rows, losses);
    this.#stuck = !account.exact && account.decoded === decoded &&
      words.load("committing") === 0;
    this.#sealed = idle && account.exact &&
      words.load("entries") === entries;
    const dropped = this.#droppedNow();
    account.dropped += Math.max(0, dropped - this.#lastDropped);
    this.#lastDropped = dropped;
    const overrun = words.load("overrun");
    account.overrun += Math.max(0, overrun - this.#lastOverrun);
    this.#lastOverrun = overrun;
    // One CPU that died in the midst of a write must not keep all others'
    // events back.
    const stuck = this.#stuckInWrite();
    const wait = writing && !stuck;
    this.queue.complete = wait ? this.newest : Math.max(now, this.newest);
  }

  /**
   * Whether the guest may be in the midst of emptying the buffer: it clears
   * the pages first, then one counter after the other, and lets nobody write
   * or resize until it is done (ring_buffer_reset_online_cpus(), _cpu()).
   */
  #resetting(): boolean {
    const words = this.#words;
    return words.load("record_disabled") !== 0 &&
      words.load("resize_disabled") !== 0;
  }

  /** Whether the newest page was cleared: its commit never shrinks else. */
  #emptied(): boolean {
    // Nothing of it was read: what it counts begins anew in any case.
    if (this.#cursor < 0) return true;
    const header = this.#set.load(this.#cursor);
    return !this.#set.same(this.#cursor, header) ||
      header.commit < this.#set.consumed[this.#cursor];
  }

  /** The guest has emptied the buffer, and counts from 0 again. */
  #reset(): void {
    this.account.resets++;
    if (!this.#sealed) this.account.blindResets++;
    this.#emptying = false;
    this.#listAgain();
    this.#baseless = false;
    this.#baseEntries = 0;
    // The last poll may have seen the buffer after it was emptied already.
    this.#decodedSinceBase = this.#set.heldEvents();
    this.#lostSinceBase = 0;
    this.#lastEntries = -1;
    this.#lastDropped = 0;
    this.#lastOverrun = 0;
    this.account.exact = false;
  }

  /**
   * The guest's `entries` at a moment in which all of them were decoded, or
   * -1 when no such moment was found. Events of the newest page are decoded
   * on the way.
   */
  #quiet(): number {
    const words = this.#words;
    for (let tries = 0; tries < QUIET_TRIES; tries++) {
      const entries = words.load("entries");
      if (words.load("committing") !== 0 || !this.#allCommitted()) continue;
      const set = this.#set;
      const cursor = this.#cursor;
      const commitPage = words.load("commit_page");
      if (cursor >= 0 && commitPage === set.structLo[cursor]) {
        if (!set.holds(cursor)) return -1;
        const header = set.load(cursor);
        if (set.changed(cursor, header)) {
          if (!set.same(cursor, header)) return -1;
          this.#takePage(cursor, header.stampLo, header.stampHi);
          continue;
        }
      } else if (!this.#allDecoded(commitPage)) {
        // Nothing decoded yet, or the page begun last is still empty: its
        // first event was discarded, or the buffer was emptied.
        return -1;
      }
      if (words.load("committing") === 0 && words.load("entries") === entries) {
        return entries;
      }
    }
    return -1;
  }

  /**
   * Whether all events whose writers had finished before this was called are
   * committed. Nobody being at it (`committing`) does not say so: an interrupt
   * that comes between a writer's commit and its leaving leaves its own events
   * to that writer, who looks for them only after he has left
   * (rb_end_commit(), kernel/trace/ring_buffer.c).
   */
  #allCommitted(): boolean {
    const commitPage = this.#words.load("commit_page");
    if (this.#words.load("tail_page") !== commitPage) return false;
    const index = this.#set.indexOf(commitPage);
    return index >= 0 && this.#set.committed(index);
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

  /** Compares with the guest's own count, when it stands still. */
  #settle(firstRow: number, losses: number): void {
    let entries = this.#quiet();
    this.account.exact = entries >= 0 && !this.#resized();
    if (!this.account.exact) return;
    if (this.#baseless) {
      this.#baseless = false;
      this.#baseEntries = entries - this.#decodedSinceBase;
    }
    let missing = entries - this.#baseEntries - this.#decodedSinceBase;
    if (missing < this.#lostSinceBase) {
      // More was decoded than is counted: the buffer was emptied, and has been
      // written to so much that the count alone does not show it.
      this.account.exact = false;
      if (this.#resetting()) return;
      this.#reset();
      entries = this.#quiet();
      if (entries < 0) return;
      this.#lastEntries = entries;
      this.account.exact = true;
      missing = Math.max(0, entries - this.#decodedSinceBase);
    }
    const lost = missing - this.#lostSinceBase;
    this.#lostSinceBase = missing;
    this.account.lost += lost;
    const { columns } = this.queue;
    if (lost > 0 && columns.lost.length === losses) {
      const { cpu } = this.buffer;
      columns.lost.push({ row: firstRow, cpu, count: lost });
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
    const { account, queue } = this;
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
    if (
      !copied || header.stampLo !== lo || header.stampHi !== hi ||
      this.#resized()
    ) {
      account.torn++;
      if (!grown) arena.release(slot);
      return;
    }
    const { cpu } = this.buffer;
    const { commit } = header;
    const status = this.#decoder.decode(arena, slot, cpu, commit, from, fromTs);
    if (status !== PAGE_STATUS.ok) account.torn++;
    const { events, skipped, lastTs } = this.#decoder;
    account.decoded += events;
    this.#decodedSinceBase += events + skipped;
    if (events > 0 && lastTs > this.newest) this.newest = lastTs;
    // A page that does not decode is not tried again: what is missing of it
    // counts as lost.
    set.mark(index, header, commit, lastTs, events + skipped);
    this.#cursor = index;
    if (events > 0) {
      this.onSegment?.(this, slot, from, this.#decoder.nextOffset, fromTs);
      queue.hold(slot);
      this.#cursorSlot = slot;
    } else if (!grown) {
      arena.release(slot);
      this.#cursorSlot = -1;
    }
  }
}
