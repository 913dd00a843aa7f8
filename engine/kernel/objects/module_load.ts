/**
 * What identifies a module's load: a number, and its BUILD-ID.
 *
 * Source: include/linux/module.h, fs/kernfs/dir.c.
 *
 * @module
 */
import { hexDigits } from "../../base/hex.ts";
import type { Kernel } from "../core/kernel.ts";

/**
 * A number that no other load of a module has had since boot: the id of its
 * sysfs folder's kernfs node; `undefined` when it has no folder.
 */
export function loadNumber(kernel: Kernel, module: bigint): bigint | undefined {
  const node = kernel.object("module", module)
    .follow("mkobj.kobj.sd", "kernfs_node");
  return node === undefined || !node.has("id") ? undefined : node.u64("id");
}

/** The module's BUILD-ID in hex, if the kernel keeps it. */
export function moduleBuildId(
  kernel: Kernel,
  module: bigint,
): string | undefined {
  const at = kernel.types.tryOffset("module", "build_id");
  if (at === undefined) return undefined;
  const id = kernel.space.bytes(module + BigInt(at), 20);
  return id.some((byte) => byte !== 0) ? hexDigits(id) : undefined;
}
