/** `xftrace convert`: writes a recording in another format. */
import type { Command } from "@commander-js/extra-typings";
import { type TraceFormat, writeBuffers } from "xftrace/output";
import { FileSink } from "../../collector/file_sink.ts";
import { reportDat } from "../traces/dat_target.ts";
import { guestBuffers, tellUnread } from "../traces/guest_buffers.ts";
import { ENDINGS_HELP, formatOfFile } from "../traces/file_format.ts";
import { FORMATS_HELP } from "../format_option.ts";
import { usage } from "../option_values.ts";
import { openGuest } from "../target.ts";
import { count, note } from "../terminal.ts";
import { Writing } from "../traces/writing.ts";

/** The target that a file is, by its name; `dat:` and `core:` may be given. */
function targetOf(file: string): string {
  if (/^(?:dat|core):./.test(file)) return file;
  if (/^(?:qemu|pid|file):/.test(file)) {
    throw usage(
      `${file} is no recording; \`xftrace record\` writes a guest's trace`,
    );
  }
  const head = new Uint8Array(10);
  try {
    using opened = Deno.openSync(file);
    opened.readSync(head);
  } catch {
    // Whatever is wrong with it, opening it as a core says so.
  }
  const magic = new TextDecoder("latin1").decode(head);
  return `${magic === "\x17\x08Dtracing" ? "dat" : "core"}:${file}`;
}

/** Registers `xftrace convert` on the program. */
export function registerConvert(program: Command): void {
  program.command("convert")
    .summary("write a recording in another format")
    .description(
      "Writes the events of a trace.dat, a core or a snapshot in another format.",
    )
    .argument("<file>", "a trace.dat, a core or a snapshot")
    .requiredOption("-o, --output <file>", "the file to write")
    .option("-f, --format <name>", `${FORMATS_HELP} (default: ${ENDINGS_HELP})`)
    .option("--instance <name>", "convert only this trace instance")
    .addHelpText(
      "after",
      `
Examples:
  xftrace convert trace.dat -o trace.pftrace
  xftrace convert web1.core.zst -o web1.dat
  xftrace convert trace.dat -o old.dat --format dat6`,
    )
    .action(async (file, options) => {
      const format = formatOfFile(options.output, options.format);
      const target = targetOf(file);
      if (target.startsWith("dat:")) {
        tell(reportDat(target, format, options));
      } else await convertCore(target, format, options);
    });
}

async function convertCore(
  target: string,
  format: TraceFormat,
  options: { readonly output: string; readonly instance?: string },
): Promise<void> {
  using guest = await openGuest({ target, cache: false });
  const buffers = guestBuffers(guest.session, options);
  using output = new FileSink(options.output);
  using writing = new Writing(format, (chunk) => output.write(chunk));
  const totals = writeBuffers(
    buffers.reading,
    buffers.described,
    writing.writer,
  );
  output.commit();
  writing.tellLeftOut();
  tellUnread(buffers);
  tell(totals);
}

function tell({ events, lost }: { events: number; lost: number }): void {
  note(`${count(events)} events, ${count(lost)} lost`);
}
