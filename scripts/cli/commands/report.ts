/** `xftrace report`: prints the guest's buffers as its `trace` file does. */
import type { Command } from "@commander-js/extra-typings";
import { checkRunJson, findingsPage } from "xftrace/detect";
import type { Guest } from "xftrace/live";
import {
  FORMATS,
  unfollowedSettings,
  writeBuffers,
  type WriterOptions,
} from "xftrace/output";
import { FileSink } from "../../collector/file_sink.ts";
import { givenGraphOptions, withGraphOptions } from "../graph_options.ts";
import { datTarget, reportDat } from "../traces/dat_target.ts";
import { reportSealed, sealedTarget } from "../traces/sealed_target.ts";
import { guestBuffers, tellUnread } from "../traces/guest_buffers.ts";
import { Writing } from "../traces/writing.ts";
import { chosenFormat, FORMATS_HELP, RAW_HELP } from "../format_option.ts";
import { numberFor, usage } from "../option_values.ts";
import { openGuest, withTarget } from "../target.ts";
import { count, note, traceOutput, warn } from "../terminal.ts";

/** Registers `xftrace report` on the program. */
export function registerReport(program: Command): void {
  withGraphOptions(withTarget(program.command("report")))
    .summary("print what the buffers hold, like the guest's trace file")
    .description(
      "Prints what the guest's ring buffers hold, line for line like its own trace\n" +
        "file. The guest is neither stopped nor written to. A trace.dat is printed like\n" +
        "trace-cmd report does. Of a sealed recording (-t xfs:FILE), what is verified is\n" +
        "shown; the verdict and the exit code are those of `xftrace verify`.",
    )
    .option(
      "--instance <name>",
      "use this trace instance (default: the top level)",
    )
    .option("--snapshot", "read the snapshot buffer instead of the current one")
    .option(
      "--only-cpu <number>",
      "read only this CPU's buffer",
      numberFor("--only-cpu"),
    )
    .option("--raw", RAW_HELP)
    .option("-f, --format <name>", FORMATS_HELP, FORMATS[0].name)
    .option(
      "-o, --output <file>",
      "write to this file instead of standard output",
    )
    .option(
      "--html <file>",
      "write a page for a browser to this file; same as -f html -o <file>",
    )
    .option(
      "--klog <file>",
      "with -t xfs:FILE: the key log (default: the one beside it that it names)",
    )
    .option(
      "--check",
      "with --html: check the kernel as well (xftrace check), and show the findings",
    )
    .addHelpText(
      "after",
      `
Examples:
  xftrace report -t qemu:web1 | less
  xftrace report --abstime --proc --tail
  xftrace report --format jsonl | jq 'select(.name == "sched_switch")'
  xftrace report -t core:testdata/guest-6.1.core.zst
  xftrace report -t dat:trace.dat
  xftrace report -t xfs:trace.xfs --html sealed.html
  xftrace report --html web1.html && xdg-open web1.html
  xftrace report --html web1.html --check`,
    )
    .action(async (given) => {
      const options = withHtml(given);
      const format = chosenFormat(options);
      const dat = datTarget(options.target);
      requirePage(options);
      if (dat !== undefined) {
        reportDat(dat, format, options);
        return;
      }
      const sealed = sealedTarget(options.target);
      if (sealed !== undefined) {
        reportSealed(sealed, format, options);
        return;
      }
      using guest = await openGuest(options);
      const { session } = guest;
      const buffers = guestBuffers(session, options);
      const { instance, reading } = buffers;
      const own = buffers.described.options;
      const text = {
        ...own,
        graph: { ...own.graph, ...givenGraphOptions(options) },
      };
      const described = { ...buffers.described, options: text };
      if (options.output === undefined) {
        const { sink, options: how } = traceOutput(
          options.raw === true,
          format,
        );
        const quiet = Deno.stdout.isTerminal();
        using writing = new Writing(format, sink, { how, quiet });
        writeBuffers(reading, described, writing.writer);
        writing.tellLeftOut();
      } else {
        using file = new FileSink(options.output);
        const page = options.check === true
          ? await checkedPage(guest)
          : undefined;
        using writing = new Writing(
          format,
          (chunk) => file.write(chunk),
          { how: { bytes: true, ...(page === undefined ? {} : { page }) } },
        );
        writeBuffers(reading, described, writing.writer);
        file.commit();
        writing.tellLeftOut();
      }
      if (format.display === true) {
        for (const each of unfollowedSettings(instance.tracer, text)) {
          warn(each);
        }
      }
      tellUnread(buffers);
      const lost = reading.cpus.reduce((sum, cpu) => sum + cpu.lost, 0);
      if (lost > 0) {
        note(
          `${
            count(lost)
          } events were overwritten while they were read: the guest is recording; \`xftrace show\` follows it`,
        );
      }
    });
}

/**
 * Refuses `--check` where no page is written, or there is nothing to check.
 *
 * @throws {XftraceError}
 */
function requirePage(
  { check, format, output, target }: {
    readonly check?: boolean;
    readonly format: string;
    readonly output?: string;
    readonly target?: string;
  },
): void {
  if (check !== true) return;
  if (format !== "html" || output === undefined) {
    throw usage("--check is for pages: give --html FILE with it");
  }
  if ((datTarget(target) ?? sealedTarget(target)) !== undefined) {
    throw usage(
      `${target} is a trace, without the memory that \`xftrace check\` judges; leave out --check`,
    );
  }
}

/** The verdict on a guest's kernel, and what was found, for a page. */
async function checkedPage(guest: Guest): Promise<WriterOptions["page"]> {
  const { target, kernel } = guest.session;
  const { release, buildId } = kernel.facts;
  const run = checkRunJson({ target, release, buildId }, await guest.check());
  const { verdict, tables = [] } = findingsPage(run);
  return {
    ...(verdict === undefined ? {} : { verdict }),
    // All checks, with what is harmless, are on a page of their own.
    tables: tables.slice(0, 3),
  };
}

/**
 * What `--html FILE` stands for.
 *
 * @throws {XftraceError} when another format or file is given as well.
 */
function withHtml<
  T extends {
    readonly format: string;
    readonly output?: string;
    readonly html?: string;
  },
>(options: T): T {
  if (options.html === undefined) return options;
  if (options.output !== undefined) {
    throw usage("give --html or --output, not both");
  }
  if (![FORMATS[0].name, "html"].includes(options.format)) {
    throw usage(
      `--html writes a page, and --format ${options.format} something else: leave one of them out`,
    );
  }
  return { ...options, format: "html", output: options.html };
}
