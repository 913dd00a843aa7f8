/**
 * `xftrace snapshot`: saves a guest's trace with all that is needed to read it.
 */
import type { Command } from "@commander-js/extra-typings";
import { openGuest, withTarget } from "../target.ts";
import { count, outJson, outLine, Progress, size, warn } from "../terminal.ts";

/** What `snapshot --json` prints. */
export interface SnapshotResult {
  readonly path: string;
  readonly target: string;
  readonly content: "needed" | "full";
  /** Events in all buffers. */
  readonly events: number;
  /** How many pieces of 4 KiB were saved. */
  readonly pages: number;
  /** Bytes of the ELF core. */
  readonly coreBytes: number;
  /** Bytes of the file, compressed. */
  readonly fileBytes: number;
}

/** Registers `xftrace snapshot` on the program. */
export function registerSnapshot(program: Command): void {
  withTarget(program.command("snapshot"))
    .summary("save the trace, with all that is needed to read it")
    .description(
      "Saves the guest's trace, with all that is needed to read it, as an ELF core\n" +
        "that crash, drgn and xftrace can open (-t core:FILE). The guest runs on.",
    )
    .requiredOption(
      "-o, --output <file>",
      "the file to write; compressed if its name ends in .zst or .gz",
    )
    .option(
      "--full",
      "save all of the guest's memory, not only what the trace needs",
    )
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
A snapshot contains guest data: file names, arguments, and with --full
everything that the guest has in memory. Only its owner may read the file.

Examples:
  xftrace snapshot -o web1.core.zst
  xftrace snapshot -t qemu:web1 --full -o web1.core.zst
  xftrace report -t core:web1.core.zst
  zstd -d web1.core.zst && drgn -c web1.core      decompressed for other tools`,
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
      outLine(
        `${result.path}: ${size(result.fileBytes)} (${
          size(result.coreBytes)
        } unpacked), ${count(result.events)} events, ${
          count(result.pages)
        } pages`,
      );
    });
}
