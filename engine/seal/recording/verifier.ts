/**
 * Log_Maker's first half: unseals entries and judges each position of each
 * CPU's row of sequence numbers, so that every one is accounted for once.
 *
 * @module
 */
import { ENTRY_WORDS, WORD } from "../page/abi.ts";
import { KeyChain } from "../keys/key_chain.ts";
import { isSealed, openEntry, sequenceAt } from "../keys/seals.ts";

/**
 * What can be said of one position.
 *
 * @example
 * ```ts
 * import { VERDICTS } from "xftrace/seal";
 *
 * console.log(VERDICTS.join(", "));
 * ```
 */
export const VERDICTS = [
  "verified",
  "forged",
  "missing",
  "replayed",
  "reordered",
  "early",
  "late",
  "lost",
] as const;

/**
 * - `verified`: there, sealed with the key of its place.
 * - `forged`: something is there that no key of the host's has sealed so.
 * - `missing`: nothing is there, or the row ends too soon.
 * - `replayed`: an entry that stands in its own place too.
 * - `reordered`: an entry of another place, which does not have it.
 * - `early`, `late`: sealed with the key of a later, or of an ended epoch.
 * - `lost`: overwritten by newer entries before it was read: no tampering.
 */
export type Verdict = typeof VERDICTS[number];

/** How many positions have each verdict. */
export type VerdictCounts = Record<Verdict, number>;

/** One thing that is wrong, at one place. */
export interface SealFinding {
  readonly verdict: Verdict;
  readonly cpu: number;
  readonly epoch: number;
  readonly sequence: number;
  /** For entries of another place: which. */
  readonly from?: number;
}

/** Called for each entry that was verified, in order; opened in place. */
export type VisitEntry = (
  cpu: number,
  sequence: number,
  words: Int32Array,
  at: number,
) => void;

/** Findings kept in full; the counts go on. */
const MAX_FINDINGS = 1000;
/** Misplaced entries looked up by their own keys: each takes a search. */
const MAX_SEARCHES = 50_000;

/** No counts yet. */
export function noCounts(): VerdictCounts {
  return {
    verified: 0,
    forged: 0,
    missing: 0,
    replayed: 0,
    reordered: 0,
    early: 0,
    late: 0,
    lost: 0,
  };
}

interface CpuState {
  readonly chain: KeyChain;
  /** Sequence number of the next position. */
  next: number;
  readonly epochs: Map<number, VerdictCounts>;
  /** Positions that hold no entry of their own. */
  readonly bad: Set<number>;
  /** Half-open ranges of positions of which nothing was read. */
  readonly absent: [from: number, end: number][];
  readonly displaced: { at: number; from: number; epoch: number }[];
}

/** Verifies the entries of all CPUs of one trace. */
export class SealVerifier {
  readonly #seal: number;
  readonly #cpus = new Map<number, CpuState>();
  readonly #findings: SealFinding[] = [];
  readonly #visit: VisitEntry | undefined;
  #searches = 0;

  /**
   * @param seal XFT_SEAL_*
   * @param visit is given each verified entry
   */
  constructor(seal: number, visit?: VisitEntry) {
    this.#seal = seal;
    this.#visit = visit;
  }

  #cpu(cpu: number): CpuState {
    let state = this.#cpus.get(cpu);
    if (state === undefined) {
      state = {
        chain: new KeyChain(this.#seal),
        next: 1,
        epochs: new Map(),
        bad: new Set(),
        absent: [],
        displaced: [],
      };
      this.#cpus.set(cpu, state);
    }
    return state;
  }

  /** A key that the host sent to a CPU. */
  key(cpu: number, epoch: number, key: Int32Array): void {
    this.#cpu(cpu).chain.send(epoch, key);
  }

  /** A CPU took the key of an epoch for entry `first`. */
  taken(cpu: number, epoch: number, first: number): void {
    this.#cpu(cpu).chain.take(epoch, first);
  }

  /** The next sequence number that is expected of a CPU. */
  next(cpu: number): number {
    return this.#cpu(cpu).next;
  }

  /** Positions before `next` were judged elsewhere. */
  skip(cpu: number, next: number): void {
    const state = this.#cpu(cpu);
    state.next = Math.max(state.next, next);
  }

  /** Positions that newer entries overwrote before they were read. */
  lost(cpu: number, count: number): void {
    const state = this.#cpu(cpu);
    this.#range(state, state.next + count, "lost");
  }

  /** The last position of a CPU is known: what was not fed is missing. */
  end(cpu: number, last: number): void {
    const state = this.#cpu(cpu);
    if (last < state.next) return;
    const { next } = state;
    this.#range(state, last + 1, "missing");
    for (let sequence = next; sequence <= last; sequence++) {
      if (this.#findings.length >= MAX_FINDINGS) break;
      const { epoch } = state.chain;
      this.#add({ verdict: "missing", cpu, epoch, sequence });
    }
  }

  /** The same verdict on all positions before `end`. */
  #range(state: CpuState, end: number, verdict: "lost" | "missing"): void {
    state.absent.push([state.next, end]);
    while (state.next < end) {
      state.chain.advance(state.next);
      const until = Math.min(end, state.chain.nextEpochAt);
      this.#counts(state, state.chain.epoch)[verdict] += until - state.next;
      state.next = until;
    }
  }

