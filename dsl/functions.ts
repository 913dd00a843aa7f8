/**
 * Kernel functions as scripts name them.
 *
 * @module
 */
import type { FunctionRef } from "../engine/query/spec.ts";
import { here, textExpected } from "./errors.ts";
import type { FunctionsByName, TracedFunction } from "./names/functions.ts";

/**
 * Functions by name or glob: `fn("vfs_*")`. A name that starts with `sys_` is
 * a system call.
 *
 * @example
 * ```ts
 * import { fn, trace } from "xftrace";
 *
 * const files = trace(fn("vfs_*"), fn("sys_openat")).count();
 * ```
 */
export function fn(name: string): TracedFunction<never> {
  return { name };
}

/**
 * All functions of the kernel, by name: `kernel.vfs_read`.
 *
 * @example
 * ```ts
 * import { kernel, trace } from "xftrace";
 *
 * const reads = trace(kernel.vfs_read).count();
 * ```
 */
export const kernel: FunctionsByName = new Proxy(Object.create(null), {
  get: (_target, name) =>
    typeof name === "string" && name !== "then" ? fn(name) : undefined,
});

/**
 * What a source stores of a function or event: its name, and the place in the
 * script for error messages.
 */
export function reference(what: TracedFunction<unknown> | string): FunctionRef {
  const at = here();
  const name = textExpected(
    typeof what === "string" ? what : what?.name,
    what,
    'a function or an event by its name, such as sys_openat or "vfs_read"',
  );
  return at === undefined ? { name } : { name, at };
}
