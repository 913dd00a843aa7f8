/**
 * Finds functions that can be traced, by name or glob, together with their
 * prototypes.
 *
 * @module
 */
import { XftraceError } from "../../base/errors.ts";
import { globRegExp } from "../../base/glob.ts";
import { didYouMean } from "../../base/near_names.ts";
import type { Kernel } from "../core/kernel.ts";
import { type TraceableFunction, traceableFunctions } from "./traceable.ts";

/**
 * The traceable functions whose names match; without a glob, all of them.
 *
 * @throws {XftraceError} when none matches; the message suggests similar names
 * or gives the reason.
 */
export function findFunctions(
  kernel: Kernel,
  glob?: string,
): TraceableFunction[] {
  const all = traceableFunctions(kernel);
  if (glob === undefined) return all;
  const pattern = globRegExp(glob);
  const matching = all.filter(({ name }) => pattern.test(name));
  if (matching.length === 0) throw noneFound(kernel, glob);
  return matching;
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

function noneFound(kernel: Kernel, glob: string): XftraceError {
  const { symbols } = kernel;
  const entry = kernel.arch.syscalls.names.entry(glob);
  if (entry !== glob && symbols.tryAddress(entry) !== undefined) {
    return new XftraceError(
      `no function ${glob} can be traced${didYouMean([entry])}`,
    );
  }
  return new XftraceError(
    symbols.tryAddress(glob) === undefined
      ? `the guest's kernel has no function "${glob}"` +
        didYouMean(symbols.near(glob, 3))
      : `the guest's kernel has ${glob}, but it cannot be traced: it was ` +
        `built without a call to Ftrace (notrace, inlined or assembly)`,
  );
}
