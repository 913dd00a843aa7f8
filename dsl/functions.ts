/**
 * Kernel functions as scripts name them.
 *
 * @module
 */
import type { FunctionRef } from "../engine/query/spec.ts";
import { here } from "./errors.ts";
import type { FunctionsByName, TracedFunction } from "./names/functions.ts";

/**
 * Functions by name or glob: `fn("vfs_*")`. A name that starts with `sys_` is
 * a system call.
 */
export function fn(name: string): TracedFunction<never> {
  return { name };
}

/** All functions of the kernel, by name: `kernel.vfs_read`. */
export const kernel: FunctionsByName = new Proxy(Object.create(null), {
  get: (_target, name) =>
    typeof name === "string" && name !== "then" ? fn(name) : undefined,
});

/** The reference that a source keeps, with the script's line. */
export function reference(what: TracedFunction<unknown> | string): FunctionRef {
  const at = here();
  const name = typeof what === "string" ? what : what.name;
  return at === undefined ? { name } : { name, at };
}
