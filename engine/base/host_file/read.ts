/**
 * Reads whole files of the host, up to a size that the reader sets.
 *
 * @module
 */
import { allocateBytes } from "../allocate.ts";
import { closeSync, readSync } from "node:fs";
import { XftraceError } from "../errors.ts";
import { fileError } from "../file_error.ts";
import { type HostFileRules, isMissing, openHostFile } from "./open.ts";

/** What a file that is read whole must be. */
export interface WholeFileRules extends HostFileRules {
  /** The most bytes that it may have. */
  readonly limit: number;
  /**
   * Whether to read only what it had when it was opened. For files that
   * somebody else names: those of /proc and tracefs have no size, and reading
   * some of them waits or takes away what is in them.
   */
  readonly sized?: boolean;
}

/** Bytes read at once from files whose size is not known before (/proc). */
const PIECE = 65536;

/**
 * The content of a regular file. It is read up to its end, even if it grows,
 * and refused when it has more than `limit` bytes; no more are ever kept.
 *
 * @throws {XftraceError} as {@linkcode openHostFile}, or when it is too large.
 *
 * @example
 * ```ts
 * import { readHostFile } from "xftrace";
 *
 * const path = Deno.makeTempFileSync();
 * console.log(readHostFile(path, { limit: 1000 }).length); // 0
 * ```
 */
export function readHostFile(
  path: string,
  rules: WholeFileRules,
): Uint8Array<ArrayBuffer> {
  const { fd, size } = openHostFile(path, rules);
  try {
    if (size > rules.limit) throw tooLarge(path, rules.limit);
    if (rules.sized === true) {
      return readSized(fd, ours(path, size, rules.limit));
    }
    // One byte more, to see that there is no more.
    let bytes = ours(path, size + 1, rules.limit + 1);
    let length = 0;
    for (;;) {
      if (length === bytes.length) {
        if (length > rules.limit) throw tooLarge(path, rules.limit);
        const room = Math.min(Math.max(PIECE, 2 * length), rules.limit + 1);
        const larger = ours(path, room, rules.limit + 1);
        larger.set(bytes);
        bytes = larger;
      }
      const got = readSync(fd, bytes, length, bytes.length - length, null);
      if (got === 0) return bytes.subarray(0, length);
      length += got;
    }
  } catch (error) {
    throw error instanceof XftraceError ? error : fileError(path, error);
  } finally {
    closeSync(fd);
  }
}

/** A buffer for a file's bytes. */
function ours(
  path: string,
  size: number,
  most: number,
): Uint8Array<ArrayBuffer> {
  return allocateBytes(size, most, path, {
    error: () => tooLarge(path, most),
  });
}

/** As many bytes of an open file as it has, if they fit. */
function readSized(
  fd: number,
  bytes: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  let length = 0;
  while (length < bytes.length) {
    const got = readSync(fd, bytes, length, bytes.length - length, null);
    if (got === 0) break;
    length += got;
  }
  return bytes.subarray(0, length);
}

/**
 * The text of a regular file (UTF-8).
 *
 * @throws {XftraceError} as {@linkcode readHostFile}.
 */
export function readHostText(path: string, rules: WholeFileRules): string {
  return new TextDecoder().decode(readHostFile(path, rules));
}

/**
 * The text of a regular file; `undefined` when there is none.
 *
 * @throws {XftraceError} as {@linkcode readHostFile}.
 *
 * @example
 * ```ts
 * import { readHostTextIfThere } from "xftrace";
 *
 * console.log(readHostTextIfThere("/nowhere/file", { limit: 1000 })); // undefined
 * ```
 */
export function readHostTextIfThere(
  path: string,
  rules: WholeFileRules,
): string | undefined {
  try {
    return readHostText(path, rules);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function tooLarge(path: string, limit: number): XftraceError {
  return new XftraceError(
    `${path} is larger than the ${limit} bytes that such a file may have`,
  );
}
