/**
 * Fetches the headers of the kernels that the lab boots, to build modules
 * against.
 *
 * @module
 */

import { withApt } from "./apt.ts";
import { LabError } from "../host/errors.ts";
import { findKernel, type Flavour, UNSTABLE } from "./kernel.ts";
import { ensureBuildPackages } from "../host/host.ts";
import { lock } from "../host/lock.ts";
import { cacheDirectory, exists } from "../host/paths.ts";
import type { OnProgress } from "../host/progress.ts";

/**
 * The folder against which modules for a kernel series are built (`make -C`),
 * from the header packages of exactly the kernel that the lab boots. They are
 * fetched once and kept in the cache, never installed. Throws {@link LabError}
 * if they are no longer on offer. Compilers are installed if run as root.
 */
export async function kernelHeaders(
  series: string,
  flavour: Flavour = "amd64",
  onProgress: OnProgress = () => {},
): Promise<string> {
  await ensureBuildPackages(onProgress);
  const { release } = await findKernel(series, flavour, onProgress);
  const folder = `${cacheDirectory()}/headers/${release}`;
  const build = `${folder}/usr/src/linux-headers-${release}`;
  if (exists(build)) return build;
  Deno.mkdirSync(`${cacheDirectory()}/headers`, { recursive: true });
  using _held = await lock(`${folder}.lock`);
  if (exists(build)) return build;
  const found = await withApt(
    async (apt) => {
      const [headers] = await apt.offers(`linux-headers-${release}`);
      if (!headers) return undefined;
      const names = headers.depends.match(
        /linux-(headers-[^\s,]*-common|kbuild-[^\s,]+)/g,
      ) ?? [];
      const offers = [headers];
      for (const name of names) {
        const all = await apt.offers(name);
        const same = all.find((offer) => offer.version === headers.version);
        if (!same) return undefined;
        offers.push(same);
      }
      await apt.unpack(offers, folder, onProgress, (tree) => {
        relocate(tree, folder);
      });
      return build;
    },
    onProgress,
    series === UNSTABLE ? UNSTABLE : undefined,
  );
  if (found) return found;
  throw new LabError(
    `the headers of kernel ${release} are not on offer any more; remove ` +
      `${cacheDirectory()}/kernels and try again to get a newer kernel`,
  );
}

/**
 * The packages' makefiles refer to each other by their installed paths;
 * replaces these by paths in the cache.
 */
function relocate(tree: string, folder: string): void {
  for (const { name } of Deno.readDirSync(`${tree}/usr/src`)) {
    for (const file of ["Makefile", ".kernelvariables"]) {
      const path = `${tree}/usr/src/${name}/${file}`;
      if (!exists(path) || Deno.lstatSync(path).isSymlink) continue;
      const text = Deno.readTextFileSync(path);
      if (!text.includes("/usr/src/linux-headers-")) continue;
      Deno.writeTextFileSync(
        path,
        text.replaceAll(
          /(?<![\w.)])\/usr\/(src\/linux-headers-|lib\/linux-kbuild-)/g,
          `${folder}/usr/$1`,
        ),
      );
    }
  }
}
