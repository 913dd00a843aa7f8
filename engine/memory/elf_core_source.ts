/**
 * The bytes of a core file: held in memory when the file is small or
 * compressed, otherwise read in pieces on demand. Needs read permission only.
 *
 * @module
 */

import { closeSync, readSync, statSync } from "node:fs";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { XftraceError } from "../base/errors.ts";
import { codeOf, fileError } from "../base/file_error.ts";
import { openHostFile } from "../base/host_file/open.ts";
import { isZstd, zstdFrames } from "./elf_core_zstd.ts";

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
   * The most bytes a compressed file may decompress to; default: 256 MiB, or 64
   * times its size if that is more, but at most 8 GiB. A larger one must first
   * be decompressed on disk.
   */
  readonly decompressed?: number;
}

const MIB = 1024 * 1024;
/** See {@linkcode SourceOptions.decompressed}. */
const DECOMPRESSED = { least: 256 * MIB, times: 64, most: 8192 * MIB };
/** More zstd frames than a file is compressed to. */
const MOST_FRAMES = 1 << 16;
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
    const gzip = head[0] === 0x1f && head[1] === 0x8b;
    if (gzip || isZstd(head)) {
      const packed = readWhole(path, fd, size);
      const { least, times, most } = DECOMPRESSED;
      const limit = options.decompressed ??
        Math.min(most, Math.max(least, times * packed.length));
      return bytesSource(
        gzip ? gunzip(path, packed, limit) : unzstd(path, packed, limit),
      );
    }
    if (size <= (options.inMemory ?? 256 * MIB)) {
      return bytesSource(readWhole(path, fd, size));
    }
    keep = true;
    return fileSource(path, fd, size);
  } finally {
    if (!keep) closeSync(fd);
  }
}

/** All bytes of an open file, as many as it had when it was opened. */
function readWhole(path: string, fd: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
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
      bytes = new Uint8Array(Math.min(CHUNK, size - index * CHUNK));
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

function unzstd(path: string, packed: Uint8Array, limit: number): Uint8Array {
  const { frames, fault } = zstdFrames(packed);
  if (fault === "cut short") throw cutShort(path);
  if (fault === "damaged" || frames.length > MOST_FRAMES) throw damaged(path);
  const parts: Uint8Array[] = [];
  let total = 0;
  for (const { start, end } of frames) {
    const part = decompress(
      path,
      limit - total,
      (maxOutputLength) =>
        zstdDecompressSync(packed.subarray(start, end), { maxOutputLength }),
    );
    parts.push(part);
    total += part.length;
  }
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function gunzip(path: string, packed: Uint8Array, limit: number): Uint8Array {
  return decompress(
    path,
    limit,
    (maxOutputLength) => gunzipSync(packed, { maxOutputLength }),
  );
}

function decompress(
  path: string,
  limit: number,
  run: (limit: number) => Uint8Array,
): Uint8Array {
  try {
    const bytes = run(Math.max(1, limit));
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ERR_BUFFER_TOO_LARGE") {
      throw new XftraceError(
        `${path} is too large to decompress in memory; decompress it first ` +
          `(zstd -d or gunzip) and give the result`,
      );
    }
    if (code === "Z_BUF_ERROR") throw cutShort(path);
    throw damaged(path);
  }
}

function cutShort(path: string): XftraceError {
  return new XftraceError(
    `${path} is cut short: its compressed data ends too early; copy it again`,
  );
}

function damaged(path: string): XftraceError {
  return new XftraceError(
    `${path} is damaged: its compressed data cannot be read; copy it again`,
  );
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
