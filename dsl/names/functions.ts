/**
 * Kernel functions, for the editor and the type checker.
 *
 * @module
 */
import type { Empty } from "./events.ts";

/** Marks a function's arguments; for the type checker. */
declare const ARGS: unique symbol;

/** A kernel function, a system call, or a glob over functions. */
export interface TracedFunction<out A = Empty> {
  /** `vfs_read`, `sys_openat`, `vfs_*`. */
  readonly name: string;
  /** For the type checker alone: kinds of its arguments. */
  readonly [ARGS]?: A;
}

/**
 * Kernel functions as members: `kernel.vfs_read`. `xftrace types TARGET`
 * writes declarations that name those of one guest.
 */
export interface KernelFunctions {
  /** Any function of a kernel, by its name. */
  readonly [name: string]: TracedFunction;
}

/**
 * Events of one guest, as `xftrace types TARGET` declares them; they go
 * before those that the language knows by itself.
 */
export interface GuestEvents {
  /** No event: there is nothing before declarations are added. */
  readonly "": Empty;
}
