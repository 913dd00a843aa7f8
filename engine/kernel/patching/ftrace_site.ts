/**
 * Where Ftrace knows a function, and whether it is called there now.
 *
 * @module
 */
import type { Kernel } from "../core/kernel.ts";

/** The place in a function that Ftrace patches. */
export interface FtraceSite {
  /** GVA by which Ftrace knows the function (`dyn_ftrace.ip`). */
  readonly ip: bigint;
  /** Whether the function calls Ftrace now; else nothing is recorded of it. */
  readonly calls: boolean;
}

/** How a function starts when it can be traced. */
const NOP5 = [0x0f, 0x1f, 0x44, 0x00, 0x00];
/** ENDBR64, and what the kernel overwrites a sealed one with. */
const ENDBR = [0xf3, 0x0f, 0x1e, 0xfa];
const SEALED_ENDBR = [0x66, 0x0f, 0x1f, 0x00];
const CALL = 0xe8;
/** A patch in flight starts with a breakpoint. */
const INT3 = 0xcc;

const starts = (bytes: Uint8Array, at: number, wanted: readonly number[]) =>
  wanted.every((byte, i) => bytes[at + i] === byte);

/**
 * The place by which Ftrace knows a function: its fentry call, which comes
 * first, or after an ENDBR64.
 *
 * @param gva GVA of the function's symbol
 * @returns `undefined` when the function cannot be traced.
 * @throws {MemoryError} when its text cannot be read.
 */
export function ftraceSite(
  kernel: Kernel,
  gva: bigint,
): FtraceSite | undefined {
  const text = kernel.space.bytes(gva, 12);
  const at = starts(text, 0, ENDBR) || starts(text, 0, SEALED_ENDBR) ? 4 : 0;
  const calls = text[at] === CALL;
  const traceable = calls || starts(text, at, NOP5) || text[at] === INT3;
  return traceable ? { ip: gva + BigInt(at), calls } : undefined;
}
