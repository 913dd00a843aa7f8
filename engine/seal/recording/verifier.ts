/**
 * Verifies seals: opens entries and judges each position in each CPU's
 * sequence, so that every position gets exactly one verdict.
 *
 * @module
 */
import { ENTRY_WORDS, WORD } from "../page/abi.ts";
import { KeyChain, SearchBudget } from "../keys/key_chain.ts";
import { isSealed, openEntry, sequenceAt } from "../keys/seals.ts";
import { EpochCounts } from "./epoch_counts.ts";
import {
  addCounts,
  noCounts,
  type Verdict,
  type VerdictCounts,
} from "./verdicts.ts";

export type { VerdictCounts } from "./verdicts.ts";

/** A fault at one position. */
export interface SealFinding {
  readonly verdict: Verdict;
  readonly cpu: number;
  readonly epoch: number;
  readonly sequence: number;
  /** For entries that belong to another position: which. */
  readonly from?: number;
}

/** Called for each verified entry, in order, after it was opened in place. */
export type VisitEntry = (
  cpu: number,
  sequence: number,
  words: Int32Array,
  at: number,
) => void;

/** Maximum number of findings kept in full; counting continues beyond that. */
const MAX_FINDINGS = 1000;
/**
 * Maximum number of misplaced entries whose own keys are looked up, since each
 * takes a search.
 */
const MAX_SEARCHES = 50_000;
/**
 * Maximum number of bad positions of a CPU that are remembered. Beyond it, an
 * entry that is there twice may be called reordered, and the other way round.
 */
const MAX_BAD = 1 << 20;
/**
 * Maximum number of ranges without entries of a CPU that are remembered; beyond
 * it, the older half becomes one range, with the same consequence.
 */
const MAX_ABSENT = 1 << 14;

interface CpuState {
  readonly chain: KeyChain;
  /** Sequence number of the next position. */
  next: number;
  /** Of the last epochs. */
  readonly epochs: EpochCounts;
  /** Of all epochs before. */
  readonly before: VerdictCounts;
  /** Positions without an entry of their own. */
  readonly bad: Set<number>;
  /** Half-open ranges of positions of which nothing was read. */
  readonly absent: [from: number, end: number][];
  readonly displaced: { at: number; from: number; epoch: number }[];
}

/** How a verifier works. */
export interface VerifierOptions {
  /**
   * Of how many epochs of a CPU at least the keys and counts are kept; default:
   * of all. With a limit, the verifier can run for any time, but a copy of an
   * entry that is older is called forged, not replayed.
   */
  readonly keptEpochs?: number;
}

/** Verifies the entries of all CPUs in a trace. */
export class SealVerifier {
  readonly #seal: number;
  readonly #keptEpochs: number;
  readonly #cpus = new Map<number, CpuState>();
  readonly #findings: SealFinding[] = [];
  readonly #visit: VisitEntry | undefined;
  #searches = 0;
  readonly #budget = new SearchBudget();

  /**
   * @param seal XFT_SEAL_*
   * @param visit called with each verified entry
   */
  constructor(
    seal: number,
    visit?: VisitEntry,
    { keptEpochs = Infinity }: VerifierOptions = {},
  ) {
    this.#seal = seal;
    this.#visit = visit;
    this.#keptEpochs = keptEpochs;
  }

  #cpu(cpu: number): CpuState {
    let state = this.#cpus.get(cpu);
    if (state === undefined) {
      state = {
        chain: new KeyChain(this.#seal, this.#budget, this.#keptEpochs),
        next: 1,
        epochs: new EpochCounts(),
        before: noCounts(),
        bad: new Set(),
        absent: [],
        displaced: [],
      };
      this.#cpus.set(cpu, state);
    }
    return state;
  }

  /** Adds a key that the host sent to a CPU. */
  key(cpu: number, epoch: number, key: Int32Array): void {
    this.#cpu(cpu).chain.send(epoch, key);
  }

  /** Records that a CPU took an epoch's key for entry `first`. */
  taken(cpu: number, epoch: number, first: number): void {
    this.#cpu(cpu).chain.take(epoch, first);
  }

  /** The next sequence number expected from a CPU. */
  next(cpu: number): number {
    return this.#cpu(cpu).next;
  }

  /** Skips positions before `next`, which were verified elsewhere. */
  skip(cpu: number, next: number): void {
    const state = this.#cpu(cpu);
    state.next = Math.max(state.next, next);
  }

  /** Adds positions that newer entries overwrote before they were read. */
  lost(cpu: number, count: number): void {
    const state = this.#cpu(cpu);
    this.#range(state, state.next + count, "lost");
  }

  /**
   * Sets the last position of a CPU; positions up to it that were not fed are
   * missing.
   */
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

