/**
 * Reads a key log, and checks each of its records. It is read in pieces, and
 * only the records of one trace are kept, so that a log of many traces can be
 * large.
 *
 * @module
 */
import { closeSync, readSync } from "node:fs";
import { XftraceError } from "../../base/errors.ts";
import {
  type HostFile,
  isMissing,
  openHostFile,
} from "../../base/host_file/open.ts";
import { isOpenToOthers, isTrustedOwner } from "../../base/host_file/owner.ts";
import { readHostFile } from "../../base/host_file/read.ts";
import { shellWord } from "../../base/shell_word.ts";
import {
  decodeHead,
  decodeRecord,
  HEAD_SLOT_BYTES,
  isStartOf,
  KLOG,
  KLOG_GENESIS,
  KLOG_RECORD_BYTES,
  type KlogHead,
  recordHash,
  sameBytes,
  statedHash,
  type TraceId,
  typeOfRecord,
} from "./klog_format.ts";
import { KlogRecords } from "./klog_records.ts";

/** Maximum size of a log in bytes: 39 days of two CPUs, ten keys a second. */
const MOST_BYTES = 2 ** 32;
/** Maximum number of records of one trace. */
const MOST_RECORDS = 2 ** 22;
/** Maximum number of damaged records, after which reading ends. */
const MOST_DAMAGED = 20;
/** How many records are read at once. */
const PART = 4096;

/** The result of reading a log. */
export interface KlogReading {
  /** The records of the trace that was asked for. */
  readonly records: KlogRecords;
  /** Number of intact records of all traces. */
  readonly count: number;
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

/** Which records of a log are kept: one trace's, all, or none. */
export type KeptRecords = TraceId | "all" | "none";

/** Collects the records of the last trace that begins as asked for. */
class Kept {
  readonly records = new KlogRecords();
  readonly #of: KeptRecords;
  #inside: boolean;

  constructor(of: KeptRecords) {
    this.#of = of;
    this.#inside = of === "all";
  }

