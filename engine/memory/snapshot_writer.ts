/**
 * Writes snapshots: streamed, compressed according to the file name's ending,
 * and put in place by a rename, so that a file of that name is always complete.
 *
 * @module
 */

import { allocateBytes } from "../base/allocate.ts";
import { fstatSync } from "node:fs";
import { Readable, Writable } from "node:stream";
import type { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGzip, createZstdCompress } from "node:zlib";
import { OutputFile } from "../base/host_file/output.ts";
import { unwritable } from "../base/host_file/write_error.ts";
import { GRANULE, totalBytes } from "./elf_core_ranges.ts";
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
      const chunk = allocateBytes(Math.min(CHUNK, end - gpa), CHUNK, "a chunk");
      content.memory.read(gpa, chunk);
      yield chunk;
    }
  }
}

/**
 * Writes a snapshot to `path`: compressed with zstd when it ends in `.zst`,
 * with gzip when in `.gz`, else as it is. The file is readable by its owner
 * alone, since it may hold the guest's secrets. An existing file at `path` is
 * replaced at the end, or left alone when writing fails; see `OutputFile` for
 * links and pipes.
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
  using file = new OutputFile(path);
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
    const target = writerOf(file);
    const compress = compressor(path, options.level ?? 3);
    if (compress === undefined) await pipeline(source, target);
    else await pipeline(source, compress, target);
    const { size } = fstatSync(file.fd);
    file.commit();
    return {
      path,
      pages: totalBytes(layout.data) / GRANULE,
      segments: layout.segments,
      coreBytes: layout.size,
      fileBytes: size,
    };
  } catch (error) {
    throw unwritable(path, error, "choose another place with -o");
  }
}

/** A stream whose bytes go to the file; it stays open. */
function writerOf(file: OutputFile): Writable {
  return new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      try {
        file.write(chunk);
        done();
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
      }
    },
  });
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
