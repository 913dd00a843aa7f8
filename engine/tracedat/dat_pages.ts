/**
 * The pages of one CPU in a trace.dat, one after the other: as they are in the
 * file, or packed in chunks.
 *
 * @module
 */
import { DatCursor, datError, type DatSource } from "./dat_file.ts";
import type { DatBuffer, DatCpu, DatHeader } from "./dat_parts.ts";
import { unpackSection } from "./dat_unpack.ts";

/** Bytes of a chunk after unpacking. */
const MOST_CHUNK = 64 << 20;
/** Bytes that are read at once from a file that is not packed. */
const STEP = 1 << 18;

/** A page and where it is in the file. */
export interface DatPage {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of a packed page: where its chunk is. */
  readonly place: number;
}

/**
 * The pages in order. A page may be shorter than others if it is the last.
 *
 * @throws {XftraceError} when chunks are damaged.
 */
export function* datPages(
  source: DatSource,
  header: Pick<DatHeader, "little" | "packing">,
  buffer: DatBuffer,
  { cpu, offset, size }: DatCpu,
): Generator<DatPage> {
  if (size === 0) return;
  const { pageSize } = buffer;
  const pieces = buffer.packed
    ? chunks(source, header, offset, cpu)
    : plain(source, offset, size, pageSize);
  for (const { bytes, place } of pieces) {
    for (let at = 0; at < bytes.length; at += pageSize) {
      const page = bytes.subarray(at, at + pageSize);
      yield { bytes: page, place: buffer.packed ? place : place + at };
    }
  }
}

function* plain(
  source: DatSource,
  offset: number,
  size: number,
  pageSize: number,
): Generator<DatPage> {
  const step = Math.max(pageSize, STEP - STEP % pageSize);
  for (let at = 0; at < size; at += step) {
    const place = offset + at;
    const bytes = source.read(place, Math.min(step, size - at));
    yield { bytes, place };
  }
}

function* chunks(
  source: DatSource,
  { little, packing }: Pick<DatHeader, "little" | "packing">,
  offset: number,
  cpu: number,
): Generator<DatPage> {
  // The size of the CPU's data does not count the headers of the chunks.
  const cursor = new DatCursor(source, little, offset);
  const what = `a chunk of CPU ${cpu}`;
  const count = cursor.number(4, `the number of chunks of CPU ${cpu}`);
  for (let i = 0; i < count; i++) {
    const place = cursor.at;
    const from = cursor.number(4, `the packed size of ${what}`);
    const to = cursor.number(4, `the size of ${what}`);
    if (to > MOST_CHUNK) {
      throw datError(
        source.path,
        place,
        `${what} claims to have ${to} bytes, and ${MOST_CHUNK} are the most that make sense`,
      );
    }
    const packed = cursor.bytes(from, MOST_CHUNK, what);
    const bytes = unpackSection(packing, packed, to, {
      path: source.path,
      at: place,
      what,
    });
    yield { bytes, place };
  }
}
