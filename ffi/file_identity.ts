/**
 * Which file a mapping is of, as the kernel tells it for this process: the same
 * words as it tells for the mappings of a VM's process. `stat` may give another
 * device (btrfs, overlayfs).
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { XftraceError } from "../engine/base/errors.ts";
import { fileFacts, parseMaps } from "../engine/targets/proc.ts";
import type { FileDescriptor } from "./file_descriptor.ts";

/**
 * Refuses a file that is not the one which a VM's process has mapped. Between
 * the moment when its mappings were read and the opening, a path may lead to
 * another file, and a descriptor's number may stand for one.
 *
 * @param identity device and inode, see `VmBacking.identity`
 * @param address where the file is mapped in this process; undefined when it is
 * not
 * @throws {XftraceError}
 */
export function requireIdentity(
  file: FileDescriptor,
  identity: string,
  address?: number,
): void {
  const own = `/proc/self/fd/${file.fd}`;
  if (fileFacts(own)?.identity === identity) return;
  if (address !== undefined && mappedAt(address) === identity) return;
  throw new XftraceError(
    `${file.path} is not the file that the VM's process has mapped any more; try again`,
  );
}

/** Device and inode of what this process has mapped at an address. */
function mappedAt(address: number): string | undefined {
  return parseMaps(readFileSync("/proc/self/maps", "utf8"))
    .find(({ start, end }) => start <= address && address < end)?.identity;
}
