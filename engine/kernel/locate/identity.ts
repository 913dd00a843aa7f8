/**
 * Whether the kernel in memory is still the one that was described: a guest may
 * have been restarted since, and then every known address is about something
 * else.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { AddressSpace } from "../../memory/address_space.ts";
import { type KallsymsTables, tablesDigest } from "../symbols/kallsyms.ts";
import type { Symbols } from "../symbols/symbols.ts";
import { advances } from "./running.ts";

/** What identified a kernel when it was described. */
export interface Identity {
  /** GVA and text of `linux_banner`. */
  readonly banner: { readonly gva: bigint; readonly text: string };
  readonly symbols: Symbols;
  /**
   * Its memory, through page tables that are read again; `undefined` when they
   * no longer map it to where it was.
   */
  readonly space: () => AddressSpace | undefined;
  /** Reads its kallsyms tables; `undefined` when their place is not known. */
  readonly readTables: ((space: AddressSpace) => KallsymsTables) | undefined;
  /** What they were, from {@linkcode tablesIdentity}. */
  readonly tables: string | undefined;
  /** Which boot it was, and which one memory holds now; see `bootMark`. */
  readonly boot: {
    readonly mark: string;
    readonly now: (space: AddressSpace) => string;
  };
  /** Whether memory holds descriptions of kernels that it did not hold then. */
  readonly others: () => boolean;
}

/** How long a kernel's clock is watched, in ms. */
const WATCH_MS = 50;

/** Identifies tables together with the place that they give the kernel. */
export function tablesIdentity(tables: KallsymsTables): string {
  const { relativeBase, offsetsGva } = tables;
  return `${tablesDigest(tables)} ${relativeBase ?? offsetsGva}`;
}

/**
 * What no longer is as it was, in a few words; `undefined` when the kernel is
 * the one that was described. Takes some 5 ms; longer when the guest is idle.
 *
 * @param watchMs how long its clock is watched, ms; 0 when it is known to stand
 * still
 * @throws {GuestGoneError} when the guest has ended.
 */
export function whatChanged(
  was: Identity,
  watchMs = WATCH_MS,
): string | undefined {
  const { banner, symbols } = was;
  try {
    const space = was.space();
    if (space === undefined) return "its page tables no longer map it";
    if (space.string(banner.gva, 512).trimEnd() !== banner.text) {
      return "its banner is another";
    }
    if (
      was.readTables !== undefined &&
      tablesIdentity(was.readTables(space)) !== was.tables
    ) return "its symbols are others";
    if (was.boot.now(space) !== was.boot.mark) return "it was started anew";
    // After a restart the old kernel may lie there untouched for a while, but
    // its clock stands still. So does that of an idle guest.
    const { live } = space.memory;
    return live && !advances(space, symbols, watchMs) && was.others()
      ? "it stands still, and another kernel has appeared"
      : undefined;
  } catch (error) {
    if (!(error instanceof KernelError || error instanceof MemoryError)) {
      throw error;
    }
    return `it cannot be read any more: ${error.message}`;
  }
}
