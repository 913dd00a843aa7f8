/**
 * A set of functions that hot loops can search by the halves of an address.
 *
 * @module
 */
import { AddressMap } from "../memory/address_map.ts";
import type { FunctionTarget } from "../query/program.ts";

/** A set of function addresses. */
export class FunctionSet {
  readonly #addresses = new AddressMap<true>();

  constructor(targets: readonly FunctionTarget[]) {
    for (const target of targets) {
      for (const address of target.addresses) {
        this.#addresses.put(address, true);
      }
    }
  }

  /** Whether the function at the address is in the set. */
  has(lo: number, hi: number): boolean {
    return this.#addresses.has(lo, hi);
  }

  /**
   * The low halves, if they suffice to identify the functions and there are at
   * most `limit` of them.
   */
  few(limit: number): Uint32Array | undefined {
    const { lows, size } = this.#addresses;
    return lows !== undefined && size <= limit
      ? Uint32Array.from(lows)
      : undefined;
  }
}
