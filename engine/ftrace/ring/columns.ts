/**
 * Decoded events as columns (a struct of arrays): one row per event, no
 * object per event. Payload bytes stay in a {@linkcode PageArena}.
 *
 * @module
 */

import { XftraceError } from "../../base/errors.ts";

/** An event's role in the call graph (column `kind`). */
export const KIND = {
  /** Any event but a function graph one. */
  other: 0,
  /** `TRACE_GRAPH_ENT`: a function was entered. */
  entry: 1,
  /** `TRACE_GRAPH_RET`: a function returned. */
  return: 2,
  /** `TRACE_GRAPH_RETADDR_ENT`: entered, with the return address. */
  entryRetaddr: 3,
} as const;

/** Events missing before a row because the ring buffer lost them. */
export interface LostEvents {
  /** The row before which they are missing. */
  readonly row: number;
  /** The CPU that lost them. */
  readonly cpu: number;
  /** How many; -1 when the kernel did not say. */
  readonly count: number;
}

/**
 * Sub-buffers copied from the guest: one growing byte array, divided into slots
 * of one sub-buffer each. Offsets are bytes from the arena's start and stay
 * valid when it grows (the arrays themselves are replaced, so re-read
 * {@linkcode bytes} and {@linkcode words} after {@linkcode acquire}).
 */
export class PageArena {
  /** Size of a slot in bytes, a multiple of 8. */
  readonly slotSize: number;
  /** The content as bytes. */
  bytes: Uint8Array<ArrayBuffer>;
  /** The same memory as little-endian 32-bit words. */
  words: Uint32Array<ArrayBuffer>;
  /** The same memory, for unaligned reads. */
  view: DataView<ArrayBuffer>;
  #used = 0;
  #free: number[] = [];

  /**
   * @param slotSize size of a sub-buffer in bytes, including its header
   * @param slots initial capacity; default: 64, and at most 1 MiB of them
   */
  constructor(
    slotSize: number,
    slots: number = Math.min(64, (1 << 20) / slotSize),
  ) {
    if (!(slotSize > 0) || slotSize % 8 !== 0) {
      throw new XftraceError(
        `a sub-buffer of ${slotSize} bytes is not a multiple of 8; ` +
          `pass the kernel's own sub-buffer size`,
      );
    }
    this.slotSize = slotSize;
    const count = Math.max(1, Math.floor(slots));
    const buffer = new ArrayBuffer(slotSize * count);
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.view = new DataView(buffer);
  }

  /** The number of slots in use. */
  get slotsInUse(): number {
    return this.#used - this.#free.length;
  }

  /** The number of bytes allocated. */
  get byteLength(): number {
    return this.bytes.byteLength;
  }

  /**
   * Takes a slot and returns its offset in bytes. The slot's previous content
   * is not cleared.
   *
   * @throws {XftraceError} when the arena would exceed 4 GiB.
   */
  acquire(): number {
    const recycled = this.#free.pop();
    if (recycled !== undefined) return recycled;
    const offset = this.#used * this.slotSize;
    if (offset + this.slotSize > this.bytes.byteLength) this.#grow();
    this.#used++;
    return offset;
  }

  /** Releases a slot; no row may point into it any more. */
  release(offset: number): void {
    this.#free.push(offset);
  }

  /** Releases all slots but keeps the memory. */
  clear(): void {
    this.#used = 0;
    this.#free.length = 0;
  }

  #grow(): void {
    const limit = 2 ** 32 - this.slotSize;
    const wanted = Math.min(this.bytes.byteLength * 2, limit);
    const size = wanted - wanted % this.slotSize;
    if (size <= this.bytes.byteLength) {
      throw new XftraceError(
        "more than 4 GiB of trace pages are held at once; " +
          "drain the events more often, or trace less",
      );
    }
    const buffer = new ArrayBuffer(size);
    const bytes = new Uint8Array(buffer);
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.words = new Uint32Array(buffer);
    this.view = new DataView(buffer);
  }
}

/**
 * Events as columns. Rows `0..length-1` are valid; the arrays are longer, and
 * are replaced when they grow, so read them from this object again after
 * appending.
 */
export class EventColumns {
  /** The number of rows in use. */
  length = 0;
  /** The time from which `ts` counts, in units of the trace clock (ns). */
  readonly epoch: bigint;
  /** Low half of {@linkcode epoch}. */
  readonly epochLo: number;
  /** High half of {@linkcode epoch}. */
  readonly epochHi: number;
  /** Time in ns since {@linkcode epoch}; exact within 104 days of it. */
  ts: Float64Array<ArrayBuffer>;
  /** The CPU whose ring buffer held the event. */
  cpu: Uint16Array<ArrayBuffer>;
  /** `trace_entry.type`: the event's id. */
  type: Uint16Array<ArrayBuffer>;
  /** `trace_entry.pid`: the thread that was running. */
  pid: Int32Array<ArrayBuffer>;
  /** Start of the `trace_entry`, in bytes from the start of the arena. */
  offset: Uint32Array<ArrayBuffer>;
  /** Size of the entry in bytes, including `trace_entry`, padded to 4. */
  size: Uint32Array<ArrayBuffer>;
  /** One of {@linkcode KIND}. */
  kind: Uint8Array<ArrayBuffer>;
  /** Function graph: the function's GVA as low and high half. */
  func: Uint32Array<ArrayBuffer>;
  /** Function graph: nesting depth, 0 for a root. */
  depth: Int32Array<ArrayBuffer>;
  /** Function graph returns: `rettime - calltime` in ns; 0 for other events. */
  duration: Float64Array<ArrayBuffer>;
  /** Losses, in row order. */
  readonly lost: LostEvents[] = [];

