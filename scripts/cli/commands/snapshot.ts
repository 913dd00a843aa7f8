/** `xftrace snapshot`: a guest's trace, and what reading it needs, in a file. */
import type { Command } from "@commander-js/extra-typings";
import { openGuest, withTarget } from "../target.ts";
import { count, out, outJson, Progress, size, warn } from "../terminal.ts";

/** What `snapshot --json` prints. */
export interface SnapshotResult {
  readonly path: string;
  readonly target: string;
  readonly content: "needed" | "full";
  /** Events of all buffers. */
  readonly events: number;
  /** Pieces of 4 KiB with data. */
  readonly pages: number;
  /** Bytes of the ELF core. */
  readonly coreBytes: number;
  /** Bytes of the file, compressed. */
  readonly fileBytes: number;
}

/** Adds the command. */
export function registerSnapshot(program: Command): void {
  withTarget(program.command("snapshot"))
    .summary("save the trace with all that reading it needs")
    .description(
      "Saves the guest's trace with all that reading it needs, as an ELF core\n" +
        "that crash, drgn and xftrace open (-t core:FILE). The guest runs on.",
    )
    .requiredOption(
      "-o, --output <file>",
      "the file; compressed when it ends in .zst or .gz",
    )
    .option("--full", "all of the guest's memory, not only what a trace needs")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
A snapshot holds what its pages held: file names, arguments, and with --full
everything the guest had in memory. It is readable by its owner alone.

Examples:
  xftrace snapshot -o web1.core.zst
  xftrace snapshot -t qemu:web1 --full -o web1.core.zst
  xftrace report -t core:web1.core.zst
  zstd -d web1.core.zst && drgn -c web1.core      other tools want it unpacked`,
    )
    .action(async (options) => {
      using guest = await openGuest(options);
      const taken = await (async () => {
        using progress = new Progress();
        return await guest.snapshot(options.output, {
          full: options.full === true,
          onWarning: warn,
          onProgress: (step, part) =>
            progress.update(
              part === undefined
                ? step
                : `${step} ${(part * 100).toFixed(0).padStart(3)} %`,
            ),
        });
      })();
      const result: SnapshotResult = {
        path: taken.path,
        target: guest.target,
        content: options.full === true ? "full" : "needed",
        events: taken.events,
        pages: taken.pages,
        coreBytes: taken.coreBytes,
        fileBytes: taken.fileBytes,
      };
      if (options.json === true) return outJson(result);
      out(
        `${result.path}: ${size(result.fileBytes)} (${
          size(result.coreBytes)
        } unpacked), ${count(result.events)} events, ${
          count(result.pages)
        } pages\n`,
      );
    });
}
