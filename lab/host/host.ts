/**
 * What the lab needs from the host: its Debian release, from which kernels are
 * fetched, programs, and the clock rate of its processor.
 *
 * @module
 */

import { hasCommand, run } from "./run.ts";
import { LabError } from "./errors.ts";
import type { OnProgress } from "./progress.ts";
import { lock } from "./lock.ts";
import { cacheDirectory, exists, readIfThere, uid } from "./paths.ts";

/** The codename of the host's Debian release, such as "bookworm". */
export function hostCodename(): string {
  const text = exists("/etc/os-release")
    ? Deno.readTextFileSync("/etc/os-release")
    : "";
  const value = (key: string) =>
    text.match(new RegExp(`^${key}="?([^"\n]*)"?$`, "m"))?.[1];
  const codename = value("VERSION_CODENAME");
  if (value("ID") !== "debian" || !codename) {
    throw new LabError(
      "kernels can be fetched on Debian only; give a kernel of your own with " +
        "--kernel PATH-TO-VMLINUZ",
    );
  }
  return codename;
}

/** A command or a library, and the Debian package it comes from. */
interface Need {
  readonly command?: string;
  readonly file?: string;
  readonly package: string;
}

/** Programs that the lab needs to boot guests. */
const NEEDED: readonly Need[] = [
  { command: "qemu-system-x86_64", package: "qemu-system-x86" },
  { command: "setsid", package: "util-linux" },
  { command: "timeout", package: "coreutils" },
];

/** What is needed to build a kernel module; objtool is linked to libelf. */
const BUILD_NEEDED: readonly Need[] = [
  { command: "make", package: "make" },
  { command: "gcc", package: "gcc" },
  { file: "/usr/lib/x86_64-linux-gnu/libelf.so.1", package: "libelf1" },
];

/**
 * Packages that are missing on this host; by default, of those that booting
 * guests needs.
 */
export async function missingPackages(
  needed: readonly Need[] = NEEDED,
): Promise<string[]> {
  const missing: string[] = [];
  for (const { command, file, package: name } of needed) {
    const there = (command === undefined || await hasCommand(command)) &&
      (file === undefined || exists(file));
    if (!there) missing.push(name);
  }
  return missing;
}

/** Like {@linkcode ensurePackages}, for building kernel modules. */
export async function ensureBuildPackages(
  onProgress: OnProgress,
): Promise<void> {
  await ensurePackages(onProgress, BUILD_NEEDED);
}

/**
 * Makes sure that QEMU and the other programs are installed: installs them if
 * run as root, otherwise throws an error with the exact command.
 */
export async function ensurePackages(
  onProgress: OnProgress,
  needed: readonly Need[] = NEEDED,
): Promise<void> {
  if ((await missingPackages(needed)).length === 0) return;
  Deno.mkdirSync(cacheDirectory(), { recursive: true });
  // apt does not wait for another apt process.
  using _held = await lock(
    `${cacheDirectory()}/packages.lock`,
    () => onProgress("waiting for another installation"),
  );
  const missing = await missingPackages(needed);
  if (missing.length === 0) return;
  const install = `apt-get install -y --no-install-recommends ${
    missing.join(" ")
  }`;
  const remedy = `sudo apt-get update && sudo ${install}`;
  if (uid() !== 0 || !await hasCommand("apt-get")) {
    throw new LabError(
      `missing on this machine: ${missing.join(", ")}; run: ${remedy}`,
    );
  }
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const args = install.split(" ").slice(1);
  onProgress(`installing ${missing.join(", ")}`);
  let result = await run("apt-get", args, { env });
  if (result.status !== 0) {
    // There are no lists yet, or their packages have been replaced since.
    onProgress("refreshing the package lists");
    await run("apt-get", ["update"], { env });
    onProgress(`installing ${missing.join(", ")}`);
    result = await run("apt-get", args, { env });
  }
  if (result.status !== 0) {
    const said = result.stderr.trim().split("\n").at(-1) ?? "";
    throw new LabError(
      `could not install ${missing.join(", ")} (${said}); run: ${remedy}`,
    );
  }
}

/** Approximate rate of the host's time-stamp counter, in kHz. */
export function hostKhz(): number {
  const mhz = readIfThere("/proc/cpuinfo")?.match(/^cpu MHz\s*:\s*([\d.]+)/m);
  return Math.round(Number(mhz?.[1] ?? 2600)) * 1000;
}

/**
 * Why no guest can be booted here; `undefined` if one can (missing packages
 * that can be installed are not a reason).
 */
export async function labUnavailable(): Promise<string | undefined> {
  if (Deno.build.arch !== "x86_64" || Deno.build.os !== "linux") {
    return "the lab needs a Linux host with an x86-64 processor";
  }
  const missing = await missingPackages();
  if (missing.length === 0) return undefined;
  if (uid() === 0 && await hasCommand("apt-get")) return undefined;
  return `missing on this machine: ${missing.join(", ")}; run: sudo apt-get ` +
    `update && sudo apt-get install -y ${missing.join(" ")}`;
}
