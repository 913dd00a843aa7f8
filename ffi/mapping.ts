/**
 * One shared file mapping, seen as a zero-copy `ArrayBuffer`.
 *
 * @module
 */
import { XftraceError } from "../engine/base/errors.ts";
import { FaultGuard } from "./fault_guard.ts";
import { errno, errnoText, libc } from "./libc.ts";
import { FileDescriptor, type FileRange } from "./file_descriptor.ts";
import { requireIdentity } from "./file_identity.ts";

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_NORESERVE = 0x4000;

/**
 * A file mapped with `mmap(MAP_SHARED)`. The whole file is one ArrayBuffer,
 * made once, since each call of getArrayBuffer makes a new backing store.
 */
export class Mapping implements Disposable {
  /** The file's bytes; detached once disposed. */
  readonly buffer: ArrayBuffer;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #pointer: Deno.PointerObject;
  readonly #fd: FileDescriptor;
  readonly #length: number;
  readonly #guard: FaultGuard;
  #open = true;

  private constructor(
    fd: FileDescriptor,
    pointer: Deno.PointerObject,
    length: number,
  ) {
    this.#fd = fd;
    this.#pointer = pointer;
    this.#length = length;
    this.#guard = new FaultGuard(pointer, length);
    this.buffer = Deno.UnsafePointerView.getArrayBuffer(pointer, length);
    this.bytes = new Uint8Array(this.buffer);
  }

  /**
   * Maps `length` bytes of a file from its start (default: all of it).
   *
   * @param options.identity device and inode that the file must have
   * @throws {XftraceError} when it cannot be opened, is empty, cannot be
   * mapped, or is another file.
   */
  static open(
    path: string,
    options: { writable: boolean; length?: number; identity?: string },
  ): Mapping {
    const { writable, length, identity } = options;
    const mapping = Mapping.#map(
      FileDescriptor.open(path, { writable }),
      writable,
      length,
    );
    if (identity === undefined) return mapping;
    try {
      requireIdentity(
        mapping.#fd,
        identity,
        Number(Deno.UnsafePointer.value(mapping.#pointer)),
      );
      return mapping;
    } catch (error) {
      mapping[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Maps the same file again, for writing as well.
   *
   * @throws {XftraceError} as {@linkcode open}.
   */
  reopenWritable(): Mapping {
    return Mapping.#map(this.#fd.reopenWritable(), true, this.#length);
  }

  /** Takes over the descriptor, which is closed with the mapping. */
  static #map(
    fd: FileDescriptor,
    writable: boolean,
    wanted: number | undefined,
  ): Mapping {
    const { path } = fd;
    try {
      const size = fd.size();
      const length = wanted ?? size;
      if (size === 0) {
        throw new XftraceError(
          `${path} is empty: it is not the memory of a guest`,
        );
      }
      if (size < length) {
        throw new XftraceError(
          `${path} is shorter (${size} bytes) than the guest's memory (${length} bytes)`,
        );
      }
      const protection = PROT_READ | (writable ? PROT_WRITE : 0);
      const pointer = libc().mmap(
        null,
        BigInt(length),
        protection,
        MAP_SHARED | MAP_NORESERVE,
        fd.fd,
        0n,
      );
      // MAP_FAILED is (void *)-1.
      if (
        pointer === null ||
        BigInt.asIntN(64, BigInt(Deno.UnsafePointer.value(pointer))) === -1n
      ) {
        throw new XftraceError(`cannot map ${path}: ${errnoText(errno())}`);
      }
      return new Mapping(fd, pointer, length);
    } catch (error) {
      fd[Symbol.dispose]();
      throw error;
    }
  }

  /** Path of the file, for messages. */
  get path(): string {
    return this.#fd.path;
  }

  /**
   * Whether the bytes are lost: a page that is read was cut off the file, or the
   * host had no memory for it. Then all bytes read as zeros.
   */
  get lost(): boolean {
    return this.#guard.hit;
  }

  /**
   * Whether the bytes are the file's, and the file is still as long as what is
   * mapped of it.
   */
  get intact(): boolean {
    return this.#open && !this.lost && this.#fd.size() >= this.#length;
  }

  /** Parts of `[start, end)` (bytes of the file) that are not holes. */
  dataRanges(start: number, end: number): FileRange[] {
    return this.#fd.dataRanges(start, Math.min(end, this.#length));
  }

  /**
   * First occurrence of `needle` in `[start, end)`, in bytes of the file, or
   * -1. Touches all of these bytes: pass data ranges, since reading a hole
   * would allocate it.
   */
  find(needle: Uint8Array<ArrayBuffer>, start: number, end: number): number {
    const base = BigInt(Deno.UnsafePointer.value(this.#pointer));
    const hit = libc().memmem(
      Deno.UnsafePointer.create(base + BigInt(start)),
      BigInt(end - start),
      needle,
      BigInt(needle.length),
    );
    if (hit === null) return -1;
    return Number(BigInt(Deno.UnsafePointer.value(hit)) - base);
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    // A read after munmap would crash the process: detach the buffer first.
    this.buffer.transfer(0);
    this.#guard[Symbol.dispose]();
    libc().munmap(this.#pointer, BigInt(this.#length));
    this.#fd[Symbol.dispose]();
  }
}
