/**
 * The 4 GiB that contain a kernel's image and its modules: modules are loaded
 * within branch distance of the image. Two addresses in it always differ in
 * their low 32 bits, which therefore represent the whole address on hot paths.
 *
 * @module
 */

const SIZE = 1n << 32n;
const HIGHEST = (1n << 64n) - SIZE;

/** A range of 4 GiB of GVAs. */
export class CodeWindow {
  /** GVA of its first byte. */
  readonly base: bigint;
  readonly #low: number;
  readonly #high: number;

  /** @param anchor a GVA of the image; the window is centred on it */
  constructor(anchor: bigint) {
    const centred = anchor - SIZE / 2n;
    this.base = centred < 0n ? 0n : centred > HIGHEST ? HIGHEST : centred;
    this.#low = Number(this.base & 0xffffffffn);
    // Signed, for comparison with elements of an Int32Array.
    this.#high = Number(BigInt.asIntN(32, this.base >> 32n));
  }

  /** Whether a GVA, given as signed or unsigned halves, lies in the window. */
  has(lo: number, hi: number): boolean {
    return (hi | 0) === this.#high
      ? (lo >>> 0) >= this.#low
      : ((hi - 1) | 0) === this.#high && (lo >>> 0) < this.#low;
  }

  /** Whether a GVA lies in the window. */
  holds(gva: bigint): boolean {
    return gva >= this.base && gva < this.base + SIZE;
  }

  /**
   * Bytes from {@linkcode base} to the GVA in the window with this low half.
   */
  offset(lo: number): number {
    return (lo - this.#low) >>> 0;
  }

  /** The GVA in the window with this low half. */
  gva(lo: number): bigint {
    return this.base + BigInt(this.offset(lo));
  }
}
