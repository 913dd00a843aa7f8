/**
 * XF013: notifiers and line disciplines.
 *
 * @module
 */
import {
  chain,
  CHAINS,
  lineDisciplines,
} from "../../kernel/objects/notifiers.ts";
import { tableFunctions } from "../../kernel/objects/vfs.ts";
import { judge } from "../core/judge.ts";
import { partAt } from "../core/module_parts.ts";
import type { Check } from "../core/check.ts";

/** Chains that only the kernel and its drivers should use. */
const WATCHED: ReadonlySet<string> = new Set([
  "keyboard_notifier_list",
  "module_notify_list",
  "die_chain",
  "reboot_notifier_list",
  "tracepoint_notify_list",
]);

/** Checks notifier chains and the line disciplines of terminals. */
export const notifiers: Check = {
  id: "XF013",
  title: "notifiers and line disciplines",
  technique: "T1056.001",
  help:
    "Every function on the kernel's notifier chains and of terminals' line disciplines is known code; those told of keys, of modules, of exceptions and of reboots belong to the kernel or to a vouched module. Keyloggers and rootkits that watch for modules are here.",
  run(context, report) {
    const { kernel } = context;
    for (const [symbol, head, registers] of CHAINS) {
      report.part(symbol, () => {
        for (
          const { gva, func } of chain(kernel, symbol, head, registers) ?? []
        ) {
          const code = judge(context, report, {
            where: symbol,
            address: gva,
            target: func,
            allowed: WATCHED.has(symbol) ? "vouched" : "known",
            severity: "high",
            ...(symbol === "keyboard_notifier_list"
              ? { means: "it is told of every key" }
              : {}),
          });
          report.known(`${symbol} has ${code.name}`);
        }
      });
    }
    report.part("tty_ldiscs", () => {
      for (const [number, ops] of lineDisciplines(kernel)) {
        partAt(context, report, ops, `line discipline ${number}`, (report) => {
          for (const each of tableFunctions(kernel, "tty_ldisc_ops", ops)) {
            judge(context, report, {
              where: `line discipline ${number}: ${each.member}`,
              address: each.address,
              target: each.target,
              // N_TTY belongs to the kernel, the others to drivers.
              allowed: number === 0 ? "image" : "vouched",
            });
          }
        });
      }
    });
  },
};
