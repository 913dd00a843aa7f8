/**
 * XF002: system call dispatch.
 *
 * @module
 */
import {
  syscallTables,
  tracedSyscalls,
} from "../../../kernel/objects/syscalls.ts";
import {
  type Dispatch,
  dispatch,
  DISPATCH_NUMBERS,
} from "../kernel/syscall_dispatch.ts";
import { tableUses } from "../kernel/syscall_callers.ts";
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

/**
 * The tables through which kernels without such functions call, and the
 * functions that read them.
 */
const TABLES: readonly (readonly [
  symbol: string,
  callers: readonly string[],
])[] = [
  ["sys_call_table", ["do_syscall_64"]],
  ["x32_sys_call_table", ["do_syscall_64"]],
  ["ia32_sys_call_table", [
    "do_syscall_32_irqs_on",
    "__do_fast_syscall_32",
    "do_fast_syscall_32",
    "do_int80_syscall_32",
  ]],
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
    "The text of x64_sys_call, x32_sys_call and ia32_sys_call is decoded and followed for every call number: each branch out of it leads to the kernel's function of that call. In kernels without them, the functions that read a system call table read the kernel's own. The registers that lead into the kernel (MSR_LSTAR and others) are not in memory and are not seen.",
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
    if (!any) report.part("sys_call_table", () => judgeTables(context, report));
  },
};

/** XF001 judges what the tables hold. */
function judgeTables({ kernel, code }: CheckContext, report: Report): void {
  report.known("this kernel calls through sys_call_table (XF001)");
  const tables = new Map<bigint, string>();
  for (const [symbol] of TABLES) {
    const gva = kernel.symbols.tryAddress(symbol);
    if (gva !== undefined) tables.set(gva, symbol);
  }
  const callers = [...new Set(TABLES.flatMap(([, callers]) => callers))];
  const uses = tableUses(kernel, callers);
  for (const [symbol, callers] of TABLES) {
    const gva = kernel.symbols.tryAddress(symbol);
    // The native one is always built.
    if (gva === undefined && symbol !== "sys_call_table") continue;
    report.judged(1);
    if (uses.some((use) => use.table === gva && callers.includes(use.caller))) {
      continue;
    }
    report.unjudged(
      symbol,
      `none of ${
        callers.join(", ")
      } reads it in a way that is known, so what they call is not known`,
    );
  }
  for (const { caller, from, bytes, table } of uses) {
    const allowed = TABLES.find(([symbol]) => symbol === tables.get(table));
    if (allowed?.[1].includes(caller) === true) continue;
    report.finding({
      severity: "critical",
      where: code.nameOf(from),
      address: from,
      expected: TABLES.filter(([, callers]) => callers.includes(caller))
        .map(([symbol]) => symbol).join(" or "),
      found: `${code.nameOf(table)} (${hexDigits(bytes, " ")})`,
      summary: `${caller} finds system calls in a table at ${
        code.nameOf(table)
      }, which is not the kernel's`,
    });
  }
}

