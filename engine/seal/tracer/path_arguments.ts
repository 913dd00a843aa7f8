/**
 * Which arguments of x86-64 system calls are paths, so that the module copies
 * the strings and not the pointers.
 *
 * Source: arch/x86/entry/syscalls/syscall_64.tbl and the calls' manual pages.
 *
 * @module
 */
import { SYSCALLS } from "../page/abi.ts";

/** Name, number, and the arguments that are paths, counted from 0. */
const PATHS: readonly (readonly [string, number, ...number[]])[] = [
  ["open", 2, 0],
  ["stat", 4, 0],
  ["lstat", 6, 0],
  ["access", 21, 0],
  ["execve", 59, 0],
  ["truncate", 76, 0],
  ["chdir", 80, 0],
  ["rename", 82, 0, 1],
  ["mkdir", 83, 0],
  ["rmdir", 84, 0],
  ["creat", 85, 0],
  ["link", 86, 0, 1],
  ["unlink", 87, 0],
  ["symlink", 88, 0, 1],
  ["readlink", 89, 0],
  ["chmod", 90, 0],
  ["chown", 92, 0],
  ["lchown", 94, 0],
  ["utime", 132, 0],
  ["mknod", 133, 0],
  ["statfs", 137, 0],
  ["pivot_root", 155, 0, 1],
  ["chroot", 161, 0],
  ["mount", 165, 0, 1, 2],
  ["umount2", 166, 0],
  ["swapon", 167, 0],
  ["swapoff", 168, 0],
  ["openat", 257, 1],
  ["mkdirat", 258, 1],
  ["mknodat", 259, 1],
  ["fchownat", 260, 1],
  ["newfstatat", 262, 1],
  ["unlinkat", 263, 1],
  ["renameat", 264, 1, 3],
  ["linkat", 265, 1, 3],
  ["symlinkat", 266, 0, 2],
  ["readlinkat", 267, 1],
  ["fchmodat", 268, 1],
  ["faccessat", 269, 1],
  ["utimensat", 280, 1],
  ["renameat2", 316, 1, 3],
  ["execveat", 322, 1],
  ["statx", 332, 1],
  ["open_tree", 428, 1],
  ["openat2", 437, 1],
  ["faccessat2", 439, 1],
];

/** One byte a system call: bit N set when argument N is a path. */
export function pathArguments(): Uint8Array {
  const masks = new Uint8Array(SYSCALLS);
  for (const [, number, ...positions] of PATHS) {
    for (const position of positions) masks[number] |= 1 << position;
  }
  return masks;
}
