/**
 * Files that users name for results: regular ones appear complete or not at
 * all; pipes, terminals and `/dev/stdout` are written to as they are.
 *
 * @module
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { resolve } from "node:path";
import { createHostFile, temporaryName, writeWhole } from "./create.ts";
import { placeOf, requireOwnOutput } from "./place.ts";
import { unwritable } from "./write_error.ts";

/** Options of {@linkcode OutputFile}. */
export interface OutputOptions {
  /**
   * Permissions of the file, without what the umask takes away; default: its
   * owner's alone.
   */
  readonly mode?: number;
  /** The option that names the file, for messages; default: `-o`. */
  readonly option?: string;
}

/**
 * The path of an output as another process of this user can open it: absolute,
 * with this process's own descriptors (`/dev/stdout`) as files of /proc.
 *
 * @example
 * ```ts
 * import { absoluteOutput } from "xftrace/output";
 *
 * console.log(absoluteOutput("/srv/../tmp/trace.txt")); // /tmp/trace.txt
 * ```
 */
export function absoluteOutput(path: string): string {
  const whole = resolve(path);
  const own = `/proc/${Deno.pid}/fd`;
  if (whole === "/dev/stdout") return `${own}/1`;
  if (whole === "/dev/stderr") return `${own}/2`;
  return whole.replace(/^\/(?:dev|proc\/self)\/fd\//, `${own}/`);
}

/**
 * A file for results. What already has its name is replaced when all is
 * written: a link of this user's own (or root's) is kept, and what it leads to
 * is replaced; one of another user is refused, as it would lead this user's
 * data, or root's power, where the other wants it.
 *
 * @example
 * ```ts
 * import { OutputFile } from "xftrace/output";
 *
 * const path = await Deno.makeTempFile();
 * using file = new OutputFile(path);
 * file.write(new TextEncoder().encode("done\n"));
 * file.commit();
 * console.log(Deno.readTextFileSync(path)); // done
 * Deno.removeSync(path);
 * ```
 */
export class OutputFile implements Disposable {
  /** The descriptor that is written to. */
  readonly fd: number;
  /**
   * Whether nobody sees it until it is complete. A pipe or a terminal shows
   * what is written as it comes.
   */
  readonly atomic: boolean;
  readonly #path: string;
  /** The file to replace, and what is written for it; else written through. */
  readonly #replaced: string | undefined;
  readonly #temporary: string = "";
  readonly #fix: string;
  #done = false;

  /**
   * @throws {XftraceError} when the file cannot be written.
   */
  constructor(path: string, options: OutputOptions = {}) {
    const { mode = 0o600, option = "-o" } = options;
    this.#path = path;
    this.#fix = `choose another place with ${option}`;
    try {
      this.#replaced = placeOf(path);
      this.atomic = this.#replaced !== undefined;
      if (this.#replaced === undefined) {
        this.fd = openThrough(path);
      } else {
        this.#temporary = temporaryName(this.#replaced);
        this.fd = createHostFile(this.#temporary, 0, mode);
      }
    } catch (error) {
      throw unwritable(path, error, this.#fix);
    }
  }

  /**
   * Appends bytes.
   *
   * @throws {XftraceError} when the disk is full, or a pipe's reader has ended.
   */
  write(bytes: Uint8Array): void {
    try {
      writeWhole(this.fd, bytes);
    } catch (error) {
      throw unwritable(this.#path, error, this.#fix);
    }
  }

  /**
   * Gives the complete file its name.
   *
   * @throws {XftraceError} when that fails, for example because it is a
   * folder's.
   */
  commit(): void {
    this.#end();
    if (this.#replaced === undefined) return;
    try {
      renameSync(this.#temporary, this.#replaced);
    } catch (error) {
      rmSync(this.#temporary, { force: true });
      throw unwritable(this.#path, error, this.#fix);
    }
  }

  /** Removes what was written, unless it was committed. */
  [Symbol.dispose](): void {
    if (this.#done) return;
    this.#end();
    if (this.#replaced !== undefined) rmSync(this.#temporary, { force: true });
  }

  #end(): void {
    closeSync(this.fd);
    this.#done = true;
  }
}

/**
 * Writes a whole result, see {@linkcode OutputFile}.
 *
 * @throws {XftraceError} when the file cannot be written.
 *
 * @example
 * ```ts
 * import { writeOutput } from "xftrace/output";
 *
 * const path = await Deno.makeTempFile();
 * writeOutput(path, "done\n");
 * Deno.removeSync(path);
 * ```
 */
export function writeOutput(
  path: string,
  content: string | Uint8Array,
  options: OutputOptions = {},
): void {
  using file = new OutputFile(path, options);
  file.write(
    typeof content === "string" ? new TextEncoder().encode(content) : content,
  );
  file.commit();
}

/** Opens a pipe, terminal or device; a FIFO without waiting for a reader. */
function openThrough(path: string): number {
  const { O_WRONLY, O_APPEND, O_NONBLOCK, O_NOCTTY } = constants;
  if (!statSync(path).isFIFO()) {
    return openSync(path, O_WRONLY | O_APPEND | O_NOCTTY);
  }
  const probe = openSync(path, O_WRONLY | O_NONBLOCK);
  try {
    // Once more, so that writing waits for the reader, who is there.
    requireOwnOutput(path, fstatSync(probe), "a FIFO");
    return openSync(`/proc/self/fd/${probe}`, O_WRONLY);
  } finally {
    closeSync(probe);
  }
}
