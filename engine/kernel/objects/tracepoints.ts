/**
 * Tracepoints and the functions attached to them. Source: kernel/tracepoint.c.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { AddressSpace } from "../../memory/address_space.ts";
import type { Kernel } from "../core/kernel.ts";

/** A function attached to a tracepoint. */
export interface TracepointProbe {
  /** The tracepoint's name: `sys_enter`. */
  readonly tracepoint: string;
  /** GVA of the `struct tracepoint_func`. */
  readonly gva: bigint;
  /** GVA of the function. */
  readonly func: bigint;
}

/** More functions than are ever attached to one tracepoint. */
const MAX_PROBES = 1024;
/** More tracepoints than any module has. */
const MAX_POINTS = 65535;

/** GVAs of the image's `struct tracepoint`s. */
export function tracepoints({ space, symbols }: Kernel): bigint[] {
  const start = symbols.tryAddress("__start___tracepoints_ptrs");
  const end = symbols.tryAddress("__stop___tracepoints_ptrs");
  return start === undefined || end === undefined || end <= start
    ? []
    : read(space, start, Number(end - start) / 4);
}

/**
 * GVAs of a module's `struct tracepoint`s.
 *
 * @throws {KernelError} when it claims more of them than any module has.
 */
export function moduleTracepoints(kernel: Kernel, module: bigint): bigint[] {
  const at = kernel.object("module", module);
  if (!at.has("num_tracepoints")) return [];
  const count = at.number("num_tracepoints");
  if (count > MAX_POINTS) {
    throw new KernelError(`the module claims ${count} tracepoints`);
  }
  return count > 0 ? read(kernel.space, at.u64("tracepoints_ptrs"), count) : [];
}

/**
 * Reads a table of tracepoints: with CONFIG_HAVE_ARCH_PREL32_RELOCATIONS its
 * entries are distances, not pointers.
 */
function read(space: AddressSpace, from: bigint, count: number): bigint[] {
  const bytes = space.bytes(from, count * 4);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: count }, (_, i) => {
    const at = from + BigInt(4 * i);
    return BigInt.asUintN(64, at + BigInt(view.getInt32(4 * i, true)));
  });
}

/** All functions attached to the given tracepoints. */
export function tracepointProbes(
  kernel: Kernel,
  points: readonly bigint[],
): TracepointProbe[] {
  const { types, space } = kernel;
  const funcsAt = BigInt(types.offset("tracepoint", "funcs"));
  const size = BigInt(types.struct("tracepoint_func").size);
  const nameAt = BigInt(types.offset("tracepoint", "name"));
  const found: TracepointProbe[] = [];
  for (const point of points) {
    if (space.u64(point + nameAt) === 0n) {
      throw new KernelError(
        `the table of tracepoints names 0x${
          point.toString(16)
        }, which is none: it is damaged`,
      );
    }
    let at = space.u64(point + funcsAt);
    if (at === 0n) continue;
    const name = kernel.object("tracepoint", point).stringAt("name") ?? "?";
    for (let n = 0;; n++, at += size) {
      const func = space.u64(at);
      if (func === 0n) break;
      // The kernel calls all of them, so what lies behind must not be passed
      // over in silence.
      if (n >= MAX_PROBES) {
        throw new KernelError(
          `the functions on tracepoint ${name} do not end within ${MAX_PROBES}`,
        );
      }
      found.push({ tracepoint: name, gva: at, func });
    }
  }
  return found;
}
