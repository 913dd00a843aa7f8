/** `xftrace eval`: runs one-liners. */
import type { Command } from "@commander-js/extra-typings";
import { CompileError, oneLiner, oneLinerMessage, XftraceError } from "xftrace";
import { execute } from "../execute.ts";
import { withTarget } from "../target.ts";

/** Registers `xftrace eval` on the program. */
export function registerEval(program: Command): void {
  withTarget(program.command("eval"))
    .summary("run a one-liner of the trace language")
    .description("Runs an expression of the trace language.")
    .argument("<expression>", "such as 'trace(sys_openat).count(comm)'")
    .option(
      "--instance <name>",
      "use this trace instance (default: the top level)",
    )
    .option("--dry-run", "print the plan, and write nothing")
    .option("--no-push-down", "leave filtering to the host where possible")
    .option("--json", "print results as JSON")
    .addHelpText(
      "after",
      `
Examples:
  xftrace eval 'trace(sys_openat).until("5s").count(comm)'
  xftrace eval 'trace(sys_read).filter(duration.gt("1ms")).print()'
  xftrace eval 'event("sched:sched_switch").count("next_comm")' -t core:web1.core
  xftrace eval --dry-run 'trace(sys_open).graph()'`,
    )
    .action(async (expression, options) => {
      try {
        await execute(oneLiner(expression), options);
      } catch (error) {
        if (!(error instanceof CompileError)) throw error;
        const message = oneLinerMessage(error, expression);
        throw new XftraceError(message, {
          exitCode: error.exitCode,
          lines: true,
        });
      }
    });
}
