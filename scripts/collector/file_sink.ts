/**
 * A file that appears complete or not at all.
 *
 * @module
 */
import { XftraceError } from "xftrace";
import { textBytes } from "xftrace/output";

/** Writes to a temporary file, which gets its name once it is complete. */
export class FileSink implements Disposable {
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: Deno.FsFile;
  #done = false;

  /** @throws {XftraceError} when the file cannot be written. */
  constructor(path: string) {
    this.#path = path;
    this.#temporary = `${path}.${Deno.pid}.part`;
    try {
      this.#file = Deno.openSync(this.#temporary, {
        write: true,
        create: true,
        truncate: true,
        mode: 0o600,
      });
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }

  /**
   * Appends text or bytes. Raw bytes within text are passed on unchanged; see
   * engine/output/text/byte_text.ts.
   */
  write(chunk: string | Uint8Array): void {
    const bytes = typeof chunk === "string" ? textBytes(chunk) : chunk;
    let at = 0;
    while (at < bytes.length) at += this.#file.writeSync(bytes.subarray(at));
  }

  /**
   * Gives the complete file its name.
   *
   * @throws {XftraceError} when that fails, for example because it is a
   * folder's.
   */
  commit(): void {
    this.#file.close();
    this.#done = true;
    try {
      Deno.renameSync(this.#temporary, this.#path);
    } catch (error) {
      Deno.removeSync(this.#temporary);
      throw cannotWrite(this.#path, error);
    }
  }

  /** Removes the temporary file, unless it was committed. */
  [Symbol.dispose](): void {
    if (this.#done) return;
    this.#done = true;
    this.#file.close();
    Deno.removeSync(this.#temporary);
  }
}

function cannotWrite(path: string, error: unknown): XftraceError {
  return new XftraceError(
    `cannot write ${path}: ${
      error instanceof Error ? error.message : error
    }; choose another place with -o`,
    { cause: error },
  );
}
