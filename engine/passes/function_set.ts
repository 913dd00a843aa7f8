/**
 * A set of functions that a hot loop can ask by the halves of an address.
 *
 * @module
 */
import type { FunctionTarget } from "../query/program.ts";

/** Addresses of functions; kernel text lies in the top 4 GiB. */
export class FunctionSet {
  readonly #top = new Set<number>();
  readonly #others = new Set<bigint>();

  constructor(targets: readonly FunctionTarget[]) {
    for (const target of targets) {
      for (const address of target.addresses) {
        if (address >> 32n === 0xffffffffn) {
          this.#top.add(Number(address & 0xffffffffn));
        } else this.#others.add(address);
      }
    }
  }

  /** Whether the function at that address is in the set. */
  has(lo: number, hi: number): boolean {
    if (hi === 0xffffffff) return this.#top.has(lo);
    return this.#others.size > 0 &&
      this.#others.has(BigInt(hi) << 32n | BigInt(lo));
  }

  /** The low halves, when all lie in the top 4 GiB and there are few. */
  few(limit: number): Uint32Array | undefined {
    return this.#others.size === 0 && this.#top.size <= limit
      ? Uint32Array.from(this.#top)
      : undefined;
  }
}
