/**
 * Reads the blocks of a recording one after the other, so that its size does
 * not matter.
 *
 * @module
 */
import { allocateBytes } from "../../base/allocate.ts";
import { closeSync, readSync } from "node:fs";
import { XftraceError } from "../../base/errors.ts";
import { openHostFile } from "../../base/host_file/open.ts";
import {
  decodeStart,
  HEAD_BYTES,
  isBlockHead,
  MOST_BODY_BYTES,
  type RecordingStart,
  TAG_BYTES,
} from "./recording_format.ts";

/** A block as it is in the file. Nothing of it has been authenticated. */
export interface StoredBlock {
  /** Its number; the first is 1. */
  readonly number: number;
  /** BLOCK: what it contains. */
  readonly type: number;
  readonly cpu: number;
  readonly sequence: number;
  readonly count: number;
  /** Offset in the file in bytes. */
  readonly at: number;
  /** What its tag is about, besides its body. */
  readonly head: Uint8Array;
  /** Its tag; `undefined` in version 1. */
  readonly tag: Uint8Array | undefined;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** A recording that is open for reading. */
export class RecordingFile implements Disposable {
  readonly path: string;
  readonly start: RecordingStart;
  /** Size in bytes when it was opened. */
  readonly size: number;
  readonly #fd: number;
  #whole: number;
  #damaged = false;

  /**
   * Opens a recording.
   *
   * @throws {XftraceError} when it cannot be read, or is none.
   */
  constructor(path: string) {
    this.path = path;
    try {
      const { fd, size } = openHostFile(path);
      this.#fd = fd;
      this.size = size;
    } catch (error) {
      throw new XftraceError(
        `the recording ${path} cannot be read (${
          error instanceof Error ? error.message : "unknown"
        }); give a file that was written by: xftrace on`,
        { cause: error },
      );
    }
    try {
      this.start = decodeStart(
        path,
        (at, length) => this.#bytes(at, length),
        this.size,
      );
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
    this.#whole = this.start.bytes.length;
  }

  /** Number of bytes up to the end of the last block that was read. */
  get wholeBytes(): number {
    return this.#whole;
  }

  /** Number of bytes after that: of a block that was cut short, or no block. */
  get torn(): number {
    return this.size - this.#whole;
  }

  /**
   * Whether something other than a block was found where one should start.
   */
  get damaged(): boolean {
    return this.#damaged;
  }

  #bytes(at: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = allocateBytes(length, MOST_BODY_BYTES, this.path, {
      error: (message) => new XftraceError(message),
    });
    for (let done = 0; done < length;) {
      const got = readSync(this.#fd, bytes, done, length - done, at + done);
      if (got === 0) {
        throw new XftraceError(
          `the recording ${this.path} became shorter while it was read; try again`,
        );
      }
      done += got;
    }
    return bytes;
  }

  /**
   * The blocks in their order, up to the first that is damaged or cut short.
   *
   * @throws {XftraceError} when the file shrinks meanwhile.
   */
  *blocks(): Generator<StoredBlock> {
    const tagged = this.start.version > 1;
    const headBytes = HEAD_BYTES + (tagged ? TAG_BYTES : 0);
    for (let number = 1; this.#whole + headBytes <= this.size; number++) {
      const at = this.#whole;
      const bytes = this.#bytes(at, headBytes);
      const view = new DataView(bytes.buffer);
      const type = view.getUint32(0, true);
      const count = view.getUint32(16, true);
      const length = view.getUint32(20, true);
      if (!isBlockHead(type, count, length)) {
        this.#damaged = true;
        return;
      }
      if (at + headBytes + length > this.size) return;
      const body = this.#bytes(at + headBytes, length);
      this.#whole = at + headBytes + length;
      yield {
        number,
        type,
        cpu: view.getUint32(4, true),
        sequence: view.getUint32(8, true) +
          view.getUint32(12, true) * 2 ** 32,
        count,
        at,
        head: bytes.subarray(0, HEAD_BYTES),
        tag: tagged ? bytes.subarray(HEAD_BYTES) : undefined,
        body,
      };
    }
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
