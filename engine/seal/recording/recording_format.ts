/**
 * The format of a sealed recording: its header, its blocks, and the chain of
 * tags that authenticates both.
 *
 * "XFTSEAL2", u32 length of a JSON header padded to 8 bytes, u32 zero, the
 * header; then blocks of u32 type, u32 cpu, u64 sequence, u32 count, u32 size,
 * 16 bytes tag, and that many bytes. Type 1: `count` entries from `sequence`
 * on. Type 2: `count` entries from `sequence` on were overwritten before they
 * were read. Type 3: JSON `{address: name}` from the traced kernel. Type 4:
 * JSON `{problem, detail}`, a problem with the module.
 *
 * A tag is a MAC (HMAC-SHA-256, cut to 128 bits) over the tag before it and the
 * block, under a key that only the key log holds; the first is over the header.
 * So no block can be changed, added, moved, doubled or left out without a tag
 * that does not match. What is left out at the end shows because the key log
 * notes how many blocks there are, and the last of their tags.
 *
 * "XFTSEAL1", written before 0.3, is the same without tags.
 *
 * @module
 */
import { Hmac } from "../../base/hmac.ts";
import { parseJson } from "../../base/json.ts";
import { z } from "zod";
import { XftraceError } from "../../base/errors.ts";
import { ENTRY } from "../page/abi.ts";

/** The version of the format that is written. */
export const RECORDING_VERSION = 2;
/** Size of a tag, and of the key of the MAC, in bytes. */
export const TAG_BYTES = 16;
/** Size in bytes of a block's head without its tag: what precedes the tag. */
export const HEAD_BYTES = 24;
/** Size in bytes of a file's first part, which precedes the header. */
export const START_BYTES = 16;
/** Types of blocks. */
export const BLOCK = { entries: 1, lost: 2, names: 3, finding: 4 } as const;
/**
 * Maximum size of a block's content in bytes. The writer's blocks are far
 * smaller: a read of a ring has at most 1 MiB.
 */
export const MOST_BODY_BYTES = 1 << 24;

const MAGIC = "XFTSEAL";
const MOST_HEADER_BYTES = 1 << 20;
/** Maximum length of a name or text of a recording, in characters. */
const MOST_TEXT = 4096;

/** The header of a recording. */
export interface RecordingHeader {
  /** The seal, XFT_SEAL_*. For display only: the key log decides. */
  readonly seal: number;
  /** The control page's random number, in hex. */
  readonly nonce: string;
  readonly generation: number;
  /** File name of the key log; a path in recordings made before 0.3. */
  readonly klog: string;
  readonly target: string;
  readonly kernel: string;
  /**
   * Architecture as printed by `uname -m`; missing in recordings made before
   * 0.2.
   */
  readonly arch?: string | undefined;
  /** The kernel's own text as a half-open range, in hex. */
  readonly kernelText: readonly [string, string];
  /** The system-call dispatcher as half-open ranges, in hex. */
  readonly dispatcher: readonly (readonly [string, string])[];
}

const text = z.string().max(MOST_TEXT);
const address = z.string().regex(/^0x[0-9a-f]{1,16}$/);

const headerShape: z.ZodType<RecordingHeader> = z.object({
  seal: z.number().int().min(0).max(3),
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
  generation: z.number().int(),
  klog: text,
  target: text,
  kernel: text,
  arch: text.optional(),
  kernelText: z.tuple([address, address]),
  dispatcher: z.array(z.tuple([address, address])).max(64),
});

/** A problem with the module that was found while tracing. */
export interface RecordedFinding {
  readonly problem: string;
  readonly detail: string;
}

const findingShape: z.ZodType<RecordedFinding> = z.object({
  problem: z.string(),
  detail: z.string(),
});

/** The bytes of a new file before its first block. */
export function encodeHeader(header: RecordingHeader): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(START_BYTES + Math.ceil(json.length / 8) * 8)
    .fill(0x20);
  bytes.set(new TextEncoder().encode(MAGIC + RECORDING_VERSION));
  const view = new DataView(bytes.buffer);
  view.setUint32(8, bytes.length - START_BYTES, true);
  view.setUint32(12, 0, true);
  bytes.set(json, START_BYTES);
  return bytes;
}

