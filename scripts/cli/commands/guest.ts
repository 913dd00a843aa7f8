/** `xftrace guest`: the module for guests, built and put into place. */
import type { Command } from "@commander-js/extra-typings";
import { XftraceError } from "../../../engine/base/errors.ts";
import { keepBuiltModule } from "../check_state.ts";

const SOURCES = new URL("../../../guest/", import.meta.url).pathname;
/** What the module is made of; fixtures and examples are not. */
const MODULE_FILES = /\.(c|h|sh)$|^(Kbuild|Makefile|dkms\.conf)$/;

/** Adds the command. */
export function registerGuest(program: Command): void {
  const guest = program.command("guest")
    .summary("the kernel module for guests: build it, install it")
    .description(
      "The sealed tracer needs a module in the guest. Its administrator builds it\n" +
        "against the headers of the guest's kernel and loads it at boot.",
    );
  guest.command("build")
    .summary("build the module against kernel headers")
    .option(
      "--headers <dir>",
      "kernel headers to build against; default: those of this machine's kernel",
    )
    .option("-o, --output <file>", "where to write the module", "xftrace.ko")
    .addHelpText(
      "after",
      `
Examples:
  xftrace guest build
  xftrace guest build --headers /usr/src/linux-headers-6.1.0-56-amd64`,
    )
    .action(async (options) => {
      const headers = options.headers ?? await runningHeaders();
      const module = await buildModule(SOURCES, headers, "xftrace.ko");
      Deno.writeFileSync(options.output, module, { mode: 0o644 });
      keepBuiltModule(module);
      console.log(
        `${options.output}: ${
          Math.round(module.length / 1024)
        } KiB, for the kernel of ${headers}`,
      );
    });
  guest.command("install")
    .summary("what a guest's administrator does; --run does it here")
    .option("--run", "do it on this machine, which is the guest")
    .addHelpText(
      "after",
      `
Examples:
  xftrace guest install          print the commands
  xftrace guest install --run    carry them out (as root, in the guest)`,
    )
    .action(async (options) => {
      const version = moduleVersion();
      const commands = installCommands(version);
      if (options.run !== true) {
        console.log("# In the guest, as root, with xftrace's folder at hand:");
        for (const command of commands) console.log(command);
        return;
      }
      if (Deno.uid() !== 0) {
        throw new XftraceError(
          "installing the module needs root; run: sudo xftrace guest install --run",
        );
      }
      for (const command of commands) {
        console.log(`+ ${command}`);
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
    });
}

function moduleVersion(): string {
  const text = Deno.readTextFileSync(`${SOURCES}dkms.conf`);
  return text.match(/^PACKAGE_VERSION="?([\w.]+)/m)?.[1] ?? "0";
}

/** The commands that build the module by DKMS and load it at each boot. */
export function installCommands(version: string): string[] {
  const folder = `/usr/src/xftrace-${version}`;
  const from = SOURCES.replace(/\/$/, "");
  return [
    "apt-get install -y dkms linux-headers-$(uname -r)",
    `mkdir -p ${folder} && cp ${from}/*.c ${from}/*.h ${from}/*.sh ${from}/Kbuild ${from}/Makefile ${from}/dkms.conf ${folder}/`,
    `dkms install xftrace/${version}`,
    `cp ${from}/examples/modules-load.conf /etc/modules-load.d/xftrace.conf`,
    `cp ${from}/examples/modprobe.conf /etc/modprobe.d/xftrace.conf`,
    "modprobe xftrace",
  ];
}

async function runningHeaders(): Promise<string> {
  const { stdout } = await new Deno.Command("uname", { args: ["-r"] }).output();
  const release = new TextDecoder().decode(stdout).trim();
  const path = `/lib/modules/${release}/build`;
  try {
    Deno.statSync(path);
    return path;
  } catch {
    throw new XftraceError(
      `there are no headers of this machine's kernel ${release}; name the guest's with --headers DIR`,
    );
  }
}

/**
 * Builds a module and gives its bytes. The sources stay as they are: the work
 * is done in a folder that is removed.
 *
 * @param sources folder with Kbuild and Makefile
 * @param headers folder of kernel headers
 * @param name file to give back, such as `xftrace.ko`
 * @throws {XftraceError} with the compiler's first words when it fails.
 */
export async function buildModule(
  sources: string,
  headers: string,
  name: string,
): Promise<Uint8Array> {
  try {
    if (!Deno.statSync(`${headers}/Makefile`).isFile) throw new Error();
  } catch {
    throw new XftraceError(
      `${headers} holds no kernel headers; name a folder such as /usr/src/linux-headers-6.1.0-56-amd64`,
    );
  }
  const folder = Deno.makeTempDirSync({ prefix: "xftrace-module-" });
  try {
    for (const entry of Deno.readDirSync(sources)) {
      if (!entry.isFile || !MODULE_FILES.test(entry.name)) continue;
      Deno.copyFileSync(`${sources}/${entry.name}`, `${folder}/${entry.name}`);
    }
    const { code, stdout, stderr } = await new Deno.Command("make", {
      args: ["-C", folder, `KDIR=${Deno.realPathSync(headers)}`],
      stdout: "piped",
      stderr: "piped",
    }).output().catch(() => {
      throw new XftraceError(
        "make is missing; run: sudo apt-get install make gcc",
      );
    });
    if (code !== 0) {
      const said = new TextDecoder().decode(stderr) +
        new TextDecoder().decode(stdout);
      const first = said.split("\n").find((line) =>
        /error|not found/i.test(line)
      );
      throw new XftraceError(
        `the module does not build against ${headers}: ${
          (first ?? said.slice(-200)).trim()
        }`,
      );
    }
    return Deno.readFileSync(`${folder}/${name}`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
