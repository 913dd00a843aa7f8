/**
 * Authenticates the header and the blocks of a recording, with what the key log
 * says of it.
 *
 * @module
 */
import { KLOG, type KlogEntry, type KlogRecord } from "../keys/klog_format.ts";
import type { RecordingFile, StoredBlock } from "./recording_file.ts";
import { RECORDING_VERSION, sameTag, TagChain } from "./recording_format.ts";

/** Maximum number of blocks with a wrong tag, after which reading ends. */
const MOST_WRONG = 1000;
/** Maximum number of them that are named one by one. */
const MOST_NAMED = 10;

/** A block of a recording, and whether it is as it was written. */
export interface JudgedBlock extends StoredBlock {
  readonly authentic: boolean;
}

/** The number of blocks at some moment, and the tag of the last one. */
interface Checkpoint {
  readonly blocks: number;
  readonly tag: Uint8Array;
}

function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.slice().buffer);
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.slice().buffer);
}

/** The key log's entry with a recording's key, 16 bytes. */
export function recordingKeyEntry(key: Uint8Array): KlogEntry {
  return { type: KLOG.recording, a: RECORDING_VERSION, key: wordsOf(key) };
}

/** The key log's entry about what a recording contains by now. */
export function checkpointEntry(
  blocks: number,
  bytes: number,
  tag: Uint8Array,
): KlogEntry {
  return { type: KLOG.recorded, a: blocks, b: bytes, key: wordsOf(tag) };
}

/** What a key log says of the recording of one trace. */
export class RecordingKey {
  /** `undefined`: the trace was made before 0.3, without such a key. */
  readonly key: Uint8Array | undefined;
  /** Whether the trace has ended, and nothing may follow. */
  readonly ended: boolean;
  readonly #first: Checkpoint | undefined;
  readonly last: Checkpoint | undefined;

  /** @param records of the trace */
  constructor(records: Iterable<KlogRecord>) {
    let key: Uint8Array | undefined;
    let first: Checkpoint | undefined;
    let last: Checkpoint | undefined;
    let ended = false;
    for (const record of records) {
      if (record.type === KLOG.recording) key ??= bytesOf(record.key);
      else if (record.type === KLOG.recorded) {
        last = { blocks: record.a, tag: bytesOf(record.key) };
        first ??= last;
      } else if (record.type === KLOG.end) ended = true;
    }
    this.key = key;
    this.#first = first;
    this.last = last;
    this.ended = ended;
  }

  /** The tag of the header as it was written, if the log has it. */
  get headerTag(): Uint8Array | undefined {
    return this.#first?.blocks === 0 ? this.#first.tag : undefined;
  }
}

/** Judges the blocks of a recording while they are read. */
export class Authentication {
  /** What is wrong, one sentence each. */
  readonly problems: string[] = [];
  /** Set when the writer was ended before the recording was begun. */
  readonly unbegun: string | undefined;
  /** Tags up to here; `undefined` when nothing can be authenticated. */
  readonly chain: TagChain | undefined;
  readonly #file: RecordingFile;
  readonly #key: RecordingKey;
  #wrong = 0;
  #blocks = 0;
  #lastSeen = false;

  constructor(file: RecordingFile, key: RecordingKey) {
    this.#file = file;
    this.#key = key;
    const { version, bytes } = file.start;
    if (key.key === undefined) {
      if (version > 1) {
        this.problems.push(
          "the key log has no key for the blocks of the recording, which must be of another trace",
        );
      }
      return;
    }
    if (version !== RECORDING_VERSION) {
      this.problems.push(
        `the recording was changed: it says that it is of version ${version}, and its key log says ${RECORDING_VERSION}`,
      );
      return;
    }
    this.chain = new TagChain(key.key, bytes);
    const written = key.headerTag;
    if (written === undefined) {
      this.unbegun =
        "the key log does not say which header the recording has: it was not begun completely";
    } else if (!sameTag(written, this.chain.last)) {
      this.problems.push(
        "the header of the recording was changed: nothing in it can be relied on",
      );
      this.chain.last = written;
    }
  }

  /**
   * Whether the recording was made before there were tags, so that only its
   * entries can be verified.
   */
  get withoutTags(): boolean {
    return this.#key.key === undefined && this.#file.start.version === 1;
  }

  /** Number of blocks read. */
  get blocks(): number {
    return this.#blocks;
  }

  /**
   * The blocks in their order. Ends early when too many are not authentic.
   *
   * @throws {XftraceError} when the file shrinks meanwhile.
   */
  *judged(): Generator<JudgedBlock> {
    const { last } = this.#key;
    for (const block of this.#file.blocks()) {
      this.#blocks++;
      const authentic = this.#isAuthentic(block);
      if (block.number === last?.blocks && block.tag !== undefined) {
        this.#lastSeen = sameTag(block.tag, last.tag);
      }
      yield { ...block, authentic };
      if (this.#wrong >= MOST_WRONG) {
        this.problems.push(
          `${MOST_WRONG} blocks of the recording are not authentic: the rest is not read`,
        );
        return;
      }
    }
    this.#judgeEnd();
  }

  #isAuthentic(block: StoredBlock): boolean {
    const { chain } = this;
    if (chain === undefined || block.tag === undefined) return false;
    const expected = chain.next(block.head, block.body);
    // The next block was written after this one as it is now, or else its tag
    // is wrong too: damage does not spread.
    chain.last = block.tag;
    if (sameTag(expected, block.tag)) return true;
    if (++this.#wrong <= MOST_NAMED) {
      this.problems.push(
        `block ${block.number} of the recording, at byte ${block.at}, is not what was written there: it was changed, moved or added, or what was before it was taken away`,
      );
    } else if (this.#wrong === MOST_NAMED + 1) {
      this.problems.push("more blocks are not what was written there");
    }
    return false;
  }

  #judgeEnd(): void {
    const { last, ended } = this.#key;
    if (this.chain === undefined || last === undefined) return;
    const blocks = this.#blocks;
    if (blocks < last.blocks) {
      this.problems.push(
        `the recording was cut: it has ${blocks} whole blocks, and the key log knows of ${last.blocks}`,
      );
    } else if (last.blocks > 0 && !this.#lastSeen) {
      this.problems.push(
        `block ${last.blocks} of the recording is not the one that the key log knows`,
      );
    } else if (ended && blocks > last.blocks) {
      this.problems.push(
        `the recording has ${blocks} blocks, and had ${last.blocks} when the trace ended`,
      );
    }
  }

  /** Wipes the key. */
  wipe(): void {
    this.chain?.wipe();
    this.#key.key?.fill(0);
  }
}
