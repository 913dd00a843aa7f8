/**
 * Tries changes of words, several at once: if the check still finds the hook,
 * and has read all of them, none of them blinds it. Otherwise they are tried in
 * halves, and at last one by one, which alone tells a blinding word.
 *
 * @module
 */
import type { Mutation } from "./mutations.ts";
import type { SearchedMemory } from "./searched_memory.ts";

/** One change of one word. */
export interface Trial {
  /** GPA of the word. */
  readonly gpa: number;
  readonly mutation: Mutation;
}

/** Tries groups of changes, as large as serves. */
export class Trials {
  readonly #memory: SearchedMemory;
  readonly #finds: () => Promise<boolean>;
  readonly #one: (trial: Trial, before: bigint) => Promise<boolean>;
  /** Words whose changes keep the check from finding the hook, by GPA. */
  readonly #touchy = new Set<number>();
  #size = 1;
  #split = 0;
  #runs = 0;

  /**
   * @param finds whether the check finds the hook in memory as it is now
   * @param one judges one change, which is in memory while it runs; it is given
   * the word as it was, and returns whether the check still found something
   */
  constructor(
    memory: SearchedMemory,
    finds: () => Promise<boolean>,
    one: (trial: Trial, before: bigint) => Promise<boolean>,
  ) {
    this.#memory = memory;
    this.#finds = finds;
    this.#one = one;
  }

  /** How many words to give next, at most `most`. */
  size(most: number): number {
    return Math.min(this.#size, most);
  }

  /** How often the check was run. */
  get runs(): number {
    return this.#runs;
  }

  /**
   * Tries changes of some words, and learns how many may be given next.
   *
   * @param words the changes of each word
   */
  async run(words: readonly (readonly Trial[])[]): Promise<void> {
    const rounds = Math.max(0, ...words.map(({ length }) => length));
    const before = this.#split;
    for (let round = 0; round < rounds; round++) {
      const trials = words.flatMap((trials) => trials[round] ?? []);
      const touchy = trials.filter(({ gpa }) => this.#touchy.has(gpa));
      await this.#group(trials.filter(({ gpa }) => !this.#touchy.has(gpa)));
      for (const trial of touchy) await this.#group([trial]);
    }
    const split = this.#split - before;
    if (2 * split > rounds) this.#size = Math.max(1, words.length >> 1);
    else this.#size = Math.max(this.#size, 2 * words.length);
  }

  async #group(trials: readonly Trial[]): Promise<void> {
    if (trials.length === 0) return;
    if (trials.length === 1) {
      const [trial] = trials;
      const before = this.#memory.peek(trial.gpa);
      const found = await this.#with(trials, () => this.#one(trial, before));
      if (!found) this.#touchy.add(trial.gpa);
      return;
    }
    const read = new Set<number>();
    const found = await this.#with(trials, async () => {
      this.#memory.trap(trials.map(({ gpa }) => gpa), (gpa) => read.add(gpa));
      try {
        return await this.#finds();
      } finally {
        this.#memory.trap();
      }
    });
    // What another change kept from being read was not tried.
    const rest = found ? trials.filter(({ gpa }) => !read.has(gpa)) : trials;
    if (rest.length < trials.length) return await this.#group(rest);
    this.#split++;
    const half = trials.length >> 1;
    await this.#group(trials.slice(0, half));
    await this.#group(trials.slice(half));
  }

  /** Runs `body` with changes made, and takes them back. */
  async #with<T>(
    trials: readonly Trial[],
    body: () => Promise<T>,
  ): Promise<T> {
    const memory = this.#memory;
    const words = trials.map(({ gpa }) => memory.peek(gpa));
    for (const { gpa, mutation } of trials) memory.poke(gpa, mutation.value);
    this.#runs++;
    try {
      return await body();
    } finally {
      for (const [i, { gpa }] of trials.entries()) memory.poke(gpa, words[i]);
    }
  }
}
