/**
 * Finds functions that can be traced, by name or glob, together with their
 * prototypes.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { globRegExp, isGlob } from "../../base/glob.ts";
import type { Kernel } from "../core/kernel.ts";
import { functionIndex } from "./index.ts";
import { resolveFunctions } from "./resolve.ts";
import { type TraceableFunction, traceableFunctions } from "./traceable.ts";

/**
 * The traceable functions that a name or glob means, as everywhere else
 * (`sys_open`: see resolve.ts); without one, all of them.
 *
 * @throws {KernelError} when there is none; the message suggests similar names
 * or gives the reason.
 */
export function findFunctions(
  kernel: Kernel,
  glob?: string,
): TraceableFunction[] {
  const all = traceableFunctions(kernel);
  if (glob === undefined) return all;
  const isMeant = matcher(kernel, glob);
  const matching = all.filter(({ name }) => isMeant(name));
  if (matching.length > 0) return matching;
  throw new KernelError(
    isGlob(glob)
      ? `no function of the kernel ${kernel.facts.release} matches "${glob}"`
      : `"${glob}" cannot be traced: Ftrace does not list it (it is notrace, inlined or assembly)`,
  );
}

/** Whether a function is meant, by its name. */
function matcher(kernel: Kernel, glob: string): (name: string) => boolean {
  if (isGlob(glob)) {
    const [own] = kernel.arch.syscalls.names.spellings(glob);
    const pattern = globRegExp(own);
    return (name) => pattern.test(name);
  }
  const { functions } = resolveFunctions(functionIndex(kernel), glob);
  const names = new Set(functions.map(({ name }) => name));
  return (name) => names.has(name);
}

/**
 * A function's prototype in C; `undefined` when the kernel does not describe
 * it.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { prototypeText } from "xftrace/kernel";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * console.log(prototypeText(guest.session.kernel, "vfs_read"));
 * ```
 */
export function prototypeText(
  kernel: Kernel,
  name: string,
): string | undefined {
  const prototype = kernel.types.prototype(name);
  if (prototype === undefined) return undefined;
  const parameters = prototype.parameters.map((parameter) =>
    declared(parameter.typeName, parameter.name)
  );
  return declared(
    prototype.returns,
    `${name}(${parameters.join(", ") || "void"})`,
  );
}

function declared(type: string, name: string): string {
  if (name === "") return type;
  return type.endsWith("*") ? type + name : `${type} ${name}`;
}
