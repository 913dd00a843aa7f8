/**
 * What a failed creation or write of a file means for the user.
 *
 * @module
 */
import { XftraceError } from "../errors.ts";
import { codeOf } from "../file_error.ts";

/**
 * A file of the host that could not be written. It has nothing to do with the
 * guest, and trying again at once does not help.
 *
 * @example
 * ```ts
 * import { HostWriteError } from "xftrace";
 *
 * const error = new HostWriteError("cannot write trace.xfs: the disk is full");
 * console.log(error.message);
 * ```
 */
export class HostWriteError extends XftraceError {}

/**
 * Why a file could not be written, in one sentence that names it and the fix,
 * without the system's own text.
 *
 * @param error what Deno or node:fs threw
 * @param fix what to do about it, where the reason has no better answer
 *
 * @example
 * ```ts
 * import { unwritable } from "xftrace";
 *
 * try {
 *   Deno.writeTextFileSync("/nowhere/file", "text");
 * } catch (error) {
 *   console.log(unwritable("/nowhere/file", error).message);
 * }
 * ```
 */
export function unwritable(
  path: string,
  error: unknown,
  fix = "choose another place",
): XftraceError {
  if (error instanceof XftraceError) return error;
  return new HostWriteError(`cannot write ${path}: ${why(path, error, fix)}`, {
    cause: error,
  });
}

/**
 * Whether a write failed since there is no room left.
 *
 * @param error what Deno or node:fs threw
 *
 * @example
 * ```ts
 * import { isFull } from "xftrace";
 *
 * console.log(isFull(new Error("another"))); // false
 * ```
 */
export function isFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(codeOf(error) ?? "");
}

function why(path: string, error: unknown, fix: string): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "Deno was not allowed to; add --allow-write";
  }
  switch (codeOf(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return `the folder ${folderOf(path)} does not exist; make it, or ${fix}`;
    case "EISDIR":
    case "ERR_FS_EISDIR":
      return `it is a folder; give a file, or ${fix}`;
    case "EEXIST":
      return `it is there already; remove it, or ${fix}`;
    case "EACCES":
    case "EPERM":
      return `you have no permission; ${fix}, or run as a user who may`;
    case "EROFS":
      return `its file system can only be read; ${fix}`;
    case "ENOSPC":
    case "EDQUOT":
      return `the disk is full; free room, or ${fix}`;
    case "EFBIG":
      return `it would become larger than its file system or a limit allows; ${fix}`;
    case "ENAMETOOLONG":
      return `its name is too long; ${fix}`;
    case "ELOOP":
      return `it is a symbolic link, which is not followed there; remove it, or ${fix}`;
    case "EIO":
      return `the disk has failed to take it; ${fix}`;
    case "ENXIO":
      return `nobody reads it; begin to read it first, or ${fix}`;
    case "ETXTBSY":
    case "EBUSY":
      return `it is in use; ${fix}`;
    case "EPIPE":
      return `its reader has ended; ${fix}`;
    default:
      return `the system refused it (${
        codeOf(error) ?? (error instanceof Error ? error.name : "no reason")
      }); ${fix}`;
  }
}

function folderOf(path: string): string {
  const at = path.lastIndexOf("/");
  return at < 0 ? "." : at === 0 ? "/" : path.slice(0, at);
}
