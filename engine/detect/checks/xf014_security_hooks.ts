/**
 * XF014: security hooks.
 *
 * @module
 */
import { registeredHooks, securityHooks } from "../../kernel/objects/lsm.ts";
import type { Kernel } from "../../kernel/core/kernel.ts";
import type { Report } from "../finding.ts";
import { hex } from "../../base/hex.ts";
import { judge } from "../core/judge.ts";
import type { Check } from "../core/check.ts";

/** Checks the hooks of security modules. */
export const securityModuleHooks: Check = {
  id: "XF014",
  title: "security hooks",
  technique: "T1562.001",
  help:
    "Every security (LSM) hook is the kernel's own: security modules cannot be loaded. Hooks there see or disarm each access decision. Every hook of a security module that was registered at boot is still in use.",
  run(context, report) {
    const hooks = securityHooks(context.kernel);
    if (hooks === undefined) {
      report.unjudged(
        "security hooks",
        "this kernel keeps them in a way that is not known",
      );
    }
    if (hooks?.length === 0) {
      report.unjudged("security hooks", "their lists are empty: damaged");
    }
    for (const { name, address, func } of hooks ?? []) {
      judge(context, report, {
        where: `security hook ${name}`,
        address,
        target: func,
        allowed: "image",
      });
    }
    report.part("hooks of security modules", () => {
      disarmed(
        context.kernel,
        report,
        new Set(hooks?.map(({ address }) => address)),
      );
    });
  },
};

/** SELinux alone can be switched off after boot, by kernels that have this. */
const SWITCHED_OFF: Readonly<Record<string, string>> = {
  selinux_hooks: "selinux_disable",
};

/** Finds hooks that were taken off their lists. */
function disarmed(
  kernel: Kernel,
  report: Report,
  used: ReadonlySet<bigint>,
): void {
  const hooks = registeredHooks(kernel, used);
  report.judged(hooks.length);
  const inUse = new Set(
    hooks.filter(({ address }) => used.has(address)).map(({ table }) => table),
  );
  for (const { table, index, address, func } of hooks) {
    if (used.has(address)) continue;
    const off = SWITCHED_OFF[table];
    const isOff = off !== undefined && !inUse.has(table) &&
      kernel.symbols.tryAddress(off) !== undefined;
    if (isOff) continue;
    const name = kernel.symbols.lookup(func)?.name ?? hex(func);
    const where = `${table}[${index}]`;
    report.finding({
      severity: "critical",
      where,
      address,
      target: func,
      expected: "in use since the kernel booted",
      found: "on no list",
      summary:
        `${where} (${name}) is on no list of security hooks: what it decides is no longer asked`,
    });
  }
}
