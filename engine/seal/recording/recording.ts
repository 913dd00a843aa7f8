/**
 * A sealed trace on disk: the entries as the guest wrote them, so that anybody
 * who has the key log can verify them again at any time.
 *
 * "XFTSEAL1", u32 length of a JSON header padded to 8 bytes, u32 zero, the
 * header; then blocks of u32 type, u32 cpu, u64 sequence, u32 count, u32 size
 * and that many bytes. Type 1: `count` entries from `sequence` on. Type 2:
 * `count` entries from `sequence` on were overwritten before they were read.
 * Type 3: JSON `{address: name}` from the traced kernel. Type 4: JSON
 * `{problem, detail}`, a problem with the module.
 *
 * @module
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from "node:fs";
import { z } from "zod";
import { XftraceError } from "../../base/errors.ts";
import { recreateHostFile } from "../../base/host_file/create.ts";
import { openHostFile } from "../../base/host_file/open.ts";
import { regularPlaceOf } from "../../base/host_file/place.ts";
import { ENTRY } from "../page/abi.ts";

const MAGIC = "XFTSEAL1";
const BLOCK_BYTES = 24;
const BLOCK = { entries: 1, lost: 2, names: 3, finding: 4 } as const;

/** The header of a recording. */
export interface RecordingHeader {
  /** The seal, XFT_SEAL_*. */
  readonly seal: number;
  /** The control page's random number, in hex. */
  readonly nonce: string;
  readonly generation: number;
  /** Path of the key log as it was given. */
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

const headerShape: z.ZodType<RecordingHeader> = z.object({
  seal: z.number().int().min(0).max(3),
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
  generation: z.number().int(),
  klog: z.string(),
  target: z.string(),
  kernel: z.string(),
  arch: z.string().optional(),
  kernelText: z.tuple([z.string(), z.string()]),
  dispatcher: z.array(z.tuple([z.string(), z.string()])),
});

/** Symbol names by address in hex. */
export type Names = Readonly<Record<string, string>>;

/** A problem with the module that was found while tracing. */
export interface RecordedFinding {
  readonly problem: string;
  readonly detail: string;
}

const findingShape: z.ZodType<RecordedFinding> = z.object({
  problem: z.string(),
  detail: z.string(),
});

function encodeHeader(header: RecordingHeader): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(16 + padded).fill(0x20);
  bytes.set(new TextEncoder().encode(MAGIC));
  const view = new DataView(bytes.buffer);
  view.setUint32(8, padded, true);
  view.setUint32(12, 0, true);
  bytes.set(json, 16);
  return bytes;
}

/** Writes a recording. */
export class RecordingWriter implements Disposable {
  readonly path: string;
  readonly #file: number;
  #size: number;
  readonly #head = new DataView(new ArrayBuffer(BLOCK_BYTES));
  readonly #headBytes = new Uint8Array(this.#head.buffer);

  private constructor(path: string, file: number, size: number) {
    this.path = path;
    this.#file = file;
    this.#size = size;
  }

  /**
   * Creates a recording with mode 0600, replacing an existing file.
   *
   * @throws {XftraceError} when it cannot be written.
   */
  static create(path: string, header: RecordingHeader): RecordingWriter {
    const file = recreateHostFile(path);
    const bytes = encodeHeader(header);
    writeAll(file, bytes);
    return new RecordingWriter(path, file, bytes.length);
  }

  /** Continues a recording after its last complete block. */
  static resume(path: string): { writer: RecordingWriter; reading: Recording } {
    const reading = readRecording(path);
    const { fd: file } = openHostFile(
      regularPlaceOf(path),
      { own: true },
      constants.O_RDWR,
    );
    ftruncateSync(file, reading.wholeBytes);
    return {
      writer: new RecordingWriter(path, file, reading.wholeBytes),
      reading,
    };
  }

  /** Number of bytes written. */
  get size(): number {
    return this.#size;
  }

