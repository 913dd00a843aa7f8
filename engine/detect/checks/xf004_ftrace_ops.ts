/**
 * XF004: ftrace_ops.
 *
 * @module
 */
import { hex } from "../../base/hex.ts";
import { steady } from "../../kernel/core/lists.ts";
import {
  type FtraceOps,
  ftraceOps,
  graphHandlers,
  opsFilter,
} from "../../kernel/patching/ftrace_ops.ts";
import { relayed } from "../../kernel/patching/ftrace_relays.ts";
import type { CheckContext } from "../core/context.ts";
import { judge } from "../core/judge.ts";
import { partAt } from "../core/module_parts.ts";
import type { Report } from "../finding.ts";
import type { Check } from "../core/check.ts";

/** Checks all functions registered with Ftrace. */
export const ftraceHooks: Check = {
  id: "XF004",
  title: "ftrace_ops",
  technique: "T1014",
  help:
    "Everyone on ftrace_ops_list, and every handler of the function graph, is the kernel's own or a module that the kernel vouches for. A listener that may change where the function continues (IPMODIFY, or given all registers) is how today's rootkits hook system calls. What livepatch, fprobe and the commands of set_ftrace_filter lead to is judged as well.",
  run(context, report) {
    const { kernel } = context;
    const listeners = ftraceOps(kernel);
    // Count the list itself, since it may be empty.
    report.judged(1);
    for (const ops of listeners) {
      const what = `the ftrace_ops at ${hex(ops.gva)}`;
      partAt(context, report, ops.gva, what, (report) => {
        listener(context, report, ops);
      });
    }
    report.part("function graph", () => {
      for (const { where, address, func } of graphHandlers(kernel)) {
        judge(context, report, {
          where,
          address,
          target: func,
          allowed: "vouched",
          severity: "high",
          means: "it is told of every call that is traced and of its return",
        });
      }
    });
  },
};

function listener(
  context: CheckContext,
  report: Report,
  ops: FtraceOps,
): void {
  const on = attachedTo(context, ops.gva);
  const can = ops.ipModify
    ? "it may change what those functions do (IPMODIFY)"
    : ops.saveRegs
    ? "it is given all registers, so it may change what they do"
    : "it is told of every call";
  const handlers = new Set([ops.func, ops.savedFunc, ops.directCall]);
  let owner = "";
  for (const handler of handlers) {
    if (handler === 0n) continue;
    const code = judge(context, report, {
      where: `ftrace_ops on ${on}`,
      address: ops.gva,
      target: handler,
      allowed: "vouched",
      // The sites call it themselves.
      by: handler === ops.directCall ? "text" : "pointer",
      severity: ops.ipModify || ops.saveRegs ? "critical" : "high",
      means: can,
    });
    owner = code.name;
  }
  for (const { what, address, func } of relayed(context.kernel, ops)) {
    const code = judge(context, report, {
      where: `${what} on ${on}`,
      address,
      target: func,
      allowed: "vouched",
      severity: "critical",
      means: "the kernel's own listener passes each call on to it",
    });
    owner = code.name;
  }
  const flags = ops.ipModify ? ", IPMODIFY" : "";
  report.known(`${owner} listens to ${on}${flags}`);
}

function attachedTo(context: CheckContext, gva: bigint): string {
  // The kernel makes a new table for each change, and frees the old one.
  const { ips, count } = steady(() => opsFilter(context.kernel, gva, 4));
  if (count === 0) return "all functions";
  const names = ips.map((ip) => context.code.at(ip).symbol ?? ip.toString(16));
  return count > names.length
    ? `${names.join(", ")} and ${count - names.length} more`
    : names.join(", ");
}
