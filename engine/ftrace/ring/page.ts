/**
 * Decodes ring-buffer pages (sub-buffers) into columns.
 *
 * Whatever the bytes, decoding terminates, never throws, and reads nothing
 * outside the page, because a page copied while the guest writes may hold
 * anything. Faults are reported as a status code, never as an exception.
 *
 * Source: kernel/trace/ring_buffer.c, include/linux/ring_buffer.h.
 *
 * @module
 */

import { type EventColumns, KIND, type PageArena } from "./columns.ts";
import type { TraceLayout } from "./meta.ts";

/** The outcome of decoding a page. */
export const PAGE_STATUS = {
  /** Decoded up to the commit. */
  ok: 0,
  /**
   * An event extends beyond the commit: the copy is torn, or the bytes are not
   * a page.
   */
  truncated: 1,
  /** The commit exceeds the sub-buffer, or is not a multiple of 4. */
  badCommit: 2,
  /** An event of length zero: zeroed bytes before the commit. */
  zeroLength: 3,
  /** An event too short for its type. */
  shortEvent: 4,
  /** The offset at which to continue is beyond the commit. */
  badOffset: 5,
} as const;

/** One of the values of {@linkcode PAGE_STATUS}. */
export type PageStatus = typeof PAGE_STATUS[keyof typeof PAGE_STATUS];

/** A status described in words, for messages. */
export function pageStatusName(status: PageStatus): string {
  for (const [name, value] of Object.entries(PAGE_STATUS)) {
    if (value === status) return name;
  }
  return `status ${status}`;
}

// ring_buffer.h: RINGBUF_TYPE_*.
const TYPE_PADDING = 29;
const TYPE_TIME_EXTEND = 30;
/** Size of `struct trace_entry` in bytes; checked when the layout is probed. */
const ENTRY_SIZE = 8;
/**
 * Minimum size of an event in the page, in bytes: its header and a
 * `trace_entry`.
 */
const LEAST_EVENT = 12;
// ring_buffer.c: flag bits above the commit of a page that is handed to a
// reader.
const RB_MISSED_EVENTS = 0x80000000;
const RB_MISSED_STORED = 0x40000000;
const RB_MISSED_MASK = 0xc0000000;
/** 2^27: one unit of array[0] in a time extend or an absolute stamp. */
const TS_UNIT = 134217728;
/** ring_buffer.c TS_MSB: the bits that an absolute stamp lacks. */
const TS_MSB_HIGH = 0xf8000000;

/**
 * A page decoder: `decode()` appends a page's events to the columns. One
 * decoder is reused for any number of pages; after each call its fields
 * describe the result, so that a follower can continue in a page that has
 * grown.
 */
export class PageDecoder {
  /**
   * Events older than this (ns since the columns' epoch) are skipped, just as
   * tracefs skips events older than `array_buffer.time_start`.
   */
  timeStart = -Infinity;
  /** Where to continue: an offset into the page's data, in bytes. */
  nextOffset = 0;
  /** Time of the last event or time stamp, in ns since the columns' epoch. */
  lastTs = 0;
  /** Number of rows appended by the last call. */
  events = 0;
  /**
   * Number of events skipped by the last call because of {@linkcode timeStart}.
   */
  skipped = 0;
  /** Number of events found by the last call that the kernel had discarded. */
  discarded = 0;
  /** The columns to which rows are appended. */
  columns: EventColumns;
  readonly #layout: TraceLayout;

  constructor(layout: TraceLayout, columns: EventColumns) {
    this.#layout = layout;
    this.columns = columns;
  }

  /**
   * Decodes a whole page whose header (`struct buffer_data_page`) and data
   * lie in an arena slot.
   *
   * @param slot the slot's offset in bytes
   * @param cpu the page's CPU
   * @param from offset into the data at which to start, such as
   *   `reader_page.read`; events before it are read for their times but not
   *   appended
   */
  decodeSlot(
    arena: PageArena,
    slot: number,
    cpu: number,
    from = 0,
  ): PageStatus {
    const page = this.#layout.page;
    const words = arena.words;
    const stamp = (slot + page.timeStamp) >>> 2;
    const commit = words[(slot + page.commit) >>> 2];
    const ts = this.columns.sinceEpoch(words[stamp], words[stamp + 1]);
    if (from === 0) return this.decode(arena, slot, cpu, commit, 0, ts);
    const rows = this.columns.length;
    const losses = this.columns.lost.length;
    // The time of the first wanted event is the sum of the deltas before it.
    const status = this.decode(arena, slot, cpu, from, 0, ts);
    this.columns.length = rows;
    this.columns.lost.length = losses;
    if (status !== PAGE_STATUS.ok) return status;
    return this.decode(arena, slot, cpu, commit, this.nextOffset, this.lastTs);
  }

