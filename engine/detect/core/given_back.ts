/**
 * Waits for executable memory that is nobody's for a moment: the kernel is about
 * to give it back, or to list the module that it is for.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import {
  listedModules,
  type ModuleView,
  readModules,
} from "../../kernel/objects/module_views.ts";
import type { CheckContext } from "./context.ts";
import { isTraps } from "./traps.ts";

/** For how long a reading waits at least, ms. */
const LEAST = 250;
/**
 * For how long all readings do that wait for something in vain: as long as the
 * processors of a guest on a busy host may take to pass a grace period.
 */
const MOST = 1500;
/** After how long without a wait in vain that begins anew, ms. */
const ANEW = 3000;
/** Time between the first two looks, and between the last ones, ms. */
const LOOK = 5;
const LAST_LOOK = 100;

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

/**
 * Waits in one reading for what lasts only for a moment. What a recording holds
 * stays.
 *
 * @returns whether it has passed; for that it is asked again and again
 */
export function waitFor(
  { kernel }: CheckContext,
): (passed: () => boolean) => boolean {
  if (!kernel.memory.live) return () => false;
  const patience = patiences.get(kernel) ?? new Patience();
  patiences.set(kernel, patience);
  let began: number | undefined;
  let until = 0;
  return (passed) => {
    if (began === undefined) {
      began = performance.now();
      until = patience.until(began);
    }
    for (let look = LOOK;; look = Math.min(2 * look, LAST_LOOK)) {
      if (passed()) return true;
      const now = performance.now();
      if (now >= until) {
        patience.inVain(began, now);
        return false;
      }
      pause(Math.min(look, until - now));
    }
  };
}

/**
 * Tells for one reading whether memory that is nobody's is so only for a moment.
 * That of a module which was just taken off the list is unmapped after a grace
 * period (free_module), or filled with traps for the next module (mm/execmem.c,
 * since Linux 6.13); that of a new one is filled before the module is listed.
 * What a recording holds stays.
 */
export function givenBack(context: CheckContext): (gva: bigint) => boolean {
  const { kernel, code } = context;
  const wait = waitFor(context);
  const answers = new Map<bigint, boolean>();
  return (gva) => {
    const answer = answers.get(gva) ??
      wait(() => isGiven(kernel, gva, code.modules));
    answers.set(gva, answer);
    return answer;
  };
}

/** Whether memory is given back now, or the text of a module that is new. */
function isGiven(
  kernel: Kernel,
  gva: bigint,
  before: readonly ModuleView[],
): boolean {
  return kernel.space.tryTranslate(gva) === undefined || isTraps(kernel, gva) ||
    isNewModules(kernel, gva, before);
}

/** What a module claims that was there before has been judged already. */
function isNewModules(
  kernel: Kernel,
  gva: bigint,
  before: readonly ModuleView[],
): boolean {
  try {
    const known = new Set(before.map((module) => module.gva));
    const added = listedModules(kernel).filter((module) => !known.has(module));
    return readModules(kernel, added).some(({ text }) =>
      text.some(({ start, end }) => start <= gva && gva < end)
    );
  } catch (error) {
    // The list changes, or does not hold together: that is another's matter.
    if (error instanceof KernelError || error instanceof MemoryError) {
      return false;
    }
    throw error;
  }
}
