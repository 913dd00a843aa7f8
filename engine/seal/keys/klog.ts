/**
 * The key log: all keys that the host has sent, and when each guest CPU took
 * its own. Without it no entry can be verified, so a key is on disk before the
 * guest gets it.
 *
 * The file is a sequence of 96-byte records to which records are only ever
 * appended. Each record ends with a hash of itself and of all records before
 * it. A record that was cut short by a crash is filled up with zeros by the
 * next writer, which states this in a `resume` record; any other record with a
 * wrong hash means damage. The minimum number of records is stored separately
 * in `PATH.head`, so that a log that was cut at a record boundary is detected
 * too.
 *
 * Numbers are little-endian. Offsets in a record: 0 magic u32, 4 type u16, 6
 * cpu u16, 8 index u64, 16 host time in ms f64, 24 a u64, 32 b u64, 40 key 16
 * bytes, 56 zero, 64 hash 32 bytes.
 *
 * @module
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { XftraceError } from "../../base/errors.ts";
import { openOwnFile } from "../../base/host_file/open.ts";
import { regularPlaceOf } from "../../base/host_file/place.ts";
import { unwritable } from "../../base/host_file/write_error.ts";

/** Size of a record in bytes. */
export const KLOG_RECORD_BYTES = 96;
const MAGIC = 0x474c4b58;
const HASHED = 64;
const HEAD_SLOT_BYTES = 64;
const GENESIS = createHash("sha256").update("xftrace klog 1").digest();

/** Record types; the meaning of `a`, `b` and `key` depends on the type. */
export const KLOG = {
  /** Tracing starts: key = the control page's nonce, a = generation, b = seal. */
  start: 1,
  /** A key for `cpu`: a = epoch. Written to disk before it is sent. */
  key: 2,
  /**
   * `cpu` took the key of epoch a: b = the first sequence number sealed with
   * it.
   */
  ack: 3,
  /** A command sent by the host: a = its number, b = which command. */
  command: 4,
  /**
   * Another writer continues: a = size in bytes of a torn record before this
   * one.
   */
  resume: 5,
  /**
   * `cpu` was read to its end: a = the last sequence number, b = lost entries.
   */
  stop: 6,
  /** The trace has ended: no more records of the same start follow. */
  end: 7,
} as const;

/** One record. */
export interface KlogRecord {
  readonly type: number;
  readonly cpu: number;
  /** Host time, in ms since 1970. */
  readonly time: number;
  readonly a: number;
  readonly b: number;
  /** Four words; zeros for types without a key. */
  readonly key: Int32Array;
}

/** The content of a new record. */
export interface KlogEntry {
  readonly type: number;
  readonly cpu?: number;
  readonly a?: number;
  readonly b?: number;
  readonly key?: Int32Array;
}

/** The result of reading a log. */
export interface KlogReading {
  readonly records: readonly KlogRecord[];
  /** What is wrong with it, one sentence each; empty when it is intact. */
  readonly problems: readonly string[];
  /**
   * Size in bytes of a torn record at the very end, which is the result of a
   * crash and not damage.
   */
  readonly torn: number;
  /** Hash of the last good record. */
  readonly hash: Uint8Array;
}

function hashOf(before: Uint8Array, record: Uint8Array): Uint8Array {
  return createHash("sha256").update(before).update(record.subarray(0, HASHED))
    .digest();
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

interface Head {
  readonly count: number;
  readonly hash: Uint8Array;
}

function readHead(path: string): Head | undefined {
  if (!existsSync(path)) return undefined;
  const bytes = new Uint8Array(readFileSync(path));
  let best: Head | undefined;
  for (
    let at = 0;
    at + HEAD_SLOT_BYTES <= bytes.length;
    at += HEAD_SLOT_BYTES
  ) {
    const slot = bytes.subarray(at, at + HEAD_SLOT_BYTES);
    const check = createHash("sha256").update(slot.subarray(0, 40)).digest();
    if (!sameBytes(slot.subarray(40), new Uint8Array(check.subarray(0, 24)))) {
      continue;
    }
    const view = new DataView(slot.buffer, slot.byteOffset, HEAD_SLOT_BYTES);
    const count = Number(view.getBigUint64(0, true));
    if (best === undefined || count > best.count) {
      best = { count, hash: slot.slice(8, 40) };
    }
  }
  return best;
}

/**
 * Reads a log and checks every record, and the number of records against
 * PATH.head.
 */
export function readKlog(path: string): KlogReading {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new XftraceError(
      `the key log ${path} cannot be read; give the one that was written while tracing`,
      { cause: error },
    );
  }
  return checkKlog(bytes, readHead(`${path}.head`));
}