  /** Gives all positions before `end` the same verdict. */
  #range(state: CpuState, end: number, verdict: "lost" | "missing"): void {
    const { absent } = state;
    absent.push([state.next, end]);
    if (absent.length > MAX_ABSENT) {
      const half = absent.splice(0, MAX_ABSENT >> 1);
      absent.unshift([half[0][0], half[half.length - 1][1]]);
    }
    while (state.next < end) {
      state.chain.advance(state.next);
      const until = Math.min(end, state.chain.nextEpochAt);
      this.#count(state, state.chain.epoch, verdict, until - state.next);
      state.next = until;
    }
  }

  /**
   * Verifies entries in place, in the order of their positions.
   *
   * @param words 16 words per entry
   * @param count number of entries
   */
  feed(cpu: number, words: Int32Array, count: number): void {
    const state = this.#cpu(cpu);
    const { chain } = state;
    /** Where the counts of {@linkcode rowOf} are. */
    let row = 0;
    let rowOf = -1;
    for (let i = 0; i < count; i++) {
      const at = i * ENTRY_WORDS;
      const sequence = state.next;
      chain.advance(sequence);
      const { epoch } = chain;
      if (
        // An entry has the low half of its epoch.
        words[at + WORD.epoch] === (epoch | 0) && epoch !== 0 &&
        sequenceAt(words, at) === sequence &&
        isSealed(this.#seal, chain.key, words, at)
      ) {
        if (rowOf !== epoch) {
          row = this.#row(state, epoch);
          rowOf = epoch;
        }
        state.epochs.add(row, "verified", 1);
        state.next++;
        if (this.#visit !== undefined) {
          openEntry(this.#seal, chain.key, words, at);
          this.#visit(cpu, sequence, words, at);
        }
        continue;
      }
      this.#judge(state, cpu, words, at);
      // The counts of that epoch may have been removed.
      rowOf = -1;
    }
  }

  /** Where the counts of an epoch are; those of the oldest may be removed. */
  #row({ epochs, before }: CpuState, epoch: number): number {
    const { size } = epochs;
    const row = epochs.row(epoch);
    if (epochs.size > size && epochs.size > this.#keptEpochs) {
      epochs.removeOldest(before);
    }
    return row;
  }

  #count(
    state: CpuState,
    epoch: number,
    verdict: Verdict,
    count: number,
  ): void {
    state.epochs.add(this.#row(state, epoch), verdict, count);
  }

  #note(state: CpuState, cpu: number, verdict: Verdict): void {
    const sequence = state.next++;
    state.chain.advance(sequence);
    const { epoch } = state.chain;
    this.#count(state, epoch, verdict, 1);
    if (state.bad.size < MAX_BAD) state.bad.add(sequence);
    this.#add({ verdict, cpu, epoch, sequence });
  }

  #add(finding: SealFinding, from?: number): void {
    if (this.#findings.length >= MAX_FINDINGS) return;
    this.#findings.push(from === undefined ? finding : { ...finding, from });
  }

  /**
   * Determines what is wrong with an entry that does not verify at its
   * position.
   */
  #judge(state: CpuState, cpu: number, words: Int32Array, at: number): void {
    const { chain } = state;
    const sequence = state.next;
    let empty = true;
    for (let i = 0; i < ENTRY_WORDS && empty; i++) empty = words[at + i] === 0;
    if (empty) return this.#note(state, cpu, "missing");
    const own = sequenceAt(words, at);
    if (this.#searches++ < MAX_SEARCHES) {
      if (own !== sequence && own > 0) {
        // An entry from a later position is recognized when that position is
        // reached.
        const key = own < sequence
          ? chain.keyAt(own)
          : this.#keyAhead(state, own);
        if (
          key !== undefined && words[at + WORD.epoch] === (key.epoch | 0) &&
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

  /** The key of a later entry, if its epoch is already known. */
  #keyAhead(
    state: CpuState,
    sequence: number,
  ): { key: Int32Array; epoch: number } | undefined {
    if (sequence - state.next > 1 << 20) return undefined;
    return state.chain.ahead(sequence);
  }

  /**
   * Whether an entry of this position is sealed with the key of another epoch.
   */
  #misdated(
    chain: KeyChain,
    words: Int32Array,
    at: number,
    sequence: number,
  ): "early" | "late" | undefined {
    // The entry may state its epoch correctly or not, so both are tried.
    const { epochs } = chain;
    for (let back = 2; back <= 9; back++) {
      const epoch = epochs.at(epochs.length - back);
      if (epoch === undefined) break;
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

  /** Wipes all keys; the verifier is of no use afterwards. */
  wipe(): void {
    for (const { chain } of this.#cpus.values()) chain.wipe();
  }

  /** The verdict on everything that was fed. Call it once, at the end. */
  finish(): Verification {
    for (const [cpu, state] of this.#cpus) {
      for (const { at, from, epoch } of state.displaced) {
        const verdict = hasOwn(state, from) ? "replayed" : "reordered";
        this.#count(state, epoch, verdict, 1);
        this.#add({ verdict, cpu, epoch, sequence: at }, from);
      }
      state.displaced.length = 0;
    }
    const total = noCounts();
    const cpus: CpuVerification[] = [];
    for (const [cpu, state] of [...this.#cpus].sort(([a], [b]) => a - b)) {
      const counts = noCounts();
      addCounts(counts, state.before);
      for (const epoch of state.epochs.values()) addCounts(counts, epoch);
      addCounts(total, counts);
      cpus.push({ cpu, counts, epochs: state.epochs });
    }
    return { total, cpus, findings: this.#findings };
  }
}

/** Whether a position holds its own entry. */
function hasOwn({ next, bad, absent }: CpuState, sequence: number): boolean {
  if (sequence >= next || bad.has(sequence)) return false;
  // The ranges are in order, and do not overlap.
  let low = 0;
  let high = absent.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (absent[middle][0] <= sequence) low = middle + 1;
    else high = middle;
  }
  return low === 0 || sequence >= absent[low - 1][1];
}

/** The result for one CPU. */
export interface CpuVerification {
  readonly cpu: number;
  readonly counts: VerdictCounts;
  /** Of each epoch that is kept, see {@linkcode VerifierOptions}. */
  readonly epochs: ReadonlyMap<number, VerdictCounts>;
}

/** The result for a trace. */
export interface Verification {
  readonly total: VerdictCounts;
  readonly cpus: readonly CpuVerification[];
  /** The first thousand faults; lost entries are not among them. */
  readonly findings: readonly SealFinding[];
}
