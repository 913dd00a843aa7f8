/**
 * The keys of one guest CPU, entry by entry, computed from the keys that the
 * host sent and the sequence numbers at which the CPU took them.
 *
 * Neither depends on the entries' content, so lost entries can be stepped over.
 *
 * @module
 */
import { SEAL } from "../page/abi.ts";
import { type Epoch, Epochs, SentKeys } from "./key_table.ts";
import { ratchet, takeKey } from "./seals.ts";

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

/** The keys of one CPU. */
export class KeyChain {
  readonly #seal: number;
  /** Keys of epochs that have not been begun. */
  readonly #sent = new SentKeys();
  /**
   * Epochs that the CPU has taken, in order. The keys of those that it has begun
   * at {@linkcode at} are known.
   */
  readonly epochs = new Epochs();
  readonly #keptEpochs: number;
  /** The key of entry {@linkcode at}. */
  readonly key = new Int32Array(4);
  /** The sequence number to which {@linkcode key} belongs. */
  at = 1;
  readonly #search = new Int32Array(4);
  readonly #ahead = new Int32Array(4);
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
    this.#sent.set(epoch, key);
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
    this.epochs.add(epoch, first);
  }

  /** Wipes all keys; the chain is of no use afterwards. */
  wipe(): void {
    this.#sent.wipe();
    this.epochs.wipe();
    this.key.fill(0);
    this.#search.fill(0);
    this.#ahead.fill(0);
  }

  /** The epoch that contains {@linkcode at}; 0 before the first epoch. */
  get epoch(): number {
    return this.epochs.epochAt(this.epochs.length - 1) ?? 0;
  }

  /** The first entry of the next epoch that the CPU is known to have begun. */
  get nextEpochAt(): number {
    return this.epochs.firstAt(this.epochs.length);
  }

  /** Advances to a later entry. */
  advance(sequence: number): void {
    const { epochs } = this;
    while (this.nextEpochAt <= sequence) {
      this.#step(this.nextEpochAt);
      const epoch = epochs.epochAt(epochs.length) ?? 0;
      const host = this.#sent.get(epoch);
      if (host !== undefined) {
        takeKey(this.#seal, this.key, host);
        this.#sent.remove(epoch);
      }
      epochs.begin(this.key);
      this.#forget();
    }
    this.#step(sequence);
  }

  /** Removes what is not needed any more, some at a time. */
  #forget(): void {
    const { length } = this.epochs;
    if (length < 2 * this.#keptEpochs) return;
    this.epochs.drop(length - this.#keptEpochs);
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
    const epoch = this.epochs.of(sequence);
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
    const steps = Math.max(sequence - this.at, 0) + this.#sent.size;
    if (!this.#budget.take(steps)) return undefined;
    const { epochs } = this;
    const key = this.#ahead;
    key.set(this.key);
    let { at, epoch } = this;
    const step = (to: number) => {
      if (this.#seal !== SEAL.ratchet) return;
      for (; at < to; at++) ratchet(key);
    };
    /** Epochs whose keys would have been used by then: each is used once. */
    const begun = new Set<number>();
    for (let row = epochs.length; epochs.firstAt(row) <= sequence; row++) {
      step(epochs.firstAt(row));
      epoch = epochs.epochAt(row) ?? 0;
      const host = begun.has(epoch) ? undefined : this.#sent.get(epoch);
      if (host !== undefined) takeKey(this.#seal, key, host);
      begun.add(epoch);
    }
    step(sequence);
    return { key, epoch };
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
