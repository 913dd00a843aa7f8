/**
 * Follows one CPU's ring buffer while the guest writes to it: no lock, no
 * write, no event twice, and every event that could not be read counted.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { PageArena } from "./columns.ts";
import { CpuPages } from "./cpu_pages.ts";
import { CpuWords } from "./cpu_words.ts";
import type { EventQueue } from "./event_queue.ts";
import type { TraceLayout } from "./meta.ts";
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
   * guest threw away unread then are in no count, and some that were read
   * between it and the next look may be counted as lost.
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
/** Tries to read what readers hand back while all else is at rest. */
const HANDED_BACK_TRIES = 8;

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

/** Reads one CPU's events into a queue, and accounts for them. */
export class CpuFollower {
  readonly buffer: CpuBuffer;
  /** A number that no other follower has, to tell a CPU's rings apart. */
  readonly ring: number;
  readonly account: CpuAccount;
  /** The host's clock, ms. */
  clock: () => number = () => performance.now();
  readonly #words: CpuWords;
  readonly #pages: CpuPages;
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
  /** Since when the pages cannot be listed because of a resize, ms. */
  #resizing: number | undefined;
  /** The guest's count and ours to count from, and what was lost since. */
  readonly #base = { entries: 0, found: 0, lost: 0 };
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
    this.#pages = new CpuPages(buffer, this.#words, arena, layout, epoch);
    this.#pages.credible = (events) =>
      !this.#resetting() &&
      events <= this.#missing(this.#words.load("entries")) - this.#base.lost;
  }

  /** Events decoded and not handed out yet. */
  get queue(): EventQueue {
    return this.#pages.queue;
  }

  /** Time of the newest event decoded, ns since epoch. */
  get newest(): number {
    return this.#pages.newest;
  }

  /** Has all that is decoded told to `sink`, from now on. */
  set onSegment(sink: SegmentSink | undefined) {
    this.#pages.onRun = sink === undefined
      ? undefined
      : (slot, from, to, fromTs) => sink(this, slot, from, to, fromTs);
  }

  #update(): void {
    this.account.decoded = this.#pages.decoded;
    this.account.torn = this.#pages.torn;
  }

  /** Says that the guest is about to empty its buffers, or just has. */
  expectReset(): void {
    this.#emptying = true;
  }

  /**
   * Reads what is left in pages that the guest is about to exchange: it says
   * the sub-buffers' new size first. Nothing when they are gone.
   */
  takeLast(): void {
    if (!this.#pages.resized()) this.#pages.take();
    this.#update();
  }

  /**
   * Takes over the account of a follower whose pages are exchanged for
   * sub-buffers of another size: what it had not read counts as lost.
   */
  succeed(other: CpuFollower): void {
    // The old ones may still be listed.
    this.#pages.inherit(other.#pages);
    this.#lastDropped = other.#lastDropped;
    this.#lastOverrun = other.#lastOverrun;
    const { entries, found, lost } = other.#base;
    this.#base.entries = entries;
    this.#base.found = found - other.#pages.found;
    this.#base.lost = lost;
    other.account.exact = true;
  }

  /**
   * Begins. Without `fromBuffer`, what the buffer holds is passed over.
   */
  start(options: FollowStart = {}): void {
    const pages = this.#pages;
    pages.forget();
    this.#lastDropped = this.#droppedNow();
    this.#lastOverrun = this.#words.load("overrun");
    if (options.fromBuffer === true) {
      const { overrun, read } = this.buffer.counters();
      this.#base.entries = overrun + read;
      pages.skipRead();
      if (options.after !== undefined) pages.skipUpTo(options.after);
      return;
    }
    let entries = -1;
    for (let tries = 0; entries < 0; tries++) {
      pages.refresh(true);
      pages.take();
      this.queue.release(this.queue.columns.length);
      entries = this.#quiet();
      if (pages.resized()) entries = -1;
      if (entries >= 0 || this.#stuckInWrite() || this.#stuckInResize()) break;
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
    this.#base.entries = entries;
    this.#lastEntries = this.#baseless ? this.#words.load("entries") : entries;
    this.#base.found = pages.found;
    pages.decoded = 0;
    pages.torn = 0;
    this.#update();
    this.account.exact = !this.#baseless;
  }

  /**
   * Whether the CPU has been in the midst of one write for so long that it may
   * never end: the guest is paused, or died there.
   */
  #stuckInWrite(): boolean {
    const words = this.#words;
    const idle = words.load("committing") === 0 && this.#pages.allCommitted();
    const entries = idle ? -1 : words.load("entries");
    const now = this.clock();
    if (idle || entries !== this.#writing.entries) {
      this.#writing.entries = entries;
      this.#writing.since = now;
    }
    return now - this.#writing.since > STUCK_MS;
  }

  /**
   * Whether the pages could not be listed well for so long that the resize at
   * hand may never end.
   */
  #stuckInResize(): boolean {
    if (!this.#pages.resized()) {
      this.#resizing = undefined;
      return false;
    }
    const now = this.clock();
    this.#resizing ??= now;
    return now - this.#resizing > STUCK_MS;
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
   * @throws {KernelError} when the ring cannot be listed any more.
   */
  poll(now: number, stopped = false): void {
    const { account } = this;
    const pages = this.#pages;
    const words = this.#words;
    const committing = words.load("committing") !== 0;
    // Nothing new is begun while a reset is prepared.
    const idle = stopped || words.load("record_disabled") !== 0;
    let entries = words.load("entries");
    if (
      entries < this.#lastEntries ||
      words.load("overrun") < this.#lastOverrun ||
      (this.#emptying && this.#pages.emptied())
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
    // A resize and a reset between two looks may leave the numbers as they
    // were: then nothing fits any more.
    if (this.#stuck) pages.listAgain();
    else pages.refresh(account.exact);
    // It had time to be done: a ring that does not close now is damaged.
    if (this.#stuckInResize() && pages.failure !== undefined) {
      throw pages.failure;
    }
    // Read before the pages: what is reserved later is later than `now`.
    const writing = committing || !pages.allCommitted();
    const { columns } = this.queue;
    const rows = columns.length;
    const losses = columns.lost.length;
    const { decoded } = pages;
    if (entries !== this.#lastEntries || writing || !account.exact) {
      pages.take();
    }
    this.#lastEntries = entries;
    this.#settle(rows, losses);
    this.#stuck = !account.exact && pages.decoded === decoded &&
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
    this.#update();
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

  /** The guest has emptied the buffer, and counts from 0 again. */
  #reset(): void {
    this.account.resets++;
    if (!this.#sealed) this.account.blindResets++;
    this.#emptying = false;
    const pages = this.#pages;
    pages.listAgain(true);
    pages.forget();
    this.#baseless = false;
    this.#base.entries = 0;
    // The last poll may have seen the buffer after it was emptied already.
    this.#base.found = pages.found - pages.heldEvents();
    this.#base.lost = 0;
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
    const pages = this.#pages;
    for (let tries = 0; tries < QUIET_TRIES; tries++) {
      const entries = words.load("entries");
      if (words.load("committing") !== 0 || !pages.allCommitted()) continue;
      const taken = pages.takeNewest();
      if (taken === "others") return -1;
      if (taken === "some") continue;
      if (words.load("committing") === 0 && words.load("entries") === entries) {
        return entries;
      }
    }
    return -1;
  }

  /** Compares with the guest's own count, when it stands still. */
  #settle(firstRow: number, losses: number): void {
    const pages = this.#pages;
    let entries = this.#quiet();
    this.account.exact = entries >= 0 && !pages.resized();
    if (!this.account.exact) return;
    if (this.#baseless) {
      this.#baseless = false;
      this.#base.entries = entries - (pages.found - this.#base.found);
    }
    for (let tries = 0; this.#missing(entries) > this.#base.lost; tries++) {
      if (!pages.handedBack()) break;
      pages.take();
      entries = this.#quiet();
      if (entries < 0 || tries === HANDED_BACK_TRIES || pages.resized()) {
        this.account.exact = false;
        return;
      }
    }
    let missing = this.#missing(entries);
    if (missing < this.#base.lost) {
      // More was decoded than is counted: the buffer was emptied, and has been
      // written to so much that the count alone does not show it.
      this.account.exact = false;
      if (this.#resetting()) return;
      this.#reset();
      entries = this.#quiet();
      if (entries < 0) return;
      this.#lastEntries = entries;
      this.account.exact = true;
      missing = Math.max(0, this.#missing(entries));
    }
    const lost = missing - this.#base.lost;
    this.#base.lost = missing;
    this.account.lost += lost;
    const { columns } = this.queue;
    if (lost > 0 && columns.lost.length === losses) {
      const { cpu } = this.buffer;
      columns.lost.push({ row: firstRow, cpu, count: lost });
    }
  }

  /** Events of the guest's count that were not decoded. */
  #missing(entries: number): number {
    return entries - this.#base.entries -
      (this.#pages.found - this.#base.found);
  }
}
