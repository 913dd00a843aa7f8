/**
 * Follows one CPU's ring buffer while the guest writes to it: takes no lock,
 * writes nothing, reads no event twice, and counts every event that could not
 * be read.
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

/** The counts of one CPU's follower since it started. */
export interface CpuAccount {
  readonly cpu: number;
  /** Events decoded. */
  decoded: number;
  /**
   * Events written by the guest that could not be read because they were
   * overwritten too soon.
   */
  lost: number;
  /** Events that the guest itself could not write (dropped, commit overrun). */
  dropped: number;
  /**
   * Events overwritten in the guest's buffer, whether or not they were read.
   */
  overrun: number;
  /** How often the guest emptied the buffer. */
  resets: number;
  /**
   * How many of these resets happened without a quiet moment seen before:
   * events that the guest then discarded unread appear in no count, and some
   * that were read between the reset and the next poll may be counted as lost.
   */
  blindResets: number;
  /** Page copies that were discarded because the page was reused meanwhile. */
  torn: number;
  /**
   * Whether `decoded + lost` was equal to the guest's count at the last poll.
   */
  exact: boolean;
}

/** Attempts per poll to find a moment in which nothing is being written. */
const QUIET_TRIES = 200;
/** Attempts at the start to find such a moment with everything decoded. */
const START_TRIES = 10_000;
/**
 * How long, in ms, one write must be in progress before the CPU counts as
 * stuck.
 */
const STUCK_MS = 1000;
/** If the count changed within this time, in ms, the CPU is still writing. */
const BUSY_MS = 10;
/** Attempts to read pages that readers hand back while nothing else changes. */
const HANDED_BACK_TRIES = 8;

/** Where a follower starts reading. */
export interface FollowStart {
  /** Start with what the buffer already holds; default: with the next event. */
  readonly fromBuffer?: boolean;
  /** With `fromBuffer`: skip events up to this time, in ns since the epoch. */
  readonly after?: number;
}

/**
 * Called with each run of decoded bytes, so that it can be stored.
 *
 * @param slot the arena slot that holds the bytes
 * @param from the first new byte of the page's data
 * @param to one past the last new byte
 * @param fromTs time at `from`, ns since epoch
 */
export type SegmentSink = (
  follower: CpuFollower,
  slot: number,
  from: number,
  to: number,
  fromTs: number,
) => void;

/** Reads one CPU's events into a queue, and keeps account of them. */
export class CpuFollower {
  readonly buffer: CpuBuffer;
  /**
   * A unique number of this follower, which distinguishes rings of the same
   * CPU.
   */
  readonly ring: number;
  readonly account: CpuAccount;
  /** The host's clock in ms. */
  clock: () => number = () => performance.now();
  readonly #words: CpuWords;
  readonly #pages: CpuPages;
  /**
   * At the last poll everything was decoded and the guest could not write more.
   */
  #sealed = false;
  /**
   * The guest has announced that it empties its buffers; this one is not empty
   * yet.
   */
  #emptying = false;
  /** The last poll found nothing, although the counts did not agree. */
  #stuck = false;
  /**
   * There is no count to compare with yet, since following began during a
   * write.
   */
  #baseless = false;
  /** The guest's count and the time when a write was first seen in progress. */
  readonly #writing = { entries: -1, since: 0 };
  /** The time (ms) since when a resize has prevented a listing of the pages. */
  #resizing: number | undefined;
  /** The guest's count and ours at the base, and the losses since then. */
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

  /** Events decoded but not yet handed out. */
  get queue(): EventQueue {
    return this.#pages.queue;
  }

  /** Time of the newest decoded event, in ns since the epoch. */
  get newest(): number {
    return this.#pages.newest;
  }

  /** Passes everything that is decoded from now on to `sink`. */
  set onSegment(sink: SegmentSink | undefined) {
    this.#pages.onRun = sink === undefined
      ? undefined
      : (slot, from, to, fromTs) => sink(this, slot, from, to, fromTs);
  }

