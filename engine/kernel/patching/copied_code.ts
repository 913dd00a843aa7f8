/**
 * Code that the kernel copies from a template in its own text: Ftrace's
 * trampolines, and the detours of optimised kprobes. The lists that name such
 * code are the guest's, so that only its content tells whether it is that.
 *
 * Sources: create_trampoline and arch_prepare_optimized_kprobe, of each
 * architecture.
 *
 * @module
 */
import type { CopiedCode } from "../../arch/ftrace_sites.ts";
import type { Kernel } from "../core/kernel.ts";
import { variable } from "../symbols/required.ts";

/** What a copy holds that its template does not. */
export interface Copy {
  /** GVA that its call leads to. */
  readonly calls: bigint;
  /** GVA of the object that it passes on. */
  readonly object: bigint;
}

/**
 * Compares code with a template.
 *
 * @param start GVA of the copy
 * @returns `undefined` when it is no copy of it
 * @throws {KernelError} when a symbol of the template is missing.
 * @throws {MemoryError} when one of both cannot be read.
 */
export function copyOf(
  kernel: Kernel,
  template: CopiedCode,
  start: bigint,
): Copy | undefined {
  const copy = compared(kernel, template, start);
  return copy?.calls === undefined
    ? undefined
    : { calls: copy.calls, object: copy.object };
}

/**
 * The object that a copy of a template passes on, and where the copy ends; its
 * call may be changed right now. `undefined` when it is no copy of it.
 *
 * @throws like {@linkcode copyOf}.
 */
export function copiedFor(
  kernel: Kernel,
  template: CopiedCode,
  start: bigint,
): { readonly object: bigint; readonly end: bigint } | undefined {
  return compared(kernel, template, start);
}

function compared(
  kernel: Kernel,
  template: CopiedCode,
  start: bigint,
): { calls: bigint | undefined; object: bigint; end: bigint } | undefined {
  const { symbols, space } = kernel;
  const at = (name: string | undefined) =>
    name === undefined ? undefined : variable(symbols, name, [template.start]);
  const from = at(template.start);
  const end = at(template.end);
  if (from === undefined || end === undefined) return undefined;
  const size = Number(end - from);
  if (size <= 0 || size > kernel.pageSize) return undefined;
  const own = space.bytes(start, size);
  const trusted = space.bytes(from, size);
  const offset = (name: string | undefined) => {
    const gva = at(name);
    return gva === undefined ? -1 : Number(gva - from);
  };
  const call = offset(template.call);
  const object = offset(template.object);
  const free = [
    [call, template.callBytes],
    [object, template.objectBytes],
    ...template.free.map(([name, length]) => [offset(name), length] as const),
  ] as const;
  if (!isCopy(trusted, from, own, start, free)) return undefined;
  const branch = kernel.arch.instructions.branchAt(
    own.subarray(call),
    start + BigInt(call),
  );
  if (call < 0 || object < 0) return undefined;
  const passed = template.objectOf(
    own.subarray(object, object + template.objectBytes),
    start + BigInt(object),
  );
  if (passed === undefined) return undefined;
  return {
    calls: branch?.kind === "call" ? branch.target : undefined,
    object: "value" in passed ? passed.value : space.u64(passed.at),
    end: start + BigInt(size),
  };
}

/**
 * Whether all bytes are equal, but those that are free, and distances to one
 * and the same place.
 */
function isCopy(
  trusted: Uint8Array,
  trustedAt: bigint,
  own: Uint8Array,
  ownAt: bigint,
  free: readonly (readonly [at: number, length: number])[],
): boolean {
  const moved = Number(BigInt.asIntN(32, trustedAt - ownAt));
  const distance = (bytes: Uint8Array, at: number) =>
    bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24;
  for (let i = 0; i < own.length; i++) {
    if (own[i] === trusted[i]) continue;
    const field = free.find(([at, length]) => i >= at && i < at + length);
    if (field !== undefined) continue;
    const first = [0, 1, 2, 3].map((back) => i - back).find((at) =>
      at >= 0 && at + 4 <= own.length &&
      ((distance(trusted, at) + moved - distance(own, at)) | 0) === 0
    );
    if (first === undefined) return false;
    i = first + 3;
  }
  return true;
}