  /**
   * Decodes a page's data from an offset. Whatever the status, the events
   * before the fault have been appended; reset `columns.length` to drop them.
   *
   * @param slot offset in bytes of the page (its header) in the arena
   * @param cpu the page's CPU
   * @param commit the page's `commit` from its header: bytes of data, including
   *   any missed-events flags
   * @param from offset into the data at which to continue (0: the beginning)
   * @param fromTs time at that offset, ns since the columns' epoch: the page's
   *   stamp for offset 0, otherwise {@linkcode lastTs} of the previous call
   */
  decode(
    arena: PageArena,
    slot: number,
    cpu: number,
    commit: number,
    from: number,
    fromTs: number,
  ): PageStatus {
    this.nextOffset = from;
    this.lastTs = fromTs;
    this.events = 0;
    this.skipped = 0;
    this.discarded = 0;
    const layout = this.#layout;
    const bytes = (commit & ~RB_MISSED_MASK) >>> 0;
    const data = slot + layout.page.data;
    if (
      (bytes & 3) !== 0 || bytes > arena.slotSize - layout.page.data ||
      slot + arena.slotSize > arena.bytes.byteLength
    ) {
      return PAGE_STATUS.badCommit;
    }
    if (from > bytes || (from & 3) !== 0) return PAGE_STATUS.badOffset;
    const columns = this.columns;
    if (from === 0 && (commit & RB_MISSED_EVENTS) !== 0) {
      columns.lost.push({
        row: columns.length,
        cpu,
        count: missedCount(arena, slot, data, bytes, commit),
      });
    }
    // Done once here, so that the loop below needs no check per event.
    columns.reserve(((bytes - from) / LEAST_EVENT | 0) + 1);

    const words = arena.words;
    const { ts, cpu: cpus, type, pid, offset, size, kind } = columns;
    const { func, depth, duration } = columns;
    const graphEnt = layout.types.graphEnt;
    const graphRet = layout.types.graphRet;
    const graphRetaddr = layout.types.graphRetaddrEnt;
    const first = layout.graphFirst;
    const last = layout.graphLast;
    const entFunc = layout.graphEntry.func >>> 2;
    const entDepth = layout.graphEntry.depth >>> 2;
    const entSize = layout.graphEntry.size;
    const retFunc = layout.graphReturn.func >>> 2;
    const retDepth = layout.graphReturn.depth >>> 2;
    const retCall = layout.graphReturn.calltime >>> 2;
    const retTime = layout.graphReturn.rettime >>> 2;
    const retSize = layout.graphReturn.size;
    const timeStart = this.timeStart;

    const end = (data + bytes) >>> 2;
    let at = (data + from) >>> 2;
    let now = fromTs;
    let row = columns.length;
    let status: PageStatus = PAGE_STATUS.ok;

    while (at < end) {
      const head = words[at];
      const typeLen = head & 31;
      const delta = head >>> 5;
      if (typeLen >= TYPE_PADDING) {
        if (typeLen === TYPE_PADDING && delta === 0) {
          // The rest of the page is padding.
          at = end;
          break;
        }
        if (at + 2 > end) {
          status = PAGE_STATUS.truncated;
          break;
        }
        const array0 = words[at + 1];
        if (typeLen === TYPE_PADDING) {
          // A discarded event. Its delta does not count: the kernel's own
          // readers (rb_update_iter_read_stamp) ignore it.
          const length = array0 + 4;
          if (length < 8) {
            status = PAGE_STATUS.zeroLength;
            break;
          }
          // Checked as Numbers before any shift: 2^32, shifted, would become a
          // step of zero.
          if ((length & 3) !== 0 || length > (end - at) * 4) {
            status = PAGE_STATUS.truncated;
            break;
          }
          this.discarded++;
          at += length >>> 2;
          continue;
        }
        if (typeLen === TYPE_TIME_EXTEND) now += array0 * TS_UNIT + delta;
        else now = this.#absolute(array0, delta, now);
        at += 2;
        continue;
      }

      let payload = at + 1;
      let length = typeLen << 2;
      if (typeLen === 0) {
        if (payload >= end) {
          status = PAGE_STATUS.truncated;
          break;
        }
        // array[0] includes its own size.
        length = words[payload] - 4;
        payload++;
        if (length < 0) {
          status = PAGE_STATUS.zeroLength;
          break;
        }
      }
      // Compared in bytes and as Numbers: the length may be anything up to
      // 2^32.
      if ((end - payload) * 4 < length) {
        status = PAGE_STATUS.truncated;
        break;
      }
      if (length < ENTRY_SIZE) {
        status = PAGE_STATUS.shortEvent;
        break;
      }
      const next = payload + ((length + 3) >>> 2);
      now += delta;
      if (now < timeStart) {
        this.skipped++;
        at = next;
        continue;
      }
      const id = words[payload] & 0xffff;
      ts[row] = now;
      cpus[row] = cpu;
      type[row] = id;
      pid[row] = words[payload + 1];
      offset[row] = payload * 4;
      size[row] = length;
      if (id >= first && id <= last) {
        if (id === graphEnt || id === graphRetaddr) {
          if (length < entSize) {
            status = PAGE_STATUS.shortEvent;
            break;
          }
          kind[row] = id === graphEnt ? KIND.entry : KIND.entryRetaddr;
          func[2 * row] = words[payload + entFunc];
          func[2 * row + 1] = words[payload + entFunc + 1];
          depth[row] = words[payload + entDepth];
          duration[row] = 0;
          row++;
          at = next;
          continue;
        }
        if (id === graphRet) {
          if (length < retSize) {
            status = PAGE_STATUS.shortEvent;
            break;
          }
          kind[row] = KIND.return;
          func[2 * row] = words[payload + retFunc];
          func[2 * row + 1] = words[payload + retFunc + 1];
          depth[row] = words[payload + retDepth];
          duration[row] =
            (words[payload + retTime + 1] - words[payload + retCall + 1]) *
              4294967296 +
            (words[payload + retTime] - words[payload + retCall]);
          row++;
          at = next;
          continue;
        }
      }
      kind[row] = KIND.other;
      func[2 * row] = 0;
      func[2 * row + 1] = 0;
      depth[row] = 0;
      duration[row] = 0;
      row++;
      at = next;
    }

    this.events = row - columns.length;
    columns.length = row;
    this.nextOffset = at * 4 - data;
    this.lastTs = now;
    return status;
  }

