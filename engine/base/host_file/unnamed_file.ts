/**
 * A file without a name, for what does not fit into memory until it is written:
 * it is gone when it is closed, whatever happens.
 *
 * @module
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeWhole } from "./create.ts";
import { unwritable } from "./write_error.ts";

const FIX = "set TMPDIR to another folder";

/** Bytes on disk, in the folder for temporary files. */
export class UnnamedFile implements Disposable {
  /** Bytes that it has. */
  size = 0;
  readonly #folder: string;
  readonly #fd: number;

  /** @throws {XftraceError} when no file can be created. */
  constructor() {
    this.#folder = tmpdir();
    try {
      const folder = mkdtempSync(join(this.#folder, "xftrace-"));
      try {
        this.#fd = openSync(join(folder, "kept"), "wx+", 0o600);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    } catch (error) {
      throw unwritable(this.#folder, error, FIX);
    }
  }

  /**
   * Appends bytes.
   *
   * @throws {XftraceError} when the disk is full.
   */
  append(bytes: Uint8Array): void {
    try {
      writeWhole(this.#fd, bytes);
    } catch (error) {
      throw unwritable(this.#folder, error, FIX);
    }
    this.size += bytes.length;
  }

  /** Fills memory with the bytes from a place on, all of which were appended. */
  read(at: number, into: Uint8Array): void {
    let done = 0;
    while (done < into.length) {
      const n = readSync(this.#fd, into, done, into.length - done, at + done);
      if (n === 0) throw new Error("the temporary file is shorter than it was");
      done += n;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
