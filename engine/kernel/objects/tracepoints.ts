/**
 * Tracepoints and the functions attached to them. Source: kernel/tracepoint.c.
 *
 * @module
 */
import { allocateBytes, allocateList, wholeSize } from "../../base/allocate.ts";
import { KernelError } from "../../base/errors.ts";
import type { AddressSpace } from "../../memory/address_space.ts";
import type { Kernel } from "../core/kernel.ts";
import { wholeTable } from "../patching/module_tables.ts";
import { hasMember, inImage, variable } from "../symbols/required.ts";

/** A function attached to a tracepoint. */
export interface TracepointProbe {
  /** GVA of the `struct tracepoint`. */
  readonly point: bigint;
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
/** More bytes than a `struct tracepoint` has. */
const MOST_POINT = 1024;

/** What a kernel with tracepoints has, whatever else of them is missing. */
const WITNESSES = [
  "tracepoint_probe_register",
  "tracepoint_probe_unregister",
  "for_each_kernel_tracepoint",
  "register_trace_event",
];
/** Prefixes of the symbols of a tracepoint, and of the function it calls. */
const NAMED = "__tracepoint_";
const ITERATOR = "__traceiter_";

/**
 * GVAs of the image's `struct tracepoint`s.
 *
 * @throws {KernelError} when their table has no symbol, though the kernel has
 * tracepoints, or an impossible size.
 */
export function tracepoints(kernel: Kernel): bigint[] {
  const { space, symbols } = kernel;
  const start = variable(symbols, "__start___tracepoints_ptrs", WITNESSES);
  const end = variable(symbols, "__stop___tracepoints_ptrs", WITNESSES);
  const named = inImage(
    symbols,
    symbols.glob(`${NAMED}*`).filter((name) =>
      symbols.tryAddress(ITERATOR + name.slice(NAMED.length)) !== undefined
    ).flatMap((name) => symbols.addresses(name)),
  );
  if (start === undefined || end === undefined) return named;
  if (end < start || end - start > 4 * MAX_POINTS) {
    throw new KernelError(
      "the table of tracepoints ends where it cannot: the kernel's symbols are damaged, or were changed",
    );
  }
  // Each also has a symbol of its own: neither a word of the table nor a symbol
  // hides one.
  const listed = read(space, start, Number(end - start) / 4);
  return [...new Set([...listed, ...named])];
}

/**
 * GVAs of a module's `struct tracepoint`s.
 *
 * @throws {KernelError} when it claims more of them than any module has, or
 * another number than its sections show.
 */
export function moduleTracepoints(kernel: Kernel, module: bigint): bigint[] {
  const at = kernel.object("module", module);
  const has = hasMember(kernel, "module", "num_tracepoints", [
    "__start___tracepoints_ptrs",
    "tracepoint_module_notify",
  ]);
  if (!has) return [];
  const count = at.number("num_tracepoints");
  wholeSize(
    count,
    MAX_POINTS,
    "the module",
    "tracepoints",
    () => new KernelError(`the module claims ${count} tracepoints`),
  );
  const table = at.u64("tracepoints_ptrs");
  wholeTable(kernel, module, "__tracepoints_ptrs", table, 4 * count);
  return count > 0 ? read(kernel.space, table, count) : [];
}

/**
 * Reads a table of tracepoints: with CONFIG_HAVE_ARCH_PREL32_RELOCATIONS its
 * entries are distances, not pointers.
 */
function read(space: AddressSpace, from: bigint, count: number): bigint[] {
  const bytes = space.bytes(from, count * 4);
  const view = new DataView(bytes.buffer);
  return allocateList(count, MAX_POINTS, from, (i) => {
    const at = from + BigInt(4 * i);
    return BigInt.asUintN(64, at + BigInt(view.getInt32(4 * i, true)));
  });
}

/** Code that a tracepoint itself leads to, not through what is attached. */
export interface TracepointCode {
  /** GVA of the `struct tracepoint`. */
  readonly point: bigint;
  /** GVA of the `struct static_call_key` that its callers use; 0n: none. */
  readonly key: bigint;
  /** GVA of the function that the key holds; 0n without a key. */
  readonly called: bigint;
  /** GVA of the function that calls all that are attached; 0n: none. */
  readonly iterator: bigint;
  /** What is called when the first is attached, and after the last is gone. */
  readonly functions: readonly {
    readonly member: string;
    readonly address: bigint;
    readonly func: bigint;
  }[];
}

/** What the given tracepoints lead to by themselves. */
export function tracepointCode(
  { space, types }: Kernel,
  points: readonly bigint[],
): TracepointCode[] {
  const { size } = types.struct("tracepoint");
  const bytes = allocateBytes(size, MOST_POINT, "struct tracepoint");
  const view = new DataView(bytes.buffer);
  const at = (member: string) => types.tryOffset("tracepoint", member);
  const [key, iterator] = ["static_call_key", "iterator"].map(at);
  const hooks = ["probestub", "regfunc", "unregfunc"].flatMap((member) => {
    const offset = at(member);
    return offset === undefined ? [] : [{ member, offset }];
  });
  const func = BigInt(types.tryOffset("static_call_key", "func") ?? 0);
  return points.map((point) => {
    space.read(point, bytes);
    const word = (offset: number | undefined) =>
      offset === undefined ? 0n : view.getBigUint64(offset, true);
    return {
      point,
      key: word(key),
      called: word(key) === 0n ? 0n : space.u64(word(key) + func),
      iterator: word(iterator),
      functions: hooks.filter(({ offset }) => word(offset) !== 0n).map((
        { member, offset },
      ) => ({ member, address: point + BigInt(offset), func: word(offset) })),
    };
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
      found.push({ point, tracepoint: name, gva: at, func });
    }
  }
  return found;
}
