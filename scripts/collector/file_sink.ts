/**
 * A file for text and bytes that appears complete or not at all.
 *
 * @module
 */
import { OutputFile, textBytes } from "xftrace/output";

/** Bytes that are written at once. */
const BLOCK = 1 << 18;
/** Text of at most so many characters is encoded in place: 3 bytes for each. */
const PIECE = BLOCK / 3;
/** A half of a surrogate pair: see engine/output/text/byte_text.ts. */
const ESCAPED = /[\udc80-\udcff]/u;
const ENCODER = new TextEncoder();

/**
 * An {@linkcode OutputFile} that takes text as well. What is written is gathered
 * in one block of memory, which is used again and again: new memory for each
 * piece would not be free before the next collection of garbage.
 */
export class FileSink implements Disposable {
  readonly #file: OutputFile;
  readonly #block = new Uint8Array(BLOCK);
  #used = 0;

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
    if (typeof chunk === "string") this.#text(chunk);
    else this.#bytes(chunk);
    // Somebody may be reading at the other end of a pipe.
    if (!this.#file.atomic) this.#flush();
  }

  /**
   * Gives the complete file its name.
   *
   * @throws {XftraceError} when that fails, for example because it is a
   * folder's.
   */
  commit(): void {
    this.#flush();
    this.#file.commit();
  }

  /** Removes what was written, unless it was committed. */
  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }

  #text(text: string): void {
    if (text.length > PIECE || ESCAPED.test(text)) {
      this.#bytes(textBytes(text));
      return;
    }
    if (3 * text.length > BLOCK - this.#used) this.#flush();
    this.#used +=
      ENCODER.encodeInto(text, this.#block.subarray(this.#used)).written;
  }

  #bytes(bytes: Uint8Array): void {
    if (bytes.length > BLOCK - this.#used) this.#flush();
    if (bytes.length > BLOCK) {
      this.#file.write(bytes);
      return;
    }
    this.#block.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #flush(): void {
    this.#file.write(this.#block.subarray(0, this.#used));
    this.#used = 0;
  }
}