  /**
   * The time of an absolute stamp, which has 59 bits; like the kernel
   * (rb_fix_abs_ts), takes the upper five from the preceding stamp.
   */
  #absolute(array0: number, delta: number, now: number): number {
    const columns = this.columns;
    const lo = ((array0 << 27) | delta) >>> 0;
    const hi = array0 >>> 5;
    // Computed in halves: the whole would not fit into a Number.
    const high = columns.epochHi +
      Math.floor((columns.epochLo + now) / 4294967296);
    const msb = (high & TS_MSB_HIGH) >>> 0;
    if (msb === 0) return columns.sinceEpoch(lo, hi);
    const fixed = columns.sinceEpoch(lo, (hi | msb) >>> 0);
    // The 59 bits wrapped around: add one to the upper five, which start at
    // 2^27 of the high half.
    return fixed < now
      ? columns.sinceEpoch(lo, ((hi | msb) >>> 0) + TS_UNIT)
      : fixed;
  }
}

/**
 * The number of missed events. The kernel stores it after the data when there
 * is room.
 */
function missedCount(
  arena: PageArena,
  slot: number,
  data: number,
  bytes: number,
  commit: number,
): number {
  const at = data + bytes;
  if ((commit & RB_MISSED_STORED) === 0 || at + 8 > slot + arena.slotSize) {
    return -1;
  }
  const word = at >>> 2;
  return arena.words[word + 1] * 4294967296 + arena.words[word];
}
