/**
 * Feeds the blocks of a recording to the verifier, as far as they can be
 * believed, and within bounds.
 *
 * @module
 */
import { SEAL } from "../page/abi.ts";
import type { JudgedBlock } from "./authentication.ts";
import { BLOCK } from "./recording_format.ts";
import type { SealVerifier } from "./verifier.ts";

/**
 * Maximum number of positions without entries that are stepped over when keys
 * are ratcheted, which takes two minutes.
 */
const MOST_SKIPPED = 2 ** 29;
/** The same for recordings without tags. */
const MOST_SKIPPED_OLD = 2 ** 24;
/** The same for blocks that are not authentic. */
const MOST_SKIPPED_UNSURE = 2 ** 20;
/** The greatest number of a CPU, which has 16 bits in the key log. */
const MOST_CPU = 0xffff;
/** Maximum number of problems that are listed. */
const MOST_COMPLAINTS = 1000;

/** Feeds blocks of entries to a verifier, within bounds. */
export class BlockReader {
  readonly #verifier: SealVerifier;
  readonly #seal: number;
  readonly #problems: string[];
  #skipped = 0;
  #complaints = 0;

  constructor(verifier: SealVerifier, seal: number, problems: string[]) {
    this.#verifier = verifier;
    this.#seal = seal;
    this.#problems = problems;
  }

  /**
   * Judges a block of entries or of lost ones.
   *
   * @param believed whether it is as it was written, or can only be believed
   */
  block(block: JudgedBlock, believed: boolean): void {
    const verifier = this.#verifier;
    const { cpu, sequence, count, type } = block;
    const lost = type === BLOCK.lost;
    // Without a MAC of their own, entries are worth as much as their block.
    const sealed = this.#seal === SEAL.siphash || this.#seal === SEAL.ratchet;
    if (!believed && (lost || !sealed)) return;
    if (cpu > MOST_CPU) {
      this.#complain(
        `the recording has a block of CPU ${cpu}, which no key log can name`,
      );
      return;
    }
    const next = verifier.next(cpu);
    if (sequence < next) {
      this.#complain(
        `CPU ${cpu} goes back from entry ${next} to ${sequence}: a block of the recording is there twice`,
      );
      return;
    }
    const gap = sequence - next + (lost ? count : 0);
    const most = block.authentic
      ? MOST_SKIPPED
      : believed
      ? MOST_SKIPPED_OLD
      : MOST_SKIPPED_UNSURE;
    if (!this.#mayStep(gap, most)) {
      this.#complain(
        `CPU ${cpu} jumps from entry ${next} to ${
          sequence + count
        }: the rest of it cannot be judged`,
      );
      return;
    }
    if (sequence > next) verifier.end(cpu, sequence - 1);
    if (lost) verifier.lost(cpu, count);
    else verifier.feed(cpu, new Int32Array(block.body.buffer), count);
  }

  /** Ends a CPU's sequence where the key log says. */
  end(cpu: number, last: number): void {
    const next = this.#verifier.next(cpu);
    if (!this.#mayStep(last - next, MOST_SKIPPED)) {
      this.#complain(
        `CPU ${cpu} has entries up to ${
          next - 1
        } of ${last}: what is missing is too much to be judged`,
      );
    } else this.#verifier.end(cpu, last);
  }

  #mayStep(gap: number, most: number): boolean {
    if (gap > 0 && this.#seal === SEAL.ratchet) {
      if (this.#skipped + gap > most) return false;
      this.#skipped += gap;
    }
    return true;
  }

  #complain(problem: string): void {
    if (this.#complaints++ < MOST_COMPLAINTS) this.#problems.push(problem);
  }
}
