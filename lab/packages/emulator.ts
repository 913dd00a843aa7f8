/**
 * Finds the QEMU that runs guests: the host's own if it is good enough, else a
 * newer one from the release's backports.
 *
 * @module
 */

import { type Apt, type Offer, withApt } from "./apt.ts";
import { LabError } from "../host/errors.ts";
import { lock } from "../host/lock.ts";
import { cacheDirectory, exists } from "../host/paths.ts";
import type { OnProgress } from "../host/progress.ts";
import { run } from "../host/run.ts";

/** How QEMU runs the guest: with hardware virtualization, or emulated. */
export type Accel = "kvm" | "tcg";

/** A QEMU to start guests with. */
export interface Emulator {
  /** Its program: a path, or a name on the PATH. */
  readonly program: string;
  /** Folders of its firmware; empty: its default. */
  readonly data: readonly string[];
}

/** The host's own QEMU. */
export const INSTALLED: Emulator = {
  program: "qemu-system-x86_64",
  data: [],
};

/** The packages of a private QEMU; its libraries are the host's. */
const PACKAGES = [
  "qemu-system-x86",
  "qemu-system-common",
  "qemu-system-data",
  "seabios",
] as const;

/**
 * The first version whose emulation locks a page while it translates the code
 * on it. In earlier ones, a virtual CPU may translate code that another is
 * patching, and keep an `int3` that has been removed since: the guest dies with
 * "Oops: int3". 6.12 guests that switched tracers under load died so within 90
 * s with QEMU 7.2, and survived with 10.0.
 */
const PATCHES_SAFELY = [8, 1] as const;

/**
 * The QEMU to use. With KVM, any version; to emulate, one that is new enough:
 * if the host's is not, a newer one is unpacked into the cache, without
 * changing the host. If none can be fetched, the host's own is used, and
 * `onProgress` says so. XFTRACE_LAB_QEMU (a program) overrides it.
 */
export async function findEmulator(
  accel: Accel,
  onProgress: OnProgress,
): Promise<Emulator> {
  const forced = Deno.env.get("XFTRACE_LAB_QEMU");
  if (forced) return { program: forced, data: [] };
  if (accel === "kvm" || await newEnough(INSTALLED)) return INSTALLED;
  try {
    const newer = await unpacked(onProgress);
    if (newer && await newEnough(newer)) return newer;
    onProgress("no newer QEMU is on offer, or it does not start here");
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    onProgress(`no newer QEMU could be fetched (${error.message})`);
  }
  onProgress(
    "this QEMU's emulation may kill guests that switch tracers under load",
  );
  return INSTALLED;
}

async function newEnough(emulator: Emulator): Promise<boolean> {
  const { stdout } = await run(emulator.program, ["--version"]);
  return patchesSafely(stdout);
}

/** Whether a QEMU with this `--version` text emulates patching safely. */
export function patchesSafely(version: string): boolean {
  const found = version.match(/version (\d+)\.(\d+)/);
  if (!found) return false;
  const [major, minor] = [Number(found[1]), Number(found[2])];
  return major > PATCHES_SAFELY[0] ||
    (major === PATCHES_SAFELY[0] && minor >= PATCHES_SAFELY[1]);
}

async function unpacked(onProgress: OnProgress): Promise<Emulator | undefined> {
  const folder = `${cacheDirectory()}/qemu`;
  const emulator = {
    program: `${folder}/usr/bin/qemu-system-x86_64`,
    data: ["qemu", "seabios"].map((name) => `${folder}/usr/share/${name}`),
  };
  if (exists(emulator.program)) return emulator;
  Deno.mkdirSync(cacheDirectory(), { recursive: true });
  using _held = await lock(
    `${folder}.lock`,
    () => onProgress("waiting for another download of QEMU"),
  );
  if (exists(emulator.program)) return emulator;
  onProgress("looking for a newer QEMU");
  return await withApt(async (apt) => {
    const offers = await offersOf(apt);
    if (offers === undefined) return undefined;
    await apt.unpack(offers, folder, onProgress);
    return emulator;
  }, onProgress);
}

/** The newest versions of the packages, if they are new enough. */
async function offersOf(apt: Apt): Promise<Offer[] | undefined> {
  const offers: Offer[] = [];
  for (const name of PACKAGES) {
    const [newest] = await apt.offers(name);
    if (newest === undefined) return undefined;
    offers.push(newest);
  }
  // A Debian version: an epoch, a colon, and QEMU's own version.
  const version = offers[0].version.replace(/^\d+:/, "version ");
  return patchesSafely(version) ? offers : undefined;
}
