/**
 * Recordings with their key logs, as the tracer writes them, for tests that
 * change them.
 *
 * @module
 */
import { Klog } from "../keys/klog.ts";
import { KLOG, nonceText } from "../keys/klog_format.ts";
import { ratchet, takeKey } from "../keys/seals.ts";
import { sealEntry } from "../keys/seals_fixture.ts";
import { ENTRY, ENTRY_KIND, ENTRY_WORDS, SEAL } from "../page/abi.ts";
import { checkpointEntry, recordingKeyEntry } from "./authentication.ts";
import { RecordingWriter } from "./recording.ts";
import {
  HEAD_BYTES,
  type RecordingHeader,
  START_BYTES,
  TAG_BYTES,
} from "./recording_format.ts";

/** The nonce of the recorded traces. */
export const NONCE = Int32Array.of(1, 2, 3, 4);

/** A CPU as run by the module: 4 epochs of 50 entries. */
export class FakeCpu {
  readonly words: Int32Array;
  readonly keys: { epoch: number; first: number; key: Int32Array }[] = [];
  /** The module's key after each entry, by index. */
  readonly keyAfter: Int32Array[] = [];
  static readonly COUNT = 200;

  constructor(readonly seal: number, seed = 7) {
    this.words = new Int32Array(FakeCpu.COUNT * ENTRY_WORDS);
    const key = new Int32Array(4);
    for (let n = 0; n < FakeCpu.COUNT; n++) {
      if (n % 50 === 0) {
        const epoch = n / 50 + 1;
        const host = Int32Array.of(seed, epoch, epoch * 77, seed * 13);
        this.keys.push({ epoch, first: n + 1, key: host });
        takeKey(seal, key, host);
      }
      this.fill(n, Math.floor(n / 50) + 1);
      sealEntry(seal, key, this.words, n * ENTRY_WORDS);
      if (seal === SEAL.ratchet) ratchet(key);
      this.keyAfter.push(key.slice());
    }
  }

  /** Writes an entry without its seal. */
  fill(n: number, epoch: number): void {
    const at = n * ENTRY_WORDS;
    this.words[at + ENTRY.time / 4] = 1000 + n;
    this.words[at + ENTRY.func / 4] = -1000 - n;
    this.words[at + ENTRY.func / 4 + 1] = -1;
    this.words[at + ENTRY.depth / 4] = ENTRY_KIND.entry << 16;
    this.words[at + ENTRY.epoch / 4] = epoch;
    this.words[at + ENTRY.sequence / 4] = n + 1;
  }

  /** A copy of an entry. */
  entry(n: number): Int32Array {
    return this.words.slice(n * ENTRY_WORDS, (n + 1) * ENTRY_WORDS);
  }

  /** Puts an entry at a position. */
  put(n: number, words: Int32Array): void {
    this.words.set(words, n * ENTRY_WORDS);
  }

  /** The bytes of entries from one index to another. */
  bytes(from: number, to: number): Uint8Array {
    return new Uint8Array(
      this.words.slice(from * ENTRY_WORDS, to * ENTRY_WORDS).buffer,
    );
  }
}

/** What is recorded, and how. */
export interface RecordedTrace {
  readonly cpu: FakeCpu;
  /** Which trace of the same module; default 1. */
  readonly generation?: number;
  /** Whether the trace was ended; default true. */
  readonly ended?: boolean;
  /** Names of the files; default `r` and `k`. */
  readonly files?: { readonly recording: string; readonly klog: string };
  /** Whether there are blocks of all kinds; default: entries only. */
  readonly rich?: boolean;
}

/** The header of the recorded traces. */
export function recordedHeader(
  seal: number,
  generation: number,
): RecordingHeader {
  return {
    seal,
    nonce: nonceText(NONCE),
    generation,
    klog: "k",
    target: "test",
    kernel: "6.1",
    kernelText: ["0x0", "0x0"],
    dispatcher: [],
  };
}

/** Writes a recording and its log into a folder, like the tracer. */
export function recordTrace(
  folder: string,
  trace: RecordedTrace,
): { path: string; klog: string } {
  const { cpu, generation = 1, ended = true, rich = false } = trace;
  const { recording, klog: name } = trace.files ??
    { recording: "r", klog: "k" };
  const path = `${folder}/${recording}`;
  const klog = `${folder}/${name}`;
  using log = new Klog(klog);
  const key = crypto.getRandomValues(new Uint8Array(TAG_BYTES));
  log.append([
    { type: KLOG.start, a: generation, b: cpu.seal, key: NONCE },
    recordingKeyEntry(key),
  ]);
  const header = { ...recordedHeader(cpu.seal, generation), klog: name };
  using writer = RecordingWriter.create(path, header, key);
  const checkpoint = () =>
    log.append([checkpointEntry(writer.blocks, writer.size, writer.tag)]);
  checkpoint();
  for (const { epoch, first, key } of cpu.keys) {
    log.append([{ type: KLOG.key, a: epoch, key }]);
    log.append([{ type: KLOG.ack, a: epoch, b: first }], false);
  }
  for (let n = 0; n < FakeCpu.COUNT; n += 50) {
    if (rich && n === 100) {
      writer.lost(0, n + 1, 50);
      writer.finding({ problem: "no heartbeat", detail: `after ${n}` });
      continue;
    }
    writer.entries(0, n + 1, cpu.bytes(n, n + 50));
    if (rich) writer.names({ [`0x${n}`]: `name${n}` });
  }
  checkpoint();
  if (ended) {
    log.append([{ type: KLOG.stop, a: FakeCpu.COUNT }, { type: KLOG.end }]);
  }
  return { path, klog };
}

/** Runs a test with a folder that is removed afterwards. */
export function withFolder(test: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    test(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** What precedes the blocks of a recording, and its blocks. */
export function splitRecording(
  bytes: Uint8Array,
): { start: Uint8Array; blocks: Uint8Array[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = START_BYTES + view.getUint32(8, true);
  const blocks: Uint8Array[] = [];
  for (let at = first; at < bytes.length;) {
    const size = HEAD_BYTES + TAG_BYTES + view.getUint32(at + 20, true);
    blocks.push(bytes.slice(at, at + size));
    at += size;
  }
  return { start: bytes.slice(0, first), blocks };
}

/** Puts a recording together. */
export function joinRecording(
  start: Uint8Array,
  blocks: readonly Uint8Array[],
): Uint8Array {
  const parts = [start, ...blocks];
  const bytes = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The same recording as a version before 0.3 wrote it, without tags. */
export function toVersion1(bytes: Uint8Array): Uint8Array {
  const { start, blocks } = splitRecording(bytes);
  start[7] = 0x31;
  return joinRecording(
    start,
    blocks.map((block) =>
      new Uint8Array([
        ...block.subarray(0, HEAD_BYTES),
        ...block.subarray(HEAD_BYTES + TAG_BYTES),
      ])
    ),
  );
}

/**
 * The same log as a version before 0.3 wrote it: it knows of no recording.
 */
export function klogToVersion1(
  folder: string,
  cpu: FakeCpu,
  generation = 1,
): string {
  const path = `${folder}/k1`;
  using log = new Klog(path);
  log.append([{ type: KLOG.start, a: generation, b: cpu.seal, key: NONCE }]);
  for (const { epoch, first, key } of cpu.keys) {
    log.append([{ type: KLOG.key, a: epoch, key }]);
    log.append([{ type: KLOG.ack, a: epoch, b: first }], false);
  }
  log.append([{ type: KLOG.stop, a: FakeCpu.COUNT }, { type: KLOG.end }]);
  return path;
}
