/** `xftrace show`: prints the trace as it happens, like trace_pipe. */
import type { Command } from "@commander-js/extra-typings";
import { FORMATS } from "xftrace/output";
import { followTrace } from "../traces/follow.ts";
import { chosenFormat, FORMATS_HELP, RAW_HELP } from "../format_option.ts";
import { withGraphOptions } from "../graph_options.ts";
import { numberFor } from "../option_values.ts";
import { openGuest, withTarget } from "../target.ts";
import { traceOutput } from "../terminal.ts";

/** Registers `xftrace show` on the program. */
export function registerShow(program: Command): void {
  withGraphOptions(withTarget(program.command("show")))
    .summary("print the trace as it happens, like trace_pipe")
    .description(
      "Prints events as they happen, like trace_pipe, but from the host: nothing\n" +
        "is consumed in the guest, and nothing is written to it. Ctrl-C ends it.",
    )
    .option(
      "--instance <name>",
      "use this trace instance (default: the top level)",
    )
    .option("--raw", RAW_HELP)
    .option("-f, --format <name>", FORMATS_HELP, FORMATS[0].name)
    .option("--from-buffer", "start with what the buffers hold already")
    .option(
      "--for <seconds>",
      "stop after this many seconds",
      numberFor("--for"),
    )
    .addHelpText(
      "after",
      `
Examples:
  xftrace show -t qemu:web1
  xftrace show --for 5 --abstime --proc > five_seconds.txt
  xftrace show --format jsonl | jq .fields`,
    )
    .action(async (options) => {
      const format = chosenFormat(options);
      using guest = await openGuest(options);
      const { sink, options: how } = traceOutput(
        options.raw === true,
        format,
      );
      await followTrace(guest, { format, sink, how, place: "above" }, options);
    });
}
