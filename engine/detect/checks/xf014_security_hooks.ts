/**
 * XF014: security hooks.
 *
 * @module
 */
import { securityHooks } from "../../kernel/objects/lsm.ts";
import { judge } from "../core/judge.ts";
import type { Check } from "../core/check.ts";

/** Checks the hooks of security modules. */
export const securityModuleHooks: Check = {
  id: "XF014",
  title: "security hooks",
  technique: "T1562.001",
  help:
    "Every security (LSM) hook is the kernel's own: security modules cannot be loaded. Hooks there see or disarm each access decision.",
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
  },
};
