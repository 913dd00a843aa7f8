/**
 * A file that is read in pieces, and a cursor over a part of it. Whatever the
 * file says, nothing is read beyond its end, sizes are bounded, and errors name
 * the file and the place.
 *
 * @module
 */
import { closeSync, readSync } from "node:fs";
import { XftraceError } from "../base/errors.ts";
import { fileError } from "../base/file_error.ts";
import { openHostFile } from "../base/host_file/open.ts";

/** What can be read at any place. */
export interface DatSource extends Disposable {
  /** The file's path, for messages. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Reads exactly so many bytes, all of which are within the file. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer>;
  /** Fills memory with the bytes at a place, all of which are within the file. */
  readInto(offset: number, bytes: Uint8Array<ArrayBuffer>): void;
}

/**
 * The error for a file that is not as it should be.
 *
 * @param offset in the file, in bytes
 */
export function datError(
  path: string,
  offset: number,
  what: string,
  cause?: unknown,
): XftraceError {
  return new XftraceError(`${path}: at byte ${offset}: ${what}`, {
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Opens a file. */
export function openDatFile(path: string): DatSource {
  const { fd, size } = openHostFile(path);
  return {
    path,
    size,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      this.readInto(offset, bytes);
      return bytes;
    },
    readInto(offset, bytes) {
      const { length } = bytes;
      let done = 0;
      try {
        while (done < length) {
          const n = readSync(fd, bytes, done, length - done, offset + done);
          if (n === 0) break;
          done += n;
        }
      } catch (error) {
        throw fileError(path, error);
      }
      if (done < length) {
        throw datError(path, offset + done, "the file was cut short");
      }
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

/** The same for bytes in memory. */
export function datBytes(
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
): DatSource {
  return {
    path,
    size: bytes.length,
    read: (offset, length) => bytes.slice(offset, offset + length),
    readInto: (offset, into) =>
      into.set(bytes.subarray(offset, offset + into.length)),
    [Symbol.dispose]: () => {},
  };
}

/** Texts in the file: each byte is one character, so that none is lost. */
const LATIN1 = new TextDecoder("latin1");
/** Bytes that are read at once while a text's end is searched for. */
const STEP = 256;

/** Reads numbers and texts one after the other. */
export class DatCursor {
  /** Where it is, in bytes from the start of the source. */
  at: number;
  readonly #source: DatSource;
  readonly #end: number;
  readonly #little: boolean;
  /** Place in the file at which unpacked bytes lie; for messages. */
  readonly #base: number;

  /**
   * @param end one past the last byte that may be read
   * @param base the place to name in messages, when the source was unpacked
   */
  constructor(
    source: DatSource,
    little: boolean,
    at = 0,
    end = source.size,
    base = 0,
  ) {
    this.#source = source;
    this.#little = little;
    this.at = at;
    this.#end = Math.min(end, source.size);
    this.#base = base;
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#end - this.at;
  }

  /** The error for what is at the cursor. */
  error(what: string): XftraceError {
    return datError(this.#source.path, this.#base + this.at, what);
  }

  /**
   * The next bytes.
   *
   * @param most the most that makes sense
   * @param what their name, for messages
   */
  bytes(length: number, most: number, what: string): Uint8Array<ArrayBuffer> {
    if (!(length >= 0 && length <= most)) {
      throw this.error(
        `${what} claims to have ${length} bytes, and ${most} are the most that make sense`,
      );
    }
    if (!(this.at >= 0 && length <= this.left)) {
      throw this.error(
        `the file ends within ${what}, which has ${length} bytes`,
      );
    }
    const bytes = this.#source.read(this.at, length);
    this.at += length;
    return bytes;
  }

  /** Steps over bytes, which need not be read. */
  skip(length: number, what: string): void {
    if (!(length >= 0 && length <= this.left)) {
      throw this.error(
        `the file ends within ${what}, which has ${length} bytes`,
      );
    }
    this.at += length;
  }

  /** The next unsigned number of 1, 2, 4 or 8 bytes. */
  number(size: 1 | 2 | 4 | 8, what: string): number {
    const { buffer } = this.bytes(size, 8, what);
    const view = new DataView(buffer);
    switch (size) {
      case 1:
        return view.getUint8(0);
      case 2:
        return view.getUint16(0, this.#little);
      case 4:
        return view.getUint32(0, this.#little);
      default:
        // Sizes and places; those beyond 2^53 are rounded, and refused.
        return Number(view.getBigUint64(0, this.#little));
    }
  }

  /** The next 64 bits, exactly. */
  u64(what: string): bigint {
    const { buffer } = this.bytes(8, 8, what);
    return new DataView(buffer).getBigUint64(0, this.#little);
  }

  /** Text of a given size, each byte a character. */
  text(size: number, most: number, what: string): string {
    return LATIN1.decode(this.bytes(size, most, what));
  }

  /** Text up to a NUL, which is read as well; each byte is a character. */
  cstring(most: number, what: string): string {
    const start = this.at;
    let text = "";
    for (;;) {
      const length = Math.min(STEP, this.left);
      const piece = LATIN1.decode(this.#source.read(this.at, length));
      const end = piece.indexOf("\0");
      text += end < 0 ? piece : piece.slice(0, end);
      if (text.length > most || (end < 0 && length < STEP)) {
        this.at = start;
        throw this.error(`${what} does not end within ${most} bytes`);
      }
      this.at += end < 0 ? length : end + 1;
      if (end >= 0) return text;
    }
  }
}
