/**
 * Writes snapshots: streamed, compressed according to the file name's ending,
 * and put in place by a rename, so that a file of that name is always complete.
 *
 * @module
 */

import { createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Readable } from "node:stream";
import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGzip, createZstdCompress } from "node:zlib";
import { XftraceError } from "../base/errors.ts";
import { GRANULE, totalBytes } from "./elf_core_ranges.ts";
import { fileError } from "../base/file_error.ts";
import { layoutSnapshot } from "./snapshot_layout.ts";
import type { SnapshotContent, SnapshotLayout } from "./snapshot_layout.ts";

/** Options for writing a snapshot. */
export interface SnapshotOptions {
  /** zstd level, 1 to 19; default 3. */
  readonly level?: number;
  /**
   * Called as pages are written, with the bytes done and the total,
   * uncompressed.
   */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What was written. */
export interface SnapshotSummary {
  readonly path: string;
  /** Number of pages with data. */
  readonly pages: number;
  /** Number of PT_LOAD segments. */
  readonly segments: number;
  /** Size of the core in bytes, uncompressed. */
  readonly coreBytes: number;
  /** Size of the file in bytes. */
  readonly fileBytes: number;
}

/** Bytes of guest memory read at a time. */
const CHUNK = 1 << 20;

/**
 * The core's bytes, in order, uncompressed.
 *
 * @throws {MemoryError} when a page cannot be read.
 */
export function* snapshotChunks(
  content: SnapshotContent,
  layout: SnapshotLayout = layoutSnapshot(content),
): Generator<Uint8Array<ArrayBuffer>> {
  yield layout.header;
  for (const { start, end } of layout.data) {
    for (let gpa = start; gpa < end; gpa += CHUNK) {
      const chunk = new Uint8Array(Math.min(CHUNK, end - gpa));
      content.memory.read(gpa, chunk);
      yield chunk;
    }
  }
}

/**
 * Writes a snapshot to `path`: compressed with zstd when it ends in `.zst`,
 * with gzip when in `.gz`, else as it is. The file is readable by its owner
 * alone, since it may hold the guest's secrets. An existing file at `path` is
 * replaced at the end, or left alone when writing fails.
 *
 * @throws {XftraceError} when the file cannot be written.
 * @throws {MemoryError} when a page cannot be read.
 */
export async function writeSnapshot(
  path: string,
  content: SnapshotContent,
  options: SnapshotOptions = {},
): Promise<SnapshotSummary> {
  const layout = layoutSnapshot(content);
  const partial = join(
    dirname(path),
    `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.part`,
  );
  const chunks = function* () {
    let done = 0;
    for (const chunk of snapshotChunks(content, layout)) {
      yield chunk;
      done += chunk.length;
      options.onProgress?.(done, layout.size);
    }
  };
  try {
    const source = Readable.from(chunks(), { objectMode: false });
    const target = createWriteStream(partial, { mode: 0o600, flags: "wx" });
    const compress = compressor(path, options.level ?? 3);
    if (compress === undefined) await pipeline(source, target);
    else await pipeline(source, compress, target);
    const { size } = await stat(partial);
    await rename(partial, path);
    return {
      path,
      pages: totalBytes(layout.data) / GRANULE,
      segments: layout.segments,
      coreBytes: layout.size,
      fileBytes: size,
    };
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    if (error instanceof XftraceError) throw error;
    throw writeError(path, error);
  }
}

function compressor(path: string, level: number): Transform | undefined {
  if (path.endsWith(".zst")) {
    return createZstdCompress({
      params: {
        [constants.ZSTD_c_compressionLevel]: level,
        [constants.ZSTD_c_checksumFlag]: 1,
      },
    });
  }
  return path.endsWith(".gz") ? createGzip() : undefined;
}

function writeError(path: string, error: unknown): XftraceError {
  const code = error instanceof Error && "code" in error
    ? error.code
    : undefined;
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new XftraceError(
      `cannot write ${path}: the folder ${dirname(path)} does not exist`,
      { cause: error },
    );
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return new XftraceError(
      `no permission to write ${path}; choose another folder`,
      { cause: error },
    );
  }
  if (code === "ENOSPC") {
    return new XftraceError(
      `cannot write ${path}: the disk is full; free room or choose another`,
      { cause: error },
    );
  }
  if (error instanceof Deno.errors.NotCapable) return fileError(path, error);
  const what = error instanceof Error ? error.message : String(error);
  return new XftraceError(`cannot write ${path}: ${what}`, { cause: error });
}
