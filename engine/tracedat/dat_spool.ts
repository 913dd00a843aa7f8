/**
 * Pages of several CPUs, in the order in which they become full, until the file
 * is written in which each CPU's are together. They are kept in a file that has
 * no name, so that memory stays flat.
 *
 * @module
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import { writeWhole } from "../base/host_file/create.ts";

/** Pages of a CPU that are kept, and packed, together. */
const CHUNK_PAGES = 64;
/** zstd's own default is 3; 1 takes half the time. */
const LEVEL = 1;

/** A piece of a CPU's data. */
interface Piece {
  readonly at: number;
  /** Bytes as they are kept, and after unpacking. */
  readonly bytes: number;
  readonly unpacked: number;
}

/** Pages of CPUs. */
export class DatSpool implements Disposable {
  readonly #pageSize: number;
  readonly #packed: boolean;
  readonly #fd: number;
  #size = 0;
  readonly #pieces = new Map<string, Piece[]>();
  readonly #chunks = new Map<
    string,
    { bytes: Uint8Array<ArrayBuffer>; used: number }
  >();

  /** @param packed whether pages are packed in chunks */
  constructor(pageSize: number, packed: boolean) {
    this.#pageSize = pageSize;
    this.#packed = packed;
    const folder = mkdtempSync(join(tmpdir(), "xftrace-pages-"));
    try {
      this.#fd = openSync(join(folder, "pages"), "wx+", 0o600);
    } finally {
      // From now on the file is gone when it is closed, whatever happens.
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Adds a page of a CPU. */
  add(cpu: string, page: Uint8Array<ArrayBuffer>): void {
    let chunk = this.#chunks.get(cpu);
    if (chunk === undefined) {
      chunk = {
        bytes: new Uint8Array(this.#pageSize * CHUNK_PAGES),
        used: 0,
      };
      this.#chunks.set(cpu, chunk);
    }
    chunk.bytes.set(page, chunk.used);
    chunk.used += page.length;
    if (chunk.used === chunk.bytes.length) this.#pack(cpu);
  }

  /** Keeps what is left. */
  end(): void {
    for (const cpu of this.#chunks.keys()) this.#pack(cpu);
  }

  /** Bytes of a CPU as they are written, with the headers of chunks. */
  size(cpu: string): number {
    const pieces = this.#pieces.get(cpu) ?? [];
    if (pieces.length === 0) return 0;
    return pieces.reduce(
      (sum, { bytes }) => sum + bytes + (this.#packed ? 8 : 0),
      this.#packed ? 4 : 0,
    );
  }

  /** The bytes of a CPU as they are written; the same memory is used again. */
  *data(cpu: string, little: boolean): Generator<Uint8Array<ArrayBuffer>> {
    const pieces = this.#pieces.get(cpu) ?? [];
    if (pieces.length === 0) return;
    if (this.#packed) yield words(little, pieces.length);
    const room = new Uint8Array(
      pieces.reduce((most, { bytes }) => Math.max(most, bytes), 0),
    );
    for (const { at, bytes, unpacked } of pieces) {
      if (this.#packed) yield words(little, bytes, unpacked);
      let done = 0;
      while (done < bytes) {
        const n = readSync(this.#fd, room, done, bytes - done, at + done);
        if (n === 0) {
          throw new Error("the file of pages is shorter than it was");
        }
        done += n;
      }
      yield room.subarray(0, bytes);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #pack(cpu: string): void {
    const chunk = this.#chunks.get(cpu);
    if (chunk === undefined || chunk.used === 0) return;
    const pages = chunk.bytes.subarray(0, chunk.used);
    this.#keep(
      cpu,
      this.#packed
        ? new Uint8Array(zstdCompressSync(pages, {
          params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
        }))
        : pages,
      chunk.used,
    );
    chunk.used = 0;
  }

  #keep(
    cpu: string,
    bytes: Uint8Array<ArrayBuffer>,
    unpacked: number,
  ): void {
    writeWhole(this.#fd, bytes);
    const pieces = this.#pieces.get(cpu) ?? [];
    this.#pieces.set(cpu, pieces);
    pieces.push({ at: this.#size, bytes: bytes.length, unpacked });
    this.#size += bytes.length;
  }
}

function words(little: boolean, ...values: number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(4 * i, value, little));
  return bytes;
}