function checkKlog(bytes: Uint8Array, head: Head | undefined): KlogReading {
  const records: KlogRecord[] = [];
  const problems: string[] = [];
  let hash: Uint8Array = GENESIS;
  let bad: number | undefined;
  let headSeen = head === undefined || head.count === 0;
  const whole = Math.floor(bytes.length / KLOG_RECORD_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < whole; i++) {
    const at = i * KLOG_RECORD_BYTES;
    const record = bytes.subarray(at, at + KLOG_RECORD_BYTES);
    const next = hashOf(hash, record);
    const good = view.getUint32(at, true) === MAGIC &&
      sameBytes(record.subarray(HASHED), next);
    if (!good) {
      if (bad !== undefined) problems.push(`record ${bad} is damaged`);
      bad = i;
      continue;
    }
    const type = view.getUint16(at + 4, true);
    const a = Number(view.getBigUint64(at + 24, true));
    if (bad !== undefined) {
      // Only a torn record, filled up by the next writer, may differ.
      const filled = type === KLOG.resume && a > 0 &&
        bytes.subarray(bad * KLOG_RECORD_BYTES + a, at).every((b) => b === 0);
      if (!filled) problems.push(`record ${bad} is damaged`);
      bad = undefined;
    }
    hash = next;
    records.push({
      type,
      cpu: view.getUint16(at + 6, true),
      time: view.getFloat64(at + 16, true),
      a,
      b: Number(view.getBigUint64(at + 32, true)),
      key: new Int32Array(record.slice(40, 56).buffer),
    });
    if (head?.count === records.length) {
      headSeen = true;
      if (!sameBytes(hash, head.hash)) {
        problems.push("the log is not the one that its .head file belongs to");
      }
    }
  }
  if (bad !== undefined) problems.push(`record ${bad} is damaged`);
  if (!headSeen) {
    problems.push(
      `the log is cut short: it has ${records.length} records of at least ${head?.count}`,
    );
  }
  if (head === undefined && records.length > 0) {
    problems.push("its .head file is missing: a cut could not be noticed");
  }
  return { records, problems, torn: bytes.length % KLOG_RECORD_BYTES, hash };
}

/** Appends records to a key log. */
export class Klog implements Disposable {
  readonly path: string;
  /** The content of the log when it was opened. */
  readonly before: KlogReading;
  readonly #file: number;
  readonly #head: number;
  #hash: Uint8Array;
  #count: number;
  readonly #slot = Buffer64();

