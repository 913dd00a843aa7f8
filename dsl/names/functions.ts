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

/** A system call with the kinds of its arguments. */
export interface SystemCall<N extends string, A> extends TracedFunction<A> {
  readonly name: N;
}

/**
 * A system call by its kernel name. Its arguments: see `syscalls.ts`.
 *
 * @example
 * ```ts
 * import { trace } from "xftrace";
 * import { sys_openat } from "xftrace/syscalls";
 *
 * const opens = trace(sys_openat).count();
 * ```
 */
export function syscall<N extends string, A>(name: N): SystemCall<N, A> {
  return { name };
}

/**
 * Functions of one guest's kernel, as `xftrace types TARGET` declares them.
 */
export interface KernelFunctions {
  /** No function: there is nothing before declarations are added. */
  readonly "": TracedFunction;
}

/**
 * Kernel functions as members: those of the guest whose declarations are
 * there, and no others; without declarations, any name.
 */
export type FunctionsByName = [Exclude<keyof KernelFunctions, "">] extends
  [never] ? { readonly [name: string]: TracedFunction }
  : KernelFunctions;

/**
 * Events of one guest, as `xftrace types TARGET` declares them; they go
 * before those that the language knows by itself.
 */
export interface GuestEvents {
  /** No event: there is nothing before declarations are added. */
  readonly "": Empty;
}
