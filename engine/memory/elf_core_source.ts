/**
 * The bytes of a core file: held in memory when the file is small or
 * compressed, otherwise read in pieces on demand. Needs read permission only.
 *
 * @module
 */

import { closeSync, readSync, statSync } from "node:fs";
import { allocateBytes } from "../base/allocate.ts";
import { XftraceError } from "../base/errors.ts";
import { fileError } from "../base/file_error.ts";
import { openHostFile } from "../base/host_file/open.ts";
import {
  packingOf,
  spareMemory,
  unpackCore,
  unpackedLimit,
} from "./elf_core_unpack.ts";

/** Random access to the bytes of a core, decompressed. */
export interface ByteSource extends Disposable {
  /** Total number of bytes. */
  readonly size: number;
  /** All bytes, if they are in memory. */
  readonly bytes: Uint8Array | undefined;
  /**
   * Fills `into` with the bytes at `offset`.
   *
   * @throws {XftraceError} when the file ends before that.
   */
  readAt(offset: number, into: Uint8Array): void;
}

/** Options for opening a core file. */
export interface SourceOptions {
  /**
   * Files of up to this many bytes are read into memory whole; default 256 MiB.
   */
  readonly inMemory?: number;
  /**
   * The most bytes a compressed file may decompress to; default: see
   * {@linkcode unpackedLimit}. A larger one must first be decompressed on disk.
   */
  readonly decompressed?: number;
  /** Bytes of memory to spare; default: those of this host. */
  readonly spare?: number;
}

const MIB = 1024 * 1024;
const CHUNK = 64 * 1024;
const CACHED_CHUNKS = 512;

/** A source over bytes that are in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    bytes,
    readAt(offset, into) {
      if (offset + into.length > bytes.length) throw endsEarly("the core");
      into.set(bytes.subarray(offset, offset + into.length));
    },
    [Symbol.dispose]() {},
  };
}

/**
 * Opens a core file that is plain or compressed with zstd or gzip.
 *
 * @throws {XftraceError} one sentence: no such file, a folder, no permission,
 * an empty file, a compressed file that is cut short or damaged, or one that is
 * too large once decompressed.
 */
export function openSource(
  path: string,
  options: SourceOptions = {},
): ByteSource {
  const stat = attempt(path, () => statSync(path));
  if (!stat.isFile()) {
    throw new XftraceError(
      `${path} is ${
        stat.isDirectory() ? "a folder" : "no regular file"
      }; give the path of an ELF core or a snapshot`,
    );
  }
  const { fd, size } = openHostFile(path);
  let keep = false;
  try {
    if (size === 0) {
      throw new XftraceError(
        `${path} is empty; the dump was not written, make it again`,
      );
    }
    const head = new Uint8Array(4);
    attempt(path, () => readSync(fd, head, 0, 4, 0));
    const packing = packingOf(head);
    if (packing !== undefined) {
      const limit = options.decompressed ??
        unpackedLimit(size, options.spare ?? spareMemory());
      const read = () => readWhole(path, fd, size, limit + MIB);
      return bytesSource(unpackCore(path, packing, read, size, limit));
    }
    const inMemory = options.inMemory ?? 256 * MIB;
    if (size <= inMemory) {
      return bytesSource(readWhole(path, fd, size, inMemory));
    }
    keep = true;
    return fileSource(path, fd, size);
  } finally {
    if (!keep) closeSync(fd);
  }
}

/** All bytes of an open file, as many as it had when it was opened. */
function readWhole(
  path: string,
  fd: number,
  size: number,
  most: number,
): Uint8Array {
  const bytes = allocateBytes(size, most, path, {
    error: (message) => new XftraceError(message),
  });
  for (let done = 0; done < size;) {
    const got = attempt(
      path,
      () => readSync(fd, bytes, done, size - done, done),
    );
    if (got === 0) throw endsEarly(path);
    done += got;
  }
  return bytes;
}

/** A source that reads on demand, through a cache of recent chunks. */
function fileSource(path: string, fd: number, size: number): ByteSource {
  const cache = new Map<number, Uint8Array>();
  const fill = (offset: number, into: Uint8Array) => {
    for (let done = 0; done < into.length;) {
      const got = attempt(
        path,
        () => readSync(fd, into, done, into.length - done, offset + done),
      );
      if (got === 0) throw endsEarly(path);
      done += got;
    }
  };
  const chunk = (index: number): Uint8Array => {
    let bytes = cache.get(index);
    if (bytes === undefined) {
      bytes = allocateBytes(
        Math.min(CHUNK, size - index * CHUNK),
        CHUNK,
        path,
      );
      fill(index * CHUNK, bytes);
      if (cache.size >= CACHED_CHUNKS) {
        for (const oldest of cache.keys()) {
          cache.delete(oldest);
          break;
        }
      }
      cache.set(index, bytes);
    }
    return bytes;
  };
  return {
    size,
    bytes: undefined,
    readAt(offset, into) {
      if (offset + into.length > size) throw endsEarly(path);
      if (into.length >= CHUNK) return fill(offset, into);
      for (let done = 0; done < into.length;) {
        const at = offset + done;
        const index = Math.floor(at / CHUNK);
        const bytes = chunk(index);
        const from = at - index * CHUNK;
        const part = Math.min(bytes.length - from, into.length - done);
        into.set(bytes.subarray(from, from + part), done);
        done += part;
      }
    },
    [Symbol.dispose]() {
      cache.clear();
      closeSync(fd);
    },
  };
}

function endsEarly(path: string): XftraceError {
  return new XftraceError(
    `${path} ends before the bytes its headers promise; copy it again`,
  );
}

/** Runs a file operation and turns its failure into one clear sentence. */
function attempt<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof XftraceError) throw error;
    throw fileError(path, error);
  }
}
