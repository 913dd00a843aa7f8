/** `xftrace record`: writes the trace of a running guest to a file. */
import type { Command } from "@commander-js/extra-typings";
import { FileSink } from "../../collector/file_sink.ts";
import { ENDINGS_HELP, formatOfFile } from "../traces/file_format.ts";
import { followTrace } from "../traces/follow.ts";
import { FORMATS_HELP } from "../format_option.ts";
import { numberFor } from "../option_values.ts";
import { openGuest, withTarget } from "../target.ts";

/** Registers `xftrace record` on the program. */
export function registerRecord(program: Command): void {
  withTarget(program.command("record"))
    .summary("write the trace to a file as it happens, such as a trace.dat")
    .description(
      "Writes events to a file as they happen, for trace-cmd, KernelShark and other\n" +
        "programs. Nothing is consumed in the guest, and nothing is written to it.\n" +
        "Ctrl-C ends it; the file then appears.",
    )
    .requiredOption("-o, --output <file>", "the file to write")
    .option("-f, --format <name>", `${FORMATS_HELP} (default: ${ENDINGS_HELP})`)
    .option(
      "--instance <name>",
      "use this trace instance (default: the top level)",
    )
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
  xftrace record -t qemu:web1 -o trace.dat --for 10
  xftrace record -o web1.pftrace
  xftrace record -o old.dat --format dat6`,
    )
    .action(async (options) => {
      const format = formatOfFile(options.output, options.format);
      using guest = await openGuest(options);
      using file = new FileSink(options.output);
      await followTrace(guest, {
        format,
        sink: (chunk) => file.write(chunk),
        place: `in ${options.output}`,
        // Also if the guest ended meanwhile.
        done: () => file.commit(),
      }, options);
    });
}
