/**
 * How much a check or a command may read of a guest: many times what a large
 * honest guest needs, and so little that a small guest keeps nobody busy for
 * more than seconds.
 *
 * @module
 */
import type { BudgetLimits } from "../base/budget.ts";
import type { PhysicalMemory } from "./physical_memory.ts";

/** The part of a guest's RAM that counts, in GiB: what is searched at most. */
const MOST_GIB = 64;

function gib(memory: PhysicalMemory): number {
  const bytes = memory.ranges.reduce((sum, r) => sum + r.end - r.start, 0);
  return Math.min(MOST_GIB, bytes / 2 ** 30);
}

function limits(memory: PhysicalMemory): Omit<BudgetLimits, "of" | "ms"> {
  // A guest with more RAM may hold more of everything: tasks, inodes, modules.
  const ram = gib(memory);
  return {
    reads: 4_000_000 + ram * 4_000_000,
    bytes: 2 ** 30 + ram * 2 ** 32,
    nodes: 1_000_000 + ram * 1_000_000,
  };
}

/**
 * What a command other than `check` may spend, and what each poll of a command
 * that follows a guest may. Its time is not limited: printing takes most of it.
 *
 * @example
 * ```ts
 * import { open, readLimits } from "xftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { kernel, memory } = guest.session;
 * kernel.space.budget.allow(readLimits(memory));
 * console.log(guest.functions("vfs_*").length);
 * ```
 */
export function readLimits(memory: PhysicalMemory): BudgetLimits {
  return { of: "one command", ...limits(memory), ms: Infinity };
}

/** What one reading by one check may spend. */
export function checkLimits(memory: PhysicalMemory): BudgetLimits {
  const ms = 2500 + gib(memory) * 2000;
  return { of: "one check", ...limits(memory), ms };
}

/** Processor time in ms that one reading by all checks may take. */
export function roundMs(memory: PhysicalMemory): number {
  return 5000 + gib(memory) * 4000;
}

/** Processor time in ms that each check has, whatever others took. */
export const LEAST_MS = 100;
