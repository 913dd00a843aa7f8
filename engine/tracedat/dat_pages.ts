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
 * The pages in order. A page may be shorter than others if it is the last. Its
 * bytes are valid until the next one is asked for: the same memory is used for
 * all pages of a CPU. New memory for each chunk would be in use for so long that
 * it is free again only when all garbage is collected.
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
  const room = new Uint8Array(Math.min(step, size));
  for (let at = 0; at < size; at += step) {
    const place = offset + at;
    const bytes = room.subarray(0, Math.min(step, size - at));
    source.readInto(place, bytes);
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
  let room = new Uint8Array(0);
  // What is unpacked must not be held by the generator while it waits.
  const unpack = (place: number, from: number, to: number) => {
    const packed = cursor.bytes(from, MOST_CHUNK, what);
    const bytes = unpackSection(packing, packed, to, {
      path: source.path,
      at: place,
      what,
    });
    if (room.length < to) room = new Uint8Array(to);
    room.set(bytes);
  };
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
    unpack(place, from, to);
    yield { bytes: room.subarray(0, to), place };
  }
}
