/**
 * The collector's file: what a follower read, as it was read, appended poll by
 * poll. A file that ends in the middle of a record (the collector was killed)
 * is good up to the last whole poll.
 *
 * ```text
 * "XFSPOOL1"  u32 n  n bytes of JSON: the header    (padded to 8)
 * record*     u32 type, u32 bytes of body, body     (padded to 8)
 *   1 segment   u32 cpu, from, to; u16 ring, u16 size of its pages in 4 KiB,
 *               0 for the header's; f64 fromTs; the page's data from..to
 *   2 poll      f64 complete; f64 lost, f64 dropped
 *   3 comm      s32 pid, u32 0, 16 bytes
 *   4 lost      u32 cpu, 0; f64 count: before the CPU's next segment
 * ```
 * All little-endian; times are ns since the header's epoch.
 *
 * @module
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { z } from "zod";
import { XftraceError } from "../errors.ts";
import { PageArena } from "./columns.ts";
import { EventQueue } from "./event_queue.ts";
import type { TraceLayout } from "./meta.ts";
import { PAGE_STATUS, PageDecoder } from "./page.ts";

const MAGIC = "XFSPOOL1";
const SEGMENT = 1;
const POLL = 2;
const COMM = 3;
const LOST = 4;
const RECORD_HEAD = 8;
const SEGMENT_HEAD = 24;
const COMM_BYTES = 16;
/** Least bytes of each record's body. */
const LEAST: Readonly<Record<number, number>> = {
  [SEGMENT]: SEGMENT_HEAD,
  [POLL]: 24,
  [COMM]: 8 + COMM_BYTES,
  [LOST]: 16,
};
/** More bytes than any record has: a sub-buffer has at most 4 MiB. */
const LARGEST = 8 << 20;
const LARGEST_PAGE = 4 << 20;
const FLUSH = 1 << 20;
const PAGE = 4096;

/** Where segments come from: a {@linkcode CpuFollower}. */
export interface SegmentSource {
  /** Tells a CPU's rings apart: a snapshot exchanges them. Below 65,536. */
  readonly ring: number;
  readonly buffer: { readonly cpu: number };
  readonly queue: { readonly arena: PageArena };
}

const headerSchema = z.object({
  /** What was followed: `qemu:web1`. */
  target: z.string(),
  release: z.string(),
  buildId: z.string().optional(),
  /** What times count from, in ns of the trace clock. */
  epoch: z.string().regex(/^\d+$/),
  /** Bytes of a sub-buffer. */
  pageSize: z.int().positive().multipleOf(8).max(LARGEST_PAGE),
  /** Wall clock when it began, ISO 8601. */
  started: z.string(),
});

/** What a spool says of itself. */
export type SpoolHeader = z.infer<typeof headerSchema>;

const padded = (bytes: number) => (bytes + 7) & ~7;

/** Appends to a spool. */
export class SpoolWriter implements Disposable {
  readonly #fd: number;
  readonly #dataOffset: number;
  #buffer = new DataView(new ArrayBuffer(2 * FLUSH));
  #bytes = new Uint8Array(this.#buffer.buffer);
  #used = 0;
  #segments: { at: number; end: number }[] = [];
  #written = 0;
  readonly #comms = new Map<number, string>();

  /**
   * Creates the file, readable by its owner alone: traces tell secrets.
   *
   * @throws {Error} of the file system, when it cannot be written.
   */
  constructor(path: string, header: SpoolHeader, layout: TraceLayout) {
    this.#fd = openSync(path, "w", 0o600);
    this.#dataOffset = layout.page.data;
    const json = new TextEncoder().encode(JSON.stringify(header));
    const head = new Uint8Array(padded(12 + json.length));
    head.set(new TextEncoder().encode(MAGIC));
    new DataView(head.buffer).setUint32(8, json.length, true);
    head.set(json, 12);
    this.#write(head);
  }

  /** Bytes in the file. */
  get size(): number {
    return this.#written + this.#used;
  }

  #write(bytes: Uint8Array): void {
    let done = 0;
    while (done < bytes.length) {
      done += writeSync(this.#fd, bytes, done, bytes.length - done);
    }
    this.#written += bytes.length;
  }

