/**
 * The statically linked busybox that is a guest's whole user space.
 *
 * @module
 */

import { withApt } from "./apt.ts";
import { interpreterOf, isElf } from "./elf.ts";
import { LabError } from "../host/errors.ts";
import { lock } from "../host/lock.ts";
import { cacheDirectory, exists } from "../host/paths.ts";
import type { OnProgress } from "../host/progress.ts";

/**
 * The path of a statically linked busybox: the host's, if it has one; otherwise
 * one from its package, kept in the cache.
 */
export async function findBusybox(onProgress: OnProgress): Promise<string> {
  for (const path of ["/bin/busybox", "/usr/bin/busybox"]) {
    if (exists(path) && isStatic(Deno.readFileSync(path))) return path;
  }
  const folder = `${cacheDirectory()}/busybox`;
  using _held = await lock(`${folder}.lock`);
  const cached = () =>
    [`${folder}/bin/busybox`, `${folder}/usr/bin/busybox`].find(exists);
  const there = cached();
  if (there) return there;
  const fetched = await withApt(async (apt) => {
    const [offer] = await apt.offers("busybox-static");
    if (!offer) return undefined;
    await apt.unpack([offer], folder, onProgress);
    return cached();
  }, onProgress);
  if (!fetched) {
    throw new LabError(
      "the package busybox-static is not on offer; run: sudo apt-get update " +
        "&& sudo apt-get install -y busybox-static",
    );
  }
  return fetched;
}

/** Whether an ELF program has no interpreter, so that it needs no libraries. */
export function isStatic(elf: Uint8Array): boolean {
  return isElf(elf) && interpreterOf(elf) === undefined;
}
