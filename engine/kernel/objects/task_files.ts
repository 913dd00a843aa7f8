/**
 * The files that a task has open, by name.
 *
 * Sources: include/linux/fdtable.h, fs/d_path.c, fs/mount.h.
 *
 * @module
 */
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";

const MOST_FILES = 64;
const MOST_NAMES = 64;

/**
 * Paths of a task's program and of the files that it has open, each once, at
 * most 64; empty for kernel threads, and where they cannot be read.
 */
export function taskFiles(kernel: Kernel, task: bigint): string[] {
  const found = new Set<string>();
  const add = (file: bigint) => {
    try {
      if (file !== 0n) found.add(pathOf(kernel, file));
    } catch (error) {
      if (error instanceof MemoryError || error instanceof KernelError) return;
      throw error;
    }
  };
  try {
    const at = kernel.object("task_struct", task);
    add(at.follow("mm", "mm_struct")?.u64("exe_file") ?? 0n);
    const table = at.follow("files", "files_struct")?.follow("fdt", "fdtable");
    if (table === undefined) return [...found];
    const files = table.u64("fd");
    const count = Math.min(table.number("max_fds"), MOST_FILES);
    for (let i = 0; i < count; i++) {
      add(kernel.space.u64(files + BigInt(8 * i)));
    }
  } catch (error) {
    if (!(error instanceof MemoryError || error instanceof KernelError)) {
      throw error;
    }
  }
  return [...found];
}

/** The path of a `struct file`, from the root of its mounts. */
function pathOf(kernel: Kernel, file: bigint): string {
  const at = kernel.object("file", file);
  const mountAt = BigInt(kernel.types.offset("mount", "mnt"));
  let dentry = at.u64("f_path.dentry");
  let mount = at.u64("f_path.mnt") - mountAt;
  const names: string[] = [];
  while (names.length < MOST_NAMES) {
    const entry = kernel.object("dentry", dentry);
    const parent = entry.u64("d_parent");
    if (parent === dentry) {
      // The root of a mount: on from where it is mounted.
      const on = kernel.object("mount", mount);
      const above = on.u64("mnt_parent");
      if (above === mount || above === 0n) break;
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
