/**
 * Small readers of kernel virtual memory, for code that must cope with memory
 * that changes while it is read.
 *
 * @module
 */
import { allocateBytes } from "../base/allocate.ts";
import { MemoryError } from "../base/errors.ts";
import { GRANULE } from "./elf_core_ranges.ts";

/**
 * Copies `into.length` bytes of kernel virtual memory at a GVA.
 *
 * @throws {MemoryError} when a byte of it is not mapped.
 */
export type ReadGva = (gva: bigint, into: Uint8Array) => void;

/** More bytes than any struct has that is copied. */
const MOST_OBJECT = 1 << 16;
/** More bytes than a table of strings has. */
const MOST_TEXT = 128 << 20;

/** Mappings start and end at multiples of this. */
const STEP = BigInt(GRANULE);

/** A copy of an object in guest memory, read by offset. */
export class GuestBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;

  /** @throws {MemoryError} from `read`. */
  constructor(read: ReadGva, gva: bigint, size: number) {
    this.bytes = allocateBytes(size, MOST_OBJECT, gva);
    this.#view = new DataView(this.bytes.buffer);
    read(gva, this.bytes);
  }

  /** Little-endian u32 at an offset in bytes. */
  u32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  /** Little-endian u64 at an offset in bytes. */
  u64(offset: number): bigint {
    return this.#view.getBigUint64(offset, true);
  }

  /** A zero-terminated string of at most `limit` bytes, as ASCII bytes. */
  text(offset: number, limit: number): Uint8Array {
    return terminated(this.bytes, offset, offset + limit);
  }
}

/** The bytes from `start` to the first zero, at most to `end`. */
export function terminated(
  bytes: Uint8Array,
  start: number,
  end = bytes.length,
): Uint8Array {
  const zero = bytes.indexOf(0, start);
  return bytes.subarray(start, zero < 0 || zero > end ? end : zero);
}

/** ASCII bytes as a string. */
export function ascii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/**
 * Reads up to `length` bytes; fewer when a page within the range is not mapped.
 */
export function readUpTo(
  read: ReadGva,
  gva: bigint,
  length: number,
): Uint8Array {
  const into = allocateBytes(length, MOST_TEXT, gva);
  let done = 0;
  while (done < length) {
    const at = gva + BigInt(done);
    const step = Math.min(length - done, Number(STEP - at % STEP));
    try {
      read(at, into.subarray(done, done + step));
    } catch (error) {
      if (error instanceof MemoryError) break;
      throw error;
    }
    done += step;
  }
  return into.subarray(0, done);
}

/** More entries than any kernel list walked here has. */
const MAX_LIST = 65536;

/** The result of a list walk. */
export interface ListWalk {
  /** GVAs of the `struct list_head` of each entry, in list order. */
  readonly nodes: bigint[];
  /**
   * Whether the walk arrived back at the head, and no other node leads to one
   * of its nodes.
   */
  readonly complete: boolean;
}

/**
 * Follows a `struct list_head` from its head (`next` is its first member). The
 * list may change meanwhile: a walk that does not arrive back at the head, or
 * passes nodes over, is repeated, and after some tries returns what it has.
 */
export function walkList(read: ReadGva, head: bigint): ListWalk {
  let nodes: bigint[] = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    nodes = [];
    const seen = new Set<bigint>();
    try {
      let before = head;
      let node = new GuestBytes(read, head, 8).u64(0);
      let whole = true;
      while (node !== head && !seen.has(node) && nodes.length < MAX_LIST) {
        nodes.push(node);
        seen.add(node);
        const link = new GuestBytes(read, node, 16);
        whole &&= !isLedTo(read, node, link.u64(8), before);
        before = node;
        node = link.u64(0);
      }
      if (node === head) {
        const last = new GuestBytes(read, head, 16).u64(8);
        if (whole && !isLedTo(read, head, last, before)) {
          return { nodes, complete: true };
        }
      }
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error;
    }
  }
  return { nodes, complete: false };
}

/**
 * Whether the node that another one's `prev` names is not the one that the walk
 * comes from, and leads to it as well: then the walk has passed it over.
 */
function isLedTo(
  read: ReadGva,
  node: bigint,
  prev: bigint,
  before: bigint,
): boolean {
  if (prev === before) return false;
  try {
    return new GuestBytes(read, prev, 8).u64(0) === node;
  } catch (error) {
    if (error instanceof MemoryError) return false;
    throw error;
  }
}
