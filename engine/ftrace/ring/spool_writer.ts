/**
 * Appends to the collector's file (spool_format.ts), poll by poll.
 *
 * @module
 */
import { closeSync } from "node:fs";
import { recreateHostFile, writeWhole } from "../../base/host_file/create.ts";
import { unwritable } from "../../base/host_file/write_error.ts";
import type { PageArena } from "./columns.ts";
import type { TraceLayout } from "./meta.ts";
import {
  COMM_BYTES,
  padded,
  RECORD,
  RECORD_HEAD,
  SEGMENT_HEAD,
  SIZE_UNIT,
  SPOOL_MAGIC,
  type SpoolHeader,
} from "./spool_format.ts";

const FLUSH = 1 << 20;
/** What to do where the collector's files cannot be written. */
const FIX = "set XDG_STATE_HOME to another folder";

/** The source of segments: a {@linkcode CpuFollower}. */
export interface SegmentSource {
  /**
   * Number of the ring, below 65,536; it distinguishes the rings of a CPU,
   * which snapshots swap.
   */
  readonly ring: number;
  readonly buffer: { readonly cpu: number };
  readonly queue: { readonly arena: PageArena };
}

/**
 * Writes a spool file.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { Follower, openInstance, SpoolReader, SpoolWriter } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { instance, layout } = openInstance(guest.session);
 * const follower = new Follower(instance, layout, { fromBuffer: true });
 * const path = Deno.makeTempFileSync();
 * const header = {
 *   target: guest.target,
 *   release: guest.kernel.release,
 *   epoch: `${follower.epoch}`,
 *   pageSize: instance.buffer().pageSize,
 *   started: new Date().toISOString(),
 * };
 * using writer = new SpoolWriter(path, header, layout);
 * follower.keep((...segment) => writer.segment(...segment));
 * follower.poll();
 * follower.drain(() => {}, { all: true });
 * const { lost, dropped } = follower.totals();
 * writer.poll(follower.complete, lost, dropped);
 * writer.flush();
 * using reader = new SpoolReader(path, layout);
 * console.log(reader.poll(), reader.header.release);
 * Deno.removeSync(path);
 * ```
 */
export class SpoolWriter implements Disposable {
  readonly #path: string;
  readonly #fix: string;
  readonly #fd: number;
  readonly #dataOffset: number;
  /** Whether nothing can be written any more. */
  #failed = false;
  #closed = false;
  #buffer = new DataView(new ArrayBuffer(2 * FLUSH));
  #bytes = new Uint8Array(this.#buffer.buffer);
  #used = 0;
  #segments: { at: number; end: number }[] = [];
  #written = 0;
  /** Where what {@linkcode discard} keeps ends. */
  #kept = 0;
  readonly #comms = new Map<number, string>();

  /**
   * Creates the file, readable by its owner alone, since traces hold secrets. A
   * file or link that has the name already is replaced.
   *
   * @param fix what to do if it cannot be written, for the message
   * @throws {XftraceError} when it cannot be written.
   */
  constructor(
    path: string,
    header: SpoolHeader,
    layout: TraceLayout,
    fix: string = FIX,
  ) {
    this.#path = path;
    this.#fix = fix;
    this.#fd = recreateHostFile(path);
    this.#dataOffset = layout.page.data;
    const json = new TextEncoder().encode(JSON.stringify(header));
    const head = new Uint8Array(padded(12 + json.length));
    head.set(new TextEncoder().encode(SPOOL_MAGIC));
    new DataView(head.buffer).setUint32(8, json.length, true);
    head.set(json, 12);
    this.#write(head);
  }

  /** The number of bytes in the file. */
  get size(): number {
    return this.#written + this.#used;
  }

  #write(bytes: Uint8Array): void {
    try {
      writeWhole(this.#fd, bytes);
    } catch (error) {
      // What is whole of it is read; nothing may follow what is not.
      this.#failed = true;
      throw unwritable(this.#path, error, this.#fix);
    }
    this.#written += bytes.length;
  }

  /** Reserves a record with `body` bytes; returns where its body starts. */
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

  /**
   * Appends decoded bytes: the data of the page in `slot`, from `from` to `to`.
   */
  segment(
    { ring, buffer: { cpu }, queue: { arena } }: SegmentSource,
    slot: number,
    from: number,
    to: number,
    fromTs: number,
  ): void {
    const at = this.#record(RECORD.segment, SEGMENT_HEAD + to - from);
    this.#buffer.setUint32(at, cpu, true);
    this.#buffer.setUint32(at + 4, from, true);
    this.#buffer.setUint32(at + 8, to, true);
    this.#buffer.setUint16(at + 12, ring, true);
    this.#buffer.setUint16(at + 14, arena.slotSize / SIZE_UNIT, true);
    this.#buffer.setFloat64(at + 16, fromTs, true);
    const start = slot + this.#dataOffset;
    this.#bytes.set(
      arena.bytes.subarray(start + from, start + to),
      at + SEGMENT_HEAD,
    );
    this.#segments.push({ at: at - RECORD_HEAD, end: this.#used });
  }

  /** Appends a thread's comm, if it is new. */
  comm(pid: number, comm: string): void {
    if (this.#comms.get(pid) === comm) return;
    this.#comms.set(pid, comm);
    const at = this.#record(RECORD.comm, 8 + COMM_BYTES);
    this.#buffer.setInt32(at, pid, true);
    this.#buffer.setUint32(at + 4, 0, true);
    this.#bytes.fill(0, at + 8, at + 8 + COMM_BYTES);
    for (let i = 0; i < Math.min(comm.length, COMM_BYTES - 1); i++) {
      this.#bytes[at + 8 + i] = comm.charCodeAt(i);
    }
    if (this.#segments.length === 0) this.#kept = this.#used;
  }

  /**
   * Appends a loss that occurred before the segments that a CPU added in this
   * poll.
   */
  lost(cpu: number, count: number): void {
    // A loss is detected after the poll's segments are written, so it is
    // inserted in front of them.
    const first = this.#segments[0]?.at ?? this.#used;
    const tail = this.#bytes.slice(first, this.#used);
    this.#used = first;
    const at = this.#record(RECORD.lost, 16);
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
    const at = this.#record(RECORD.poll, 24);
    this.#buffer.setFloat64(at, complete, true);
    this.#buffer.setFloat64(at + 8, lost, true);
    this.#buffer.setFloat64(at + 16, dropped, true);
    this.#segments = [];
    this.#kept = this.#used;
    if (this.#used >= FLUSH) this.flush();
  }

  /**
   * Drops what was appended since the last poll ended: it turned out to be from
   * memory that is not the guest's any more.
   */
  discard(): void {
    this.#segments = [];
    this.#used = this.#kept;
  }

  /**
   * Passes all buffered bytes to the file system; none after it has refused
   * some.
   *
   * @throws {HostWriteError} when it refuses them.
   */
  flush(): void {
    if (this.#used === 0) return;
    const bytes = this.#bytes.subarray(0, this.#used);
    this.#used = this.#kept = 0;
    if (!this.#failed) this.#write(bytes);
  }

  /**
   * Writes what is left, and closes the file.
   *
   * @throws {HostWriteError} when that cannot be written; it is closed.
   */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.flush();
    } finally {
      closeSync(this.#fd);
    }
  }
}
