/**
 * The tables by which the kernel finds a system call's function from its
 * number.
 *
 * Source: kernel/trace/trace_syscalls.c (syscalls_metadata).
 *
 * @module
 */
import type { Kernel } from "../core/kernel.ts";

/** A system call table. */
export interface SyscallTable {
  readonly symbol: string;
  /** The prefixes of the names of its functions. */
  readonly prefixes: readonly string[];
  /** GVA of the table. */
  readonly gva: bigint;
  /** GVA of each call's function, by call number. */
  readonly entries: readonly bigint[];
}

/** The system call tables that this kernel has; the native one is first. */
export function syscallTables(kernel: Kernel): SyscallTable[] {
  const found: SyscallTable[] = [];
  for (const { symbol, prefixes } of kernel.arch.syscalls.tables) {
    const gva = kernel.symbols.tryAddress(symbol);
    if (gva === undefined) continue;
    const size = kernel.symbols.lookup(gva)?.size ?? 0;
    // Padding may follow the table; the number of calls limits its length.
    const count = Math.min(Math.floor(size / 8), 1024);
    const bytes = kernel.space.bytes(gva, count * 8);
    const entries = [...new BigUint64Array(bytes.buffer)];
    while (entries.at(-1) === 0n) entries.pop();
    found.push({ symbol, prefixes, gva, entries });
  }
  return found;
}

/**
 * Names of system calls by number in Ftrace's spelling (`sys_openat`);
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
