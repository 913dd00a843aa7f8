/** `xftrace functions`: lists the functions that can be traced. */
import type { Command } from "@commander-js/extra-typings";
import { shown, XftraceError } from "xftrace";
import { prototypeText } from "xftrace/kernel";
import { openGuest, withTarget } from "../target.ts";
import { out, outJson } from "../terminal.ts";

/** What `functions --json` prints for each function. */
export interface FunctionInfo {
  readonly name: string;
  /** Name of its module; null for the kernel itself. */
  readonly module: string | null;
  /** GVA of its call to Ftrace, in hex. */
  readonly ip: string;
  /** Whether something is attached to it now. */
  readonly enabled: boolean;
  /** In C; null when the kernel's types have none. */
  readonly prototype: string | null;
}

/** Registers `xftrace functions` on the program. */
export function registerFunctions(program: Command): void {
  withTarget(program.command("functions"))
    .summary("list the functions that can be traced")
    .description(
      "Lists the functions of the guest's kernel and of its modules that can be\n" +
        "traced, as the guest's own available_filter_functions does.",
    )
    .argument("[glob]", "such as vfs_* (default: all)")
    .option("--module <name>", "list only functions of this module")
    .option(
      "--enabled",
      "list only functions that something is attached to now",
    )
    .option("--prototype", "print them with their parameters")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Examples:
  xftrace functions 'vfs_*'
  xftrace functions '__x64_sys_*' --prototype
  xftrace functions --module ext4 | wc -l
  xftrace functions --enabled`,
    )
    .action(async (glob, options) => {
      using guest = await openGuest(options);
      const { kernel } = guest.session;
      const matching = guest.functions(glob);
      const modules = kernel.live.modules.map((module) => module.name);
      if (options.module !== undefined && !modules.includes(options.module)) {
        throw new XftraceError(
          `the guest has not loaded a module ${options.module}; it has ` +
            (modules.join(", ") || "none"),
        );
      }
      const chosen = matching.filter((each) =>
        (options.module === undefined || each.module === options.module) &&
        (options.enabled !== true || each.enabled)
      );
      if (options.json === true) {
        return outJson(chosen.map((each): FunctionInfo => ({
          name: each.name,
          module: each.module ?? null,
          ip: `0x${each.ip.toString(16)}`,
          enabled: each.enabled,
          prototype: prototypeText(kernel, each.name) ?? null,
        })));
      }
      out(
        chosen.map((each) => {
          const name = options.prototype === true
            ? prototypeText(kernel, each.name) ?? each.name
            : each.name;
          const module = each.module === undefined ? "" : ` [${each.module}]`;
          return `${shown(name + module)}\n`;
        }).join(""),
      );
    });
}
