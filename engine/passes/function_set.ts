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

  /** The halves of the only address, if there is exactly one. */
  get only(): { readonly lo: number; readonly hi: number } | undefined {
    if (this.#addresses.size !== 1) return undefined;
    const [address] = this.#addresses.keys();
    return { lo: Number(address & 0xffffffffn), hi: Number(address >> 32n) };
  }
}