  /** Room for `body` bytes of a record; returns where the body starts. */
  #record(type: number, body: number): number {
    const size = RECORD_HEAD + padded(body);
    if (this.#used + size > this.#buffer.byteLength) {
      const grown = new Uint8Array(
        2 * Math.max(this.#buffer.byteLength, size),
      );
      grown.set(this.#bytes.subarray(0, this.#used));
      this.#bytes = grown;
      this.#buffer = new DataView(grown.buffer);
    }
    const at = this.#used;
    this.#buffer.setUint32(at, type, true);
    this.#buffer.setUint32(at + 4, body, true);
    this.#bytes.fill(0, at + RECORD_HEAD + body, at + size);
    this.#used += size;
    return at + RECORD_HEAD;
  }

  /** Adds decoded bytes: the page in `slot`, its data from `from` to `to`. */
  segment(
    { ring, buffer: { cpu }, queue: { arena } }: SegmentSource,
    slot: number,
    from: number,
    to: number,
    fromTs: number,
  ): void {
    const at = this.#record(SEGMENT, SEGMENT_HEAD + to - from);
    this.#buffer.setUint32(at, cpu, true);
    this.#buffer.setUint32(at + 4, from, true);
    this.#buffer.setUint32(at + 8, to, true);
    this.#buffer.setUint16(at + 12, ring, true);
    this.#buffer.setUint16(at + 14, arena.slotSize / PAGE, true);
    this.#buffer.setFloat64(at + 16, fromTs, true);
    const start = slot + this.#dataOffset;
    this.#bytes.set(
      arena.bytes.subarray(start + from, start + to),
      at + SEGMENT_HEAD,
    );
    this.#segments.push({ at: at - RECORD_HEAD, end: this.#used });
  }

