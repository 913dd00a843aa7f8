/**
 * Call sites that the kernel patches to call a function directly.
 *
 * Source: kernel/static_call_inline.c, include/linux/static_call_types.h.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { hasMember, together } from "../symbols/required.ts";
import { wholeTable } from "./module_tables.ts";

/** Symbols of the image's table. */
const TABLE = ["__start_static_call_sites", "__stop_static_call_sites"];

/** STATIC_CALL_SITE_FLAGS in the low bits of a site's key. */
const FLAGS = 3n;
/** STATIC_CALL_SITE_INIT among them. */
const INIT = 2n;

/** A call that the kernel patches. */
export interface StaticCallSite {
  /** GVA of the call. */
  readonly call: bigint;
  /** GVA of its `struct static_call_key`. */
  readonly key: bigint;
  /** Whether the kernel has marked it as one in init code. */
  readonly init: boolean;
}

/**
 * The image's static call sites: maps the GVA of the call to the GVA of the
 * `struct static_call_key`.
 */
export function staticCallSites(kernel: Kernel): Map<bigint, bigint> {
  return keys(staticCalls(kernel));
}

/** Like {@linkcode staticCallSites}, for the code of a module. */
export function moduleStaticCallSites(
  kernel: Kernel,
  module: bigint,
): Map<bigint, bigint> {
  return keys(moduleStaticCalls(kernel, module));
}

function keys(sites: readonly StaticCallSite[]): Map<bigint, bigint> {
  return new Map(sites.map(({ call, key }) => [call, key]));
}

/**
 * The image's static calls; none in a kernel that was built without them.
 *
 * @throws {KernelError} when a symbol of their table is missing.
 */
export function staticCalls(kernel: Kernel): StaticCallSite[] {
  const table = together(
    kernel.symbols,
    TABLE,
    ["__start_static_call_tramp_key", "__stop_static_call_tramp_key"],
  );
  if (table === undefined) return [];
  const [start, stop] = table;
  if (stop <= start) {
    throw new KernelError("the table of static calls is empty");
  }
  return read(kernel, start, Number(stop - start));
}

/** Like {@linkcode staticCalls}, for the code of a module. */
export function moduleStaticCalls(
  kernel: Kernel,
  module: bigint,
): StaticCallSite[] {
  const at = kernel.object("module", module);
  const has = hasMember(kernel, "module", "static_call_sites", TABLE);
  if (!has) return [];
  const start = at.u64("static_call_sites");
  const count = at.number("num_static_call_sites");
  wholeTable(kernel, module, ".static_call_sites", start, 8 * count);
  return read(kernel, start, 8 * count);
}

function read(kernel: Kernel, start: bigint, size: number): StaticCallSite[] {
  const found: StaticCallSite[] = [];
  const bytes = kernel.space.bytes(start, size);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i + 8 <= bytes.length; i += 8) {
    const at = start + BigInt(i);
    const call = at + BigInt(view.getInt32(i, true));
    const key = at + 4n + BigInt(view.getInt32(i + 4, true));
    found.push({
      call: BigInt.asUintN(64, call),
      key: BigInt.asUintN(64, key & ~FLAGS),
      init: (key & INIT) !== 0n,
    });
  }
  return found;
}
