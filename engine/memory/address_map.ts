/**
 * A map keyed by GVA, for hot paths that hold an address as two 32-bit halves.
 * Kernel code lies within 4 GiB, so nearly all addresses share their high half;
 * the low half then serves as the key, and no bigint is allocated.
 *
 * @module
 */

/** A map whose keys are GVAs. */
export class AddressMap<T> {
  /** The first key's high half. */
  #high = 0;
  readonly #near = new Map<number, T>();
  readonly #far = new Map<bigint, T>();

  /** The number of keys. */
  get size(): number {
    return this.#near.size + this.#far.size;
  }

  /** The value for a GVA, given as unsigned halves. */
  get(lo: number, hi: number): T | undefined {
    if (hi === this.#high) return this.#near.get(lo);
    return this.#far.size === 0
      ? undefined
      : this.#far.get(BigInt(hi) << 32n | BigInt(lo));
  }

  /** Whether a GVA is a key, given as unsigned halves. */
  has(lo: number, hi: number): boolean {
    if (hi === this.#high) return this.#near.has(lo);
    return this.#far.size > 0 &&
      this.#far.has(BigInt(hi) << 32n | BigInt(lo));
  }

  /** Sets the value for a GVA, given as unsigned halves. */
  set(lo: number, hi: number, value: T): void {
    if (this.#near.size === 0) this.#high = hi;
    if (hi === this.#high) this.#near.set(lo, value);
    else this.#far.set(BigInt(hi) << 32n | BigInt(lo), value);
  }

  /** Sets the value for a GVA, given as a bigint. */
  put(gva: bigint, value: T): void {
    this.set(Number(gva & 0xffffffffn), Number(gva >> 32n), value);
  }

  /** All keys, in no particular order. */
  *keys(): Generator<bigint> {
    const high = BigInt(this.#high) << 32n;
    for (const lo of this.#near.keys()) yield high | BigInt(lo);
    yield* this.#far.keys();
  }
}
