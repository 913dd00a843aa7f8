/**
 * Waits for executable memory that the kernel is about to give back.
 *
 * @module
 */
import type { Kernel } from "../../kernel/core/kernel.ts";
import { isTraps } from "../core/traps.ts";

/** For how long a reading waits at least, ms. */
const LEAST = 250;
/**
 * For how long all readings do that wait for something in vain: as long as the
 * processors of a guest on a busy host may take to pass a grace period.
 */
const MOST = 1500;
/** After how long without a wait in vain that begins anew, ms. */
const ANEW = 3000;
/** Time between two looks, ms. */
const LOOK = 5;

/**
 * Until when readings of a guest wait. One that has found something for good is
 * not made to wait again and again. Times are those of `performance.now()`.
 */
export class Patience {
  /** When readings began to wait in vain, and when they last did. */
  #vain: { readonly since: number; readonly last: number } | undefined;

  /** Until when a reading that begins now waits. */
  until(now: number): number {
    const since = this.#recent(now)?.since ?? -Infinity;
    return Math.max(now + LEAST, since + MOST);
  }

  /** Notes that a reading has waited in vain. */
  inVain(began: number, now: number): void {
    this.#vain = { since: this.#recent(began)?.since ?? began, last: now };
  }

  #recent(now: number) {
    const vain = this.#vain;
    return vain !== undefined && now - vain.last < ANEW ? vain : undefined;
  }
}

const patiences = new WeakMap<Kernel, Patience>();
const nobody = new Int32Array(new SharedArrayBuffer(4));

/**
 * Tells for one reading whether memory that is nobody's is given back soon, as
 * that of a module that was just taken off the list is (free_module, after a
 * grace period): unmapped, or filled with traps for the next module (mm/execmem.c,
 * since Linux 6.13). What a recording holds stays.
 */
export function givenBack(kernel: Kernel): (gva: bigint) => boolean {
  if (!kernel.memory.live) return () => false;
  const patience = patiences.get(kernel) ?? new Patience();
  patiences.set(kernel, patience);
  const began = performance.now();
  const until = patience.until(began);
  return (gva) => {
    for (;;) {
      if (
        kernel.space.tryTranslate(gva) === undefined || isTraps(kernel, gva)
      ) return true;
      if (performance.now() >= until) break;
      Atomics.wait(nobody, 0, 0, LOOK);
    }
    patience.inVain(began, performance.now());
    return false;
  };
}
