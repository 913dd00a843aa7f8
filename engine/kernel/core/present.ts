/**
 * Reads memory of which parts may be missing: unmapped meanwhile, or not in the
 * recording.
 *
 * @module
 */
import { MemoryError } from "../../base/errors.ts";
import type { Kernel } from "./kernel.ts";

/** Returns `undefined` for memory that is gone or was not recorded. */
export function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof MemoryError) return undefined;
    throw error;
  }
}

/** Reads what is mapped, a page at a time if need be, and zeros elsewhere. */
export function readPresent(
  kernel: Kernel,
  gva: bigint,
  into: Uint8Array,
): void {
  if (readable(() => (kernel.space.read(gva, into), true)) === true) return;
  const page = kernel.pageSize;
  for (let at = 0; at < into.length;) {
    const part = into.subarray(
      at,
      at + page - Number((gva + BigInt(at)) % BigInt(page)),
    );
    const here = gva + BigInt(at);
    if (readable(() => (kernel.space.read(here, part), true)) !== true) {
      part.fill(0);
    }
    at += part.length;
  }
}