function judgeDispatch(
  context: CheckContext,
  report: Report,
  { symbol, exits, lost }: Dispatch,
  prefixes: readonly string[],
): void {
  const { kernel } = context;
  const starts = new Set(functionStarts(kernel, prefixes));
  // For unknown numbers it returns, through a thunk where return thunks are in
  // use.
  const none = new Set<bigint>(
    [
      "__x86_return_thunk",
      "srso_return_thunk",
      ...kernel.arch.syscalls.notImplemented,
    ].flatMap((name) => [...kernel.symbols.addresses(name)]),
  );
  none.forEach((gva) => starts.add(gva));
  const found: OwnFunctions[] = [];
  if (symbol === "x64_sys_call") {
    report.part("the function of each number", () => {
      found.push(new OwnFunctions(context, starts));
    });
  }
  const own = found.at(0);
  if (exits.length < FEWEST) {
    report.unjudged(
      symbol,
      `its text leads to ${exits.length} functions only: it is damaged, or compiled in a way that is not known`,
    );
  }
  const at = (gva: bigint) =>
    `${symbol}+0x${(gva - kernel.symbols.address(symbol)).toString(16)}`;
  for (const { at: gva, why, numbers } of lost) {
    // Some compilers have it return for numbers that do not exist.
    const absent = why === "a return" && numbers.includes(DISPATCH_NUMBERS - 1);
    const left = absent
      ? numbers.filter((nr) => own?.exists(nr) === true)
      : numbers;
    if (left.length === 0) continue;
    report.passing(
      `${at(gva)} (${numbersOf(left, own?.nameOf(left))})`,
      `these numbers come to ${why} there, and cannot be followed any further`,
    );
  }
  for (const exit of exits) {
    const groups = new Map<string | undefined, number[]>();
    for (const nr of exit.numbers) {
      const expected = own?.of(nr);
      const group = groups.get(expected);
      if (group === undefined) groups.set(expected, [nr]);
      else group.push(nr);
    }
    if (groups.size === 0) groups.set(undefined, []);
    for (const [expected, numbers] of groups) {
      const where = `${at(exit.from)} (${
        numbersOf(numbers, own?.nameOf(numbers))
      })`;
      judgeEntry(context, {
        ...report,
        finding: (finding) =>
          report.finding({
            ...finding,
            found: `${finding.found} (${hexDigits(exit.bytes, " ")})`,
          }),
      }, { where, address: exit.from, target: exit.target, expected, starts });
      if (own === undefined || expected !== undefined) continue;
      if (!none.has(exit.target)) {
        report.unjudged(
          where,
          "neither sys_call_table nor Ftrace's metadata says which function it has",
        );
      }
    }
  }
}

/**
 * The function that each number has by the table that the kernel was built
 * with, and by Ftrace's metadata.
 */
class OwnFunctions {
  readonly #context: CheckContext;
  readonly #starts: ReadonlySet<bigint>;
  readonly #entries: readonly bigint[];
  readonly #traced: ReadonlyMap<number, string> | undefined;

  /** @throws {KernelError} when the table's symbol alone is missing. */
  constructor(context: CheckContext, starts: ReadonlySet<bigint>) {
    const { kernel } = context;
    // Nothing calls through it, but it is always built (syscall_64.c).
    variable(kernel.symbols, "sys_call_table", ["x64_sys_call"]);
    this.#context = context;
    this.#starts = starts;
    this.#entries = syscallTables(kernel)
      .find(({ symbol }) => symbol === "sys_call_table")?.entries ?? [];
    this.#traced = tracedSyscalls(kernel);
  }

  /** Symbol of a number's function; `undefined` when nothing says. */
  of(number: number): string | undefined {
    const { kernel } = this.#context;
    const traced = this.#traced?.get(number);
    const own = traced === undefined
      ? undefined
      : kernel.arch.syscalls.names.entry(traced);
    if (own !== undefined && kernel.symbols.tryAddress(own) !== undefined) {
      return own;
    }
    const listed = this.#entries[number];
    return listed !== undefined && this.#starts.has(listed)
      ? kernel.symbols.lookup(listed)?.name
      : undefined;
  }

  /** Whether a number has a function of its own. */
  exists(number: number): boolean {
    const { notImplemented } = this.#context.kernel.arch.syscalls;
    const { symbols } = this.#context.kernel;
    const listed = this.#entries[number];
    if (listed === undefined) return this.#traced?.has(number) === true;
    return !notImplemented.some((name) =>
      symbols.addresses(name).includes(listed)
    );
  }

  /** Name of a single number; `undefined` for several. */
  nameOf(numbers: readonly number[]): string | undefined {
    return numbers.length === 1 ? this.#traced?.get(numbers[0]) : undefined;
  }
}

function numbersOf(numbers: readonly number[], name?: string): string {
  const shown = numbers.slice(0, 4).join(", ");
  if (numbers.length === 0) return "no number";
  return numbers.length > 4
    ? `${shown} and ${numbers.length - 4} more`
    : shown + (name === undefined ? "" : ` ${name}`);
}
