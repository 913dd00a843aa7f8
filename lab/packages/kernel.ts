/**
 * Finds the kernels that guests boot: Debian's packages by their series, or the
 * user's own vmlinuz.
 *
 * @module
 */

import { Apt, type Offer, withApt } from "./apt.ts";
import { LabError } from "../host/errors.ts";
import { lock } from "../host/lock.ts";
import { cacheDirectory, exists, removeIfThere } from "../host/paths.ts";
import type { OnProgress } from "../host/progress.ts";

/** The builds of Debian's kernel that the lab can use. */
export const FLAVOURS = ["amd64", "cloud-amd64", "rt-amd64"] as const;

/**
 * The word for the newest kernel of Debian's unstable suite, whose series is not
 * known before it is fetched.
 */
export const UNSTABLE = "sid";

/** Suites of earlier releases, by the series of their kernels. */
const EARLIER: Readonly<Record<string, string>> = { "5.10": "bullseye" };

/**
 * The suite that has the kernels of a series; `undefined` for this release and
 * its backports.
 */
export function suiteOf(series: string): string | undefined {
  return series === UNSTABLE ? UNSTABLE : EARLIER[series];
}

/** A build of Debian's kernel: the general one, for clouds, or real-time. */
export type Flavour = typeof FLAVOURS[number];

/** A kernel to boot. */
export interface Kernel {
  readonly vmlinuz: string;
  /** As `uname -r` prints it; unknown for some kernels of users. */
  readonly release?: string;
  /** The folder that holds this release's `kernel/` tree of modules. */
  readonly modules?: string;
}

/**
 * Finds a kernel: a series such as "6.1", or "sid" for the newest kernel, is
 * fetched once from Debian's packages and kept in the cache; anything else is the path of a vmlinuz, whose modules
 * are looked for in the usual places.
 */
export async function findKernel(
  wanted: string,
  flavour: Flavour,
  onProgress: OnProgress,
): Promise<Kernel> {
  const unstable = wanted === UNSTABLE;
  if (!unstable && !/^\d+\.\d+$/.test(wanted)) return kernelAt(wanted);
  const folder = `${cacheDirectory()}/kernels/${wanted}-${flavour}`;
  if (!exists(folder)) {
    const fetch = unstable ? fetchUnstable : fetchKernel;
    await fetch(wanted, flavour, folder, onProgress);
  }
  return unpackedKernel(folder);
}

/**
 * Fetches the newest kernel of Debian's unstable suite. Its image package is
 * empty: the vmlinuz is in `linux-binary-*`, the modules in `linux-modules-*`.
 * Older packages of that suite hold both themselves.
 */
async function fetchUnstable(
  suite: string,
  flavour: Flavour,
  folder: string,
  onProgress: OnProgress,
): Promise<void> {
  using _held = await lock(
    lockOf(folder),
    () => onProgress(`waiting for another download of ${suite}`),
  );
  if (exists(folder)) return;
  onProgress(`looking for the newest kernel of ${suite}`);
  const fetched = await withApt(
    async (apt) => {
      const [meta] = await apt.offers(`linux-image-${flavour}`);
      const name = meta?.depends.match(/linux-image-\d[^\s,]*/)?.[0];
      const [image] = name === undefined ? [] : await apt.offers(name);
      if (image === undefined) return undefined;
      const parts = image.depends.match(/linux-(binary|modules)-[^\s,]+/g);
      const offers: Offer[] = [];
      for (const part of parts ?? [image.name]) {
        const all = await apt.offers(part);
        const same = all.find(({ version }) => version === image.version);
        if (same === undefined) return undefined;
        offers.push(same);
      }
      await apt.unpack(offers, folder, onProgress, prune);
      return image;
    },
    onProgress,
    suite,
  );
  if (fetched !== undefined) return;
  throw new LabError(
    `no kernel (${flavour}) of ${suite} is on offer; try 6.1 or 6.12, or give ` +
      "a PATH-TO-VMLINUZ",
  );
}

async function fetchKernel(
  series: string,
  flavour: Flavour,
  folder: string,
  onProgress: OnProgress,
): Promise<void> {
  using _held = await lock(
    lockOf(folder),
    () => onProgress(`waiting for another download of ${series}`),
  );
  if (exists(folder)) return;
  onProgress(`looking for a ${series} kernel`);
  const fetch = async (apt: Apt, offer: Offer | undefined) => {
    if (!offer) return undefined;
    await apt.unpack([offer], folder, onProgress, prune);
    return offer;
  };
  const byName = async (apt: Apt) =>
    await fetch(apt, await namedOffer(apt, series, flavour));
  const suite = suiteOf(series);
  // Prefer the metapackage, of the release or of its backports: other packages
  // of the series may be older, or other builds. A release so old that its
  // backports are gone still has those.
  const fetched = await withApt(
    async (apt) =>
      await fetch(apt, await metaOffer(apt, series, flavour)) ??
        (apt.isPrivate ? await byName(apt) : undefined),
    onProgress,
    suite,
  )
    .catch(async (error) => {
      const found = await byName(new Apt());
      if (!found) throw error;
      return found;
    });
  if (!fetched) {
    throw new LabError(
      `no ${series} kernel (${flavour}) is on offer for ${
        suite ?? "this Debian release or its backports"
      }; try 6.1 or 6.12, or give a PATH-TO-VMLINUZ`,
    );
  }
}

