/**
 * Types of kernel functions, for editors and the type checker.
 *
 * @module
 */
import type { Empty } from "./events.ts";

/** For the type checker only: marks the kinds of a function's arguments. */
declare const ARGS: unique symbol;

/** A kernel function, a system call, or a glob over functions. */
export interface TracedFunction<out A = Empty> {
  /** `vfs_read`, `sys_openat`, `vfs_*`. */
  readonly name: string;
  /** For the type checker only: kinds of its arguments. */
  readonly [ARGS]?: A;
}

/** A system call with the kinds of its arguments. */
export interface SystemCall<N extends string, A> extends TracedFunction<A> {
  readonly name: N;
}

/**
 * Makes a system call of its kernel name; `syscalls.ts` has all of them, with
 * their arguments.
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

/** Functions of one guest's kernel, as `xftrace types TARGET` declares them. */
export interface KernelFunctions {
  /** A placeholder: empty until a guest's declarations are added. */
  readonly "": TracedFunction;
}

/**
 * Kernel functions as members: with a guest's declarations, only the functions
 * of that guest; without, any name.
 */
export type FunctionsByName = [Exclude<keyof KernelFunctions, "">] extends
  [never] ? { readonly [name: string]: TracedFunction }
  : KernelFunctions;

/**
 * Events of one guest, as `xftrace types TARGET` declares them; they take
 * precedence over those that the language knows.
 */
export interface GuestEvents {
  /** A placeholder: empty until a guest's declarations are added. */
  readonly "": Empty;
}
