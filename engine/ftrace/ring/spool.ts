/**
 * Reads the collector's file (spool_format.ts), poll by poll.
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";
import { parseJson } from "../../base/json.ts";
import { openHostFile } from "../../base/host_file/open.ts";
import { closeSync, readSync } from "node:fs";
import { XftraceError } from "../../base/errors.ts";
import { PageArena } from "./columns.ts";
import { EventQueue } from "./event_queue.ts";
import type { TraceLayout } from "./meta.ts";
import { PAGE_STATUS, PageDecoder } from "./page.ts";
import {
  COMM_BYTES,
  headerSchema,
  LARGEST_PAGE,
  padded,
  RECORD,
  RECORD_HEAD,
  SEGMENT_HEAD,
  SIZE_UNIT,
  SPOOL_MAGIC,
  type SpoolHeader,
} from "./spool_format.ts";

/** Minimum size of each record type's body, in bytes. */
const LEAST: Readonly<Record<number, number>> = {
  [RECORD.segment]: SEGMENT_HEAD,
  [RECORD.poll]: 24,
  [RECORD.comm]: 8 + COMM_BYTES,
  [RECORD.lost]: 16,
};
/** More bytes than any record has: a sub-buffer has at most 4 MiB. */
const LARGEST = 8 << 20;

/** Room for so many rows at first: a file may claim many rings. */
const FIRST_ROWS = 64;
/** More rings than a trace has: one or two for each of 8192 CPUs (NR_CPUS). */
const MOST_RINGS = 2 * 8192;

/** The decoded events of one ring. */
interface Ring {
  readonly queue: EventQueue;
  readonly decoder: PageDecoder;
}

/**
 * Reads a spool file, poll by poll.
 *
 * @example
 * ```ts ignore
 * import { openInstance, SpoolReader } from "xftrace/ftrace";
 * import { open } from "xftrace/live";
 *
 * await using guest = await open("qemu:web1");
 * const { layout } = openInstance(guest.session);
 * using spool = new SpoolReader("web1.spool", layout);
 * while (spool.poll()) console.log(spool.queues.length, spool.lost);
 * ```
 */
export class SpoolReader implements Disposable {
  readonly header: SpoolHeader;
  /** Queues of the rings that have had events so far, in CPU order. */
  readonly queues: EventQueue[] = [];
  /** The most recent comm of each thread. */
  readonly comms: Map<number, string> = new Map();
  /** Totals stated by the last poll. */
  lost = 0;
  dropped = 0;
  /** Whether the file ends in the middle of a record. */
  truncated = false;
  readonly #fd: number;
  readonly #layout: TraceLayout;
  /** Arenas by sub-buffer size. */
  readonly #arenas = new Map<number, PageArena>();
  readonly #epoch: bigint;
  /** From times in the file to those that are asked for, in ns. */
  readonly #shift: number;
  readonly #rings = new Map<number, Ring>();
  /** The key of each of {@linkcode queues}. */
  readonly #keys: number[] = [];
  /** The ring of each CPU that had events last. */
  readonly #latest = new Map<number, Ring>();
  #buffer = new Uint8Array(4 << 20);
  #start = 0;
  #end = 0;
  #finished = false;