/** The newest image of a series that the metapackage depends on. */
async function metaOffer(
  apt: Apt,
  series: string,
  flavour: Flavour,
): Promise<Offer | undefined> {
  const metas = await apt.offers(`linux-image-${flavour}`);
  const meta = metas.find(({ version }) => version.startsWith(`${series}.`));
  const name = meta?.depends.match(/linux-image-\d[^\s,]*/)?.[0];
  return name ? await offerOf(apt, name, series) : undefined;
}

/** The newest image of a series, found by the names of packages. */
async function namedOffer(
  apt: Apt,
  series: string,
  flavour: Flavour,
): Promise<Offer | undefined> {
  const image = new RegExp(
    `^linux-image-\\d[^-]*(-\\d+)?-${flavour}(-unsigned)?$`,
  );
  const names = await apt.names(`linux-image-${series}`);
  for (const name of newestFirst(names.filter((name) => image.test(name)))) {
    const offer = await offerOf(apt, name, series);
    if (offer) return offer;
  }
  return undefined;
}

async function offerOf(
  apt: Apt,
  name: string,
  series: string,
): Promise<Offer | undefined> {
  const offers = await apt.offers(name);
  return offers.find(({ version }) => version.startsWith(`${series}.`));
}

/** Signed images before unsigned ones, then by version, newest first. */
function newestFirst(names: readonly string[]): string[] {
  const unsigned = (name: string) => Number(name.endsWith("-unsigned"));
  return [...names].sort((a, b) =>
    unsigned(a) - unsigned(b) ||
    b.localeCompare(a, "en", { numeric: true })
  );
}

/**
 * Drivers that the lab's guests cannot use: three quarters of the size of a
 * kernel package.
 */
const USELESS = [
  "drivers/gpu",
  "drivers/media",
  "drivers/infiniband",
  "drivers/net/ethernet",
  "drivers/net/wireless",
  "drivers/scsi",
  "drivers/staging",
  "drivers/iio",
  "drivers/usb",
  "drivers/hwmon",
  "drivers/input",
  "drivers/isdn",
  "sound",
];

function prune(folder: string): void {
  const { modules } = unpackedKernel(folder);
  for (const name of USELESS) removeIfThere(`${modules}/kernel/${name}`);
  removeIfThere(`${folder}/usr/share`);
}

function unpackedKernel(folder: string): Kernel {
  const names = (path: string) =>
    exists(path) ? [...Deno.readDirSync(path)].map((e) => e.name) : [];
  // Releases with a merged /usr have the modules below it.
  const trees = [`${folder}/lib/modules`, `${folder}/usr/lib/modules`];
  const name = names(`${folder}/boot`)
    .find((name) => name.startsWith("vmlinuz-"));
  if (name !== undefined) {
    const release = name.slice("vmlinuz-".length);
    const modules = trees.map((tree) => `${tree}/${release}`).find(exists);
    return { vmlinuz: `${folder}/boot/${name}`, release, modules };
  }
  // Unstable has the image beside the modules.
  for (const tree of trees) {
    for (const release of names(tree)) {
      const modules = `${tree}/${release}`;
      const vmlinuz = `${modules}/vmlinuz`;
      if (exists(vmlinuz)) return { vmlinuz, release, modules };
    }
  }
  throw new LabError(
    `${folder} holds no kernel; remove that folder and try again`,
  );
}

/** The user's own kernel. */
function kernelAt(path: string): Kernel {
  let head: Uint8Array;
  try {
    if (!Deno.statSync(path).isFile) throw new Deno.errors.NotFound();
    head = readHead(path, 0x10000);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new LabError(
      `there is no kernel "${path}"; give a series such as 6.1 or 6.12, ` +
        `${UNSTABLE} for the newest one, or the path of a vmlinuz`,
    );
  }
  const vmlinuz = Deno.realPathSync(path);
  const magic = new TextDecoder("latin1").decode(head.subarray(0, 4));
  if (magic === "\x7fELF") return { vmlinuz };
  const release = bzImageRelease(head);
  if (release === undefined) {
    throw new LabError(
      `${path} is no x86 kernel image; give a vmlinuz (bzImage) file`,
    );
  }
  const boot = vmlinuz.slice(0, vmlinuz.lastIndexOf("/"));
  const modules = [`${boot}/..`, `${boot}/../usr`, "", boot]
    .map((root) => `${root}/lib/modules/${release}`).find(exists);
  return { vmlinuz, release, modules };
}

/**
 * The release in a bzImage's setup header, by the boot protocol: at 0x20e is
 * the offset, minus 0x200, of "RELEASE (builder) ...". `undefined` if this is
 * not a bzImage; empty if it has no release.
 */
export function bzImageRelease(head: Uint8Array): string | undefined {
  const text = new TextDecoder("latin1");
  if (
    head.length < 0x250 || text.decode(head.subarray(0x202, 0x206)) !== "HdrS"
  ) {
    return undefined;
  }
  const pointer = head[0x20e] | head[0x20f] << 8;
  if (pointer === 0) return "";
  const start = pointer + 0x200;
  const version = text.decode(head.subarray(start, start + 256));
  return version.match(/^[^\s\0]+/)?.[0] ?? "";
}

function readHead(path: string, bytes: number): Uint8Array {
  using file = Deno.openSync(path);
  const head = new Uint8Array(bytes);
  return head.subarray(0, file.readSync(head) ?? 0);
}

function lockOf(folder: string): string {
  const parent = folder.slice(0, folder.lastIndexOf("/"));
  Deno.mkdirSync(parent, { recursive: true });
  return `${folder}.lock`;
}
