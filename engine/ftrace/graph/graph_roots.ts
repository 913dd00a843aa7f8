/**
 * Reads the graph roots from guest memory: the functions in
 * `set_graph_function` (kernel/trace/ftrace.c, `ftrace_graph_hash`).
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import { variable } from "../../kernel/symbols/required.ts";

const MAX_BITS = 24n;
const MAX_ENTRIES = 65536;

/** The current roots of a guest. */
export interface GraphRoots {
  /**
   * Call sites of the functions (GVA, see ftrace_site.ts); empty: everything is
   * traced.
   */
  readonly ips: readonly bigint[];
  /** How many entries exist that could be rewritten. */
  readonly capacity: number;
}

/** One root: a `struct ftrace_func_entry`. */
export interface GraphHashEntry {
  /** GVA of the entry. */
  readonly gva: bigint;
  /** GVA of the function's call site. */
  readonly ip: bigint;
  /** GVA of the bucket (`struct hlist_head`) that contains the entry. */
  readonly bucket: bigint;
}

/** The hash of the roots: a non-empty `struct ftrace_hash`. */
export interface GraphHash {
  /** GVA of the variable that points to it. */
  readonly variable: bigint;
  /** GVA of the hash. */
  readonly gva: bigint;
  /** GVA of its first bucket. */
  readonly buckets: bigint;
  /** Binary logarithm of the number of buckets. */
  readonly bits: bigint;
  readonly entries: readonly GraphHashEntry[];
}

/**
 * GVA of the depth to which function_graph follows calls
 * (`max_graph_depth`); `undefined` when the kernel has no such tracer.
 *
 * @throws {KernelError} when it has, but not this variable.
 */
export function graphDepthAt(
  { symbols }: Pick<Kernel, "symbols">,
): bigint | undefined {
  return variable(symbols, "fgraph_max_depth", [
    "ftrace_graph_hash",
    "ftrace_graph_notrace_hash",
    "trace_graph_entry",
  ]);
}

/**
 * Reads the hash of the guest's roots; `undefined` when there are none.
 *
 * @throws {KernelError} when it is damaged or changing.
 */
export function readGraphHash(kernel: Kernel): GraphHash | undefined {
  const variable = kernel.symbols.tryAddress("ftrace_graph_hash");
  if (variable === undefined) {
    // Of the same file and #ifdef as the graph tracer's depth.
    if (kernel.symbols.tryAddress("fgraph_max_depth") === undefined) {
      return undefined;
    }
    throw new KernelError(
      "this kernel keeps graph roots where xftrace does not know: it has no " +
        "symbol ftrace_graph_hash",
    );
  }
  const gva = kernel.space.u64(variable);
  if (gva === 0n) return undefined;
  const hash = kernel.object("ftrace_hash", gva);
  const bits = hash.u64("size_bits");
  const count = hash.number("count");
  if (count === 0) return undefined;
  if (bits > MAX_BITS || count > MAX_ENTRIES) {
    throw new KernelError(
      `ftrace_graph_hash claims ${count} entries in 2^${bits} buckets: it is damaged or in flux`,
    );
  }
  const buckets = hash.u64("buckets");
  const ipOffset = BigInt(kernel.types.offset("ftrace_func_entry", "ip"));
  const link = BigInt(kernel.types.offset("ftrace_func_entry", "hlist"));
  const entries: GraphHashEntry[] = [];
  for (let i = 0n; i < 1n << bits; i++) {
    const bucket = buckets + i * 8n;
    let node = kernel.space.u64(bucket);
    while (node !== 0n) {
      if (entries.length >= count) {
        throw new KernelError(
          "ftrace_graph_hash holds more entries than it counts: it is in flux; try again",
        );
      }
      const entry = node - link;
      const ip = kernel.space.u64(entry + ipOffset);
      entries.push({ gva: entry, ip, bucket });
      node = kernel.space.u64(node);
    }
  }
  return { variable, gva, buckets, bits, entries };
}

/**
 * The current graph roots of the guest.
 *
 * @example
 * ```ts
 * import { open } from "xftrace";
 * import { readGraphRoots } from "xftrace/ftrace";
 *
 * await using guest = await open("core:testdata/guest-6.1.core.zst");
 * const { ips } = readGraphRoots(guest.session.kernel);
 * console.log(ips.map((ip) => guest.kernel.symbol(ip)));
 * ```
 */
export function readGraphRoots(kernel: Kernel): GraphRoots {
  const hash = readGraphHash(kernel);
  if (hash === undefined) return { ips: [], capacity: 0 };
  return {
    ips: [...new Set(hash.entries.map((entry) => entry.ip))],
    capacity: hash.entries.length,
  };
}
