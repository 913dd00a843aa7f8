/**
 * Reads an instance's `set_ftrace_filter` from guest memory.
 *
 * @module
 */
import { KernelError } from "../../base/errors.ts";
import { hex } from "../../base/hex.ts";
import type { TraceArray } from "./trace_array.ts";

const MAX_BITS = 24;
const MAX_ENTRIES = 65536;

/**
 * Names of the functions in an instance's filter (kernel/trace/ftrace.c,
 * `ftrace_ops.func_hash->filter_hash`); empty: all functions.
 *
 * @throws {KernelError} when the hash is changing.
 */
export function readFunctionFilter(instance: TraceArray): string[] {
  const { kernel } = instance;
  const hash = instance.object.follow("ops", "ftrace_ops")
    ?.follow("func_hash", "ftrace_ops_hash")
    ?.follow("filter_hash", "ftrace_hash");
  if (hash === undefined) return [];
  const count = hash.number("count");
  const bits = hash.number("size_bits");
  if (count === 0) return [];
  if (bits > MAX_BITS || count > MAX_ENTRIES) {
    throw new KernelError(
      `set_ftrace_filter claims ${count} functions in 2^${bits} buckets: it is damaged or in flux`,
    );
  }
  const ip = BigInt(kernel.types.offset("ftrace_func_entry", "ip"));
  const link = BigInt(kernel.types.offset("ftrace_func_entry", "hlist"));
  const buckets = hash.u64("buckets");
  const names: string[] = [];
  for (let i = 0n; i < 1n << BigInt(bits); i++) {
    let node = kernel.space.u64(buckets + i * 8n);
    while (node !== 0n) {
      if (names.length >= count) {
        throw new KernelError(
          "set_ftrace_filter holds more functions than it counts: it is in flux; try again",
        );
      }
      const address = kernel.space.u64(node - link + ip);
      const symbol = kernel.symbols.lookup(address);
      names.push(symbol?.name ?? hex(address));
      node = kernel.space.u64(node);
    }
  }
  return [...new Set(names)].sort();
}