  #block(
    type: number,
    cpu: number,
    sequence: number,
    count: number,
    body: Uint8Array,
  ): void {
    this.#head.setUint32(0, type, true);
    this.#head.setUint32(4, cpu, true);
    this.#head.setUint32(8, sequence >>> 0, true);
    this.#head.setUint32(12, Math.floor(sequence / 2 ** 32), true);
    this.#head.setUint32(16, count, true);
    this.#head.setUint32(20, body.length, true);
    try {
      writeAll(this.#file, this.#headBytes, this.#size);
      writeAll(this.#file, body, this.#size + BLOCK_BYTES);
    } catch (error) {
      throw new XftraceError(
        `the recording ${this.path} cannot be written; is the disk full?`,
        { cause: error },
      );
    }
    this.#size += BLOCK_BYTES + body.length;
  }

  /** Appends entries of a CPU as they were in its ring. */
  entries(cpu: number, sequence: number, bytes: Uint8Array): void {
    const count = bytes.length / ENTRY.bytes;
    this.#block(BLOCK.entries, cpu, sequence, count, bytes);
  }

  /** Records entries that were overwritten before they were read. */
  lost(cpu: number, sequence: number, count: number): void {
    this.#block(BLOCK.lost, cpu, sequence, count, new Uint8Array(0));
  }

  /** Appends names of addresses in the trace. */
  names(names: Names): void {
    const json = new TextEncoder().encode(JSON.stringify(names));
    this.#block(BLOCK.names, 0, 0, 0, json);
  }

  /**
   * Records a problem with the module, so that verification knows of it later.
   */
  finding(finding: RecordedFinding): void {
    const json = new TextEncoder().encode(JSON.stringify(finding));
    this.#block(BLOCK.finding, 0, 0, 0, json);
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

function writeAll(file: number, bytes: Uint8Array, at?: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(
      file,
      bytes,
      done,
      bytes.length - done,
      at === undefined ? null : at + done,
    );
  }
}

/** A block of entries, or of lost ones. */
export interface RecordingBlock {
  readonly cpu: number;
  readonly sequence: number;
  readonly count: number;
  /** Offset of the entries in the file; `undefined` when they were lost. */
  readonly offset: number | undefined;
}

/** A recording with a list of its blocks. */
export interface Recording {
  readonly path: string;
  readonly header: RecordingHeader;
  readonly blocks: readonly RecordingBlock[];
  readonly names: Names;
  /** Problems with the module found while tracing. */
  readonly findings: readonly RecordedFinding[];
  /** Number of bytes up to the end of the last complete block. */
  readonly wholeBytes: number;
  /** Number of bytes after that, from a block that was cut short. */
  readonly torn: number;
  /**
   * Whether something other than a block is found where a block should start.
   */
  readonly damaged: boolean;
}

const namesShape = z.record(z.string(), z.string());

/**
 * Lists the content of a recording.
 *
 * @throws {XftraceError} when the file is not a recording.
 */
export function readRecording(path: string): Recording {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw new XftraceError(
      `the recording ${path} cannot be read; give a file that was written by: xftrace on`,
      { cause: error },
    );
  }
  try {
    const size = fstatSync(file).size;
    const bytes = (at: number, length: number) => {
      const buffer = new Uint8Array(length);
      readSync(file, buffer, 0, length, at);
      return buffer;
    };
    const { header, start } = parseHead(path, bytes, size);
    const blocks: RecordingBlock[] = [];
    let names: Names = {};
    const findings: RecordedFinding[] = [];
    let at = start;
    let damaged = false;
    while (at + BLOCK_BYTES <= size) {
      const view = new DataView(bytes(at, BLOCK_BYTES).buffer);
      const type = view.getUint32(0, true);
      const count = view.getUint32(16, true);
      const length = view.getUint32(20, true);
      const body = at + BLOCK_BYTES;
      damaged = type < BLOCK.entries || type > BLOCK.finding ||
        (type === BLOCK.entries && length !== count * ENTRY.bytes);
      if (damaged || body + length > size) break;
      if (type === BLOCK.names) {
        names = { ...names, ...parseNames(bytes(body, length)) };
      } else if (type === BLOCK.finding) {
        findings.push(parseFinding(bytes(body, length)));
      } else {
        blocks.push({
          cpu: view.getUint32(4, true),
          sequence: Number(view.getBigUint64(8, true)),
          count,
          offset: type === BLOCK.entries ? body : undefined,
        });
      }
      at = body + length;
    }
    return {
      path,
      header,
      blocks,
      names,
      findings,
      wholeBytes: at,
      torn: size - at,
      damaged,
    };
  } finally {
    closeSync(file);
  }
}

function parseHead(
  path: string,
  bytes: (at: number, length: number) => Uint8Array,
  size: number,
): { header: RecordingHeader; start: number } {
  const refuse = (what: string) =>
    new XftraceError(
      `${path} is no sealed recording: ${what}; give a file that was written by: xftrace on`,
    );
  if (size < 16) throw refuse("it is too short");
  const head = bytes(0, 16);
  if (new TextDecoder("latin1").decode(head.subarray(0, 8)) !== MAGIC) {
    throw refuse("it does not begin as one");
  }
  const length = new DataView(head.buffer).getUint32(8, true);
  if (16 + length > size || length > 1 << 20) throw refuse("its head is cut");
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes(16, length)));
  } catch {
    throw refuse("its head is damaged");
  }
  const header = headerShape.safeParse(json);
  if (!header.success) throw refuse("its head is damaged");
  return { header: header.data, start: 16 + length };
}

function parseNames(bytes: Uint8Array): Names {
  try {
    const names = namesShape.safeParse(
      JSON.parse(new TextDecoder().decode(bytes)),
    );
    return names.success ? names.data : {};
  } catch {
    // Names are only for display; without them, addresses are shown.
    return {};
  }
}

function parseFinding(bytes: Uint8Array): RecordedFinding {
  try {
    return findingShape.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    // Unreadable, but it did report a problem.
    return {
      problem: "unreadable finding",
      detail: "the recording notes a finding that cannot be read",
    };
  }
}

/** The entries of a recording, block by block. */
export function* recordedBlocks(
  recording: Recording,
): Generator<RecordingBlock & { readonly words: Int32Array }> {
  const bytes = readFileSync(recording.path);
  const none = new Int32Array(0);
  for (const block of recording.blocks) {
    if (block.offset === undefined) {
      yield { ...block, words: none };
      continue;
    }
    const size = block.count * ENTRY.bytes;
    // Copied because the offset may not be aligned, and because XORed entries
    // are opened in place.
    const copy = new Uint8Array(size);
    copy.set(bytes.subarray(block.offset, block.offset + size));
    yield { ...block, words: new Int32Array(copy.buffer) };
  }
}
