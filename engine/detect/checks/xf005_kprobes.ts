/**
 * XF005: kprobes.
 *
 * @module
 */
import type { Kernel } from "../../kernel/core/kernel.ts";
import {
  type Kprobe,
  kretprobeHandlers,
} from "../../kernel/patching/kprobes.ts";
import { variable } from "../../kernel/symbols/required.ts";
import { judge } from "../core/judge.ts";
import { partAt } from "../core/module_parts.ts";
import type { Check } from "../core/check.ts";

/** Checks all kprobes. */
export const probes: Check = {
  id: "XF005",
  title: "kprobes",
  technique: "T1014",
  help:
    "Every kprobe's and return probe's handlers are the kernel's own (perf, tracefs, BPF) or a vouched module's.",
  run(context, report) {
    const { kernel } = context;
    const probes = context.kprobes;
    // Count the table itself, since it may be empty.
    report.judged(1);
    for (const probe of probes) {
      const at = context.code.at(probe.address);
      const where = `kprobe on ${at.name}`;
      if (at.kind === "unread") {
        report.unjudged(at.name, context.code.whyUnread);
      } else if (at.kind === "foreign" || at.kind === "freed init") {
        report.known(`a kprobe is left at ${at.name}, which is gone`);
      }
      partAt(context, report, probe.gva, where, (report) => {
        const names: string[] = [];
        for (const handler of handlersOf(kernel, probe)) {
          const code = judge(context, report, {
            where,
            address: probe.gva,
            target: handler,
            allowed: "vouched",
            severity: "high",
            means: "it runs each time that is reached and may change it",
          });
          names.push(code.name);
        }
        if (!probe.aggregate) report.known(`${where} by ${names.join(", ")}`);
      });
    }
  },
};

function handlersOf(kernel: Kernel, probe: Kprobe): bigint[] {
  const own = [probe.pre, probe.post].filter((gva) => gva !== 0n);
  // The kprobe of a return probe has a handler of the kernel; the owner's
  // handlers are stored separately.
  const pre = variable(kernel.symbols, "pre_handler_kretprobe", [
    "register_kretprobe",
    "unregister_kretprobe",
    "trampoline_probe_handler",
    "kretprobe_dispatcher",
  ]);
  if (pre === undefined || probe.pre !== pre) return own;
  return [...own, ...kretprobeHandlers(kernel, probe.gva)]
    .filter((gva) => gva !== 0n);
}