  /**
   * Opens a log, or creates a new one (mode 0600). A log that a crashed writer
   * left is continued where it ends.
   *
   * @throws {XftraceError} when it cannot be written, or is damaged.
   */
  constructor(path: string) {
    this.path = path;
    const { O_RDWR, O_APPEND } = constants;
    try {
      const place = regularPlaceOf(path);
      this.#file = openOwnFile(place, O_RDWR | O_APPEND);
      try {
        this.#head = openOwnFile(regularPlaceOf(`${path}.head`), O_RDWR);
      } catch (error) {
        closeSync(this.#file);
        throw error;
      }
    } catch (error) {
      throw unwritable(path, error, "name another key log with --klog");
    }
    const stat = fstatSync(this.#file);
    if ((stat.mode & 0o077) !== 0) {
      this[Symbol.dispose]();
      throw new XftraceError(
        `others can read the key log ${path}; run: chmod 600 ${path}`,
      );
    }
    const bytes = new Uint8Array(stat.size);
    let done = 0;
    while (done < bytes.length) {
      const count = readSync(
        this.#file,
        bytes,
        done,
        bytes.length - done,
        done,
      );
      if (count === 0) break;
      done += count;
    }
    this.before = checkKlog(
      bytes,
      stat.size === 0 ? undefined : readHead(`${path}.head`),
    );
    // A missing head file is no reason to refuse, since a crash may have
    // happened between the two writes. A log that is cut or damaged is refused.
    const fatal = this.before.problems.find((p) =>
      !p.includes(".head file is")
    );
    if (fatal !== undefined) {
      this[Symbol.dispose]();
      throw new XftraceError(
        `the key log ${path} cannot be continued: ${fatal}; start another one with --klog FILE`,
      );
    }
    this.#hash = this.before.hash;
    this.#count = this.before.records.length;
    syncFolder(dirname(path));
    if (stat.size > 0) {
      const { torn } = this.before;
      if (torn > 0) {
        writeSync(this.#file, new Uint8Array(KLOG_RECORD_BYTES - torn));
      }
      this.append([{ type: KLOG.resume, a: torn }]);
    }
  }

  /** The number of records in the log. */
  get count(): number {
    return this.#count;
  }

  /**
   * Appends records in a single write; with `sync`, they are on disk when this
   * returns.
   *
   * @throws {XftraceError} when writing fails.
   */
  append(entries: readonly KlogEntry[], sync = true): void {
    const bytes = new Uint8Array(entries.length * KLOG_RECORD_BYTES);
    const view = new DataView(bytes.buffer);
    const now = Date.now();
    let hash = this.#hash;
    entries.forEach((entry, i) => {
      const at = i * KLOG_RECORD_BYTES;
      view.setUint32(at, MAGIC, true);
      view.setUint16(at + 4, entry.type, true);
      view.setUint16(at + 6, entry.cpu ?? 0, true);
      view.setBigUint64(at + 8, BigInt(this.#count + i), true);
      view.setFloat64(at + 16, now, true);
      view.setBigUint64(at + 24, BigInt(entry.a ?? 0), true);
      view.setBigUint64(at + 32, BigInt(entry.b ?? 0), true);
      if (entry.key !== undefined) {
        entry.key.forEach((word, k) =>
          view.setInt32(at + 40 + k * 4, word, true)
        );
      }
      hash = hashOf(hash, bytes.subarray(at, at + KLOG_RECORD_BYTES));
      bytes.set(hash, at + HASHED);
    });
    try {
      if (writeSync(this.#file, bytes) !== bytes.length) {
        throw new Error("short write");
      }
      if (sync) fdatasyncSync(this.#file);
    } catch (error) {
      throw new XftraceError(
        `the key log ${this.path} cannot be written (is the disk full?); no key was sent`,
        { cause: error },
      );
    }
    this.#hash = hash;
    this.#count += entries.length;
    this.#writeHead();
  }

  /**
   * Two slots are written alternately, so that a crash leaves one of them
   * intact.
   */
  #writeHead(): void {
    const slot = this.#slot;
    const view = new DataView(slot.buffer);
    view.setBigUint64(0, BigInt(this.#count), true);
    slot.set(this.#hash, 8);
    const check = createHash("sha256").update(slot.subarray(0, 40)).digest();
    slot.set(check.subarray(0, 24), 40);
    writeSync(
      this.#head,
      slot,
      0,
      HEAD_SLOT_BYTES,
      this.#headSlot++ % 2 * HEAD_SLOT_BYTES,
    );
  }
  #headSlot = 0;

  /** Closes the files. */
  [Symbol.dispose](): void {
    closeSync(this.#file);
    closeSync(this.#head);
  }
}

function Buffer64(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(HEAD_SLOT_BYTES);
}

/** The directory entry of a new file must survive a crash as well. */
function syncFolder(folder: string): void {
  const file = openSync(folder, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
