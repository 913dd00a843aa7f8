/** `xftrace record`: writes the trace of a running guest to a file. */
import type { Command } from "@commander-js/extra-typings";
import type { Guest } from "xftrace/live";
import { FileSink } from "../../collector/file_sink.ts";
import { ENDINGS_HELP, formatOfFile } from "../traces/file_format.ts";
import { followTrace } from "../traces/follow.ts";
import { FORMATS_HELP } from "../format_option.ts";
import { numberFor, usage } from "../option_values.ts";
import { openGuest, type TargetOptions, withTargets } from "../target.ts";
import {
  movedError,
  recordTimeLine,
  requireSeveral,
} from "../traces/time_line.ts";

/** Registers `xftrace record` on the program. */
export function registerRecord(program: Command): void {
  withTargets(program.command("record"))
    .summary("write the trace to a file as it happens, such as a trace.dat")
    .description(
      "Writes events to a file as they happen, for trace-cmd, KernelShark and other\n" +
        "programs. Nothing is consumed in the guest, and nothing is written to it.\n" +
        "Ctrl-C ends it; the file then appears.\n\n" +
        "Several guests, a trace of the host and sealed recordings beside them share one\n" +
        "time line: the host's monotonic clock. How wrong times may be is measured,\n" +
        "printed, and part of the file. With a sealed recording, the verdict is printed\n" +
        "and part of the page, and the exit code is that of `xftrace verify`.",
    )
    .requiredOption("-o, --output <file>", "the file to write")
    .option("-f, --format <name>", `${FORMATS_HELP} (default: ${ENDINGS_HELP})`)
    .option(
      "--instance <name>",
      "use this trace instance (default: the top level)",
    )
    .option("--from-buffer", "start with what the buffers hold already")
    .option(
      "--host <file>",
      "put this trace.dat of the host (trace-cmd record -C mono) beside it; it is read when recording ends",
    )
    .option(
      "--sealed <file>",
      "put the verified entries of this sealed recording beside it; it is read when recording ends; may be repeated",
      (file: string, before: string[] | undefined) => [...before ?? [], file],
    )
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
  xftrace record -o old.dat --format dat6
  xftrace record -t qemu:a -t qemu:b --host host.dat -o all.pftrace
  xftrace record -t qemu:a --sealed trace.xfs -o all.html`,
    )
    .action(async (options) => {
      const format = formatOfFile(options.output, options.format);
      const { target: targets = [], host, sealed, ...rest } = options;
      if (targets.length > 1 || (host ?? sealed) !== undefined) {
        requireSeveral(format);
        using opened = new DisposableStack();
        const named = targets.length > 0 ? targets : [undefined];
        const guests: Guest[] = [];
        for (const target of named) {
          guests.push(opened.use(await openTarget(rest, target)));
        }
        requireDistinct(guests);
        await recordTimeLine(guests, format, {
          ...rest,
          ...(host === undefined ? {} : { host }),
          ...(sealed === undefined ? {} : { sealed }),
        });
        return;
      }
      using guest = await openTarget(rest, targets[0]);
      using file = new FileSink(options.output, { rescue: true });
      await followTrace(guest, {
        format,
        sink: (chunk) => file.write(chunk),
        place: `in ${options.output}`,
        full: () => file.failed !== undefined,
        // Also if the guest ended meanwhile.
        done: () => {
          file.commit();
          if (file.failed !== undefined) throw movedError(file.failed, file);
        },
      }, rest);
    });
}

/** @throws {XftraceError} when two targets are one guest. */
function requireDistinct(guests: readonly Guest[]): void {
  const known = new Map<string, string>();
  for (const { session: { key = "", target } } of guests) {
    const before = known.get(key);
    if (before !== undefined && key !== "") {
      throw usage(`${before} and ${target} are the same guest; name it once`);
    }
    known.set(key, target);
  }
}

function openTarget(
  options: Omit<TargetOptions, "target">,
  target: string | undefined,
): Promise<Guest> {
  return openGuest({ ...options, ...(target === undefined ? {} : { target }) });
}
