/**
 * Paths of files, from the root of their mounts.
 *
 * Sources: fs/d_path.c, fs/mount.h.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";

const MOST_NAMES = 64;
/** More mounts than lie on top of one another or inside one another. */
const MOST_MOUNTS = 1024;

/**
 * The path of a directory entry in a mount, at most 64 components long.
 *
 * @param dentry GVA of the `struct dentry`
 * @param vfsmount GVA of the `struct vfsmount`
 * @throws {KernelError | MemoryError} when it cannot be followed.
 */
export function pathOf(
  kernel: Kernel,
  dentry: bigint,
  vfsmount: bigint,
): string {
  let mount = vfsmount - BigInt(kernel.types.offset("mount", "mnt"));
  const names: string[] = [];
  let mounts = 0;
  while (names.length < MOST_NAMES) {
    const entry = kernel.object("dentry", dentry);
    const parent = entry.u64("d_parent");
    if (parent === dentry) {
      // At the root of a mount, continue from the place where it is mounted.
      const on = kernel.object("mount", mount);
      const above = on.u64("mnt_parent");
      if (above === mount || above === 0n) break;
      // Mounts add no name, so a circle of them would never end.
      if (++mounts > MOST_MOUNTS) {
        throw new KernelError(
          `the mounts above the one at 0x${
            vfsmount.toString(16)
          } run in circles: damaged or in flux`,
        );
      }
      dentry = on.u64("mnt_mountpoint");
      mount = above;
      continue;
    }
    const name = kernel.space.string(entry.u64("d_name.name"), 256);
    names.unshift(name);
    dentry = parent;
  }
  return "/" + names.join("/");
}

/** The path of a `struct file`. Throws like {@linkcode pathOf}. */
export function filePath(kernel: Kernel, file: bigint): string {
  const at = kernel.object("file", file);
  return pathOf(kernel, at.u64("f_path.dentry"), at.u64("f_path.mnt"));
}
