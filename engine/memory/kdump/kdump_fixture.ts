/**
 * Small compressed kdumps, for tests.
 *
 * @module
 */
import { deflateSync, zstdCompressSync } from "node:zlib";
import { DESCRIPTOR_BYTES, PACKED } from "./header.ts";

/** Bytes of a page of these dumps. */
export const PAGE = 4096;

/** What a dump has. */
export interface KdumpContent {
  /** Pages that were written, by their number. */
  readonly pages: ReadonlyMap<number, Uint8Array>;
  /** Pages that are RAM, but were left out. */
  readonly leftOut?: readonly number[];
  readonly frames: number;
  readonly packing?: "zlib" | "zstd" | "raw" | "lzo" | "snappy";
  readonly notes?: Uint8Array;
  readonly vmcoreinfo?: string;
  readonly version?: number;
  readonly machine?: string;
  readonly status?: number;
  /** Packs a page with a kind of compression that Deno does not have. */
  readonly pack?: (page: Uint8Array) => Uint8Array;
}

/** A dump, and where its parts are. */
export interface MadeKdump {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  /** Offset of the sub-header. */
  readonly sub: number;
  readonly bitmap: number;
  readonly descriptors: number;
}

const NOTES_AT = PAGE + 104;

/** Encodes a dump as makedumpfile does; zeros share one page's bytes. */
export function makeKdump(content: KdumpContent): MadeKdump {
  const { pages, frames, leftOut = [], packing = "zlib" } = content;
  const notes = content.notes ?? new Uint8Array(0);
  const info = new TextEncoder().encode(content.vmcoreinfo ?? "");
  const infoAt = NOTES_AT + notes.length;
  const subBlocks = Math.ceil((infoAt + info.length - PAGE) / PAGE);
  const half = Math.ceil(Math.ceil(frames / 8) / PAGE) * PAGE;
  const ramAt = (1 + subBlocks) * PAGE;
  const descriptors = ramAt + 2 * half;
  const sorted = [...pages].sort(([a], [b]) => a - b);
  const data: Uint8Array[] = [];
  let at = descriptors + sorted.length * DESCRIPTOR_BYTES;
  let zeros = -1;
  const described = sorted.map(([, page]) => {
    const isZero = page.every((byte) => byte === 0);
    if (isZero && zeros >= 0) return { at: zeros, size: PAGE, flags: 0 };
    const [packed, flags] = isZero
      ? [page, 0]
      : packedPage(page, packing, content.pack);
    data.push(packed);
    if (isZero) zeros = at;
    const found = { at, size: packed.length, flags };
    at += packed.length;
    return found;
  });
  const bytes = new Uint8Array(at);
  const view = new DataView(bytes.buffer);
  const text = (value: string, to: number) =>
    bytes.set(new TextEncoder().encode(value), to);
  text("KDUMP   ", 0);
  view.setUint32(8, content.version ?? 6, true);
  text(content.machine ?? "x86_64", 12 + 4 * 65);
  view.setUint32(424, content.status ?? 0, true);
  view.setUint32(428, PAGE, true);
  view.setUint32(432, subBlocks, true);
  view.setUint32(436, 2 * half / PAGE, true);
  view.setUint32(440, frames, true);
  if (info.length > 0) {
    view.setBigUint64(PAGE + 32, BigInt(infoAt), true);
    view.setBigUint64(PAGE + 40, BigInt(info.length), true);
    bytes.set(info, infoAt);
  }
  if (notes.length > 0) {
    view.setBigUint64(PAGE + 48, BigInt(NOTES_AT), true);
    view.setBigUint64(PAGE + 56, BigInt(notes.length), true);
    bytes.set(notes, NOTES_AT);
  }
  view.setBigUint64(PAGE + 96, BigInt(frames), true);
  for (const frame of [...pages.keys(), ...leftOut]) {
    bytes[ramAt + (frame >> 3)] |= 1 << (frame & 7);
  }
  for (const frame of pages.keys()) {
    bytes[ramAt + half + (frame >> 3)] |= 1 << (frame & 7);
  }
  described.forEach((page, i) => {
    const head = descriptors + i * DESCRIPTOR_BYTES;
    view.setBigUint64(head, BigInt(page.at), true);
    view.setUint32(head + 8, page.size, true);
    view.setUint32(head + 12, page.flags, true);
  });
  let to = descriptors + sorted.length * DESCRIPTOR_BYTES;
  for (const part of data) {
    bytes.set(part, to);
    to += part.length;
  }
  return { bytes, view, sub: PAGE, bitmap: ramAt + half, descriptors };
}

function packedPage(
  page: Uint8Array,
  packing: NonNullable<KdumpContent["packing"]>,
  pack?: (page: Uint8Array) => Uint8Array,
): [Uint8Array, number] {
  switch (packing) {
    case "raw":
      return [page, 0];
    case "zlib":
      return [new Uint8Array(deflateSync(page)), PACKED.zlib];
    case "zstd":
      return [new Uint8Array(zstdCompressSync(page)), PACKED.zstd];
    default:
      return [pack?.(page) ?? page, PACKED[packing]];
  }
}

/**
 * The same bytes in flattened form, in pieces of this size; the header is
 * written twice, first with other bytes, as makedumpfile does.
 */
export function flattened(
  bytes: Uint8Array,
  size = 1000,
): Uint8Array<ArrayBuffer> {
  const pieces: [number, Uint8Array][] = [[0, new Uint8Array(100).fill(0xee)]];
  for (let at = 0; at < bytes.length; at += size) {
    pieces.push([at, bytes.subarray(at, at + size)]);
  }
  const total = pieces.reduce((sum, [, part]) => sum + 16 + part.length, 0);
  const flat = new Uint8Array(4096 + total + 16);
  const view = new DataView(flat.buffer);
  flat.set(new TextEncoder().encode("makedumpfile"));
  view.setBigInt64(16, 1n);
  view.setBigInt64(24, 1n);
  let at = 4096;
  for (const [offset, part] of pieces) {
    view.setBigInt64(at, BigInt(offset));
    view.setBigInt64(at + 8, BigInt(part.length));
    flat.set(part, at + 16);
    at += 16 + part.length;
  }
  view.setBigInt64(at, -1n);
  view.setBigInt64(at + 8, -1n);
  return flat;
}
