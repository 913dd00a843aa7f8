/**
 * A sealed recording of a trace in which keys changed many times, as an hour
 * with a key every 10 ms leaves it, for tests of what its verification needs.
 *
 * @module
 */
import { Klog } from "../keys/klog.ts";
import { KLOG, type KlogEntry } from "../keys/klog_format.ts";
import { ratchet, takeKey } from "../keys/seals.ts";
import { sealEntry } from "../keys/seals_fixture.ts";
import { ENTRY, ENTRY_KIND, ENTRY_WORDS, SEAL, WORD } from "../page/abi.ts";
import { checkpointEntry, recordingKeyEntry } from "./authentication.ts";
import { RecordingWriter } from "./recording.ts";
import { NONCE, recordedHeader } from "./recording_fixture.ts";
import { TAG_BYTES } from "./recording_format.ts";

const CPUS = 2;
/** Entries under one key; they are one block, as a poll reads them. */
const ENTRIES_A_KEY = 8;
/** How many keys are logged at a time. */
const KEYS_A_PART = 512;
/** The calls of a system call: kinds and depths of its entries. */
const SHAPE: readonly (readonly [kind: number, depth: number])[] = [
  [ENTRY_KIND.entry, 0],
  [ENTRY_KIND.entry, 1],
  [ENTRY_KIND.entry, 2],
  [ENTRY_KIND.return, 2],
  [ENTRY_KIND.return, 1],
  [ENTRY_KIND.entry, 1],
  [ENTRY_KIND.return, 1],
  [ENTRY_KIND.return, 0],
];

/** One CPU, as run by the module. */
class Cpu {
  readonly cpu: number;
  readonly #key = new Int32Array(4);
  readonly #words = new Int32Array(ENTRIES_A_KEY * ENTRY_WORDS);
  readonly bytes = new Uint8Array(this.#words.buffer);
  epoch = 0;
  /** The next sequence number. */
  next = 1;

  constructor(cpu: number) {
    this.cpu = cpu;
  }

  /** Takes a key, and writes entries under it. */
  take(host: Int32Array): void {
    const words = this.#words;
    this.epoch++;
    takeKey(SEAL.ratchet, this.#key, host);
    words.fill(0);
    for (const [i, [kind, depth]] of SHAPE.entries()) {
      const at = i * ENTRY_WORDS;
      const time = 1000 * (CPUS * this.next + this.cpu);
      words[at + WORD.time] = time;
      words[at + WORD.time + 1] = Math.floor(time / 2 ** 32);
      words[at + WORD.func] = 0x81000000 + 16 * depth;
      words[at + WORD.func + 1] = -1;
      words[at + WORD.caller] = 0x81000000;
      words[at + WORD.caller + 1] = -1;
      words[at + WORD.pid] = 100 + this.cpu;
      words[at + WORD.shape] = kind << 16 | depth;
      words[at + WORD.epoch] = this.epoch;
      words[at + ENTRY.sequence / 4] = this.next;
      sealEntry(SEAL.ratchet, this.#key, words, at);
      ratchet(this.#key);
      this.next++;
    }
  }
}

/**
 * Writes a recording and its key log into a folder.
 *
 * @param keys how many keys the CPUs take together
 * @returns its path, and the number of its entries
 */
export function recordManyKeys(
  folder: string,
  keys: number,
): { path: string; entries: number } {
  const path = `${folder}/r`;
  using log = new Klog(`${folder}/k`);
  const tagKey = crypto.getRandomValues(new Uint8Array(TAG_BYTES));
  log.append([
    { type: KLOG.start, a: 1, b: SEAL.ratchet, key: NONCE },
    recordingKeyEntry(tagKey),
  ]);
  using writer = RecordingWriter.create(path, {
    ...recordedHeader(SEAL.ratchet, 1),
    kernelText: ["0xffffffff81000000", "0xffffffff82000000"],
  }, tagKey);
  const cpus = Array.from({ length: CPUS }, (_, cpu) => new Cpu(cpu));
  const checkpoint = () =>
    checkpointEntry(writer.blocks, writer.size, writer.tag);
  log.append([checkpoint()]);
  for (let done = 0; done < keys;) {
    const part: KlogEntry[] = [];
    for (const end = Math.min(keys, done + KEYS_A_PART); done < end; done++) {
      const each = cpus[done % CPUS];
      const { cpu, next } = each;
      const key = crypto.getRandomValues(new Int32Array(4));
      each.take(key);
      writer.entries(cpu, next, each.bytes);
      part.push(
        { type: KLOG.key, cpu, a: each.epoch, key },
        { type: KLOG.ack, cpu, a: each.epoch, b: next },
      );
    }
    log.append([...part, checkpoint()], false);
  }
  log.append([
    ...cpus.map(({ cpu, next }) => ({ type: KLOG.stop, cpu, a: next - 1 })),
    { type: KLOG.end },
  ]);
  return { path, entries: keys * ENTRIES_A_KEY };
}
