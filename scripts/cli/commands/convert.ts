/** `xftrace convert`: writes a recording in another format. */
import type { Command } from "@commander-js/extra-typings";
import { convertRecording } from "../traces/convert_recording.ts";
import { ENDINGS_HELP, formatOfFile } from "../traces/file_format.ts";
import { FORMATS_HELP } from "../format_option.ts";

/** Registers `xftrace convert` on the program. */
export function registerConvert(program: Command): void {
  program.command("convert")
    .summary("write a recording in another format")
    .description(
      "Writes the events of a trace.dat, a core, a snapshot or a sealed recording in\n" +
        "another format. Of a sealed recording, only verified entries are written; the\n" +
        "verdict and the exit code are those of `xftrace verify`.",
    )
    .argument("<file>", "a trace.dat, a core, a snapshot or a trace.xfs")
    .requiredOption("-o, --output <file>", "the file to write")
    .option("-f, --format <name>", `${FORMATS_HELP} (default: ${ENDINGS_HELP})`)
    .option("--instance <name>", "convert only this trace instance")
    .option(
      "--klog <file>",
      "the key log of a sealed recording (default: the one beside it that it names)",
    )
    .addHelpText(
      "after",
      `
Examples:
  xftrace convert trace.dat -o trace.pftrace
  xftrace convert web1.core.zst -o web1.dat
  xftrace convert trace.dat -o old.dat --format dat6
  xftrace convert trace.xfs -o sealed.pftrace`,
    )
    .action(async (file, options) => {
      const format = formatOfFile(options.output, options.format);
      await convertRecording(file, format, options);
    });
}