  /**
   * @param epoch time stamp from which rows count; should be near the events,
   *   such as that of the first page
   * @param capacity initial capacity in rows
   */
  constructor(epoch: bigint, capacity = 1024) {
    this.epoch = BigInt.asUintN(64, epoch);
    this.epochLo = Number(this.epoch & 0xffffffffn);
    this.epochHi = Number(this.epoch >> 32n);
    const n = Math.max(16, capacity);
    this.ts = new Float64Array(n);
    this.cpu = new Uint16Array(n);
    this.type = new Uint16Array(n);
    this.pid = new Int32Array(n);
    this.offset = new Uint32Array(n);
    this.size = new Uint32Array(n);
    this.kind = new Uint8Array(n);
    this.func = new Uint32Array(2 * n);
    this.depth = new Int32Array(n);
    this.duration = new Float64Array(n);
  }

  /** The rows of other columns, with times that count from somewhere else. */
  static sharing(columns: EventColumns, epoch: bigint): EventColumns {
    const sharing = new EventColumns(epoch, 16);
    sharing.share(columns);
    return sharing;
  }

  /** Takes the rows of other columns, as they are now, without a copy. */
  share(from: EventColumns): void {
    this.ts = from.ts;
    this.cpu = from.cpu;
    this.type = from.type;
    this.pid = from.pid;
    this.offset = from.offset;
    this.size = from.size;
    this.kind = from.kind;
    this.func = from.func;
    this.depth = from.depth;
    this.duration = from.duration;
    this.length = from.length;
    this.lost.length = 0;
    this.lost.push(...from.lost);
  }

  /** The number of rows for which there is room. */
  get capacity(): number {
    return this.ts.length;
  }

  /** Makes room for `rows` more rows; the arrays may be replaced. */
  reserve(rows: number): void {
    const needed = this.length + rows;
    if (needed <= this.ts.length) return;
    let n = this.ts.length * 2;
    while (n < needed) n *= 2;
    this.ts = grown(this.ts, new Float64Array(n));
    this.cpu = grown(this.cpu, new Uint16Array(n));
    this.type = grown(this.type, new Uint16Array(n));
    this.pid = grown(this.pid, new Int32Array(n));
    this.offset = grown(this.offset, new Uint32Array(n));
    this.size = grown(this.size, new Uint32Array(n));
    this.kind = grown(this.kind, new Uint8Array(n));
    this.func = grown(this.func, new Uint32Array(2 * n));
    this.depth = grown(this.depth, new Int32Array(n));
    this.duration = grown(this.duration, new Float64Array(n));
  }

  /** Removes the rows before `row`; the others move to the front. */
  dropBefore(row: number): void {
    const { length } = this;
    this.ts.copyWithin(0, row, length);
    this.cpu.copyWithin(0, row, length);
    this.type.copyWithin(0, row, length);
    this.pid.copyWithin(0, row, length);
    this.offset.copyWithin(0, row, length);
    this.size.copyWithin(0, row, length);
    this.kind.copyWithin(0, row, length);
    this.func.copyWithin(0, 2 * row, 2 * length);
    this.depth.copyWithin(0, row, length);
    this.duration.copyWithin(0, row, length);
    this.length = length - row;
    const lost = this.lost.filter((loss) => loss.row >= row)
      .map((loss) => ({ ...loss, row: loss.row - row }));
    this.lost.length = 0;
    this.lost.push(...lost);
  }

  /** Removes all rows but keeps the memory. */
  clear(): void {
    this.length = 0;
    this.lost.length = 0;
  }

  /** A row's function as a GVA (0n for other events). Not for hot paths. */
  functionAt(row: number): bigint {
    return BigInt(this.func[2 * row + 1]) << 32n | BigInt(this.func[2 * row]);
  }

  /** A row's absolute time stamp in ns. Not for hot paths. */
  timeAt(row: number): bigint {
    return this.epoch + BigInt(this.ts[row]);
  }

  /** Converts the halves of a time stamp to ns since {@linkcode epoch}. */
  sinceEpoch(lo: number, hi: number): number {
    return (hi - this.epochHi) * 4294967296 + (lo - this.epochLo);
  }
}

function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
