/**
 * The mounts of a namespace.
 *
 * Source: fs/mount.h.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { listNodes, rbNodes, steady } from "../core/lists.ts";

/**
 * Flag of a list entry that marks the position of a reader of /proc/mounts and
 * is not a mount.
 */
const MNT_CURSOR = 0x1000_0000;

/**
 * GVAs of the `struct mount`s of a `struct mnt_namespace`.
 *
 * @throws {KernelError | MemoryError} when they cannot be followed.
 */
export function mountsOf(kernel: Kernel, namespace: bigint): bigint[] {
  const { types } = kernel;
  const at = kernel.object("mnt_namespace", namespace);
  // Since 6.8 (2eea9ce4310d) they are in a tree; before that, in a list.
  const tree = types.tryOffset("mount", "mnt_node");
  if (tree !== undefined && at.has("mounts")) {
    return steady(() => rbNodes(kernel, at.at("mounts")))
      .map((node) => node - BigInt(tree));
  }
  const link = types.tryOffset("mount", "mnt_list");
  if (link === undefined || !at.has("list")) {
    throw new KernelError(
      "this kernel's mounts are not understood: they are on no list and in no tree that is known",
    );
  }
  return steady(() => listNodes(kernel, at.at("list")))
    .map((node) => node - BigInt(link))
    .filter((mount) =>
      (kernel.object("mount", mount).number("mnt.mnt_flags") & MNT_CURSOR) === 0
    );
}
