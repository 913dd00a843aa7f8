/**
 * XF001: system call table.
 *
 * @module
 */
import type { Kernel } from "../../kernel/core/kernel.ts";
import {
  syscallTables,
  tracedSyscalls,
} from "../../kernel/objects/syscalls.ts";
import type { Check } from "../core/check.ts";
import { functionStarts, judgeEntry } from "../core/syscall_functions.ts";

/** Any kernel has more system calls, for each of its tables. */
const FEWEST = 280;

/** Checks `sys_call_table`: each entry must be the function of its call. */
export const syscallTable: Check = {
  id: "XF001",
  title: "system call table",
  technique: "T1014",
  help:
    "Every entry of sys_call_table (and of the 32-bit table where there is one) is the kernel's function for that call. Kernels that dispatch by branches do not use the table any more: a changed entry is reported all the same.",
  run(context, report) {
    const { kernel } = context;
    const names = tracedSyscalls(kernel);
    const tables = syscallTables(kernel);
    if (tables.length === 0) {
      report.unjudged("sys_call_table", "the kernel has no such symbol");
    }
    const [own] = kernel.arch.syscalls.tables;
    for (const { symbol, prefixes, gva, entries } of tables) {
      if (entries.length < FEWEST) {
        report.unjudged(
          symbol,
          `it has ${entries.length} entries only: it is damaged, or the kernel's symbols were changed`,
        );
      }
      const starts = functionStarts(kernel, prefixes);
      for (let nr = 0; nr < entries.length; nr++) {
        const expected = symbol === own.symbol
          ? expectedFunction(kernel, names?.get(nr))
          : undefined;
        judgeEntry(context, report, {
          where: `${symbol}[${nr}]`,
          address: gva + BigInt(8 * nr),
          target: entries[nr],
          expected,
          starts,
        });
      }
    }
  },
};

function expectedFunction(
  kernel: Kernel,
  traced: string | undefined,
): string | undefined {
  if (traced === undefined || !traced.startsWith("sys_")) return undefined;
  const name = kernel.arch.syscalls.names.entry(traced);
  // Ftrace has the name from the source; some functions have a different
  // symbol.
  return kernel.symbols.tryAddress(name) === undefined ? undefined : name;
}
