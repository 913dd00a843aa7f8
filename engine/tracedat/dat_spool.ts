/**
 * Pages of several CPUs, in the order in which they become full, until the file
 * is written in which each CPU's are together. They are kept in a file that has
 * no name, so that memory stays flat.
 *
 * @module
 */
import { constants, zstdCompressSync } from "node:zlib";
import { UnnamedFile } from "../base/host_file/unnamed_file.ts";

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
  readonly #file = new UnnamedFile();
  readonly #pieces = new Map<string, Piece[]>();
  readonly #chunks = new Map<
    string,
    { bytes: Uint8Array<ArrayBuffer>; used: number }
  >();

  /** @param packed whether pages are packed in chunks */
  constructor(pageSize: number, packed: boolean) {
    this.#pageSize = pageSize;
    this.#packed = packed;
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
      const piece = room.subarray(0, bytes);
      this.#file.read(at, piece);
      yield piece;
    }
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
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
    const at = this.#file.size;
    this.#file.append(bytes);
    const pieces = this.#pieces.get(cpu) ?? [];
    this.#pieces.set(cpu, pieces);
    pieces.push({ at, bytes: bytes.length, unpacked });
  }
}

function words(little: boolean, ...values: number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(4 * i, value, little));
  return bytes;
}
