/**
 * Where a sealed entry's members lie, for those who read entries as words of
 * 4 bytes.
 *
 * @module
 */
import { ENTRY } from "./abi.ts";

/** Offsets in an entry, in words. */
export const WORD = {
  time: ENTRY.time / 4,
  func: ENTRY.func / 4,
  caller: ENTRY.caller / 4,
  argument: ENTRY.argument / 4,
  pid: ENTRY.pid / 4,
  /** The depth in 16 bits, the kind in 8, the flags in 8. */
  shape: ENTRY.depth / 4,
  extra: ENTRY.extra / 4,
} as const;
