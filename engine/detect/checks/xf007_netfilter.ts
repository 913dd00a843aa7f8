/**
 * XF007: netfilter hooks.
 *
 * @module
 */
import {
  netfilterHooks,
  netNamespaces,
} from "../../kernel/objects/netfilter.ts";
import { judge } from "../core/judge.ts";
import type { Check } from "../core/check.ts";

/** Checks all netfilter hooks. */
export const netfilter: Check = {
  id: "XF007",
  title: "netfilter hooks",
  technique: "T1205",
  help:
    "Every netfilter hook, in every network namespace and on every device, is the kernel's own or a vouched module's. Rootkits wait for their trigger packets there.",
  run(context, report) {
    for (const net of netNamespaces(context.kernel)) {
      report.part("a network namespace", () => {
        // Count the namespace itself, since it may have no hooks.
        report.judged(1);
        for (const hook of netfilterHooks(context.kernel, net)) {
          const code = judge(context, report, {
            where: `netfilter ${hook.where}`,
            address: hook.gva,
            target: hook.func,
            allowed: "vouched",
            severity: "high",
            means: "it sees each packet that passes and may drop or change it",
          });
          report.known(`netfilter ${hook.where} has ${code.name}`);
        }
      });
    }
  },
};
