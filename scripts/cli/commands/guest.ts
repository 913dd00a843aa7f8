/** `xftrace guest`: builds the module for guests, and installs it. */
import type { Command } from "@commander-js/extra-typings";
import { XftraceError } from "xftrace";
import {
  buildModule,
  dkmsCommands,
  findHeaders,
  type KernelName,
  MODULE_SOURCES,
  moduleVersion,
  requireHeadersOf,
} from "xftrace/install";
import { writeOutput } from "xftrace/output";
import { keepBuiltModule } from "../check_state.ts";
import { installInGuest } from "../guest_install.ts";
import { usage } from "../option_values.ts";
import { openGuest, withTarget } from "../target.ts";
import { outLine } from "../terminal.ts";

/** Registers `xftrace guest` on the program. */
export function registerGuest(program: Command): void {
  const guest = program.command("guest")
    .summary("build and install the kernel module for guests")
    .description(
      "Sealed traces need a module in the guest. It is built against the headers of\n" +
        "the guest's kernel, and loaded either by the guest's administrator at each\n" +
        "boot, or from here through QEMU's guest agent.",
    );
  withTarget(guest.command("build"), "this machine")
    .summary("build the module")
    .description(
      "Builds the module for the kernel that a target runs (-t), for a kernel by its\n" +
        "release (--kernel), or for the kernel of this machine.",
    )
    .option(
      "--headers <dir>",
      "kernel headers to build against (default: found by the release)",
    )
    .option(
      "--kernel <release>",
      "the guest's kernel, as uname -r prints it there (default: the target's with -t, else this machine's)",
    )
    .option("-o, --output <file>", "the file to write", "xftrace.ko")
    .addHelpText(
      "after",
      `
Examples:
  xftrace guest build
  xftrace guest build -t qemu:web1
  xftrace guest build --kernel 6.1.0-57-amd64 -o web1.ko
  xftrace guest build --headers /usr/src/linux-headers-6.1.0-57-amd64`,
    )
    .action(async (options) => {
      const kernel = await kernelOf(options);
      const headers = headersOf(options.headers, kernel);
      const module = await buildModule(MODULE_SOURCES, headers, "xftrace.ko");
      writeOutput(options.output, module, { mode: 0o644 });
      keepBuiltModule(module);
      outLine(
        `${options.output}: ${
          Math.round(module.length / 1024)
        } KiB, for the kernel of ${headers}`,
      );
    });
  withTarget(guest.command("install"), "this machine, as the guest")
    .summary(
      "install the module: through the guest's agent, or with DKMS in the guest",
    )
    .description(
      "With -t, loads the module into a running guest through QEMU's guest agent, and\n" +
        "keeps a digest of its text. Without -t, installs it on this machine (the guest\n" +
        "itself) with DKMS, to be loaded at each boot. Only prints what would be done,\n" +
        "unless --run is given.",
    )
    .option(
      "--run",
      "do it, in the guest that -t names or else on this machine",
    )
    .option(
      "--module <file>",
      "with -t: load this file (default: one built for the guest's kernel)",
    )
    .option(
      "--headers <dir>",
      "with -t: kernel headers to build the module against",
    )
    .option(
      "--ring-kib <number>",
      "with -t: size of each CPU's ring, in KiB, a power of two (default: 2048)",
    )
    .addHelpText(
      "after",
      `
Examples:
  xftrace guest install -t qemu:web1          print what would be done in the guest
  xftrace guest install -t qemu:web1 --run    do it
  xftrace guest install                       print the commands for a shell in the guest
  xftrace guest install --run                 run them (as root, in the guest)`,
    )
    .action(async (options) => {
      if (options.target !== undefined) {
        return await installInGuest({
          ...options,
          target: options.target,
          headersOf: (kernel) => headersOf(options.headers, kernel),
        });
      }
      for (const name of ["module", "headers", "ringKib"] as const) {
        if (options[name] === undefined) continue;
        throw usage(
          `--${
            name.replace("K", "-k")
          } is for installing in a guest; name it with -t`,
        );
      }
      await installHere(options.run === true);
    });
}

/**
 * Prints the commands that install the module on this machine, or runs them.
 */
async function installHere(run: boolean): Promise<void> {
  const commands = dkmsCommands(moduleVersion());
  if (!run) {
    outLine("# In the guest, as root, with xftrace's folder at hand:");
    for (const command of commands) outLine(command);
    return;
  }
  if (Deno.uid() !== 0) {
    throw new XftraceError(
      "installing the module needs root; run: sudo xftrace guest install --run",
    );
  }
  for (const command of commands) {
    outLine(`+ ${command}`);
    const { code } = await new Deno.Command("sh", {
      args: ["-c", command],
      stdout: "inherit",
      stderr: "inherit",
    }).output();
    if (code !== 0) {
      throw new XftraceError(
        `"${command}" ended with status ${code}; put that right and run it again`,
      );
    }
  }
}

/** The kernel to build for: by --kernel, the target's, or this machine's. */
async function kernelOf(
  options: Parameters<typeof openGuest>[0] & { readonly kernel?: string },
): Promise<KernelName> {
  const { kernel: release, target } = options;
  if (target === undefined) {
    return { release: release ?? runningRelease() };
  }
  using guest = await openGuest(options);
  const { session } = guest;
  const { facts } = session.kernel;
  if (release !== undefined && release !== facts.release) {
    throw usage(
      `--kernel ${release} is not what ${session.target} runs, which is ${facts.release}; give one of them`,
    );
  }
  return facts;
}

/** The folder of headers that was named, or the one found for a kernel. */
function headersOf(folder: string | undefined, kernel: KernelName): string {
  const headers = folder ?? findHeaders(kernel);
  requireHeadersOf(headers, kernel);
  return headers;
}

/** This machine's `uname -r`. */
function runningRelease(): string {
  return Deno.osRelease();
}
