/**
 * What a failed file operation means for the user.
 *
 * @module
 */
import { XftraceError } from "./errors.ts";

/**
 * What a failed file operation means for the user, in one sentence.
 */
export function fileError(path: string, error: unknown): XftraceError {
  const code = codeOf(error);
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new XftraceError(`no such file: ${path}`, { cause: error });
  }
  if (code === "EACCES" || code === "EPERM") {
    return new XftraceError(
      `no permission to read ${path}; run as a user who may, or as root`,
      { cause: error },
    );
  }
  if (error instanceof Deno.errors.NotCapable) {
    return new XftraceError(
      `Deno was not allowed to read ${path}; add --allow-read`,
      { cause: error },
    );
  }
  return new XftraceError(`cannot read ${path}: ${messageOf(error)}`, {
    cause: error,
  });
}

/**
 * Why a file that was named could not be read, as the end of a sentence: the
 * system's own text names calls and files that nobody asked about.
 *
 * @param error what Deno or node:fs threw
 *
 * @example
 * ```ts
 * import { whyUnreadable } from "xftrace";
 *
 * try {
 *   Deno.readTextFileSync("nowhere.txt");
 * } catch (error) {
 *   console.log(`nowhere.txt cannot be read: ${whyUnreadable(error)}`);
 * }
 * ```
 */
export function whyUnreadable(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "Deno was not allowed to; add --allow-read";
  }
  switch (codeOf(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return "there is no such file";
    case "EISDIR":
      return "it is a folder; give a file";
    case "EACCES":
    case "EPERM":
      return "you have no permission; run as a user who may, or as root";
    default:
      // Without Deno's name of the operation: `: readfile 'a'`.
      return messageOf(error).replace(/: \w+ '[^']*'$/, "");
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of an error of the system: `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error === "object" && error !== null && "code" in error) {
    return typeof error.code === "string" ? error.code : undefined;
  }
  return undefined;
}