/** What precedes the first block of a file. */
export interface RecordingStart {
  /** 1: blocks have no tags. */
  readonly version: 1 | 2;
  readonly header: RecordingHeader;
  /** All these bytes, as they are in the file. */
  readonly bytes: Uint8Array;
}

/**
 * Reads what precedes the first block.
 *
 * @param bytes reads from the file: offset and length, both within its size
 * @param size of the file in bytes
 * @throws {XftraceError} when the file is not a recording.
 */
export function decodeStart(
  path: string,
  bytes: (at: number, length: number) => Uint8Array,
  size: number,
): RecordingStart {
  const refuse = (what: string) =>
    new XftraceError(
      `${path} is no sealed recording: ${what}; give a file that was written by: xftrace on`,
    );
  if (size < START_BYTES) throw refuse("it is too short");
  const head = bytes(0, START_BYTES);
  const magic = new TextDecoder("latin1").decode(head.subarray(0, 8));
  const version = magic === `${MAGIC}1` ? 1 : magic === `${MAGIC}2` ? 2 : 0;
  if (version === 0) throw refuse("it does not begin as one");
  const length = new DataView(head.buffer).getUint32(8, true);
  if (START_BYTES + length > size || length > MOST_HEADER_BYTES) {
    throw refuse("its head is cut");
  }
  const start = bytes(0, START_BYTES + length);
  const header = headerShape.safeParse(jsonOf(start.subarray(START_BYTES)));
  if (!header.success) throw refuse("its head is damaged");
  return { version, header: header.data, bytes: start };
}

/** Parsed JSON; `undefined` when it is none. */
function jsonOf(bytes: Uint8Array): unknown {
  try {
    return parseJson(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

/** Symbol names by address in hex. */
export type Names = Readonly<Record<string, string>>;

/** Maximum number of names that are kept of a recording. */
const MOST_NAMES = 1 << 20;

/**
 * The names of a recording, which arrive in parts. What is not a name is left
 * out: without it, addresses are shown.
 */
export class RecordedNames {
  /** All names so far. */
  readonly names: Record<string, string> = Object.create(null);
  #count = 0;

  /** Adds the names of a block; later ones replace earlier ones. */
  add(body: Uint8Array): void {
    const json = jsonOf(body);
    if (typeof json !== "object" || json === null) return;
    for (const [key, name] of Object.entries(json)) {
      if (typeof name !== "string" || name.length > MOST_TEXT) continue;
      if (!address.safeParse(key).success) continue;
      if (!(key in this.names) && this.#count++ >= MOST_NAMES) return;
      this.names[key] = name;
    }
  }
}

/** The finding in a block. */
export function decodeFinding(body: Uint8Array): RecordedFinding {
  const finding = findingShape.safeParse(jsonOf(body));
  // Unreadable, but it did report a problem.
  return finding.success
    ? {
      problem: finding.data.problem.slice(0, MOST_TEXT),
      detail: finding.data.detail.slice(0, MOST_TEXT),
    }
    : {
      problem: "unreadable finding",
      detail: "the recording notes a finding that cannot be read",
    };
}

/** Whether a block's head can be one; if not, the file is damaged there. */
export function isBlockHead(
  type: number,
  count: number,
  length: number,
): boolean {
  if (length > MOST_BODY_BYTES) return false;
  switch (type) {
    case BLOCK.entries:
      return length === count * ENTRY.bytes;
    case BLOCK.lost:
      return length === 0;
    default:
      return type === BLOCK.names || type === BLOCK.finding;
  }
}

/** Computes the tags of a recording, block by block. */
export class TagChain {
  readonly #mac: Hmac;
  /** The tag of the last block, or of the header. */
  last: Uint8Array;

  /**
   * @param key 16 bytes, which are copied
   * @param start what precedes the first block
   */
  constructor(key: Uint8Array, start: Uint8Array) {
    this.#mac = new Hmac(key);
    this.last = this.#tag("xftrace header", start);
  }

  /** The tag of a block that follows {@linkcode last}. */
  next(head: Uint8Array, body: Uint8Array): Uint8Array {
    return this.#tag(this.last, head, body);
  }

  #tag(...parts: readonly (string | Uint8Array)[]): Uint8Array {
    return Uint8Array.from(this.#mac.of(...parts).subarray(0, TAG_BYTES));
  }

  /** Wipes the key. */
  wipe(): void {
    this.#mac.wipe();
  }
}

/** Whether two tags are equal. */
export function sameTag(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