  /** @param record its bytes, whose hash is right */
  add(record: Uint8Array, path: string): void {
    if (typeof this.#of !== "string" && typeOfRecord(record) === KLOG.start) {
      this.#inside = isStartOf(decodeRecord(record), this.#of);
      if (this.#inside) this.records.wipe();
    }
    if (!this.#inside) return;
    if (this.records.length >= MOST_RECORDS) {
      throw new XftraceError(
        `the key log ${path} has more than ${MOST_RECORDS} records of one trace, which are too many to be verified; end traces earlier, or rotate keys less often`,
      );
    }
    this.records.add(record);
  }
}

/**
 * Opens a key log for reading. It must be a regular file of this user, which
 * nobody else can read.
 *
 * @param given whether the user has named it: then it may be behind a link
 * @throws {XftraceError} when it is not such a file.
 */
function openKlog(path: string, given: boolean): HostFile {
  let file: HostFile;
  try {
    file = openHostFile(path, { own: !given });
  } catch (error) {
    throw new XftraceError(
      `the key log ${path} cannot be read (${
        isMissing(error)
          ? "there is no such file"
          : error instanceof Error
          ? error.message
          : "unknown"
      }); give the one that was written while tracing`,
      { cause: error },
    );
  }
  try {
    requirePrivate(path, file);
  } catch (error) {
    closeSync(file.fd);
    throw error;
  }
  return file;
}

/**
 * Refuses a key log of another user, and one that others can read.
 *
 * @throws {XftraceError} one sentence.
 */
export function requirePrivate(path: string, { uid, mode }: HostFile): void {
  if (!isTrustedOwner(uid)) {
    throw new XftraceError(
      `the key log ${path} belongs to another user, who could have written it; use a copy of your own if you trust that user`,
    );
  }
  if (isOpenToOthers(mode)) {
    throw new XftraceError(
      `others can read the key log ${path}, and forge entries with it; if nobody has, run: chmod 600 ${
        shellWord(path)
      }`,
    );
  }
}

/** What the head file beside a log says; `undefined` when there is none. */
export function readHead(path: string): KlogHead | undefined {
  try {
    const limit = 2 * HEAD_SLOT_BYTES;
    return decodeHead(readHostFile(`${path}.head`, { limit, own: true }));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * Reads a log and checks every record, and the number of records against
 * PATH.head.
 *
 * @param of the trace whose records are kept; of several that are the same, the
 * last
 * @param given whether the user has named the file: then it may be behind a link
 * @throws {XftraceError} when it cannot be read, or is not the user's own.
 */
export function readKlog(
  path: string,
  of: KeptRecords = "all",
  given = true,
): KlogReading {
  const head = readHead(path);
  const file = openKlog(path, given);
  try {
    return checkKlog(path, file, head, of);
  } finally {
    closeSync(file.fd);
  }
}

/**
 * Checks an open log.
 *
 * @throws {XftraceError} when it is too large.
 */
export function checkKlog(
  path: string,
  { fd, size }: HostFile,
  head: KlogHead | undefined,
  of: KeptRecords,
): KlogReading {
  if (size > MOST_BYTES) {
    throw new XftraceError(
      `the key log ${path} has ${size} bytes, which are too many; give the log of one trace, or begin another one with --klog FILE`,
    );
  }
  const kept = new Kept(of);
  const problems: string[] = [];
  const damaged = (index: number) =>
    problems.push(`record ${index} is damaged`);
  let hash: Uint8Array = KLOG_GENESIS;
  let count = 0;
  let bad: { index: number; bytes: Uint8Array } | undefined;
  let headSeen = head === undefined || head.count === 0;
  const whole = Math.floor(size / KLOG_RECORD_BYTES);
  const part = new Uint8Array(PART * KLOG_RECORD_BYTES);
  for (let index = 0; index < whole; index++) {
    const inPart = index % PART;
    if (inPart === 0) {
      const records = Math.min(PART, whole - index);
      readWhole(path, fd, part.subarray(0, records * KLOG_RECORD_BYTES), index);
    }
    const at = inPart * KLOG_RECORD_BYTES;
    const record = part.subarray(at, at + KLOG_RECORD_BYTES);
    const stated = statedHash(record);
    const next = stated === undefined ? undefined : recordHash(hash, record);
    if (next === undefined || !sameBytes(stated ?? next, next)) {
      if (bad !== undefined) damaged(bad.index);
      bad = { index, bytes: record.slice() };
      if (problems.length < MOST_DAMAGED) continue;
      problems.push("the rest of the log is not read");
      break;
    }
    if (bad !== undefined) {
      // Only a torn record, filled up by the next writer, may differ.
      const { type, a } = decodeRecord(record);
      const filled = type === KLOG.resume && a > 0 &&
        bad.bytes.subarray(a).every((byte) => byte === 0);
      if (!filled) damaged(bad.index);
      bad = undefined;
    }
    hash = next;
    count++;
    kept.add(record, path);
    if (head?.count === count) {
      headSeen = true;
      if (!sameBytes(hash, head.hash)) {
        problems.push("the log is not the one that its .head file belongs to");
      }
    }
  }
  part.fill(0);
  if (bad !== undefined) damaged(bad.index);
  if (!headSeen) {
    problems.push(
      `the log is cut short: it has ${count} records of at least ${head?.count}`,
    );
  }
  if (head === undefined && count > 0) {
    problems.push("its .head file is missing: a cut could not be noticed");
  }
  const { records } = kept;
  return { records, count, problems, torn: size % KLOG_RECORD_BYTES, hash };
}

/** Fills `into` with the records from `index` on. */
function readWhole(
  path: string,
  fd: number,
  into: Uint8Array,
  index: number,
): void {
  const from = index * KLOG_RECORD_BYTES;
  for (let done = 0; done < into.length;) {
    const got = readSync(fd, into, done, into.length - done, from + done);
    if (got === 0) {
      throw new XftraceError(
        `the key log ${path} became shorter while it was read; try again`,
      );
    }
    done += got;
  }
}
