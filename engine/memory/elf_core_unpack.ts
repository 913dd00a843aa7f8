/**
 * Decompresses core files in memory, and no more than there is room for: a few
 * MiB may unpack to many GiB.
 *
 * @module
 */
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { allocateBytes } from "../base/allocate.ts";
import { XftraceError } from "../base/errors.ts";
import { codeOf } from "../base/file_error.ts";
import { shellWord } from "../base/shell_word.ts";
import { isZstd, zstdFrames } from "./elf_core_zstd.ts";

const MIB = 1024 * 1024;
/** A core of up to so many bytes is always unpacked. */
const LEAST = 256 * MIB;
/** A core that holds a guest's memory has seldom less than a 64th of it. */
const TIMES = 64;
const MOST = 8192 * MIB;
/**
 * The part of the memory to spare that may be used, and how often what is
 * unpacked is held at once: in pieces, and as a whole (node:zlib and Deno 2.9).
 */
const USED = 1 / 2;
const HELD = 2;
/** What is taken to be spare when it may not be asked for. */
const UNKNOWN = 2048 * MIB;
/** More zstd frames than a file is compressed to. */
const MOST_FRAMES = 1 << 16;

/** How a file is compressed. */
export type Packing = "zstd" | "gzip";

/** How a file that begins with these bytes is compressed, if it is. */
export function packingOf(head: Uint8Array): Packing | undefined {
  if (isZstd(head)) return "zstd";
  return head[0] === 0x1f && head[1] === 0x8b ? "gzip" : undefined;
}

/**
 * Bytes of memory that this host has to spare; a guess when this process may
 * not ask (it needs `--allow-sys`).
 */
export function spareMemory(): number {
  const { state } = Deno.permissions.querySync({
    name: "sys",
    kind: "systemMemoryInfo",
  });
  return state === "granted" ? Deno.systemMemoryInfo().available : UNKNOWN;
}

/**
 * The most bytes that a compressed file may unpack to: 256 MiB, or 64 times its
 * size, up to 8 GiB, as long as this takes no more than half of the memory that
 * the host has to spare.
 *
 * @param size of the file in bytes
 * @param spare bytes of memory that the host has to spare
 */
export function unpackedLimit(size: number, spare: number): number {
  const room = Math.floor((spare * USED - size) / HELD);
  return Math.max(LEAST, Math.min(MOST, TIMES * size, room));
}

/**
 * The content of a compressed file.
 *
 * @param read returns its bytes; called only when there may be room
 * @param size of the file in bytes
 * @param limit the most bytes of its content
 * @throws {XftraceError} when it is damaged or cut short, or unpacks to more:
 * then the sentence says how to decompress it on disk.
 */
export function unpackCore(
  path: string,
  packing: Packing,
  read: () => Uint8Array,
  size: number,
  limit: number,
): Uint8Array {
  // What cannot be compressed is hardly larger than its content.
  if (size > limit + MIB) throw tooLarge(path, packing, limit);
  const packed = read();
  return packing === "gzip"
    ? decompress(
      path,
      packing,
      limit,
      limit,
      (maxOutputLength) => gunzipSync(packed, { maxOutputLength }),
    )
    : unzstd(path, packed, limit);
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
      "zstd",
      limit - total,
      limit,
      (maxOutputLength) =>
        zstdDecompressSync(packed.subarray(start, end), { maxOutputLength }),
    );
    parts.push(part);
    total += part.length;
  }
  if (parts.length === 1) return parts[0];
  const all = allocateBytes(total, Math.max(1, limit), path, {
    error: () => tooLarge(path, "zstd", limit),
  });
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function decompress(
  path: string,
  packing: Packing,
  left: number,
  limit: number,
  run: (limit: number) => Uint8Array,
): Uint8Array {
  try {
    const bytes = run(Math.max(1, left));
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(path, packing, limit);
    if (code === "Z_BUF_ERROR") throw cutShort(path);
    throw damaged(path);
  }
}

function tooLarge(
  path: string,
  packing: Packing,
  limit: number,
): XftraceError {
  const [tool, suffix] = packing === "zstd"
    ? ["zstd", ".zst"]
    : ["gzip", ".gz"];
  const word = shellWord(path);
  // Both refuse names without their suffix.
  const command = path.endsWith(suffix)
    ? `${tool} -dk ${word}`
    : `${tool} -dc ${word} > ${shellWord(`${path}.core`)}`;
  const mib = Math.floor(limit / MIB).toLocaleString("en-US");
  return new XftraceError(
    `${path} is too large to decompress in memory: it unpacks to more than ${mib} MiB, the most for its size and this host's free memory; decompress it first with ${command}, and give the result`,
  );
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
