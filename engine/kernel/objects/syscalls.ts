/**
 * How a system call's number leads to its function: the kernel's tables.
 *
 * Source: kernel/trace/trace_syscalls.c (syscalls_metadata).
 *
 * @module
 */
import type { Kernel } from "../core/kernel.ts";

/** A table of system calls. */
export interface SyscallTable {
  readonly symbol: string;
  /** What the names of its functions begin with. */
  readonly prefixes: readonly string[];
  /** GVA of the table. */
  readonly gva: bigint;
  /** Functions (GVA) by number. */
  readonly entries: readonly bigint[];
}

/** The tables that this kernel has; that of its own calls is the first. */
export function syscallTables(kernel: Kernel): SyscallTable[] {
  const found: SyscallTable[] = [];
  for (const { symbol, prefixes } of kernel.arch.syscalls.tables) {
    const gva = kernel.symbols.tryAddress(symbol);
    if (gva === undefined) continue;
    const size = kernel.symbols.lookup(gva)?.size ?? 0;
    // What follows the table may be padding: its length is the calls' own.
    const count = Math.min(Math.floor(size / 8), 1024);
    const bytes = kernel.space.bytes(gva, count * 8);
    const entries = [...new BigUint64Array(bytes.buffer)];
    while (entries.at(-1) === 0n) entries.pop();
    found.push({ symbol, prefixes, gva, entries });
  }
  return found;
}

/**
 * Names of system calls by number, as Ftrace knows them (`sys_openat`);
 * `undefined` when this kernel does not trace system calls.
 */
export function tracedSyscalls(
  kernel: Kernel,
): Map<number, string> | undefined {
  const at = kernel.symbols.tryAddress("syscalls_metadata");
  if (at === undefined) return undefined;
  const table = kernel.space.u64(at);
  if (table === 0n) return undefined;
  const names = new Map<number, string>();
  const sysCalls = syscallTables(kernel)[0]?.entries.length ?? 0;
  for (let nr = 0; nr < sysCalls; nr++) {
    const meta = kernel.space.u64(table + BigInt(8 * nr));
    if (meta === 0n) continue;
    const name = kernel.object("syscall_metadata", meta).stringAt("name");
    if (name !== undefined) names.set(nr, name);
  }
  return names;
}