  /**
   * Opens a spool file.
   *
   * @param layout layouts of the kernel that wrote the pages
   * @param epoch from which times are to count, in ns of the trace clock;
   * default: the one of the follower
   * @throws {XftraceError} when it is not a spool file, or somebody else's.
   */
  constructor(path: string, layout: TraceLayout, epoch?: bigint) {
    this.#fd = openHostFile(path, { own: true }).fd;
    this.#layout = layout;
    try {
      this.header = this.#readHeader(path);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
    const own = BigInt(this.header.epoch);
    this.#epoch = epoch ?? own;
    this.#shift = Number(own - this.#epoch);
  }

  #readHeader(path: string): SpoolHeader {
    const bad = () =>
      new XftraceError(
        `${path} is not a collector's file, or it was cut short at its start`,
      );
    if (!this.#fill(12)) throw bad();
    const magic = new TextDecoder().decode(this.#buffer.subarray(0, 8));
    if (magic !== SPOOL_MAGIC) throw bad();
    const length = this.#view().getUint32(8, true);
    if (length > 1 << 20 || !this.#fill(padded(12 + length))) throw bad();
    const text = new TextDecoder().decode(
      this.#buffer.subarray(12, 12 + length),
    );
    this.#start = padded(12 + length);
    try {
      return headerSchema.parse(parseJson(text));
    } catch (error) {
      throw new XftraceError(`${path} has a damaged header`, { cause: error });
    }
  }

  #view(): DataView {
    return new DataView(this.#buffer.buffer);
  }

  /**
   * Makes `bytes` bytes available in the buffer; `false` at the end of the
   * file.
   */
  #fill(bytes: number): boolean {
    if (this.#end - this.#start >= bytes) return true;
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    if (bytes > this.#buffer.length) {
      const grown = allocateBytes(
        2 * bytes,
        2 * (RECORD_HEAD + padded(LARGEST)),
        "a record of the collector's file",
      );
      grown.set(this.#buffer.subarray(0, this.#end));
      this.#buffer = grown;
    }
    while (this.#end < bytes) {
      const got = readSync(
        this.#fd,
        this.#buffer,
        this.#end,
        this.#buffer.length - this.#end,
        null,
      );
      if (got === 0) return false;
      this.#end += got;
    }
    return true;
  }

  #ring(cpu: number, ring: number, pageSize: number): Ring {
    const key = cpu * 0x1_0000 + ring;
    let found = this.#rings.get(key);
    if (found === undefined) {
      if (this.#rings.size >= MOST_RINGS || cpu >= MOST_RINGS) {
        throw new XftraceError(
          `the collector's file is damaged: it claims ring ${ring} of CPU ${cpu}, after ${this.#rings.size} others`,
        );
      }
      const arena = this.#arenas.get(pageSize) ?? new PageArena(pageSize);
      this.#arenas.set(pageSize, arena);
      const queue = new EventQueue(arena, this.#epoch, FIRST_ROWS);
      const decoder = new PageDecoder(this.#layout, queue.columns);
      found = { queue, decoder };
      this.#rings.set(key, found);
      // In the order of their keys.
      let at = this.#keys.length;
      while (at > 0 && this.#keys[at - 1] > key) at--;
      this.#keys.splice(at, 0, key);
      this.queues.splice(at, 0, queue);
    }
    this.#latest.set(cpu, found);
    return found;
  }

  /**
   * Reads the next poll into the queues; `false` when there are no more.
   *
   * @throws {XftraceError} when the file is damaged.
   */
  poll(): boolean {
    while (!this.#finished) {
      if (!this.#fill(RECORD_HEAD)) break;
      const view = this.#view();
      const type = view.getUint32(this.#start, true);
      const body = view.getUint32(this.#start + 4, true);
      if (body > LARGEST || body < (LEAST[type] ?? 0)) {
        throw new XftraceError(
          `the collector's file is damaged: a record of type ${type} claims ${body} bytes`,
        );
      }
      if (!this.#fill(RECORD_HEAD + padded(body))) break;
      const at = this.#start + RECORD_HEAD;
      this.#start = at + padded(body);
      if (this.#take(type, at, body)) return true;
    }
    this.truncated = this.#end > this.#start;
    this.#finished = true;
    return false;
  }

  #take(type: number, at: number, body: number): boolean {
    const view = this.#view();
    switch (type) {
      case RECORD.segment:
        this.#segment(view, at, body);
        return false;
      case RECORD.comm: {
        const comm = this.#buffer.subarray(at + 8, at + 8 + COMM_BYTES);
        const nul = comm.indexOf(0);
        this.comms.set(
          view.getInt32(at, true),
          String.fromCharCode(...comm.subarray(0, nul < 0 ? undefined : nul)),
        );
        return false;
      }
      case RECORD.lost: {
        const cpu = view.getUint32(at, true);
        const { columns } = (this.#latest.get(cpu) ??
          this.#ring(cpu, 0, this.header.pageSize)).queue;
        const count = view.getFloat64(at + 8, true);
        columns.lost.push({ row: columns.length, cpu, count });
        return false;
      }
      case RECORD.poll: {
        const complete = view.getFloat64(at, true) + this.#shift;
        for (const queue of this.queues) queue.complete = complete;
        this.lost = view.getFloat64(at + 8, true);
        this.dropped = view.getFloat64(at + 16, true);
        return true;
      }
      default:
        // A record type of a later version: its length says where it ends.
        return false;
    }
  }

  #segment(view: DataView, at: number, body: number): void {
    const cpu = view.getUint32(at, true);
    const from = view.getUint32(at + 4, true);
    const to = view.getUint32(at + 8, true);
    const ring = view.getUint16(at + 12, true);
    const pageSize = view.getUint16(at + 14, true) * SIZE_UNIT ||
      this.header.pageSize;
    const fromTs = view.getFloat64(at + 16, true) + this.#shift;
    const { data } = this.#layout.page;
    // Sizes are powers of two, so that there are few arenas.
    const fits = from <= to && SEGMENT_HEAD + to - from === body &&
      data + to <= pageSize && pageSize <= LARGEST_PAGE &&
      (pageSize & (pageSize - 1)) === 0;
    if (!fits) {
      throw new XftraceError(
        "the collector's file is damaged: a segment does not fit its page",
      );
    }
    const { queue, decoder } = this.#ring(cpu, ring, pageSize);
    const { arena } = queue;
    if (arena.slotSize !== pageSize) {
      throw new XftraceError(
        "the collector's file is damaged: one ring has pages of two sizes",
      );
    }
    const slot = arena.acquire();
    arena.bytes.set(
      this.#buffer.subarray(at + SEGMENT_HEAD, at + body),
      slot + data + from,
    );
    const status = decoder.decode(arena, slot, cpu, to, from, fromTs);
    if (status !== PAGE_STATUS.ok) {
      throw new XftraceError(
        `the collector's file is damaged: a segment of CPU ${cpu} does not decode`,
      );
    }
    if (decoder.events > 0) queue.hold(slot);
    else arena.release(slot);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
