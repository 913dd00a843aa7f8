/**
 * XF002: system call dispatch.
 *
 * @module
 */
import {
  syscallTables,
  tracedSyscalls,
} from "../../../kernel/objects/syscalls.ts";
import { type Dispatch, dispatch } from "../kernel/syscall_dispatch.ts";
import type { CheckContext } from "../../../detect/core/context.ts";
import { hexDigits } from "../../../base/hex.ts";
import { variable } from "../../../kernel/symbols/required.ts";
import type { Report } from "../../../detect/finding.ts";
import type { Check } from "../../../detect/core/check.ts";
import {
  functionStarts,
  judgeEntry,
} from "../../../detect/core/syscall_functions.ts";

/**
 * The dispatching functions, the prefixes of their targets' names, and the
 * functions that call them.
 */
const DISPATCHERS: readonly (readonly [
  name: string,
  prefixes: readonly string[],
  callers: readonly string[],
])[] = [
  ["x64_sys_call", ["__x64_sys_"], ["do_syscall_64"]],
  ["x32_sys_call", ["__x64_sys_", "__x64_compat_sys_"], []],
  [
    "ia32_sys_call",
    ["__ia32_sys_", "__ia32_compat_sys_", "__do_sys_", "__x64_sys_"],
    ["do_fast_syscall_32", "do_int80_emulation", "do_int80_syscall_32"],
  ],
];

/** The dispatch function of any kernel has more branches than this. */
const FEWEST = 64;

/**
 * Checks `x64_sys_call` and its variants: each branch must lead to the function
 * of its system call.
 */
export const syscallDispatch: Check = {
  id: "XF002",
  title: "system call dispatch",
  technique: "T1014",
  arch: "x86_64",
  help:
    "The text of x64_sys_call, x32_sys_call and ia32_sys_call is decoded and followed for every call number: each branch out of it leads to the kernel's function of that call. The registers that lead into the kernel (MSR_LSTAR and others) are not in memory and are not seen.",
  run(context, report) {
    const { kernel } = context;
    let any = false;
    for (const [symbol, prefixes, calls] of DISPATCHERS) {
      report.part(symbol, () => {
        const { symbols } = kernel;
        // They came together: one that is missing was renamed.
        const others = DISPATCHERS.map(([name]) => name);
        const needed = calls.some((name) =>
          symbols.tryAddress(name) !== undefined
        );
        if (
          variable(symbols, symbol, needed ? others : []) === undefined
        ) return;
        const found = dispatch(kernel, symbol);
        if (found === undefined) return;
        any = true;
        judgeDispatch(context, report, found, prefixes);
      });
    }
    if (any) return;
    report.known("this kernel calls through sys_call_table (XF001)");
  },
};

function judgeDispatch(
  context: CheckContext,
  report: Report,
  { symbol, exits }: Dispatch,
  prefixes: readonly string[],
): void {
  const { kernel } = context;
  const starts = new Set(functionStarts(kernel, prefixes));
  // For unknown numbers it returns, through a thunk where return thunks are in
  // use.
  for (const name of ["__x86_return_thunk", "srso_return_thunk"]) {
    kernel.symbols.addresses(name).forEach((gva) => starts.add(gva));
  }
  const table = symbol === "x64_sys_call"
    ? syscallTables(kernel).find((t) => t.symbol === "sys_call_table")
    : undefined;
  const traced = symbol === "x64_sys_call" ? tracedSyscalls(kernel) : undefined;
  if (exits.length < FEWEST) {
    report.unjudged(
      symbol,
      `its text leads to ${exits.length} functions only: it is damaged, or compiled in a way that is not known`,
    );
  }
  for (const exit of exits) {
    const name = exit.numbers.length === 1
      ? traced?.get(exit.numbers[0])
      : undefined;
    const own = name === undefined
      ? undefined
      : kernel.arch.syscalls.names.entry(name);
    // The table holds the same functions as the kernel was built with.
    const listed = exit.numbers.length === 1
      ? table?.entries[exit.numbers[0]]
      : undefined;
    const expected = own !== undefined &&
        kernel.symbols.tryAddress(own) !== undefined
      ? own
      : listed !== undefined && starts.has(listed)
      ? context.code.at(listed).symbol
      : undefined;
    judgeEntry(context, {
      ...report,
      finding: (finding) =>
        report.finding({
          ...finding,
          found: `${finding.found} (${hexDigits(exit.bytes, " ")})`,
        }),
    }, {
      where: `${symbol}+0x${
        (exit.from - kernel.symbols.address(symbol)).toString(16)
      } (${numbersOf(exit.numbers, name)})`,
      address: exit.from,
      target: exit.target,
      expected,
      starts,
    });
  }
}

function numbersOf(numbers: readonly number[], name?: string): string {
  const shown = numbers.slice(0, 4).join(", ");
  if (numbers.length === 0) return "no number";
  return numbers.length > 4
    ? `${shown} and ${numbers.length - 4} more`
    : shown + (name === undefined ? "" : ` ${name}`);
}
