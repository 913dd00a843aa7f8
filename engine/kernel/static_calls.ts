/**
 * Call sites that the kernel patches to call a function directly.
 *
 * Source: kernel/static_call_inline.c, include/linux/static_call_types.h.
 *
 * @module
 */
import type { Kernel } from "./kernel.ts";

/** STATIC_CALL_SITE_FLAGS in the low bits of a site's key. */
const FLAGS = 3n;

/**
 * The image's static call sites: GVA of the call to GVA of the
 * `struct static_call_key`.
 */
export function staticCallSites(kernel: Kernel): Map<bigint, bigint> {
  const found = new Map<bigint, bigint>();
  const start = kernel.symbols.tryAddress("__start_static_call_sites");
  const stop = kernel.symbols.tryAddress("__stop_static_call_sites");
  if (start === undefined || stop === undefined || stop <= start) return found;
  const bytes = kernel.space.bytes(start, Number(stop - start));
  const view = new DataView(bytes.buffer);
  for (let i = 0; i + 8 <= bytes.length; i += 8) {
    const at = start + BigInt(i);
    const call = at + BigInt(view.getInt32(i, true));
    const key = at + 4n + BigInt(view.getInt32(i + 4, true));
    found.set(BigInt.asUintN(64, call), BigInt.asUintN(64, key & ~FLAGS));
  }
  return found;
}
