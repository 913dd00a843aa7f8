/**
 * Builds modules against kernel headers, on this machine.
 *
 * @module
 */
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { XftraceError } from "../base/errors.ts";
import { shellWord } from "../base/shell_word.ts";

/**
 * The folder with the sources of the project's own module.
 *
 * @example
 * ```ts
 * import { MODULE_SOURCES } from "xftrace/install";
 *
 * console.log(MODULE_SOURCES); // a folder with Kbuild and Makefile
 * ```
 */
export const MODULE_SOURCES: string = fileURLToPath(
  new URL("../../guest/", import.meta.url),
);
/** The files from which a module is built, without fixtures and examples. */
const MODULE_FILES = /\.(c|h|sh)$|^(Kbuild|Makefile|dkms\.conf)$/;

/**
 * Builds a module and returns its bytes. The sources are left unchanged: the
 * build runs in a temporary folder, which is removed afterwards.
 *
 * @param sources folder with Kbuild and Makefile
 * @param headers folder of kernel headers
 * @param name the file to return, such as `xftrace.ko`
 * @throws {XftraceError} with the compiler's first error when the build fails.
 *
 * @example
 * ```ts ignore
 * import { buildModule, findHeaders, MODULE_SOURCES } from "xftrace/install";
 *
 * const headers = findHeaders({ release: "6.1.0-56-amd64" });
 * const module = await buildModule(MODULE_SOURCES, headers, "xftrace.ko");
 * Deno.writeFileSync("xftrace.ko", module);
 * ```
 */
export async function buildModule(
  sources: string,
  headers: string,
  name: string,
): Promise<Uint8Array> {
  try {
    if (!statSync(join(headers, "Makefile")).isFile()) throw new Error();
  } catch {
    throw new XftraceError(
      `${headers} contains no kernel headers; give a folder such as /usr/src/linux-headers-6.1.0-56-amd64`,
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "xftrace-module-"));
  try {
    for (const entry of readdirSync(sources, { withFileTypes: true })) {
      if (!entry.isFile() || !MODULE_FILES.test(entry.name)) continue;
      copyFileSync(join(sources, entry.name), join(folder, entry.name));
    }
    const { code, stdout, stderr } = await new Deno.Command("make", {
      args: [
        ...["-C", folder, `KDIR=${realpathSync(headers)}`],
        // The same sources give the same bytes, no matter where they are built.
        `KCFLAGS=${
          Deno.env.get("KCFLAGS") ?? ""
        } -ffile-prefix-map=${folder}=guest`,
      ],
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
        `the module cannot be built with ${headers}: ${
          (first ?? said.slice(-200)).trim()
        }`,
      );
    }
    return readFileSync(join(folder, name));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Removes a module's debug information, which no guest needs; what remains is a
 * twentieth of the size. Returns the module unchanged when strip is not
 * installed.
 *
 * @example
 * ```ts ignore
 * import { withoutDebug } from "xftrace/install";
 *
 * const module = Deno.readFileSync("xftrace.ko");
 * console.log(module.length, (await withoutDebug(module)).length);
 * ```
 */
export async function withoutDebug(module: Uint8Array): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), "xftrace-module-"));
  const path = join(folder, "module.ko");
  try {
    writeFileSync(path, module);
    const { success } = await new Deno.Command("strip", {
      args: ["--strip-debug", path],
      stdout: "null",
      stderr: "null",
    }).output();
    return success ? readFileSync(path) : module;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return module;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * The version of the project's module, as stated for DKMS.
 *
 * @example
 * ```ts
 * import { moduleVersion } from "xftrace/install";
 *
 * console.log(moduleVersion());
 * ```
 */
export function moduleVersion(): string {
  const text = readFileSync(join(MODULE_SOURCES, "dkms.conf"), "utf8");
  return text.match(/^PACKAGE_VERSION="?([\w.]+)/m)?.[1] ?? "0";
}

/**
 * Commands for the guest's own shell that build the module with DKMS and load
 * it at each boot.
 *
 * @example
 * ```ts
 * import { dkmsCommands, moduleVersion } from "xftrace/install";
 *
 * console.log(dkmsCommands(moduleVersion()).join("\n")); // for the guest's shell
 * ```
 */
export function dkmsCommands(version: string): string[] {
  const folder = `/usr/src/xftrace-${version}`;
  const from = shellWord(MODULE_SOURCES.replace(/\/$/, ""));
  return [
    "apt-get install -y dkms linux-headers-$(uname -r)",
    `mkdir -p ${folder} && cp ${from}/*.c ${from}/*.h ${from}/*.sh ${from}/Kbuild ${from}/Makefile ${from}/dkms.conf ${folder}/`,
    `dkms install xftrace/${version}`,
    `cp ${from}/examples/modules-load.conf /etc/modules-load.d/xftrace.conf`,
    `cp ${from}/examples/modprobe.conf /etc/modprobe.d/xftrace.conf`,
    "modprobe xftrace",
  ];
}