  /**
   * Verifies entries in place, in the order of their positions.
   *
   * @param words 16 words an entry
   * @param count how many
   */
  feed(cpu: number, words: Int32Array, count: number): void {
    const state = this.#cpu(cpu);
    const { chain } = state;
    let counts: VerdictCounts | undefined;
    let countsOf = -1;
    for (let i = 0; i < count; i++) {
      const at = i * ENTRY_WORDS;
      const sequence = state.next;
      chain.advance(sequence);
      const { epoch } = chain;
      if (
        words[at + WORD.epoch] === epoch && epoch !== 0 &&
        sequenceAt(words, at) === sequence &&
        isSealed(this.#seal, chain.key, words, at)
      ) {
        if (countsOf !== epoch || counts === undefined) {
          counts = this.#counts(state, epoch);
          countsOf = epoch;
        }
        counts.verified++;
        state.next++;
        if (this.#visit !== undefined) {
          openEntry(this.#seal, chain.key, words, at);
          this.#visit(cpu, sequence, words, at);
        }
        continue;
      }
      this.#judge(state, cpu, words, at);
    }
  }

  #counts(state: CpuState, epoch: number): VerdictCounts {
    let counts = state.epochs.get(epoch);
    if (counts === undefined) {
      counts = noCounts();
      state.epochs.set(epoch, counts);
    }
    return counts;
  }

  #note(state: CpuState, cpu: number, verdict: Verdict): void {
    const sequence = state.next++;
    state.chain.advance(sequence);
    const { epoch } = state.chain;
    this.#counts(state, epoch)[verdict]++;
    state.bad.add(sequence);
    this.#add({ verdict, cpu, epoch, sequence });
  }

  #add(finding: SealFinding, from?: number): void {
    if (this.#findings.length >= MAX_FINDINGS) return;
    this.#findings.push(from === undefined ? finding : { ...finding, from });
  }

  /** Says what is wrong with an entry that does not verify in its place. */
  #judge(state: CpuState, cpu: number, words: Int32Array, at: number): void {
    const { chain } = state;
    const sequence = state.next;
    let empty = true;
    for (let i = 0; i < ENTRY_WORDS && empty; i++) empty = words[at + i] === 0;
    if (empty) return this.#note(state, cpu, "missing");
    const own = sequenceAt(words, at);
    if (this.#searches++ < MAX_SEARCHES) {
      if (own !== sequence && own > 0) {
        // An entry of a place ahead is told apart once that place is reached.
        const key = own < sequence
          ? chain.keyAt(own)
          : this.#keyAhead(state, own);
        if (
          key !== undefined && words[at + WORD.epoch] === key.epoch &&
          isSealed(this.#seal, key.key, words, at)
        ) {
          state.displaced.push({ at: sequence, from: own, epoch: chain.epoch });
          state.bad.add(sequence);
          state.next++;
          return;
        }
      }
      if (own === sequence) {
        const misplaced = this.#misdated(chain, words, at, sequence);
        if (misplaced !== undefined) return this.#note(state, cpu, misplaced);
      }
    }
    this.#note(state, cpu, "forged");
  }

  /** The key of an entry ahead, as far as its epoch is known already. */
  #keyAhead(
    state: CpuState,
    sequence: number,
  ): { key: Int32Array; epoch: number } | undefined {
    if (sequence - state.next > 1 << 20) return undefined;
    return state.chain.ahead(sequence);
  }

  /** Whether another epoch's key has sealed an entry of this place. */
  #misdated(
    chain: KeyChain,
    words: Int32Array,
    at: number,
    sequence: number,
  ): "early" | "late" | undefined {
    // The entry may tell the truth of its epoch or not: try both.
    const recent = chain.epochs.slice(-9, -1).reverse();
    for (const epoch of recent) {
      const key = chain.continued(epoch, sequence);
      if (key !== undefined && isSealed(this.#seal, key.key, words, at)) {
        return "late";
      }
    }
    for (let ahead = 1; ahead <= 8; ahead++) {
      const key = chain.early(chain.epoch + ahead);
      if (key === undefined) break;
      if (isSealed(this.#seal, key, words, at)) return "early";
    }
    return undefined;
  }

  /** The verdict on all that was fed. Call once, at the end. */
  finish(): Verification {
    for (const [cpu, state] of this.#cpus) {
      for (const { at, from, epoch } of state.displaced) {
        const verdict = hasOwn(state, from) ? "replayed" : "reordered";
        this.#counts(state, epoch)[verdict]++;
        this.#add({ verdict, cpu, epoch, sequence: at }, from);
      }
      state.displaced.length = 0;
    }
    const total = noCounts();
    const cpus: CpuVerification[] = [];
    for (const [cpu, state] of [...this.#cpus].sort(([a], [b]) => a - b)) {
      const counts = noCounts();
      for (const epoch of state.epochs.values()) {
        for (const verdict of VERDICTS) counts[verdict] += epoch[verdict];
      }
      for (const verdict of VERDICTS) total[verdict] += counts[verdict];
      cpus.push({ cpu, counts, epochs: state.epochs });
    }
    return { total, cpus, findings: this.#findings };
  }
}

/** Whether the entry of a position stands in its place. */
function hasOwn({ next, bad, absent }: CpuState, sequence: number): boolean {
  return sequence < next && !bad.has(sequence) &&
    !absent.some(([from, end]) => sequence >= from && sequence < end);
}

/** What was found out about one CPU's row. */
export interface CpuVerification {
  readonly cpu: number;
  readonly counts: VerdictCounts;
  readonly epochs: ReadonlyMap<number, VerdictCounts>;
}

/** What was found out about a trace. */
export interface Verification {
  readonly total: VerdictCounts;
  readonly cpus: readonly CpuVerification[];
  /** The first thousand things that are wrong; lost entries are not. */
  readonly findings: readonly SealFinding[];
}

/** Whether nothing speaks of tampering. */
export function isUntouched({ total }: Verification): boolean {
  return total.forged + total.missing + total.replayed + total.reordered +
      total.early + total.late === 0;
}
