/**
 * The key log: all keys that the host has sent, and when each guest CPU took
 * its own. Without it no entry can be verified, so a key is on disk before the
 * guest gets it. The format is described in klog_format.ts.
 *
 * @module
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { XftraceError } from "../../base/errors.ts";
import { codeOf } from "../../base/file_error.ts";
import { createHostFile, writeWhole } from "../../base/host_file/create.ts";
import {
  type HostFile,
  isMissing,
  openHostFile,
} from "../../base/host_file/open.ts";
import { regularPlaceOf } from "../../base/host_file/place.ts";
import { unwritable } from "../../base/host_file/write_error.ts";
import {
  encodeHeadSlot,
  encodeRecord,
  HEAD_SLOT_BYTES,
  KLOG,
  KLOG_HASHED_BYTES,
  KLOG_RECORD_BYTES,
  type KlogEntry,
  recordHash,
  sameBytes,
  statedHash,
} from "./klog_format.ts";
import {
  checkKlog,
  type KeptRecords,
  type KlogReading,
  readHead,
  requirePrivate,
} from "./read_klog.ts";

const { O_APPEND, O_RDWR } = constants;

const FIX = "name another file with --klog";

/** Opens a file of our own, or, if it may be new, creates it with mode 0600. */
function openOrCreate(
  path: string,
  access: number,
  mayBeNew: boolean,
): HostFile {
  const place = regularPlaceOf(path);
  try {
    return openHostFile(place, { own: true }, O_RDWR | access);
  } catch (error) {
    if (!mayBeNew || !isMissing(error)) throw error;
  }
  createAndClose(place);
  return openHostFile(place, { own: true }, O_RDWR | access);
}

function createAndClose(path: string): void {
  try {
    closeSync(createHostFile(path));
  } catch (error) {
    // Another writer was faster; opening decides whether it is our own.
    if (codeOf(error) !== "EEXIST") throw error;
  }
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
  #size: number;
  readonly #slot = new Uint8Array(HEAD_SLOT_BYTES);

  /**
   * Opens a log, or creates a new one (mode 0600). A log that a crashed writer
   * left is continued where it ends.
   *
   * @param of which of its records are kept in {@linkcode before}; a log of a
   * certain trace is not created
   * @throws {XftraceError} when it cannot be written, is damaged, or is not the
   * user's own.
   */
  constructor(path: string, of: KeptRecords = "none") {
    this.path = path;
    let file: HostFile;
    try {
      file = openOrCreate(path, O_APPEND, typeof of === "string");
    } catch (error) {
      throw unwritableLog(path, error);
    }
    this.#file = file.fd;
    try {
      requirePrivate(path, file);
      this.#head = openOrCreate(`${path}.head`, 0, true).fd;
    } catch (error) {
      closeSync(this.#file);
      throw unwritableLog(path, error);
    }
    try {
      const head = file.size === 0 ? undefined : readHead(path);
      this.before = checkKlog(path, file, head, of);
      // A missing head file is no reason to refuse, since a crash may have
      // happened between the two writes. A log that is cut or damaged is
      // refused.
      const fatal = this.before.problems.find((p) =>
        !p.includes(".head file is")
      );
      if (fatal !== undefined) {
        throw new XftraceError(
          `the key log ${path} cannot be continued: ${fatal}; start another one with --klog FILE`,
        );
      }
      this.#hash = this.before.hash;
      this.#count = this.before.count;
      const torn = this.#shortened(file.size, this.before);
      const size = file.size - this.before.torn + torn;
      this.#size = size + (torn > 0 ? KLOG_RECORD_BYTES - torn : 0);
      syncFolder(dirname(path));
      if (file.size > 0) {
        if (torn > 0) {
          writeSync(
            this.#file,
            new Uint8Array(KLOG_RECORD_BYTES).subarray(torn),
          );
        }
        this.append([{ type: KLOG.resume, a: torn }]);
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * The size of a torn record in bytes. If only zeros are missing of it, filling
   * it up would complete it, after it was taken for torn: then its hash is cut
   * off.
   */
  #shortened(size: number, { torn, hash }: KlogReading): number {
    if (torn <= KLOG_HASHED_BYTES) return torn;
    const record = new Uint8Array(KLOG_RECORD_BYTES);
    readSync(this.#file, record, 0, torn, size - torn);
    const stated = statedHash(record);
    const whole = stated !== undefined &&
      sameBytes(stated, recordHash(hash, record));
    record.fill(0);
    if (!whole) return torn;
    ftruncateSync(this.#file, size - torn + KLOG_HASHED_BYTES);
    return KLOG_HASHED_BYTES;
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
    const now = Date.now();
    let hash = this.#hash;
    entries.forEach((entry, i) => {
      const at = i * KLOG_RECORD_BYTES;
      const record = bytes.subarray(at, at + KLOG_RECORD_BYTES);
      hash = encodeRecord(record, entry, this.#count + i, now, hash);
    });
    try {
      // The second write of a short one says why.
      writeWhole(this.#file, bytes);
      if (sync) fdatasyncSync(this.#file);
    } catch (error) {
      this.#takeBack();
      throw unwritable(this.path, error, FIX);
    } finally {
      bytes.fill(0);
    }
    this.#hash = hash;
    this.#count += entries.length;
    this.#size += bytes.length;
    this.#writeHead();
  }

  /**
   * Removes what a write that failed has left, so that later records are in
   * their places.
   */
  #takeBack(): void {
    try {
      ftruncateSync(this.#file, this.#size);
    } catch {
      // The next writer recognizes a torn record.
    }
  }

  /**
   * Two slots are written alternately, so that a crash leaves one of them
   * intact.
   */
  #writeHead(): void {
    encodeHeadSlot(this.#slot, { count: this.#count, hash: this.#hash });
    const at = this.#headSlot++ % 2 * HEAD_SLOT_BYTES;
    try {
      writeSync(this.#head, this.#slot, 0, HEAD_SLOT_BYTES, at);
    } catch (error) {
      throw unwritable(`${this.path}.head`, error, FIX);
    }
  }
  #headSlot = 0;

  /** Closes the files. */
  [Symbol.dispose](): void {
    closeSync(this.#file);
    closeSync(this.#head);
  }
}

function unwritableLog(path: string, error: unknown): XftraceError {
  if (error instanceof XftraceError) return error;
  return new XftraceError(
    `the key log ${path} cannot be written; name a folder of your own`,
    { cause: unwritable(path, error) },
  );
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
