/**
 * The keys of one guest CPU, entry by entry, computed from the keys that the
 * host sent and the sequence numbers at which the CPU took them.
 *
 * Neither depends on the entries' content, so lost entries can be stepped over.
 *
 * @module
 */
import { SEAL } from "../page/abi.ts";
import { ratchet, takeKey } from "./seals.ts";

/** An epoch that a CPU has begun. */
export interface Epoch {
  readonly epoch: number;
  /** Sequence number of the first entry sealed with its key. */
  readonly first: number;
  /** The key of that first entry. */
  readonly key: Int32Array;
}

/** Maximum number of steps in a search among old keys. */
const SEARCH_STEPS = 400_000;
/**
 * Maximum number of steps of all searches together, about a second: whoever can
 * write entries decides how many searches there are.
 */
const ALL_SEARCH_STEPS = 2 ** 22;

/** How much may still be searched; shared by the CPUs of a trace. */
export class SearchBudget {
  #left = ALL_SEARCH_STEPS;

  /** Takes steps from the budget; false when there are not enough. */
  take(steps: number): boolean {
    if (steps > SEARCH_STEPS || steps > this.#left) return false;
    this.#left -= steps;
    return true;
  }
}

/** How many epochs that were taken are removed at a time. */
const TAKEN_PART = 1024;

/** The keys of one CPU. */
export class KeyChain {
  readonly #seal: number;
  /** Keys of epochs that have not been begun. */
  readonly #sent = new Map<number, Int32Array>();
  /** Epochs that the CPU has begun; those before `#next` are in `epochs`. */
  readonly #taken: { epoch: number; first: number }[] = [];
  #next = 0;
  /** Epochs whose initial key is known, in order: the last ones. */
  readonly epochs: Epoch[] = [];
  readonly #keptEpochs: number;
  /** The key of entry {@linkcode at}. */
  readonly key = new Int32Array(4);
  /** The sequence number to which {@linkcode key} belongs. */
  at = 1;
  readonly #search = new Int32Array(4);
  #searchAt = 0;
  #searchEpoch = -1;
  readonly #budget: SearchBudget;

  /**
   * @param keptEpochs of how many past epochs at least the keys are kept, for
   * {@linkcode keyAt}; at most twice as many are
   */
  constructor(
    seal: number,
    budget: SearchBudget = new SearchBudget(),
    keptEpochs = Infinity,
  ) {
    this.#seal = seal;
    this.#budget = budget;
    this.#keptEpochs = keptEpochs;
  }

  /** Adds a key that the host has sent. */
  send(epoch: number, key: Int32Array): void {
    this.#sent.set(epoch, key.slice());
  }

  /** The key that was sent for an epoch that has not been begun. */
  sent(epoch: number): Int32Array | undefined {
    return this.#sent.get(epoch);
  }

  /**
   * Records that the CPU has taken an epoch's key for entry `first` and later
   * ones.
   */
  take(epoch: number, first: number): void {
    this.#taken.push({ epoch, first });
  }

  /** Wipes all keys; the chain is of no use afterwards. */
  wipe(): void {
    for (const key of this.#sent.values()) key.fill(0);
    for (const { key } of this.epochs) key.fill(0);
    this.key.fill(0);
    this.#search.fill(0);
  }

  /** The epoch that contains {@linkcode at}; 0 before the first epoch. */
  get epoch(): number {
    return this.epochs.at(-1)?.epoch ?? 0;
  }

  /** The first entry of the next epoch that the CPU is known to have begun. */
  get nextEpochAt(): number {
    return this.#taken[this.#next]?.first ?? Infinity;
  }

  /** Advances to a later entry. */
  advance(sequence: number): void {
    for (;;) {
      const next = this.#taken[this.#next];
      if (next === undefined || next.first > sequence) break;
      this.#step(next.first);
      const host = this.#sent.get(next.epoch);
      if (host !== undefined) {
        takeKey(this.#seal, this.key, host);
        host.fill(0);
        this.#sent.delete(next.epoch);
      }
      this.#next++;
      this.epochs.push({ ...next, key: this.key.slice() });
      this.#forget();
    }
    this.#step(sequence);
  }

  /** Removes what is not needed any more, some at a time. */
  #forget(): void {
    if (this.#next >= TAKEN_PART) {
      this.#taken.splice(0, this.#next);
      this.#next = 0;
    }
    if (this.epochs.length < 2 * this.#keptEpochs) return;
    const old = this.epochs.splice(0, this.epochs.length - this.#keptEpochs);
    for (const { key } of old) key.fill(0);
  }

  #step(sequence: number): void {
    if (this.#seal === SEAL.ratchet) {
      for (; this.at < sequence; this.at++) ratchet(this.key);
    } else {
      this.at = Math.max(this.at, sequence);
    }
  }

  /**
   * The key of a past entry; `undefined` when it is too far away to be
   * computed, or before the first epoch. Valid until the next call.
   */
  keyAt(sequence: number): { key: Int32Array; epoch: number } | undefined {
    let low = 0;
    let high = this.epochs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.epochs[middle].first <= sequence) low = middle + 1;
      else high = middle;
    }
    const epoch = this.epochs[low - 1];
    if (epoch === undefined || sequence > this.at) return undefined;
    return this.continued(epoch, sequence);
  }

  /** The key that an entry would have if the epoch had continued until then. */
  continued(
    epoch: Epoch,
    sequence: number,
  ): { key: Int32Array; epoch: number } | undefined {
    const search = this.#search;
    const goesOn = this.#searchEpoch === epoch.epoch &&
      this.#searchAt <= sequence && this.#searchAt >= epoch.first;
    if (!goesOn) {
      search.set(epoch.key);
      this.#searchAt = epoch.first;
      this.#searchEpoch = epoch.epoch;
    }
    if (this.#seal === SEAL.ratchet) {
      const steps = Math.max(sequence - this.#searchAt, 0);
      if (!this.#budget.take(steps)) return undefined;
      for (; this.#searchAt < sequence; this.#searchAt++) ratchet(search);
    }
    return sequence < epoch.first
      ? undefined
      : { key: search, epoch: epoch.epoch };
  }

  /** The key of a future entry; otherwise like {@linkcode keyAt}. */
  ahead(sequence: number): { key: Int32Array; epoch: number } | undefined {
    // Copying the keys takes time as well.
    const steps = Math.max(sequence - this.at, 0) + this.#sent.size;
    if (!this.#budget.take(steps)) return undefined;
    const chain = new KeyChain(this.#seal, this.#budget);
    // Copies, since keys are wiped where they are used.
    for (const [epoch, key] of this.#sent) chain.#sent.set(epoch, key.slice());
    for (const taken of this.#taken.slice(this.#next)) chain.#taken.push(taken);
    const last = this.epochs.at(-1);
    if (last !== undefined) chain.epochs.push(last);
    chain.key.set(this.key);
    chain.at = this.at;
    chain.advance(sequence);
    return { key: chain.key, epoch: chain.epoch };
  }

  /**
   * The key of entry {@linkcode at} if it were the first one under an epoch's
   * key.
   */
  early(epoch: number): Int32Array | undefined {
    const host = this.#sent.get(epoch);
    if (host === undefined) return undefined;
    const key = this.key.slice();
    takeKey(this.#seal, key, host);
    return key;
  }
}
