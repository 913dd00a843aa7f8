/**
 * A file for text and bytes that appears complete or not at all.
 *
 * @module
 */
import { readSync } from "node:fs";
import { basename } from "node:path";
import { HostWriteError } from "xftrace";
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
  #file: OutputFile;
  readonly #block = new Uint8Array(BLOCK);
  #used = 0;
  #committed = false;
  /** Bytes that are in the file. */
  #written = 0;
  #path: string;
  #failed: HostWriteError | undefined;
  readonly #rescue: boolean;

  /**
   * @param rescue when there is no room for more, to go on among temporary
   * files with a copy: what is written cannot be had again
   * @throws {XftraceError} when the file cannot be written.
   */
  constructor(
    path: string,
    { rescue = false }: { readonly rescue?: boolean } = {},
  ) {
    this.#path = path;
    this.#rescue = rescue;
    this.#file = new OutputFile(path);
  }

  /** Where it is when it is complete. */
  get path(): string {
    return this.#path;
  }

  /** Why it is not where it was to be, but at {@linkcode path}. */
  get failed(): HostWriteError | undefined {
    return this.#failed;
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
    this.#committed = true;
  }

  /** Removes what was written, unless it was committed. */
  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
    if (this.#failed !== undefined && !this.#committed) {
      Deno.removeSync(this.#path);
    }
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
      this.#append(bytes);
      return;
    }
    this.#block.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  #flush(): void {
    this.#append(this.#block.subarray(0, this.#used));
    this.#used = 0;
  }

  #append(bytes: Uint8Array): void {
    try {
      this.#file.write(bytes);
    } catch (error) {
      const { atomic } = this.#file;
      const can = this.#rescue && atomic && this.#failed === undefined;
      if (!(can && error instanceof HostWriteError)) throw error;
      this.#move(error);
      this.#file.write(bytes);
    }
    this.#written += bytes.length;
  }

  /** Goes on with a copy among temporary files. */
  #move(error: HostWriteError): void {
    const before = this.#file;
    // Its ending says what it is.
    const path = Deno.makeTempFileSync({
      prefix: "xftrace-",
      suffix: `-${basename(this.#path)}`,
    });
    const after = new OutputFile(path);
    try {
      const piece = new Uint8Array(BLOCK);
      for (let at = 0; at < this.#written;) {
        const most = Math.min(BLOCK, this.#written - at);
        const got = readSync(before.fd, piece, 0, most, at);
        if (got === 0) throw error;
        after.write(piece.subarray(0, got));
        at += got;
      }
    } catch {
      // There is no room there either: the place that was named matters.
      after[Symbol.dispose]();
      Deno.removeSync(path);
      throw error;
    }
    before[Symbol.dispose]();
    this.#file = after;
    this.#path = path;
    this.#failed = error;
  }
}
