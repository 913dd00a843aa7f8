/**
 * Reads files that users name: on the command line, or as their scripts.
 *
 * @module
 */
import { isMissing, readHostFile, whyUnreadable, XftraceError } from "xftrace";

const MIB = 1 << 20;
/** More bytes than a text that users name has: a baseline, a guest's answers. */
const MOST_TEXT = 16 * MIB;
/** A descriptor of this process: what a shell has piped into it. */
const DESCRIPTOR = /^\/(?:dev\/(?:stdin|fd\/\d+)|proc\/self\/fd\/\d+)$/;

/** What is read of a file that users name. */
export interface GivenFile {
  /** The option that names it, for the message: `--tracefs`. */
  readonly option?: string;
  /** The most bytes that it may have; default: 256 MiB. */
  readonly limit?: number;
}

/**
 * The content of a regular file, or of what was piped into `/dev/stdin`.
 *
 * @throws {XftraceError} when it cannot be read, in one sentence.
 */
export function readGiven(
  path: string,
  { option, limit = 256 * MIB }: GivenFile = {},
): Uint8Array<ArrayBuffer> {
  try {
    return DESCRIPTOR.test(path)
      ? readPiped(path, limit)
      : readHostFile(path, { limit });
  } catch (error) {
    throw unreadable(path, error, option);
  }
}

/**
 * The text of a file, as {@linkcode readGiven}.
 *
 * @param option the option that names it, for the message
 * @throws {XftraceError} when it cannot be read, in one sentence.
 */
export function readGivenText(path: string, option?: string): string {
  const limit = MOST_TEXT;
  return new TextDecoder().decode(
    readGiven(path, { limit, ...(option === undefined ? {} : { option }) }),
  );
}

/** Everything up to the end of a pipe or file that is open already. */
function readPiped(path: string, limit: number): Uint8Array<ArrayBuffer> {
  using file = Deno.openSync(path);
  let bytes = new Uint8Array(65536);
  for (let length = 0;;) {
    if (length > limit) {
      throw new XftraceError(`it has more than ${limit} bytes`);
    }
    if (length === bytes.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(bytes);
      bytes = larger;
    }
    const got = file.readSync(bytes.subarray(length));
    if (got === null) return bytes.subarray(0, length);
    length += got;
  }
}

/** The error for a file or folder that cannot be read. */
export function unreadable(
  path: string,
  error: unknown,
  option?: string,
): XftraceError {
  const named = option === undefined ? path : `${option} ${path}`;
  return new XftraceError(`${named} cannot be read: ${why(path, error)}`, {
    cause: error,
  });
}

function why(path: string, error: unknown): string {
  if (!(error instanceof XftraceError)) return whyUnreadable(error);
  if (isMissing(error)) return "there is no such file";
  if (error.cause !== undefined) return whyUnreadable(error.cause);
  const said = error.message.replace(`${path} is `, "it is ");
  return said === "it is a folder, not a regular file"
    ? "it is a folder; give a file"
    : `${said}; give a regular file of the right kind`;
}

/** Line `line` (from 1) of a script; `undefined` when it cannot be read. */
export function readLine(file: string, line: number): string | undefined {
  try {
    const text = Deno.readTextFileSync(
      file.startsWith("file:") ? new URL(file) : file,
    );
    return text.split("\n")[line - 1];
  } catch {
    // The message is useful without the line as well.
    return undefined;
  }
}
