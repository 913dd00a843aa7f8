/**
 * Fetches the headers of the kernels that the lab boots, to build modules
 * against.
 *
 * @module
 */

import { withApt } from "./apt.ts";
import { LabError } from "../host/errors.ts";
import { findKernel, type Flavour, suiteOf, UNSTABLE } from "./kernel.ts";
import { ensureBuildPackages } from "../host/host.ts";
import { lock } from "../host/lock.ts";
import { cacheDirectory, exists } from "../host/paths.ts";
import type { OnProgress } from "../host/progress.ts";

/** The version of the compiler that is installed to build modules. */
const COMPILER = 12;

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
      // Programs of a later release need that release's C library.
      const libraries = series === UNSTABLE ? await apt.offers("libc6") : [];
      offers.push(...libraries.slice(0, 1));
      await apt.unpack(offers, folder, onProgress, (tree) => {
        relocate(tree, folder);
        if (libraries.length > 0) useOwnLibraries(tree, folder);
        suitCompiler(`${tree}${build.slice(folder.length)}`);
      });
      return build;
    },
    onProgress,
    suiteOf(series),
  );
  if (found) return found;
  throw new LabError(
    `the headers of kernel ${release} are not on offer any more; remove ` +
      `${cacheDirectory()}/kernels and try again to get a newer kernel`,
  );
}

/**
 * Has the programs of the packages (objtool, modpost) run with the C library
 * that was unpacked beside them.
 *
 * @param tree where the packages are now
 * @param folder where they will be
 */
function useOwnLibraries(tree: string, folder: string): void {
  const library = "usr/lib/x86_64-linux-gnu";
  const visit = (path: string) => {
    for (const { name, isDirectory, isFile } of Deno.readDirSync(path)) {
      const file = `${path}/${name}`;
      if (isDirectory) visit(file);
      if (!isFile || !isProgram(file)) continue;
      Deno.renameSync(file, `${file}.bin`);
      const later = `${folder}${file.slice(tree.length)}.bin`;
      Deno.writeTextFileSync(
        file,
        `#!/bin/sh
exec '${folder}/${library}/ld-linux-x86-64.so.2' --argv0 "$0" --library-path \
  '${folder}/${library}' '${later}' "$@"
`,
        { mode: 0o755 },
      );
    }
  };
  for (const { name } of Deno.readDirSync(`${tree}/usr/lib`)) {
    if (name.startsWith("linux-kbuild-")) visit(`${tree}/usr/lib/${name}`);
  }
}

function isProgram(path: string): boolean {
  if (((Deno.statSync(path).mode ?? 0) & 0o111) === 0) return false;
  using file = Deno.openSync(path);
  const magic = new Uint8Array(4);
  file.readSync(magic);
  return magic[0] === 0x7f && magic[1] === 0x45 && magic[2] === 0x4c &&
    magic[3] === 0x46;
}

/**
 * Has modules built by the compiler that is installed, without what only the
 * one of another release can do: that was tried when the kernel was configured,
 * and is not tried again.
 */
function suitCompiler(build: string): void {
  const variables = `${build}/.kernelvariables`;
  if (exists(variables)) {
    Deno.writeTextFileSync(
      variables,
      Deno.readTextFileSync(variables)
        .replace(
          /gcc-(\d+)$/m,
          (named, version) =>
            Number(version) === COMPILER ? named : `gcc-${COMPILER}`,
        ),
    );
  }
  const path = `${build}/include/config/auto.conf`;
  if (!exists(path)) return;
  const text = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(
    path,
    text.replace(/^CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=y\n/m, ""),
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
