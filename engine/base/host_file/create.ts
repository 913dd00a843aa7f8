/**
 * Creates files on the host that nobody else can have put there before.
 *
 * @module
 */
import {
  closeSync,
  constants,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { hexDigits } from "../hex.ts";
import { regularPlaceOf } from "./place.ts";
import { unwritable } from "./write_error.ts";

/** Only the owner may read and write. */
const PRIVATE = 0o600;

/**
 * Creates a file for reading and writing. Whatever has the name already (a
 * file, a link, even one that leads nowhere) is left alone.
 *
 * @param access further flags of node:fs: `constants.O_APPEND`
 * @returns the descriptor; whoever opened it closes it
 * @throws the system's error: `EEXIST` when something has the name already; see
 * `unwritable` for what it means to users.
 */
export function createHostFile(
  path: string,
  access = 0,
  mode: number = PRIVATE,
): number {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  return openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | access, mode);
}

/**
 * Creates a file that a user names in place of the one that had its name, which
 * is removed first. A link of the user's own is kept, and followed.
 *
 * @returns the descriptor; whoever opened it closes it
 * @throws {XftraceError} one sentence, when it cannot be written.
 */
export function recreateHostFile(path: string): number {
  try {
    const place = regularPlaceOf(path);
    rmSync(place, { force: true });
    return createHostFile(place);
  } catch (error) {
    throw unwritable(path, error);
  }
}

/**
 * A name beside `path` that nobody can foresee, for a file that gets its own
 * name when it is complete.
 */
export function temporaryName(path: string): string {
  const random = crypto.getRandomValues(new Uint8Array(8));
  return `${path}.${hexDigits(random)}.part`;
}

/**
 * Replaces a file as a whole: others see what it was or what it is, and a link
 * with its name is replaced, not followed.
 *
 * @throws the system's error.
 *
 * @example
 * ```ts
 * import { replaceHostFile } from "xftrace";
 *
 * const path = Deno.makeTempFileSync();
 * replaceHostFile(path, "new content\n");
 * Deno.removeSync(path);
 * ```
 */
export function replaceHostFile(
  path: string,
  content: string | Uint8Array,
  mode: number = PRIVATE,
): void {
  const temporary = temporaryName(path);
  const fd = createHostFile(temporary, 0, mode);
  try {
    try {
      writeWhole(
        fd,
        typeof content === "string"
          ? new TextEncoder().encode(content)
          : content,
      );
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Writes all bytes at the descriptor's position. */
export function writeWhole(fd: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) at += writeSync(fd, bytes, at);
}