  /** Adds a thread's comm, if it is new. */
  comm(pid: number, comm: string): void {
    if (this.#comms.get(pid) === comm) return;
    this.#comms.set(pid, comm);
    const at = this.#record(COMM, 8 + COMM_BYTES);
    this.#buffer.setInt32(at, pid, true);
    this.#buffer.setUint32(at + 4, 0, true);
    this.#bytes.fill(0, at + 8, at + 8 + COMM_BYTES);
    for (let i = 0; i < Math.min(comm.length, COMM_BYTES - 1); i++) {
      this.#bytes[at + 8 + i] = comm.charCodeAt(i);
    }
  }

  /** Adds a loss that lies before the segments a CPU added since the poll. */
  lost(cpu: number, count: number): void {
    // It is found out when the poll's segments are written already: put it
    // in front of them.
    const first = this.#segments[0]?.at ?? this.#used;
    const tail = this.#bytes.slice(first, this.#used);
    this.#used = first;
    const at = this.#record(LOST, 16);
    this.#buffer.setUint32(at, cpu, true);
    this.#buffer.setUint32(at + 4, 0, true);
    this.#buffer.setFloat64(at + 8, count, true);
    const shift = this.#used - first;
    const end = this.#used;
    this.#used += tail.length;
    this.#bytes.set(tail, end);
    for (const segment of this.#segments) {
      segment.at += shift;
      segment.end += shift;
    }
  }

  /** Ends a poll: all events up to `complete` are in the file. */
  poll(complete: number, lost: number, dropped: number): void {
    const at = this.#record(POLL, 24);
    this.#buffer.setFloat64(at, complete, true);
    this.#buffer.setFloat64(at + 8, lost, true);
    this.#buffer.setFloat64(at + 16, dropped, true);
    this.#segments = [];
    if (this.#used >= FLUSH) this.flush();
  }

  /** Hands everything to the file system. */
  flush(): void {
    if (this.#used === 0) return;
    this.#write(this.#bytes.subarray(0, this.#used));
    this.#used = 0;
  }

  [Symbol.dispose](): void {
    this.flush();
    closeSync(this.#fd);
  }
}

/** What is decoded of one ring. */
interface Ring {
  readonly queue: EventQueue;
  readonly decoder: PageDecoder;
}

/** Reads a spool back, poll by poll. */
export class SpoolReader implements Disposable {
  readonly header: SpoolHeader;
  /** Queues of the CPUs' rings that had events so far, in CPU order. */
  readonly queues: EventQueue[] = [];
  /** Comms as last seen. */
  readonly comms = new Map<number, string>();
  /** Sums that the last poll told. */
  lost = 0;
  dropped = 0;
  /** Whether the file ended in the middle of a record. */
  truncated = false;
  readonly #fd: number;
  readonly #layout: TraceLayout;
  /** By size of a sub-buffer. */
  readonly #arenas = new Map<number, PageArena>();
  readonly #epoch: bigint;
  readonly #rings = new Map<number, Ring>();
  /** Each CPU's ring that had events last. */
  readonly #latest = new Map<number, Ring>();
  #buffer = new Uint8Array(4 << 20);
  #start = 0;
  #end = 0;
  #finished = false;

  /**
   * Opens a spool.
   *
   * @param layout layouts of the kernel that wrote the pages
   * @throws {XftraceError} when it is no spool.
   */
  constructor(path: string, layout: TraceLayout) {
    this.#fd = openSync(path, "r");
    this.#layout = layout;
    try {
      this.header = this.#readHeader(path);
    } catch (error) {
      closeSync(this.#fd);
      throw error;
    }
    this.#epoch = BigInt(this.header.epoch);
  }

  #readHeader(path: string): SpoolHeader {
    const bad = () =>
      new XftraceError(
        `${path} is not a collector's file, or it was cut short at its start`,
      );
    if (!this.#fill(12)) throw bad();
    const magic = new TextDecoder().decode(this.#buffer.subarray(0, 8));
    if (magic !== MAGIC) throw bad();
    const length = this.#view().getUint32(8, true);
    if (length > 1 << 20 || !this.#fill(padded(12 + length))) throw bad();
    const text = new TextDecoder().decode(
      this.#buffer.subarray(12, 12 + length),
    );
    this.#start = padded(12 + length);
    try {
      return headerSchema.parse(JSON.parse(text));
    } catch (error) {
      throw new XftraceError(`${path} has a damaged header`, { cause: error });
    }
  }

  #view(): DataView {
    return new DataView(this.#buffer.buffer);
  }

  /** Makes `bytes` bytes available from the start; `false` at the end. */
  #fill(bytes: number): boolean {
    if (this.#end - this.#start >= bytes) return true;
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    if (bytes > this.#buffer.length) {
      const grown = new Uint8Array(2 * bytes);
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
      const arena = this.#arenas.get(pageSize) ?? new PageArena(pageSize);
      this.#arenas.set(pageSize, arena);
      const queue = new EventQueue(arena, this.#epoch);
      const decoder = new PageDecoder(this.#layout, queue.columns);
      found = { queue, decoder };
      this.#rings.set(key, found);
      this.queues.length = 0;
      for (const key of [...this.#rings.keys()].sort((a, b) => a - b)) {
        this.queues.push(this.#rings.get(key)!.queue);
      }
    }
    this.#latest.set(cpu, found);
    return found;
  }

  /**
   * Reads the next poll into the queues; `false` when there is none left.
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
      case SEGMENT:
        this.#segment(view, at, body);
        return false;
      case COMM: {
        const comm = this.#buffer.subarray(at + 8, at + 8 + COMM_BYTES);
        const nul = comm.indexOf(0);
        this.comms.set(
          view.getInt32(at, true),
          String.fromCharCode(...comm.subarray(0, nul < 0 ? undefined : nul)),
        );
        return false;
      }
      case LOST: {
        const cpu = view.getUint32(at, true);
        const { columns } = (this.#latest.get(cpu) ??
          this.#ring(cpu, 0, this.header.pageSize)).queue;
        const count = view.getFloat64(at + 8, true);
        columns.lost.push({ row: columns.length, cpu, count });
        return false;
      }
      case POLL: {
        const complete = view.getFloat64(at, true);
        for (const queue of this.queues) queue.complete = complete;
        this.lost = view.getFloat64(at + 8, true);
        this.dropped = view.getFloat64(at + 16, true);
        return true;
      }
      default:
        // A record of a later version: its length says where it ends.
        return false;
    }
  }

  #segment(view: DataView, at: number, body: number): void {
    const cpu = view.getUint32(at, true);
    const from = view.getUint32(at + 4, true);
    const to = view.getUint32(at + 8, true);
    const ring = view.getUint16(at + 12, true);
    const pageSize = view.getUint16(at + 14, true) * PAGE ||
      this.header.pageSize;
    const fromTs = view.getFloat64(at + 16, true);
    const { data } = this.#layout.page;
    const fits = from <= to && SEGMENT_HEAD + to - from === body &&
      data + to <= pageSize && pageSize <= LARGEST_PAGE;
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
