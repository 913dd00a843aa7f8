/**
 * What a key log says about a guest's clock. A key is noted before it is sent,
 * so what was sealed after it was taken is younger; that it was taken is noted
 * afterwards, so the entry with which it was is older.
 *
 * @module
 */
import type { ClockBound, ClockBounds } from "../../ftrace/clock/clock_map.ts";
import { KLOG, type KlogRecord } from "../keys/klog_format.ts";
import { ENTRY_KIND, kindAt, WORD } from "../page/abi.ts";

/** Keys of a CPU of which times are kept; if there are more, every other one. */
const MOST_KEYS = 2048;
/** Times in a key log are whole ms, cut off. */
const MS = 1e6;

/** Keys that a CPU took, in order. */
class CpuKeys {
  /** The first entry that was sealed with each. */
  first: number[] = [];
  /** When it was noted that each is sent, and that it was taken, ms. */
  sent: number[] = [];
  taken: number[] = [];
  /** The epoch that was sent last, and when. */
  epoch = -1;
  time = 0;
  /** The next key whose entry is looked for. */
  next = 0;
  /** The key of which an entry that is younger is looked for; -1: none. */
  younger = -1;
  #stride = 1;
  #skipped = 0;

  add(first: number, taken: number): void {
    if (++this.#skipped < this.#stride) return;
    this.#skipped = 0;
    this.first.push(first);
    this.sent.push(this.time);
    this.taken.push(taken);
    if (this.first.length < MOST_KEYS) return;
    const half = (all: number[]) => all.filter((_, i) => i % 2 === 0);
    this.first = half(this.first);
    this.sent = half(this.sent);
    this.taken = half(this.taken);
    this.#stride *= 2;
  }
}

/** Compares the times of verified entries with those at which keys were sent. */
export class KeyTimes {
  readonly #cpus = new Map<number, CpuKeys>();
  readonly #atMost: ClockBound[] = [];
  readonly #atLeast: ClockBound[] = [];
  readonly #base: number;

  /**
   * @param records of the trace
   * @param started ms since 1970 from which the host's times count
   */
  constructor(records: Iterable<KlogRecord>, started: number) {
    this.#base = Math.floor(started);
    for (const { type, cpu, a, b, time } of records) {
      if (type !== KLOG.key && type !== KLOG.ack) continue;
      let keys = this.#cpus.get(cpu);
      if (keys === undefined) this.#cpus.set(cpu, keys = new CpuKeys());
      if (type === KLOG.key) {
        keys.epoch = a;
        keys.time = time;
      } else if (keys.epoch === a) keys.add(b, time);
    }
  }

  /** Takes a verified entry; those of a CPU come in order. */
  visit(cpu: number, sequence: number, words: Int32Array, at: number): void {
    const keys = this.#cpus.get(cpu);
    if (keys === undefined) return;
    // The clock is read within the same section that no interrupt enters.
    if (keys.younger >= 0 && kindAt(words, at) === ENTRY_KIND.entry) {
      const to = (keys.sent[keys.younger] - this.#base) * MS;
      this.#atLeast.push({ from: timeAt(words, at), to });
      keys.younger = -1;
    }
    const { first, taken } = keys;
    while (keys.next < first.length && first[keys.next] < sequence) keys.next++;
    if (first[keys.next] !== sequence) return;
    const kind = kindAt(words, at);
    if (kind !== ENTRY_KIND.arguments && kind !== ENTRY_KIND.path) {
      const to = (taken[keys.next] + 1 - this.#base) * MS;
      this.#atMost.push({ from: timeAt(words, at), to });
    }
    keys.younger = keys.next++;
  }

  /** From ns of the guest's clock to ns of the host's since the base. */
  bounds(): ClockBounds {
    return { atMost: this.#atMost, atLeast: this.#atLeast };
  }
}

/** In ns; exact up to 104 days of uptime. */
function timeAt(words: Int32Array, at: number): number {
  return (words[at + WORD.time + 1] >>> 0) * 2 ** 32 +
    (words[at + WORD.time] >>> 0);
}
