/**
 * Writes a sealed trace to disk: the entries as the guest wrote them, so that
 * anybody who has the key log can verify them again at any time. The format is
 * described in recording_format.ts.
 *
 * @module
 */
import {
  closeSync,
  constants,
  ftruncateSync,
  rmSync,
  writeSync,
} from "node:fs";
import { XftraceError } from "../../base/errors.ts";
import { codeOf } from "../../base/file_error.ts";
import { createHostFile } from "../../base/host_file/create.ts";
import { openHostFile } from "../../base/host_file/open.ts";
import { regularPlaceOf } from "../../base/host_file/place.ts";
import { shellWord } from "../../base/shell_word.ts";
import { unwritable } from "../../base/host_file/write_error.ts";
import { ENTRY } from "../page/abi.ts";
import { Authentication, type RecordingKey } from "./authentication.ts";
import { RecordingFile } from "./recording_file.ts";
import {
  BLOCK,
  encodeHeader,
  HEAD_BYTES,
  type Names,
  type RecordedFinding,
  type RecordingHeader,
  TAG_BYTES,
  TagChain,
} from "./recording_format.ts";

/** Maximum number of names in one block. */
const NAMES_A_BLOCK = 20_000;
const FIX = "name a file in a folder of your own";

/** Where a recording ends that is continued. */
export interface Continued {
  readonly writer: RecordingWriter;
  readonly header: RecordingHeader;
  /** The next sequence number of each CPU that has entries in it. */
  readonly next: ReadonlyMap<number, number>;
}

/** Writes a recording. */
export class RecordingWriter implements Disposable {
  readonly path: string;
  readonly #file: number;
  readonly #chain: TagChain;
  #size: number;
  #blocks: number;
  readonly #head = new DataView(new ArrayBuffer(HEAD_BYTES + TAG_BYTES));
  readonly #headBytes = new Uint8Array(this.#head.buffer);
  readonly #tagged = this.#headBytes.subarray(0, HEAD_BYTES);

  private constructor(
    path: string,
    file: number,
    chain: TagChain,
    size: number,
    blocks: number,
  ) {
    this.path = path;
    this.#file = file;
    this.#chain = chain;
    this.#size = size;
    this.#blocks = blocks;
  }

  /**
   * Creates a recording with mode 0600, replacing a file of our own.
   *
   * @param key of its tags, 16 random bytes; wiped when the writer is closed
   * @throws {XftraceError} when it cannot be written.
   */
  static create(
    path: string,
    header: RecordingHeader,
    key: Uint8Array,
  ): RecordingWriter {
    const file = createRecording(path);
    const bytes = encodeHeader(header);
    try {
      writeAll(file, bytes, 0);
    } catch (error) {
      closeSync(file);
      throw unwritable(path, error, FIX);
    }
    const chain = new TagChain(key, bytes);
    return new RecordingWriter(path, file, chain, bytes.length, 0);
  }

  /**
   * Continues a recording after its last complete block.
   *
   * @throws {XftraceError} when it is not what was written.
   */
  static resume(path: string, key: RecordingKey): Continued {
    using file = new RecordingFile(path);
    const { header } = file.start;
    const check = new Authentication(file, key);
    const next = new Map<number, number>();
    for (const { type, cpu, sequence, count } of check.judged()) {
      if (type === BLOCK.entries || type === BLOCK.lost) {
        next.set(cpu, sequence + count);
      }
    }
    const { chain } = check;
    const problem = file.damaged
      ? "it is damaged"
      : check.unbegun ?? check.problems[0];
    if (chain === undefined || problem !== undefined) {
      throw new XftraceError(
        `the recording ${path} cannot be continued: ${
          problem ?? "another version of xftrace wrote it"
        }; what is in it: xftrace verify ${shellWord(path)}`,
      );
    }
    let fd: number;
    try {
      fd =
        openHostFile(regularPlaceOf(path), { own: true }, constants.O_RDWR).fd;
      ftruncateSync(fd, file.wholeBytes);
    } catch (error) {
      throw unwritable(path, error, FIX);
    }
    return {
      writer: new RecordingWriter(
        path,
        fd,
        chain,
        file.wholeBytes,
        check.blocks,
      ),
      header,
      next,
    };
  }

  /** Number of bytes written. */
  get size(): number {
    return this.#size;
  }

  /** Number of blocks written. */
  get blocks(): number {
    return this.#blocks;
  }

  /** The tag of the last block, or of the header. */
  get tag(): Uint8Array {
    return this.#chain.last;
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
    const tag = this.#chain.next(this.#tagged, body);
    this.#headBytes.set(tag, HEAD_BYTES);
    try {
      writeAll(this.#file, this.#headBytes, this.#size);
      writeAll(this.#file, body, this.#size + HEAD_BYTES + TAG_BYTES);
    } catch (error) {
      this.#takeBack();
      throw unwritable(this.path, error, FIX);
    }
    this.#chain.last = tag;
    this.#size += HEAD_BYTES + TAG_BYTES + body.length;
    this.#blocks++;
  }

  /** Removes what a block that could not be written has left. */
  #takeBack(): void {
    try {
      ftruncateSync(this.#file, this.#size);
    } catch {
      // Whoever reads it finds that its last block is not whole.
    }
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
    const all = Object.entries(names);
    for (let at = 0; at < all.length; at += NAMES_A_BLOCK) {
      const part = Object.fromEntries(all.slice(at, at + NAMES_A_BLOCK));
      const json = new TextEncoder().encode(JSON.stringify(part));
      this.#block(BLOCK.names, 0, 0, 0, json);
    }
  }

  /**
   * Records a problem with the module, so that verification knows of it later.
   */
  finding(finding: RecordedFinding): void {
    const json = new TextEncoder().encode(JSON.stringify(finding));
    this.#block(BLOCK.finding, 0, 0, 0, json);
  }

  /** Closes the file, and wipes the key. */
  [Symbol.dispose](): void {
    this.#chain.wipe();
    closeSync(this.#file);
  }
}

/** Creates an empty file; one that is there must be our own. */
function createRecording(path: string): number {
  try {
    const place = regularPlaceOf(path);
    try {
      return createHostFile(place);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    closeSync(openHostFile(place, { own: true }).fd);
    rmSync(place);
    return createHostFile(place);
  } catch (error) {
    throw unwritable(path, error, FIX);
  }
}

function writeAll(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(file, bytes, done, bytes.length - done, at + done);
  }
}