  #update(): void {
    this.account.decoded = this.#pages.decoded;
    this.account.torn = this.#pages.torn;
  }

  /** Announces that the guest is about to empty its buffers, or just has. */
  expectReset(): void {
    this.#emptying = true;
  }

  /**
   * Reads the rest of pages that the guest is about to replace: it changes the
   * size of sub-buffers first. Reads nothing when the pages are gone.
   */
  takeLast(): void {
    if (!this.#pages.resized()) this.#pages.take();
    this.#update();
  }

  /**
   * Takes over the account of a follower whose pages are replaced by
   * sub-buffers of another size; what it had not read counts as lost.
   */
  succeed(other: CpuFollower): void {
    // The old pages may still be listed.
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
   * Starts following. Without `fromBuffer`, the buffer's present content is
   * skipped.
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
    // Events decoded in the quiet moment itself also belong to the past.
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
   * Whether the CPU has been in the middle of one write for so long that it may
   * never finish: the guest is paused, or died there.
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
   * @param now a time (ns since the epoch) that the guest's clock has passed:
   * when no write is in progress, all events up to it are in the buffer.
   * @param stopped whether the guest was unable to begin a write before this
   * call
   * @throws {KernelError} when the ring can no longer be listed.
   */
  poll(now: number, stopped = false): void {
    const { account } = this;
    const pages = this.#pages;
    const words = this.#words;
    const committing = words.load("committing") !== 0;
    // No new write begins while a reset is being prepared.
    const idle = stopped || words.load("record_disabled") !== 0;
    let entries = words.load("entries");
    if (
      entries < this.#lastEntries ||
      words.load("overrun") < this.#lastOverrun ||
      (this.#emptying && this.#pages.emptied())
    ) {
      if (this.#resetting()) {
        // The pages and the counters do not match at this moment.
        account.exact = false;
        this.queue.complete = this.newest;
        return;
      }
      this.#reset();
      entries = words.load("entries");
    }
    // A resize and a reset between two polls may leave the counters unchanged,
    // and then nothing matches any more.
    if (this.#stuck) pages.listAgain();
    else pages.refresh(account.exact);
    // A resize would be finished by now: a ring that is still open is damaged.
    if (this.#stuckInResize() && pages.failure !== undefined) {
      throw pages.failure;
    }
    // Read before the pages: what is reserved after this is later than `now`.
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
    // A CPU that died in the middle of a write must not hold back the events of
    // all others.
    const stuck = this.#stuckInWrite();
    const wait = writing && !stuck;
    this.queue.complete = wait ? this.newest : Math.max(now, this.newest);
    this.#update();
  }

  /**
   * Whether the guest may be in the middle of emptying the buffer: it clears
   * the pages first, then one counter after another, and allows no write or
   * resize until it is done (ring_buffer_reset_online_cpus(), _cpu()).
   */
  #resetting(): boolean {
    const words = this.#words;
    return words.load("record_disabled") !== 0 &&
      words.load("resize_disabled") !== 0;
  }

  /** Handles that the guest has emptied the buffer and counts from 0 again. */
  #reset(): void {
    this.account.resets++;
    if (!this.#sealed) this.account.blindResets++;
    this.#emptying = false;
    const pages = this.#pages;
    pages.listAgain(true);
    pages.forget();
    this.#baseless = false;
    this.#base.entries = 0;
    // The last poll may already have seen the emptied buffer.
    this.#base.found = pages.found - pages.heldEvents();
    this.#base.lost = 0;
    this.#lastEntries = -1;
    this.#lastDropped = 0;
    this.#lastOverrun = 0;
    this.account.exact = false;
  }

  /**
   * The guest's `entries` at a moment when all of them were decoded, or -1 when
   * no such moment was found. Decodes events of the newest page on the way.
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

  /**
   * Compares our counts with the guest's own while the latter does not change.
   */
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
      // More was decoded than counted: the buffer was emptied, and has been
      // written to so much since that the count alone does not show it.
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

  /** How many events in the guest's count were not decoded. */
  #missing(entries: number): number {
    return entries - this.#base.entries -
      (this.#pages.found - this.#base.found);
  }
}
