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
import type { CheckContext } from "../core/context.ts";
import { judge } from "../core/judge.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";

/** Prefixes of a system call's function, by table. */
const PREFIXES: Record<string, readonly string[]> = {
  sys_call_table: ["__x64_sys_"],
  ia32_sys_call_table: ["__ia32_sys_", "__ia32_compat_sys_"],
};

/** Functions a call may have besides the one of its name. */
const NOT_IMPLEMENTED = [
  "__x64_sys_ni_syscall",
  "__ia32_sys_ni_syscall",
  "sys_ni_syscall",
];

/** `sys_call_table`: each entry is the function of its call. */
export const syscallTable: Check = {
  id: "XF001",
  title: "system call table",
  technique: "T1014",
  help:
    "Every entry of sys_call_table (and of the 32-bit table where there is one) is the kernel's function for that call. Kernels that dispatch by branches (x64_sys_call) do not use the table any more: a changed entry is reported all the same.",
  run(context, report) {
    const { kernel } = context;
    const names = tracedSyscalls(kernel);
    const tables = syscallTables(kernel);
    if (tables.length === 0) {
      report.unjudged("sys_call_table", "the kernel has no such symbol");
    }
    for (const { symbol, gva, entries } of tables) {
      const prefixes = PREFIXES[symbol];
      const starts = functionStarts(kernel, prefixes);
      for (let nr = 0; nr < entries.length; nr++) {
        const expected = symbol === "sys_call_table"
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

/** GVAs at which a system call's function starts. */
export function functionStarts(
  kernel: Kernel,
  prefixes: readonly string[],
): ReadonlySet<bigint> {
  const starts = new Set<bigint>();
  const add = (name: string) => {
    for (const gva of kernel.symbols.addresses(name)) starts.add(gva);
  };
  for (const prefix of prefixes) kernel.symbols.glob(`${prefix}*`).forEach(add);
  NOT_IMPLEMENTED.forEach(add);
  return starts;
}

function expectedFunction(
  kernel: Kernel,
  traced: string | undefined,
): string | undefined {
  if (traced === undefined || !traced.startsWith("sys_")) return undefined;
  const name = `__x64_${traced}`;
  // Ftrace's name is the one in the source; some functions have another.
  return kernel.symbols.tryAddress(name) === undefined ? undefined : name;
}

/** Judges one place that should hold a system call's function. */
export function judgeEntry(
  context: CheckContext,
  report: Report,
  entry: {
    readonly where: string;
    readonly address: bigint;
    readonly target: bigint;
    readonly expected: string | undefined;
    readonly starts: ReadonlySet<bigint>;
    readonly found?: string;
  },
): void {
  const { where, address, target, expected, starts } = entry;
  const code = judge(context, report, {
    where,
    address,
    target,
    allowed: "image",
    ...(expected === undefined ? {} : { expected }),
  });
  if (code.kind !== "kernel") return;
  const wrong = expected !== undefined &&
    !context.kernel.symbols.addresses(expected).includes(target);
  if (!wrong && starts.has(target)) return;
  report.finding({
    severity: "critical",
    where,
    address,
    target,
    expected: expected ?? "a system call's function",
    found: code.name,
    summary: `${where} leads to ${code.name}, which is not ` +
      (expected ?? "a system call's function"),
  });
}
