/**
 * `xftrace kernel-report`: all facts of a kernel that xftrace depends on, in one
 * file that a user can send.
 */
import type { Command } from "@commander-js/extra-typings";
import {
  type KernelReport,
  kernelReport,
  kernelReportText,
} from "xftrace/kernel";
import { writeOutput } from "xftrace/output";
import { openGuest, type Steps, withTarget } from "../target.ts";
import { count, note, out, size } from "../terminal.ts";
import { whileThere } from "../while_there.ts";

/** What of the kernel is not known, one line each. */
export function unknownText(report: KernelReport): string[] {
  const parts = report.selfTest.filter(({ known }) => !known)
    .map(({ part, found }) => `${part}: ${found}`);
  const refused = report.outputs.filter(({ refused }) => refused !== null)
    .map(({ output, refused }) => `${output}: ${refused}`);
  const raw = report.ftrace.events.filter((event) => event.raw !== null).length;
  return [
    ...parts,
    ...refused,
    ...raw === 0 ? [] : [`${count(raw)} events are shown as raw fields`],
  ];
}

/** Registers `xftrace kernel-report` on the program. */
export function registerKernelReport(program: Command): void {
  withTarget(program.command("kernel-report"))
    .summary("write what xftrace knows of the guest's kernel, to be sent")
    .description(
      "Writes all facts of the guest's kernel that xftrace depends on into one JSON\n" +
        "file, which those who support xftrace need for a kernel that they do not have.\n" +
        "It holds what the kernel's build has put there: no addresses, no contents of\n" +
        "memory, and no names of hosts, files or tasks (docs/json.md lists all).",
    )
    .option(
      "-o, --output <file>",
      "write to this file instead of standard output",
    )
    .option(
      "--checks",
      "also note what the checks look for (takes some seconds more)",
    )
    .addHelpText(
      "after",
      `
Examples:
  xftrace kernel-report -o kernel.json
  xftrace kernel-report -t qemu:web1 | jq '.selfTest[] | select(.known | not)'
  xftrace kernel-report -t qemu:web1 | jq '.asked.members[] | select(.offset == null)'`,
    )
    .action(async (options) => {
      const steps: Steps = [];
      using guest = await openGuest(options, { steps });
      const report = await whileThere(
        guest.session,
        "read",
        () =>
          kernelReport(guest.session, {
            steps,
            checks: options.checks === true,
          }),
      );
      const text = kernelReportText(report);
      if (options.output === undefined) return out(text);
      const bytes = new TextEncoder().encode(text);
      writeOutput(options.output, bytes);
      for (const line of unknownText(report)) note(line);
      note(
        `${options.output}: ${
          size(bytes.length)
        } about Linux ${report.kernel.release}`,
      );
    });
}
