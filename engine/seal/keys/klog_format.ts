/**
 * The format of the key log: a sequence of 96-byte records to which records are
 * only ever appended. Each record ends with a hash of itself and of all records
 * before it. A record that was cut short by a crash is filled up with zeros by
 * the next writer, which states this in a `resume` record; any other record
 * with a wrong hash means damage. The minimum number of records is stored
 * separately in `PATH.head`, so that a log that was cut at a record boundary is
 * detected too.
 *
 * Numbers are little-endian. Offsets in a record: 0 magic u32, 4 type u16, 6
 * cpu u16, 8 index u64, 16 host time in ms f64, 24 a u64, 32 b u64, 40 key 16
 * bytes, 56 zero, 64 hash 32 bytes.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { hexDigits } from "../../base/hex.ts";

/** Size of a record in bytes. */
export const KLOG_RECORD_BYTES = 96;
/** Size of each of the two slots of the head file in bytes. */
export const HEAD_SLOT_BYTES = 64;
const MAGIC = 0x474c4b58;
/** Offset of the key in a record. */
const KEY = 40;
/** Number of bytes of a record before its zeros: all that it says. */
export const KLOG_CONTENT_BYTES = KEY + 16;
/** Number of bytes of a record that its hash is about, and that precede it. */
export const KLOG_HASHED_BYTES = 64;

/** The hash before the first record. */
export const KLOG_GENESIS: Uint8Array = createHash("sha256")
  .update("xftrace klog 1").digest();

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
  /**
   * The trace is recorded: key = that of the recording's tags, a = the version
   * of its format. Logs written before 0.3 have none.
   */
  recording: 8,
  /**
   * What the recording contains by now: a = the number of its blocks, b = its
   * size in bytes, key = the tag of the last block, or of the header.
   */
  recorded: 9,
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

/** One trace in a log: the module's load, and which of its traces. */
export interface TraceId {
  /** The control page's random number, in hex. */
  readonly nonce: string;
  readonly generation: number;
}

/** The nonce of a start record in hex, as in the header of a recording. */
export function nonceText(nonce: Int32Array): string {
  return hexDigits(new Uint8Array(nonce.slice().buffer));
}

/** Whether a record is the start of a trace. */
export function isStartOf(record: KlogRecord, of: TraceId): boolean {
  return record.type === KLOG.start && record.a === of.generation &&
    nonceText(record.key) === of.nonce;
}

/** The hash of a record, which follows from that of the one before it. */
export function recordHash(before: Uint8Array, record: Uint8Array): Uint8Array {
  return createHash("sha256").update(before).update(
    record.subarray(0, KLOG_HASHED_BYTES),
  )
    .digest();
}

/** Whether two hashes are equal. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/**
 * Fills in a record; returns its hash.
 *
 * @param into 96 zero bytes
 * @param index its number in the log
 * @param before the hash of the record before it
 */
export function encodeRecord(
  into: Uint8Array<ArrayBuffer>,
  entry: KlogEntry,
  index: number,
  time: number,
  before: Uint8Array,
): Uint8Array {
  const view = new DataView(into.buffer, into.byteOffset, KLOG_RECORD_BYTES);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, entry.type, true);
  view.setUint16(6, entry.cpu ?? 0, true);
  view.setBigUint64(8, BigInt(index), true);
  view.setFloat64(16, time, true);
  view.setBigUint64(24, BigInt(entry.a ?? 0), true);
  view.setBigUint64(32, BigInt(entry.b ?? 0), true);
  entry.key?.forEach((word, k) => view.setInt32(KEY + k * 4, word, true));
  const hash = recordHash(before, into);
  into.set(hash, KLOG_HASHED_BYTES);
  return hash;
}

/** The hash that a record states; `undefined` when it is no record. */
export function statedHash(bytes: Uint8Array): Uint8Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(0, true) === MAGIC
    ? bytes.subarray(KLOG_HASHED_BYTES, KLOG_RECORD_BYTES)
    : undefined;
}

/** The type of a record whose hash is right. */
export function typeOfRecord(bytes: Uint8Array): number {
  return bytes[4] | bytes[5] << 8;
}

/**
 * The content of a record whose hash is right.
 *
 * @param key receives its key; default: new memory
 */
export function decodeRecord(
  bytes: Uint8Array,
  key: Int32Array = new Int32Array(4),
): KlogRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u64 = (at: number) =>
    view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  for (let word = 0; word < 4; word++) {
    key[word] = view.getInt32(KEY + word * 4, true);
  }
  return {
    type: view.getUint16(4, true),
    cpu: view.getUint16(6, true),
    time: view.getFloat64(16, true),
    a: u64(24),
    b: u64(32),
    key,
  };
}

/** What a head file says about its log. */
export interface KlogHead {
  /** The log has at least this many records. */
  readonly count: number;
  /** The hash of the last of them. */
  readonly hash: Uint8Array;
}

function slotCheck(slot: Uint8Array): Uint8Array {
  const check = createHash("sha256").update(slot.subarray(0, 40)).digest();
  return Uint8Array.from(check.subarray(0, 24));
}

/** Fills in a slot of the head file. */
export function encodeHeadSlot(
  into: Uint8Array<ArrayBuffer>,
  { count, hash }: KlogHead,
): void {
  new DataView(into.buffer).setBigUint64(0, BigInt(count), true);
  into.set(hash, 8);
  into.set(slotCheck(into), 40);
}

/** The newest of the slots that are intact. */
export function decodeHead(bytes: Uint8Array): KlogHead | undefined {
  let best: KlogHead | undefined;
  for (
    let at = 0;
    at + HEAD_SLOT_BYTES <= bytes.length;
    at += HEAD_SLOT_BYTES
  ) {
    const slot = bytes.subarray(at, at + HEAD_SLOT_BYTES);
    if (!sameBytes(slot.subarray(40), slotCheck(slot))) continue;
    const view = new DataView(slot.buffer, slot.byteOffset, HEAD_SLOT_BYTES);
    const count = Number(view.getBigUint64(0, true));
    if (best === undefined || count > best.count) {
      best = { count, hash: slot.slice(8, 40) };
    }
  }
  return best;
}
