/**
 * Files in makedumpfile's flattened form, which can be written to a pipe: pieces
 * of another file, each with its place there (big-endian), in the order in which
 * they were written. QEMU writes its compressed dumps so as well, unless they are
 * asked for as `kdump-raw-...`. The heads of all pieces are read once; the pieces
 * only when they are asked for.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import { shellWord } from "../../base/shell_word.ts";
import { type CorePart, disjointParts } from "../elf_core_parts.ts";
import { findRange } from "../elf_core_ranges.ts";
import type { ByteSource } from "../elf_core_source.ts";

/** The first bytes of a file in flattened form. */
export const FLATTENED_MAGIC = "makedumpfile\0";

/** Where the first piece begins (MAX_SIZE_MDF_HEADER). */
const FIRST = 4096;
/** Bytes of a piece's head: its offset in the other file, and its size. */
const HEAD = 16;
/** More pieces than a file of 16 GiB has; QEMU's have 16 KiB. */
const MOST_PIECES = 1 << 21;

/**
 * The file that a file in flattened form describes. Where pieces overlap, the
 * one that was written last counts: makedumpfile writes its header twice.
 *
 * @param source is closed together with the result
 * @throws {XftraceError} one sentence: another version, a file cut short, pieces
 * that cannot be.
 */
export function flattenedSource(path: string, source: ByteSource): ByteSource {
  const cutShort = () =>
    new XftraceError(
      `${path} is cut short: its last piece, or the mark behind it, is missing; dump or copy it again`,
    );
  if (source.size < FIRST + HEAD) throw cutShort();
  const head = new DataView(new ArrayBuffer(HEAD));
  const pair = (at: number): [bigint, bigint] => {
    source.readAt(at, new Uint8Array(head.buffer));
    return [head.getBigInt64(0, false), head.getBigInt64(8, false)];
  };
  const [type, version] = pair(16);
  if (type !== 1n || version !== 1n) {
    throw new XftraceError(
      `${path} is flattened in a form of type ${type} and version ${version}, and only type 1, version 1 is known; rearrange it with makedumpfile -R ${
        shellWord(`${path}.core`)
      } < ${shellWord(path)}, and give the result`,
    );
  }
  const pieces: { paddr: number; offset: number; fileSize: number }[] = [];
  for (let at = FIRST;;) {
    if (at + HEAD > source.size) throw cutShort();
    const [offset, size] = pair(at);
    if (offset === -1n && size === -1n) break;
    if (offset < 0n || size <= 0n || offset + size > 2n ** 52n) {
      throw new XftraceError(
        `${path} is damaged: the piece at its byte ${at} claims ${size} bytes for offset ${offset}; copy it again`,
      );
    }
    at += HEAD;
    if (size > BigInt(source.size - at)) throw cutShort();
    if (pieces.length === MOST_PIECES) {
      throw new XftraceError(
        `${path} is flattened into more than ${
          MOST_PIECES.toLocaleString("en-US")
        } pieces; rearrange it with makedumpfile -R ${
          shellWord(`${path}.core`)
        } < ${shellWord(path)}, and give the result`,
      );
    }
    pieces.push({
      paddr: Number(offset),
      offset: at,
      fileSize: Number(size),
    });
    at += Number(size);
  }
  return new FlattenedSource(path, source, disjointParts(pieces.reverse()));
}

/** Parts of a file, at their places in another one. */
class FlattenedSource implements ByteSource {
  readonly size: number;
  readonly bytes = undefined;
  readonly #path: string;
  readonly #source: ByteSource;
  readonly #parts: readonly CorePart[];
  #last = 0;

  constructor(path: string, source: ByteSource, parts: readonly CorePart[]) {
    this.#path = path;
    this.#source = source;
    this.#parts = parts;
    this.size = parts.at(-1)?.end ?? 0;
  }

  readAt(offset: number, into: Uint8Array): void {
    for (let done = 0; done < into.length;) {
      const at = offset + done;
      const part = this.#partAt(at);
      const length = Math.min(into.length - done, part.end - at);
      this.#source.readAt(
        part.offset + at - part.start,
        into.subarray(done, done + length),
      );
      done += length;
    }
  }

  #partAt(at: number): CorePart {
    const last = this.#parts[this.#last];
    if (last !== undefined && at >= last.start && at < last.end) return last;
    const index = findRange(this.#parts, at);
    if (index < 0) {
      throw new XftraceError(
        `${this.#path} is damaged: no piece of it holds byte ${at} of the dump; copy it again`,
      );
    }
    this.#last = index;
    return this.#parts[index];
  }

  [Symbol.dispose](): void {
    this.#source[Symbol.dispose]();
  }
}
