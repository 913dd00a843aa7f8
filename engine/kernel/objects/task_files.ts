/**
 * The files that a task has open, with their paths.
 *
 * Source: include/linux/fdtable.h.
 *
 * @module
 */
import { allocateWords } from "../../base/allocate.ts";
import { KernelError, MemoryError } from "../../base/errors.ts";
import type { Kernel } from "../core/kernel.ts";
import { filePath } from "./paths.ts";

const MOST_FILES = 64;
/** More than the default of `fs.nr_open`. */
const MOST_OPEN = 1 << 20;

/**
 * Paths of a task's program and of its open files, without duplicates, at most
 * 64; empty for kernel threads, and when they cannot be read.
 */
export function taskFiles(kernel: Kernel, task: bigint): string[] {
  const found = new Set<string>();
  const add = (file: bigint) => {
    try {
      if (file !== 0n) found.add(filePath(kernel, file));
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

/** A file that a task has open. */
export interface OpenFile {
  /** The file descriptor number. */
  readonly fd: number;
  /** GVA of its `struct file`. */
  readonly file: bigint;
}

/**
 * All files that a task has open, by number.
 *
 * @throws {KernelError | MemoryError} when its table cannot be read.
 */
export function openFiles(kernel: Kernel, task: bigint): OpenFile[] {
  const table = kernel.object("task_struct", task)
    .follow("files", "files_struct")?.follow("fdt", "fdtable");
  if (table === undefined) return [];
  const files = table.u64("fd");
  const count = table.number("max_fds");
  const words = allocateWords(BigUint64Array, count, MOST_OPEN, files, {
    error: () =>
      new KernelError(
        `a table of ${count} files is larger than the kernel allows: damaged or in flux`,
      ),
  });
  kernel.space.read(files, new Uint8Array(words.buffer));
  const found: OpenFile[] = [];
  words.forEach((file, fd) => {
    if (file !== 0n) found.push({ fd, file });
  });
  return found;
}
