/**
 * Judges places that should hold the function of a system call.
 *
 * @module
 */
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { Report } from "../finding.ts";
import type { CheckContext } from "./context.ts";
import { judge } from "./judge.ts";

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
  kernel.arch.syscalls.notImplemented.forEach(add);
  return starts;
}

/** Judges a place that should hold the function of a system call. */
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
    // Where a function starts is judged below.
    by: "text",
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
