/**
 * Changes of a guest's memory: inputs that say which words hold which values.
 *
 * @module
 */
import type { Random } from "../random.ts";
import { hostileNumber } from "./fields.ts";
import type { Input } from "./target.ts";

/** Bytes of a patch: u32 number of the place, u32 size, u64 value. */
const PATCH = 16;

type Bytes = Uint8Array<ArrayBuffer>;

/** A guest's memory of which some words are changed for each run. */
export class PatchedMemory {
  readonly #bytes: Bytes;
  readonly #clean: Bytes;
  /** Offsets of the words that hold something, or may. */
  readonly #places: readonly number[];
  readonly #pool: readonly bigint[];

  /**
   * @param bytes the guest's memory
   * @param from where the parts of it begin that are worth changing; default 0
   * @param pool values that are at home there
   * @param more offsets of words that are worth changing though they are zero
   */
  constructor(
    bytes: Bytes,
    from = 0,
    pool: readonly bigint[] = [],
    more: readonly number[] = [],
  ) {
    this.#bytes = bytes;
    this.#clean = bytes.slice();
    const words = new BigUint64Array(bytes.buffer);
    const places = new Set(more);
    const found = new Set(pool);
    for (let i = from / 8; i < words.length; i++) {
      if (words[i] === 0n) continue;
      places.add(8 * i);
      if (found.size < 4096) found.add(words[i]);
      // What follows a used word is often a member that is still zero.
      if (8 * i + 8 < bytes.length) places.add(8 * i + 8);
    }
    this.#places = [...places];
    this.#pool = [...found];
  }

  /** The only seed: nothing is changed. */
  readonly seeds: readonly Input[] = [[new Uint8Array(0)]];

  /** Adds a change of a word or of a part of it. */
  mutate(input: Input, random: Random): void {
    const index = random.next(this.#places.length);
    const size = random.pick([8, 8, 8, 4, 2, 1]);
    const at = this.#places[index] +
      (size < 8 ? size * random.next(8 / size) : 0);
    const fields = [0, 1, 2].map(() => ({
      at: random.pick(this.#places),
      size: 8,
    }));
    const value = hostileNumber(
      this.#bytes,
      { at, size },
      fields,
      random,
      this.#pool,
    );
    this.#add(input, at, size, BigInt.asUintN(64, value));
  }

  /** Adds some changes of single bytes. */
  mutateBytes(input: Input, random: Random): void {
    for (let times = 1 + random.next(8); times > 0; times--) {
      const at = random.pick(this.#places) + random.next(8);
      this.#add(input, at, 1, BigInt(random.next(256)));
    }
  }

  #add(input: Input, at: number, size: number, value: bigint): void {
    const patches = new Uint8Array(input[0].length + PATCH);
    patches.set(input[0]);
    const view = new DataView(patches.buffer, input[0].length);
    view.setUint32(0, at, true);
    view.setUint32(4, size, true);
    view.setBigUint64(8, value, true);
    input[0] = patches;
  }

  /** Makes the memory as the input says. */
  apply([patches]: Input): void {
    this.#bytes.set(this.#clean);
    const view = new DataView(patches.buffer, patches.byteOffset);
    for (let at = 0; at + PATCH <= patches.length; at += PATCH) {
      const place = view.getUint32(at, true) % this.#bytes.length;
      const size = view.getUint32(at + 4, true) % 9;
      this.#bytes.set(
        patches.subarray(at + 8, at + 8 + size).subarray(
          0,
          this.#bytes.length - place,
        ),
        place,
      );
    }
  }
}
