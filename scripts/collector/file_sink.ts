/**
 * A file for text and bytes that appears complete or not at all.
 *
 * @module
 */
import { OutputFile, textBytes } from "xftrace/output";

/** An {@linkcode OutputFile} that takes text as well. */
export class FileSink implements Disposable {
  readonly #file: OutputFile;

  /** @throws {XftraceError} when the file cannot be written. */
  constructor(path: string) {
    this.#file = new OutputFile(path);
  }

  /**
   * Appends text or bytes. Raw bytes within text are passed on unchanged; see
   * engine/output/text/byte_text.ts.
   *
   * @throws {XftraceError} when it cannot be written.
   */
  write(chunk: string | Uint8Array): void {
    this.#file.write(typeof chunk === "string" ? textBytes(chunk) : chunk);
  }

  /**
   * Gives the complete file its name.
   *
   * @throws {XftraceError} when that fails, for example because it is a
   * folder's.
   */
  commit(): void {
    this.#file.commit();
  }

  /** Removes what was written, unless it was committed. */
  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}
